// The values of a dimension that count under their own name; every other value has one code, so state cannot be blown up.
import { other } from '../settings.ts'

export type Dictionary = {
  /** Codes are [0, size): the listed values in their order, then `other`. */
  readonly size: number
  readonly names: readonly string[]
  readonly otherCode: number
  /** Code of the value in bytes [from, from + length). */
  codeOf(bytes: Uint8Array, from: number, length: number): number
}

export function dictionary(values: readonly string[]): Dictionary {
  const listed = [...new Set(values)].filter((value) => value !== other)
  const encoded = listed.map((value) => new TextEncoder().encode(value))
  const otherCode = listed.length
  let places = 16
  while (places < listed.length * 4) places *= 2
  const table = new Int32Array(places) // code + 1, or 0
  const place = (bytes: Uint8Array, from: number, length: number) => {
    let hash = length
    for (let i = from; i < from + length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    return (hash ^ (hash >>> 13)) & (places - 1)
  }
  encoded.forEach((bytes, code) => {
    let i = place(bytes, 0, bytes.length)
    while (table[i] !== 0) i = (i + 1) & (places - 1)
    table[i] = code + 1
  })

  return {
    size: listed.length + 1,
    names: [...listed, other],
    otherCode,
    codeOf(bytes, from, length) {
      if (length > 512) return otherCode
      search: for (let i = place(bytes, from, length); ; i = (i + 1) & (places - 1)) {
        const code = table[i]! - 1
        if (code < 0) return otherCode
        const value = encoded[code]!
        if (value.length !== length) continue
        for (let j = 0; j < length; j++) if (value[j] !== bytes[from + j]) continue search
        return code
      }
    },
  }
}
