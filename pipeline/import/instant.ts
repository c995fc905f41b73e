// When a row happened: a column's text in one of the units that a mapping may name → ms since the epoch.
import { zone, type Zone } from '../../operators/time/zone.ts'

export const timeUnits = ['s', 'ms', 'iso'] as const
export type TimeUnit = (typeof timeUnits)[number]

export type Instant = { ok: true; ms: number } | { ok: false; wants: string }

export function isZone(name: string): boolean {
  try {
    return zone(name).name === name
  } catch {
    return false
  }
}

const isoForm = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i

/** `zoneName`: whose local time it is where an ISO time names no offset. What is finer than a millisecond is cut off. */
export function instantReader(unit: TimeUnit, zoneName?: string): (text: string) => Instant {
  if (unit === 'iso') return isoReader(zoneName === undefined ? undefined : zone(zoneName))
  const factor = unit === 's' ? 1000 : 1
  const wants = unit === 's' ? 'seconds since 1970' : 'milliseconds since 1970'
  return (text) => {
    if (!/^-?\d{1,16}(\.\d+)?$/.test(text)) return { ok: false, wants }
    return { ok: true, ms: decimalTimes(text, factor) }
  }
}

/** Exact where the product is below 2⁵³: 1511848894.3 is no double, and times 1000 it would be a millisecond off. */
function decimalTimes(text: string, factor: number): number {
  const [whole, fraction = ''] = text.split('.') as [string, string?]
  const digits = Math.log10(factor)
  const part = fraction.slice(0, digits).padEnd(digits, '0')
  const ms = Math.abs(Number(whole)) * factor + Number(part)
  return text.startsWith('-') ? -ms : ms
}

function isoReader(local: Zone | undefined): (text: string) => Instant {
  return (text) => {
    const parts = isoForm.exec(text)
    if (parts === null) return { ok: false, wants: 'a time such as 2017-11-25T14:01:02+08:00' }
    const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((part) => Number(part ?? 0)) as [
      number, number, number, number, number, number,
    ] // prettier-ignore
    const ms = Number((parts[7] ?? '').padEnd(3, '0').slice(0, 3))
    const at = new Date(0)
    at.setUTCFullYear(year, month - 1, day)
    at.setUTCHours(hour, minute, second, ms)
    // 30 February, 25 o'clock and the like come out as something else.
    const same = at.getUTCMonth() === month - 1 && at.getUTCDate() === day && at.getUTCHours() === hour
    if (!same || minute > 59 || second > 59) return { ok: false, wants: 'a day and time of day that exist' }
    const offset = parts[8]
    if (offset !== undefined) return { ok: true, ms: at.getTime() - offsetMs(offset) }
    if (local === undefined) return { ok: false, wants: "an offset such as Z or +08:00, or the mapping's time needs a zone" }
    const ms2 = ofLocal(at.getTime(), local)
    return ms2 === undefined ? { ok: false, wants: `a time that the clocks of ${local.name} showed` } : { ok: true, ms: ms2 }
  }
}

function offsetMs(text: string): number {
  if (text.toUpperCase() === 'Z') return 0
  const digits = text.slice(1).replace(':', '')
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0)
  return (text.startsWith('-') ? -minutes : minutes) * 60_000
}

const dayMs = 86_400_000

/** The instant at which the zone's clocks showed `local` (as if it were UTC): the first of two; undefined where none. */
function ofLocal(local: number, { offsetAt }: Zone): number | undefined {
  return [offsetAt(local - dayMs), offsetAt(local + dayMs)].map((offset) => local - offset).find((at) => at + offsetAt(at) === local)
}
