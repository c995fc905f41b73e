// Who was counted in which cells of a bucket: a row of bits for each user or session, one table a bucket, dropped whole.

export type MarkTable = {
  /** Sets the bits of `mask` in the row of (who, low, high); those that were not set are left in `fresh`. False: there were none. O(1). */
  mark(who: number, low: number, high: number, mask: Int32Array, fresh: Int32Array): boolean
  rows(): number
  bytes(): number
}

/**
 * `keyInts`: 1 where `who` alone names a row, 3 where the 64 bits of `low` and `high` belong to it. `who` is never 0. `words`: of a
 * mask. `expected`: rows for which there is room at once.
 */
function markTable(keyInts: 1 | 3, words: number, expected: number): MarkTable {
  const width = keyInts + words
  let places = 16
  while (places * 3 < expected * 4) places *= 2
  let table = new Int32Array(places * width)
  let used = 0

  const place = (who: number, low: number) => {
    const mixed = Math.imul(Math.imul(who, 0x9e3779b1) ^ low, 0x85ebca6b)
    return (mixed ^ (mixed >>> 15)) & (places - 1)
  }

  function grow(): void {
    const before = table
    places *= 2
    table = new Int32Array(places * width)
    for (let from = 0; from < before.length; from += width) {
      if (before[from] === 0) continue
      let i = place(before[from]!, keyInts === 3 ? before[from + 1]! : 0)
      while (table[i * width] !== 0) i = (i + 1) & (places - 1)
      for (let n = 0; n < width; n++) table[i * width + n] = before[from + n]!
    }
  }

  return {
    mark(who, low, high, mask, fresh) {
      let i = place(who, low)
      let at = i * width
      for (;;) {
        const there = table[at]!
        if (there === who && (keyInts === 1 || (table[at + 1] === low && table[at + 2] === high))) break
        if (there === 0) {
          if (used * 4 >= places * 3) {
            grow()
            return this.mark(who, low, high, mask, fresh)
          }
          used++
          table[at] = who
          if (keyInts === 3) {
            table[at + 1] = low
            table[at + 2] = high
          }
          break
        }
        i = (i + 1) & (places - 1)
        at = i * width
      }
      at += keyInts
      let any = 0
      for (let w = 0; w < words; w++, at++) {
        const set = table[at]!
        const added = mask[w]! & ~set
        fresh[w] = added
        if (added === 0) continue
        table[at] = set | added
        any = 1
      }
      return any === 1
    },
    rows: () => used,
    bytes: () => table.byteLength,
  }
}

export type MarkTables = {
  /** The bucket's table, which is made if need be. */
  of(bucket: number): MarkTable
  /** Drops the tables of buckets before this one. */
  dropBefore(bucket: number): void
  bytes(): number
}

/** Tables by bucket. Those that are asked for again and again, the newest, are found without a look-up. */
export function markTables(keyInts: 1 | 3, words: number): MarkTables {
  const tables = new Map<number, MarkTable>()
  let hotBucket = NaN
  let hot: MarkTable | undefined

  return {
    of(bucket) {
      if (bucket === hotBucket) return hot!
      let table = tables.get(bucket)
      // A bucket is likely to hold about as many as the last one did; a table that is too large costs less than growing.
      if (table === undefined) tables.set(bucket, (table = markTable(keyInts, words, Math.min(hot?.rows() ?? 0, 1 << 16))))
      hotBucket = bucket
      hot = table
      return table
    },
    dropBefore(bucket) {
      for (const old of tables.keys()) if (old < bucket) tables.delete(old)
      if (hotBucket < bucket) {
        hotBucket = NaN
        hot = undefined
      }
    },
    bytes: () => [...tables.values()].reduce((sum, table) => sum + table.bytes(), 0),
  }
}
