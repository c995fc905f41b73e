// How much a user is drawn to each category: a sum of weights that halve every seven days.
import { checkCount, putDouble, putUint, room, takeDouble, takeUint, type ByteReader, type ByteWriter } from '../bytes.ts'
import { grown } from '../users/registry.ts'
import { affinityHalfLifeMs, topCategories } from './weights.ts'

/** A user's values are kept as of one instant of their own; it moves when it lies this many half-lives back. */
const rebaseHalfLives = 64

export type Affinities = {
  /** Adds `weight` (> 0) of an event of corrected time `t`. O(categories of the user). */
  add(slot: number, category: number, weight: number, t: number): void
  /** The top five at instant `asOf`, by (affinity desc, name asc): how many; their codes and values are in `top`. */
  rank(slot: number, asOf: number): number
  /** Filled by `rank`. Borrowed. */
  readonly top: { readonly codes: Int32Array; readonly values: Float64Array }
  resize(users: number): void
  /** Takes all of a user's categories away. */
  clear(slot: number): void
  /** The user's state as bytes, and back into a slot that is clear (checkpoints). `lastSeen`: no event of the user's is newer. */
  write(slot: number, to: ByteWriter, lastSeen: number): void
  read(slot: number, from: ByteReader, lastSeen: number): void
}

/** `names` = the dictionary's names, by code, `other` last: ties are settled by them. */
export function affinities(names: readonly string[], initialUsers: number): Affinities {
  // Place of each name among all names, so that ties need no string comparison.
  const byName = names.map((_, code) => code).toSorted((a, b) => (names[a]! < names[b]! ? -1 : 1))
  const place = new Int32Array(names.length)
  byName.forEach((code, i) => (place[code] = i))

  const otherCode = names.length - 1

  let heads = new Int32Array(initialUsers) // chained entries; 0 is "none"
  let baseAt = new Float64Array(initialUsers)
  let codes = new Int32Array(1024)
  let nexts = new Int32Array(1024)
  let values = new Float64Array(1024)
  let made = 1
  let firstFree = 0 // free entries are chained by `nexts`
  const top = { codes: new Int32Array(topCategories), values: new Float64Array(topCategories) }

  function newEntry(): number {
    if (firstFree !== 0) {
      const entry = firstFree
      firstFree = nexts[entry]!
      return entry
    }
    const entry = made++
    if (entry === codes.length) {
      codes = grown(codes, entry * 2)
      nexts = grown(nexts, entry * 2)
      values = grown(values, entry * 2)
    }
    return entry
  }

  function entryOf(slot: number, category: number): number {
    for (let entry = heads[slot]!; entry !== 0; entry = nexts[entry]!) if (codes[entry] === category) return entry
    const entry = newEntry()
    codes[entry] = category
    nexts[entry] = heads[slot]!
    values[entry] = 0
    heads[slot] = entry
    return entry
  }

  return {
    top,
    add(slot, category, weight, t) {
      if (heads[slot] === 0) baseAt[slot] = t
      let ahead = (t - baseAt[slot]!) / affinityHalfLifeMs
      if (ahead > rebaseHalfLives) {
        const factor = 2 ** -ahead
        for (let entry = heads[slot]!; entry !== 0; entry = nexts[entry]!) values[entry]! *= factor
        baseAt[slot] = t
        ahead = 0
      }
      // Looked up first: it may move `values`.
      const entry = entryOf(slot, category)
      values[entry]! += weight * 2 ** ahead
    },
    rank(slot, asOf) {
      let count = 0
      for (let entry = heads[slot]!; entry !== 0; entry = nexts[entry]!) {
        const value = values[entry]!
        const code = codes[entry]!
        if (value === 0) continue
        let i = count < topCategories ? count++ : topCategories
        while (i > 0 && (top.values[i - 1]! < value || (top.values[i - 1] === value && place[top.codes[i - 1]!]! > place[code]!))) {
          if (i < topCategories) {
            top.values[i] = top.values[i - 1]!
            top.codes[i] = top.codes[i - 1]!
          }
          i--
        }
        if (i < topCategories) {
          top.values[i] = value
          top.codes[i] = code
        }
      }
      const decay = 2 ** (-(asOf - baseAt[slot]!) / affinityHalfLifeMs)
      for (let i = 0; i < count; i++) top.values[i]! *= decay
      return count
    },
    resize(users) {
      heads = grown(heads, users)
      baseAt = grown(baseAt, users)
    },
    clear(slot) {
      for (let entry = heads[slot]!; entry !== 0;) {
        const next = nexts[entry]!
        nexts[entry] = firstFree
        firstFree = entry
        entry = next
      }
      heads[slot] = 0
    },
    write(slot, to, lastSeen) {
      let count = 0
      for (let entry = heads[slot]!; entry !== 0; entry = nexts[entry]!) count++
      room(to, 16 + count * 12)
      putUint(to, count)
      if (count > 0) putUint(to, lastSeen - baseAt[slot]!)
      for (let entry = heads[slot]!; entry !== 0; entry = nexts[entry]!) {
        // The place in the list plus one, so that the list may grow.
        putUint(to, codes[entry] === otherCode ? 0 : codes[entry]! + 1)
        putDouble(to, values[entry]!)
      }
    },
    read(slot, from, lastSeen) {
      const count = takeUint(from)
      checkCount(from, count)
      if (count > 0) baseAt[slot] = lastSeen - takeUint(from)
      for (let i = 0; i < count; i++) {
        const entry = newEntry()
        const code = takeUint(from)
        codes[entry] = code === 0 ? otherCode : code - 1
        values[entry] = takeDouble(from)
        nexts[entry] = heads[slot]!
        heads[slot] = entry
      }
    },
  }
}
