// Which users have been seen: 16 bytes of memory or so for each, by a 128-bit digest of the id (two of 10⁹ users share one
// with a chance of 10⁻²⁰).
import { hash } from 'node:crypto'

export type UserSet = {
  /** True where the id was not in it. */
  add(userId: string): boolean
  size(): number
}

export function userSet(): UserSet {
  let places = 1024
  let table = new Uint32Array(places * 4)
  let size = 0

  function put(a: number, b: number, c: number, d: number): boolean {
    for (let i = (a & (places - 1)) * 4; ; i = (i + 4) & (places * 4 - 1)) {
      if (table[i + 3] === 0) {
        table[i] = a
        table[i + 1] = b
        table[i + 2] = c
        table[i + 3] = d
        return true
      }
      if (table[i] === a && table[i + 1] === b && table[i + 2] === c && table[i + 3] === d) return false
    }
  }

  function grow(): void {
    const old = table
    places *= 2
    table = new Uint32Array(places * 4)
    for (let i = 0; i < old.length; i += 4) if (old[i + 3] !== 0) put(old[i]!, old[i + 1]!, old[i + 2]!, old[i + 3]!)
  }

  return {
    add(userId) {
      const digest = hash('md5', userId, 'buffer')
      // An empty place has 0 in its last word.
      const isNew = put(digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12) || 1)
      if (isNew && ++size * 4 > places * 3) grow()
      return isNew
    },
    size: () => size,
  }
}
