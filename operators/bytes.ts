// State at rest as bytes: a cursor over a buffer, and functions that move it. No closure and no object for a number, since a restore
// reads a hundred million of them.
/** What is being written is [start, at). */
export type ByteWriter = { bytes: Uint8Array; start: number; at: number }

const chunkBytes = 1 << 16

export const byteWriter = (): ByteWriter => ({ bytes: new Uint8Array(chunkBytes), start: 0, at: 0 })

/** Sees that `length` more bytes fit. A number takes at most 8. */
export function room(to: ByteWriter, length: number): void {
  if (to.at + length <= to.bytes.length) return
  const written = to.bytes.subarray(to.start, to.at)
  to.bytes = new Uint8Array(Math.max(chunkBytes, (written.length + length) * 2))
  to.bytes.set(written)
  to.start = 0
  to.at = written.length
}

/** What was written since the last call. Many share a buffer, which is never written over: an allocation for each would cost more. */
export function taken(from: ByteWriter): Uint8Array {
  const written = from.bytes.subarray(from.start, from.at)
  from.start = from.at
  return written
}

/** A whole number from 0 to 2⁵³: seven bits a byte, the lowest first. There must be room. */
export function putUint(to: ByteWriter, value: number): void {
  const { bytes } = to
  let rest = value
  while (rest > 0x0fff_ffff) {
    bytes[to.at++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  while (rest > 127) {
    bytes[to.at++] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[to.at++] = rest
}

/** A whole number between ±2⁵². */
export function putInt(to: ByteWriter, value: number): void {
  putUint(to, value < 0 ? -value * 2 - 1 : value * 2)
}

const double = new Float64Array(1)
const doubleBytes = new Uint8Array(double.buffer)
const doubleInts = new Int32Array(double.buffer)

export function putDouble(to: ByteWriter, value: number): void {
  double[0] = value
  for (let i = 0; i < 8; i++) to.bytes[to.at++] = doubleBytes[i]!
}

export function putInt32(to: ByteWriter, value: number): void {
  to.bytes[to.at++] = value
  to.bytes[to.at++] = value >> 8
  to.bytes[to.at++] = value >> 16
  to.bytes[to.at++] = value >> 24
}

export function putBytes(to: ByteWriter, source: Uint8Array, from: number, length: number): void {
  for (let i = 0; i < length; i++) to.bytes[to.at++] = source[from + i]!
}

/** Beyond the end it reads zeros: call `checkEnd` after the last, and `checkCount` before a loop. */
export type ByteReader = { bytes: Uint8Array; at: number }

export function takeUint(from: ByteReader): number {
  const { bytes } = from
  let byte = bytes[from.at++]!
  if (byte < 128) return byte
  let value = byte & 127
  for (let shift = 7; shift < 28; shift += 7) {
    byte = bytes[from.at++]!
    value |= (byte & 127) << shift
    if (!(byte > 127)) return value
  }
  for (let scale = 2 ** 28; byte > 127; scale *= 128) {
    byte = bytes[from.at++]!
    value += (byte & 127) * scale
  }
  return value
}

export function passUint(from: ByteReader): void {
  while (from.bytes[from.at++]! > 127);
}

export function takeInt(from: ByteReader): number {
  const value = takeUint(from)
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2
}

export function takeDouble(from: ByteReader): number {
  doubleInts[0] = int32(from.bytes, from.at)
  doubleInts[1] = int32(from.bytes, from.at + 4)
  from.at += 8
  return double[0]!
}

/** Four bytes, the lowest first; zeros beyond the end. */
export const int32 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)

/** A list of `count` entries of at least one byte each must fit into what is left. */
export function checkCount(from: ByteReader, count: number): void {
  if (count > from.bytes.length - from.at)
    throw new RangeError(
      `it says ${count} entries at byte ${from.at}, and is only ${from.bytes.length} bytes long: it is cut short or broken`,
    )
}

export function checkEnd(from: ByteReader): void {
  if (from.at > from.bytes.length)
    throw new RangeError(`it ends after ${from.bytes.length} bytes, in the middle of a value: it is cut short or broken`)
}
