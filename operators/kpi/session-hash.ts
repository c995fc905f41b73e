// 64 bits of a session's id, by which its marks tell it from the user's other sessions (docs/decisions/kpi-marks.md).

/** Sets `into` to two 32-bit halves of a hash of bytes [from, from + length). */
export function sessionHash(bytes: Uint8Array, from: number, length: number, into: Int32Array): void {
  let a = 0x9e3779b1 ^ length
  let b = 0x85ebca6b ^ length
  let at = from
  for (const end = from + length - 3; at < end; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    a = Math.imul(a ^ word, 0xcc9e2d51)
    a ^= a >>> 15
    b = Math.imul(((b << 13) | (b >>> 19)) ^ word, 0x1b873593)
    b ^= b >>> 17
  }
  let rest = 0
  for (const end = from + length; at < end; at++) rest = (rest << 8) | bytes[at]!
  a = Math.imul(a ^ rest, 0xcc9e2d51)
  b = Math.imul(((b << 13) | (b >>> 19)) ^ rest, 0x1b873593)
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b)
  b = Math.imul(b ^ (b >>> 16), 0xc2b2ae35)
  into[0] = a ^ (a >>> 13)
  into[1] = b ^ (b >>> 16)
}
