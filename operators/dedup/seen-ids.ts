// Which event ids a user had accepted: hourly generations of 64-bit hashes, dropped whole when they are too old.
// A log of (user, hash) in order of acceptance is the record; per user a small table of (32 hash bits, place in the log)
// finds it again, so that the look-ups of one flush stay within one short stretch of memory. What a restore brings is only chained
// by user: a table is made once its user comes by, which most never do.
import { int32 } from '../bytes.ts'
import { grown } from '../users/registry.ts'

const chunkBits = 12
const chunkEntries = 1 << chunkBits
/** Places in the log are 31-bit and wrap: the oldest and the newest chunk alive are fewer than this apart. */
const ring = 1 << (31 - chunkBits)

// A run of one user's restored entries: place of the first, how many, the user's run before it.
const PLACE = 0
const ENTRIES = 1
const BEFORE = 2
const runInts = 3

/** A stretch of the log, of one generation: `used` entries of (user's slot, low hash, high hash). */
type Chunk = { readonly hour: number; readonly entries: Int32Array; used: number }

export type SeenIds = {
  /** Makes `hour` (since the epoch, never falling) the present one; forgets generations more than `keepHours` older. */
  advance(hour: number): void
  /** Had this user an id of this hash accepted in the present hour or the `keepHours` before it? O(1). */
  has(slot: number, low: number, high: number): boolean
  /** Remembers, in the present hour, an id that `has` does not know. O(1), amortised. */
  add(slot: number, low: number, high: number): void
  /**
   * Remembers, in the present hour, the `count` pairs of 32-bit halves that begin at `bytes[from]`: those that a restore brings, before
   * anything is asked or added. Then `endRestore`.
   */
  restore(slot: number, bytes: Uint8Array, from: number, count: number): void
  /** Takes what was restored for drained. */
  endRestore(): void
  /** Makes room for slots below `users`. */
  resize(users: number): void
  /** Ids remembered. */
  size(): number
  /**
   * Hands over the ids added since the last call and still remembered, in order, in runs of one user's: `count` entries of
   * (slot, low, high) from `entries[from]`. Borrowed.
   */
  drainNew(each: (hour: number, slot: number, entries: Int32Array, from: number, count: number) => void): void
}

export function seenIds(keepHours: number, initialUsers: number): SeenIds {
  const chunks: (Chunk | undefined)[] = [] // by chunk number
  const live: number[] = [] // chunk numbers, oldest first
  let open: Chunk | undefined
  let openNumber = 0
  let hourNow = -Infinity
  let size = 0
  let undrained: Chunk[] = []
  let drainedOfFirst = 0

  // Per user an open-addressing table in `slab`: pairs of (low hash, place in the log), place 0 = empty. Where there is no table, the
  // offset is that of the user's newest run, 0: none.
  let offsets = new Int32Array(initialUsers)
  let masks = new Int32Array(initialUsers) // places − 1; 0: no table
  let room = new Int32Array(initialUsers) // pairs that may still be added
  let lastHours = new Int32Array(initialUsers)
  let slab = new Int32Array(1 << 14)
  let slabUsed = 0
  const free: number[][] = Array.from({ length: 32 }, () => []) // by log2 of places
  let runs = new Int32Array(runInts)
  let runsUsed = runInts // run 0 is nobody's
  let lastRunHour = -Infinity

  function dropOldest(): void {
    const number = live.shift()!
    const chunk = chunks[number]!
    chunks[number] = undefined
    size -= chunk.used
    if (chunk === open) open = undefined
    // A user whose last id was of this hour has none left: the table goes with it.
    for (let i = 0; i < chunk.used; i++) {
      const slot = chunk.entries[i * 3]!
      if (lastHours[slot]! > chunk.hour) continue
      if (masks[slot] !== 0) free[31 - Math.clz32(masks[slot]! + 1)]!.push(offsets[slot]!)
      offsets[slot] = 0
      masks[slot] = 0
      room[slot] = 0
    }
  }

  function openChunk(): Chunk {
    openNumber = openNumber + 1 === ring ? 1 : openNumber + 1
    const chunk = { hour: hourNow, entries: new Int32Array(chunkEntries * 3), used: 0 }
    chunks[openNumber] = chunk
    live.push(openNumber)
    undrained.push(chunk)
    return chunk
  }

  /** An empty table with room for more than so many ids. */
  function makeTable(slot: number, ids: number): void {
    let size = 8
    while (size < ids * 2 + 2) size *= 2
    let at = free[31 - Math.clz32(size)]!.pop()
    if (at === undefined) {
      if (slabUsed + size * 2 > slab.length) slab = grown(slab, Math.max(slab.length * 2, slabUsed + size * 2))
      at = slabUsed
      slabUsed += size * 2
    } else slab.fill(0, at, at + size * 2)
    offsets[slot] = at
    masks[slot] = size - 1
    room[slot] = (size * 3) / 4
  }

  /** A table with room for more, without what is forgotten: it grows with what is alive, not with what was. */
  function rebuild(slot: number): void {
    const from = offsets[slot]!
    if (masks[slot] === 0) return indexRuns(slot, from)
    const places = masks[slot]! + 1
    let alive = 0
    for (let i = 0; i < places; i++) {
      const at = from + i * 2 + 1
      if (slab[at] === 0) continue
      if (chunks[slab[at]! >>> chunkBits] === undefined) slab[at] = 0
      else alive++
    }
    makeTable(slot, alive)
    for (let i = 0; i < places; i++) {
      const place = slab[from + i * 2 + 1]!
      if (place !== 0) index(slot, slab[from + i * 2]!, place)
    }
    free[31 - Math.clz32(places)]!.push(from)
  }

  /** Writes an id into its user's table, which has room. */
  function index(slot: number, low: number, place: number): void {
    const mask = masks[slot]!
    const from = offsets[slot]!
    let i = low & mask
    while (slab[from + i * 2 + 1] !== 0) i = (i + 1) & mask
    slab[from + i * 2] = low
    slab[from + i * 2 + 1] = place
    room[slot]!--
  }

  /** The first table of a user whose newest run that is. */
  function indexRuns(slot: number, newest: number): void {
    const isAlive = (run: number) => chunks[runs[run + PLACE]! >>> chunkBits] !== undefined
    let ids = 0
    for (let run = newest; run !== 0; run = runs[run + BEFORE]!) if (isAlive(run)) ids += runs[run + ENTRIES]!
    makeTable(slot, ids)
    for (let run = newest; run !== 0; run = runs[run + BEFORE]!) {
      if (!isAlive(run)) continue
      const place = runs[run + PLACE]!
      const { entries } = chunks[place >>> chunkBits]!
      const first = (place & (chunkEntries - 1)) * 3
      for (let i = 0; i < runs[run + ENTRIES]!; i++) index(slot, entries[first + i * 3 + 1]!, place + i)
    }
  }

  function forgetNew(): void {
    undrained = open === undefined ? [] : [open]
    drainedOfFirst = open === undefined ? 0 : open.used
  }

  return {
    advance(hour) {
      if (hour <= hourNow) return
      hourNow = hour
      open = undefined
      while (live.length > 0 && hour - chunks[live[0]!]!.hour > keepHours) dropOldest()
      if (runsUsed > runInts && hour - lastRunHour > keepHours) {
        runs = new Int32Array(runInts)
        runsUsed = runInts
      }
    },
    has(slot, low, high) {
      if (masks[slot] === 0) {
        if (offsets[slot] === 0) return false
        rebuild(slot)
      }
      const mask = masks[slot]!
      const from = offsets[slot]!
      for (let i = low & mask; ; i = (i + 1) & mask) {
        const place = slab[from + i * 2 + 1]!
        if (place === 0) return false
        if (slab[from + i * 2] !== low) continue
        const chunk = chunks[place >>> chunkBits]
        if (chunk === undefined) continue
        const at = (place & (chunkEntries - 1)) * 3
        if (chunk.entries[at] === slot && chunk.entries[at + 2] === high) return true
      }
    },
    add(slot, low, high) {
      if (open === undefined || open.used === chunkEntries) open = openChunk()
      if (room[slot] === 0) rebuild(slot)
      const place = (openNumber << chunkBits) | open.used
      const entry = open.used++ * 3
      const entries = open.entries
      entries[entry] = slot
      entries[entry + 1] = low
      entries[entry + 2] = high
      index(slot, low, place)
      lastHours[slot] = hourNow
      size++
    },
    restore(slot, bytes, from, count) {
      if (count === 0) return // or the last hour would be one in which there is no entry
      let at = from
      for (let left = count; left > 0;) {
        if (open === undefined || open.used === chunkEntries) open = openChunk()
        const { entries, used } = open
        const taken = Math.min(left, chunkEntries - used)
        if (runsUsed === runs.length) runs = grown(runs, runsUsed * 2)
        runs[runsUsed + PLACE] = (openNumber << chunkBits) | used
        runs[runsUsed + ENTRIES] = taken
        runs[runsUsed + BEFORE] = offsets[slot]!
        offsets[slot] = runsUsed
        runsUsed += runInts
        for (let entry = used * 3, end = (used + taken) * 3; entry < end; entry += 3, at += 8) {
          entries[entry] = slot
          entries[entry + 1] = int32(bytes, at)
          entries[entry + 2] = int32(bytes, at + 4)
        }
        open.used = used + taken
        left -= taken
      }
      lastHours[slot] = hourNow
      lastRunHour = hourNow
      size += count
    },
    endRestore: forgetNew,
    resize(users) {
      offsets = grown(offsets, users)
      masks = grown(masks, users)
      room = grown(room, users)
      lastHours = grown(lastHours, users)
    },
    size: () => size,
    drainNew(each) {
      let from = drainedOfFirst
      for (const { hour, entries, used } of undrained) {
        for (let i = hourNow - hour <= keepHours ? from : used; i < used;) {
          const slot = entries[i * 3]!
          const first = i
          while (i < used && entries[i * 3] === slot) i++
          each(hour, slot, entries, first * 3, i - first)
        }
        from = 0
      }
      forgetNew()
    },
  }
}
