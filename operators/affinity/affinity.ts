// How much a user is drawn to each category: a sum of weights that halve every seven days.
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
  /** The user's state as plain numbers, and back into a slot that is clear (checkpoints). */
  write(slot: number, push: (value: number) => void): void
  read(slot: number, next: () => number): void
}

/** `names` = the dictionary's names, by code: ties are settled by them. */
export function affinities(names: readonly string[], initialUsers: number): Affinities {
  // Place of each name among all names, so that ties need no string comparison.
  const byName = names.map((_, code) => code).toSorted((a, b) => (names[a]! < names[b]! ? -1 : 1))
  const place = new Int32Array(names.length)
  byName.forEach((code, i) => (place[code] = i))

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
    write(slot, push) {
      push(baseAt[slot]!)
      let count = 0
      for (let entry = heads[slot]!; entry !== 0; entry = nexts[entry]!) count++
      push(count)
      for (let entry = heads[slot]!; entry !== 0; entry = nexts[entry]!) {
        push(codes[entry]!)
        push(values[entry]!)
      }
    },
    read(slot, next) {
      const base = next()
      for (let count = next(); count > 0; count--) {
        const entry = entryOf(slot, next())
        values[entry] = next()
      }
      baseAt[slot] = base
    },
  }
}
