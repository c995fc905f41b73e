// How much a user is drawn to each category: a sum of weights that halve every seven days.
import { checkCount, putDouble, putUint, room, takeDouble, takeUint, type ByteReader, type ByteWriter } from '../bytes.ts'
import { grown } from '../users/registry.ts'
import { affinityHalfLifeMs, topCategories } from './weights.ts'

/** A user's values are kept as of one instant of their own; it moves when it lies this many half-lives back. */
const rebaseHalfLives = 64

const leastBlock = 4
const blockSize = (count: number) => Math.max(leastBlock, 2 ** (32 - Math.clz32(count - 1)))

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

  // A user's entries lie in a block of `codes` and `values`: the power of two that holds them, no less than 4. Block 0 is nobody's.
  let blocks = new Int32Array(initialUsers)
  let counts = new Int32Array(initialUsers)
  let baseAt = new Float64Array(initialUsers)
  let codes = new Int32Array(1024)
  let values = new Float64Array(1024)
  let made = leastBlock
  const free: number[][] = Array.from({ length: 32 }, () => []) // by log2 of the block's size
  const top = { codes: new Int32Array(topCategories), values: new Float64Array(topCategories) }

  function newBlock(size: number): number {
    const block = free[31 - Math.clz32(size)]!.pop()
    if (block !== undefined) return block
    const at = made
    made += size
    if (made > codes.length) {
      const length = Math.max(codes.length * 2, made)
      codes = grown(codes, length)
      values = grown(values, length)
    }
    return at
  }

  const freeBlock = (block: number, size: number) => free[31 - Math.clz32(size)]!.push(block)

  /** Another entry of the user's, behind those that are there. */
  function newEntry(slot: number): number {
    const count = counts[slot]!
    counts[slot] = count + 1
    const block = blocks[slot]!
    if (count === 0) return (blocks[slot] = newBlock(leastBlock))
    if (count < leastBlock || (count & (count - 1)) !== 0) return block + count
    const larger = newBlock(count * 2)
    for (let i = 0; i < count; i++) {
      codes[larger + i] = codes[block + i]!
      values[larger + i] = values[block + i]!
    }
    freeBlock(block, count)
    blocks[slot] = larger
    return larger + count
  }

  function entryOf(slot: number, category: number): number {
    const from = blocks[slot]!
    for (let entry = from, to = from + counts[slot]!; entry < to; entry++) if (codes[entry] === category) return entry
    const entry = newEntry(slot)
    codes[entry] = category
    values[entry] = 0
    return entry
  }

  return {
    top,
    add(slot, category, weight, t) {
      if (counts[slot] === 0) baseAt[slot] = t
      let ahead = (t - baseAt[slot]!) / affinityHalfLifeMs
      if (ahead > rebaseHalfLives) {
        const factor = 2 ** -ahead
        for (let entry = blocks[slot]!, i = counts[slot]!; i > 0; i--, entry++) values[entry]! *= factor
        baseAt[slot] = t
        ahead = 0
      }
      // Looked up first: it may move `values`.
      const entry = entryOf(slot, category)
      values[entry]! += weight * 2 ** ahead
    },
    rank(slot, asOf) {
      let count = 0
      const from = blocks[slot]!
      for (let entry = from, to = from + counts[slot]!; entry < to; entry++) {
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
      // Blocks grow with users: they are not copied again for each doubling of their own. The first users may be the busiest, though.
      const wanted = Math.ceil(made * Math.min(users / blocks.length, 16))
      if (wanted > codes.length) {
        codes = grown(codes, wanted, made)
        values = grown(values, wanted, made)
      }
      blocks = grown(blocks, users)
      counts = grown(counts, users)
      baseAt = grown(baseAt, users)
    },
    clear(slot) {
      const count = counts[slot]!
      if (count > 0) freeBlock(blocks[slot]!, blockSize(count))
      counts[slot] = 0
      blocks[slot] = 0
    },
    write(slot, to, lastSeen) {
      const count = counts[slot]!
      const from = blocks[slot]!
      room(to, 16 + count * 12)
      putUint(to, count)
      if (count > 0) putUint(to, lastSeen - baseAt[slot]!)
      for (let entry = from; entry < from + count; entry++) {
        // The place in the list plus one, so that the list may grow.
        putUint(to, codes[entry] === otherCode ? 0 : codes[entry]! + 1)
        putDouble(to, values[entry]!)
      }
    },
    read(slot, from, lastSeen) {
      const count = takeUint(from)
      checkCount(from, count)
      if (count === 0) return
      baseAt[slot] = lastSeen - takeUint(from)
      const block = newBlock(blockSize(count))
      blocks[slot] = block
      counts[slot] = count
      for (let entry = block; entry < block + count; entry++) {
        const code = takeUint(from)
        codes[entry] = code === 0 ? otherCode : code - 1
        values[entry] = takeDouble(from)
      }
    },
  }
}
