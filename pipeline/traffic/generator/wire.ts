// Writes a flush of behaviour straight into bytes, field by field: Avro single-object encoding, no object on the way.

export type Wire = {
  /** Where the next byte goes. */
  at: number
  bytes: Uint8Array
  view: DataView
}

export const wire = (size: number): Wire => renew({ at: 0, bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)) }, size)

/** New memory: what was written before stays with those who were given it. */
export function renew(to: Wire, size: number): Wire {
  to.bytes = new Uint8Array(size)
  to.view = new DataView(to.bytes.buffer)
  to.at = 0
  return to
}

export function putByte(to: Wire, value: number): void {
  to.bytes[to.at++] = value
}

export function putBytes(to: Wire, from: Uint8Array): void {
  const { bytes } = to
  let at = to.at
  for (let i = 0; i < from.length; i++) bytes[at++] = from[i]!
  to.at = at
}

/** Avro long (and int): zigzag, then seven bits a byte. Any safe integer up to ±2^52. */
export function putLong(to: Wire, value: number): void {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  const { bytes } = to
  let at = to.at
  while (rest >= 268435456) {
    const low = rest % 268435456
    rest = (rest - low) / 268435456
    bytes[at++] = (low & 127) | 128
    bytes[at++] = ((low >>> 7) & 127) | 128
    bytes[at++] = ((low >>> 14) & 127) | 128
    bytes[at++] = (low >>> 21) | 128
  }
  while (rest > 127) {
    bytes[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[at++] = rest
  to.at = at
}

/** Four words, in order. */
export function putUuid(to: Wire, a: number, b: number, c: number, d: number): void {
  const { at, view } = to
  view.setInt32(at, a)
  view.setInt32(at + 4, b)
  view.setInt32(at + 8, c)
  view.setInt32(at + 12, d)
  to.at = at + 16
}

/** A letter and `digits` decimal digits, as an Avro string (short: its length takes one byte). */
export function putNumbered(to: Wire, letter: number, value: number, digits: number): void {
  const { bytes } = to
  const at = to.at
  bytes[at] = (digits + 1) << 1
  bytes[at + 1] = letter
  let rest = value
  for (let i = at + 1 + digits; i > at + 1; i--) {
    const tens = (rest / 10) | 0
    bytes[i] = 48 + rest - tens * 10
    rest = tens
  }
  to.at = at + 2 + digits
}

const hexDigits = new TextEncoder().encode('0123456789abcdef')

/** A letter, a dash and two words in hex, as an Avro string of 18 bytes. */
export function putHex(to: Wire, letter: number, high: number, low: number): void {
  const { bytes } = to
  let at = to.at
  bytes[at++] = 18 << 1
  bytes[at++] = letter
  bytes[at++] = 45
  for (let shift = 28; shift >= 0; shift -= 4) bytes[at++] = hexDigits[(high >>> shift) & 15]!
  for (let shift = 28; shift >= 0; shift -= 4) bytes[at++] = hexDigits[(low >>> shift) & 15]!
  to.at = at
}

const encoder = new TextEncoder()

/** A string with its length before it, ready for putBytes. */
export function avroString(text: string): Uint8Array {
  const utf8 = encoder.encode(text)
  const to = wire(utf8.length + 5)
  putLong(to, utf8.length)
  putBytes(to, utf8)
  return to.bytes.slice(0, to.at)
}

/** The same as a value of [null, string]. */
export function someString(text: string): Uint8Array {
  return Uint8Array.from([2, ...avroString(text)])
}

/** A map of strings: one block, or none. */
export function avroMap(entries: readonly (readonly [key: string, value: string])[]): Uint8Array {
  if (entries.length === 0) return Uint8Array.from([0])
  return Uint8Array.from([entries.length * 2, ...entries.flatMap(([key, value]) => [...avroString(key), ...avroString(value)]), 0])
}
