// What record headers may say. They come from outside: anything that does not read is as if it were not there.
import { maxInstant } from '../../schemas/limits.ts'

export type Headers = Readonly<Record<string, Uint8Array>>

/** A control record moves time, and cuts the block; it carries no flush. */
export type Control = { kind: 'tick'; clockAt: number }

/** ASCII decimal of at most 16 digits, |x| ≤ 2⁵²; else NaN. */
export function decimal(bytes: Uint8Array | undefined): number {
  if (bytes === undefined || bytes.length === 0) return NaN
  const negative = bytes[0] === 0x2d
  const digits = negative ? bytes.length - 1 : bytes.length
  if (digits === 0 || digits > 16) return NaN
  let value = 0
  for (let i = negative ? 1 : 0; i < bytes.length; i++) {
    const digit = bytes[i]! - 0x30
    if (digit < 0 || digit > 9) return NaN
    value = value * 10 + digit
  }
  return value > maxInstant ? NaN : negative ? -value : value
}

/** header `received_at`, where it reads; else the record's timestamp. */
export function receivedAtOf(headers: Headers, recordAt: number): number {
  const at = decimal(headers['received_at'])
  return Number.isNaN(at) ? recordAt : at
}

const tick = new TextEncoder().encode('tick')

/**
 * What a control record says, undefined where the record is none: with a key or a value it is a flush, whatever its
 * headers; with neither it must name a kind that is known. `clockAt` is NaN where the tick names none.
 */
export function controlOf(key: Uint8Array | null, value: Uint8Array | null, headers: Headers | undefined): Control | undefined {
  if (headers === undefined || key !== null || value !== null) return undefined
  const kind = headers['reelpulse']
  if (kind === undefined || kind.length !== tick.length || !tick.every((byte, i) => kind[i] === byte)) return undefined
  return { kind: 'tick', clockAt: decimal(headers['clock_at']) }
}
