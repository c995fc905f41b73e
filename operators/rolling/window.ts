// Rolling sums of fifteen measures over four windows, for every user of a partition. State is sparse: a tile exists only
// while it holds an event, so a user costs what their distinct tiles cost, however many events fell into them. Running sums are kept
// of those alone whose rows are asked for within the hour: anybody else's are added up when they are. Tiles that a restore brings
// stay the bytes that they were until something is asked of their user: most are not for long, and a tile is eight times as large.
import { measures, windows } from '../../schemas/measures.ts'
import { checkCount, checkEnd, passUint, putUint, room, takeUint, type ByteReader, type ByteWriter } from '../bytes.ts'
import { grown } from '../users/registry.ts'
import { keptBytes } from './kept-bytes.ts'

const windowCount = windows.length
const measureCount = measures.length
export const COUNTS = 13 // the twelve behaviours and completes
export const COMPLETES = 12
export const WATCH_MS = 13
export const AMOUNT_MINOR = 14
export const featureCount = windowCount * measureCount

// A tile: one 64-byte line of [number, newer, older, 13 counts], and [watch_ms, amount_minor] apart.
const NUMBER = 0
const NEWER = 1
const OLDER = 2
const COUNT = 3
const lineInts = 16

// A user's heads, per window: newest tile, oldest tile, number of the oldest (NONE where there is no tile).
const NEWEST = 0
const OLDEST = 1
const OLDEST_NUMBER = 2
const headInts = 3
const userHeads = windowCount * headInts
const NONE = 0x7fffffff

const userCounts = windowCount * COUNTS
const userSums = windowCount * 2

const spans = windows.map((w) => w.spanMs)
const hops = windows.map((w) => w.hopMs)

export type RollingWindows = {
  /** Moves every window's tail to where it stands at `clockAt`: tiles that left are subtracted and freed. O(tiles that left). */
  slide(slot: number, clockAt: number): void
  /**
   * Adds one event at corrected time `t` to the tile of its own time in each window that still holds that tile at
   * `clockAt` (the one of the last `slide`). `watchMs` counts with plays, `amountMinor` with purchases: 0 otherwise.
   */
  add(slot: number, t: number, clockAt: number, behavior: number, completes: boolean, watchMs: number, amountMinor: number): void
  /** The sixty sums as of the last `slide`, window by window (schemas/measures.ts). Borrowed: valid until the next call. */
  sums(slot: number): Float64Array
  /** Least instant at which a tile that is there leaves its window; Infinity where there is none. */
  nextLeave(slot: number): number
  resize(users: number): void
  /** Tiles in use, of all users. O(tiles). */
  tiles(): number
  /** Takes all of a user's tiles away. */
  clear(slot: number): void
  /** The user's tiles as bytes, and back into a slot that is clear (checkpoints). `lastSeen`: no event of the user's is newer. */
  write(slot: number, to: ByteWriter, lastSeen: number): void
  read(slot: number, from: ByteReader, lastSeen: number): void
}

export function rollingWindows(initialUsers: number): RollingWindows {
  let heads = new Int32Array(initialUsers * userHeads)
  for (let i = OLDEST_NUMBER; i < heads.length; i += headInts) heads[i] = NONE
  // A user's running sums, 0: none are kept; below 0: the user's tiles are still bytes, and of the heads the oldest numbers alone hold.
  let runs = new Int32Array(initialUsers)
  const packed = keptBytes()
  let runCounts = new Int32Array(64 * userCounts)
  let runSums = new Float64Array(64 * userSums)
  let runsMade = 1
  let firstFreeRun = 0 // free ones are chained by their first count

  let lines = new Int32Array(1024 * lineInts) // tile 0 is never given out: 0 is "no tile"
  let lineSums = new Float64Array(1024 * 2)
  let tilesMade = 1
  let firstFree = 0 // free tiles are chained by NEWER
  const row = new Float64Array(featureCount)

  // Which tiles the event before this one went to: events of a flush mostly share them.
  let lastSlot = -1
  let lastFine = 0
  const lastTiles = new Int32Array(windowCount)

  /** A tile without measures. */
  function clearTile(): number {
    if (firstFree !== 0) {
      const tile = firstFree
      firstFree = lines[tile * lineInts + NEWER]!
      for (let m = 0, at = tile * lineInts + COUNT; m < COUNTS; m++) lines[at + m] = 0
      lineSums[tile * 2] = 0
      lineSums[tile * 2 + 1] = 0
      return tile
    }
    const tile = tilesMade++
    if ((tile + 1) * lineInts > lines.length) {
      lines = grown(lines, lines.length * 2)
      lineSums = grown(lineSums, lines.length / (lineInts / 2))
    }
    return tile
  }

  /** Keeps what is in `row`. */
  function keepRun(slot: number): void {
    let run = firstFreeRun
    if (run !== 0) firstFreeRun = runCounts[run * userCounts]!
    else {
      run = runsMade++
      if (run * userSums === runSums.length) {
        runCounts = grown(runCounts, runCounts.length * 2)
        runSums = grown(runSums, runSums.length * 2)
      }
    }
    runs[slot] = run
    for (let w = 0; w < windowCount; w++) {
      const at = w * measureCount
      const counts = run * userCounts + w * COUNTS
      for (let m = 0; m < COUNTS; m++) runCounts[counts + m] = row[at + m]!
      runSums[run * userSums + w * 2] = row[at + WATCH_MS]!
      runSums[run * userSums + w * 2 + 1] = row[at + AMOUNT_MINOR]!
    }
  }

  function dropRun(slot: number): void {
    const run = runs[slot]!
    if (run === 0) return
    runCounts[run * userCounts] = firstFreeRun
    firstFreeRun = run
    runs[slot] = 0
  }

  /** Fills `row` from the tiles. O(tiles of the user). */
  function addUp(slot: number): void {
    row.fill(0)
    for (let w = 0; w < windowCount; w++) {
      const at = w * measureCount
      for (let tile = heads[slot * userHeads + w * headInts + OLDEST]!; tile !== 0; tile = lines[tile * lineInts + NEWER]!) {
        for (let m = 0; m < COUNTS; m++) row[at + m]! += lines[tile * lineInts + COUNT + m]!
        row[at + WATCH_MS]! += lineSums[tile * 2]!
        row[at + AMOUNT_MINOR]! += lineSums[tile * 2 + 1]!
      }
    }
  }

  /** The user's tile of a number in a window; made, in its place by number, if need be. */
  function tileOf(slot: number, window: number, number: number): number {
    const head = slot * userHeads + window * headInts
    let newer = 0
    let older = heads[head + NEWEST]!
    while (older !== 0 && lines[older * lineInts + NUMBER]! > number) {
      newer = older
      older = lines[older * lineInts + OLDER]!
    }
    if (older !== 0 && lines[older * lineInts + NUMBER] === number) return older
    const tile = clearTile()
    const line = tile * lineInts
    lines[line + NUMBER] = number
    lines[line + NEWER] = newer
    lines[line + OLDER] = older
    if (newer === 0) heads[head + NEWEST] = tile
    else lines[newer * lineInts + OLDER] = tile
    if (older === 0) {
      heads[head + OLDEST] = tile
      heads[head + OLDEST_NUMBER] = number
    } else lines[older * lineInts + NEWER] = tile
    return tile
  }

  function dropTilesBelow(slot: number, window: number, number: number): void {
    if (runs[slot]! < 0) unpack(slot)
    const head = slot * userHeads + window * headInts
    const run = runs[slot]!
    const counts = run * userCounts + window * COUNTS
    const sums = run * userSums + window * 2
    let tile = heads[head + OLDEST]!
    while (tile !== 0) {
      const line = tile * lineInts
      if (lines[line + NUMBER]! >= number) break
      if (run !== 0) {
        for (let m = 0; m < COUNTS; m++) runCounts[counts + m]! -= lines[line + COUNT + m]!
        runSums[sums]! -= lineSums[tile * 2]!
        runSums[sums + 1]! -= lineSums[tile * 2 + 1]!
      }
      const newer = lines[line + NEWER]!
      lines[line + NEWER] = firstFree
      firstFree = tile
      tile = newer
    }
    heads[head + OLDEST] = tile
    if (tile === 0) {
      heads[head + NEWEST] = 0
      heads[head + OLDEST_NUMBER] = NONE
      if (window === 0) dropRun(slot)
    } else {
      lines[tile * lineInts + OLDER] = 0
      heads[head + OLDEST_NUMBER] = lines[tile * lineInts + NUMBER]!
    }
    if (slot === lastSlot) lastSlot = -1
  }

  /** Which measures are there, in two bytes, and each; two zeros where all are those of the tile `before`. */
  function writeMeasures(tile: number, before: number, to: ByteWriter): void {
    const counts = tile * lineInts + COUNT
    let same = before !== 0 && lineSums[tile * 2] === lineSums[before * 2] && lineSums[tile * 2 + 1] === lineSums[before * 2 + 1]
    let present = 0
    for (let m = 0; m < COUNTS; m++) {
      if (lines[counts + m] !== 0) present |= 1 << m
      if (same && lines[counts + m] !== lines[before * lineInts + COUNT + m]) same = false
    }
    if (lineSums[tile * 2] !== 0) present |= 1 << WATCH_MS
    if (lineSums[tile * 2 + 1] !== 0) present |= 1 << AMOUNT_MINOR
    if (same) present = 0
    to.bytes[to.at++] = present & 255
    to.bytes[to.at++] = present >>> 8
    if (same) return
    for (let m = 0; m < COUNTS; m++) if (lines[counts + m] !== 0) putUint(to, lines[counts + m]!)
    if (lineSums[tile * 2] !== 0) putUint(to, lineSums[tile * 2]!)
    if (lineSums[tile * 2 + 1] !== 0) putUint(to, lineSums[tile * 2 + 1]!)
  }

  // The measures read last, for tiles that have the same.
  let sameCount = 0
  const sameMeasures = new Uint8Array(measureCount)
  const sameValues = new Float64Array(measureCount)

  /** Reads a tile's measures into its line, which is all zeros. */
  function readMeasures(tile: number, from: ByteReader): void {
    const present = from.bytes[from.at++]! | (from.bytes[from.at++]! << 8)
    if (present !== 0) {
      sameCount = 0
      for (let left = present; left !== 0; left &= left - 1) {
        sameMeasures[sameCount] = 31 - Math.clz32(left & -left)
        sameValues[sameCount++] = takeUint(from)
      }
    }
    for (let i = 0; i < sameCount; i++) {
      const m = sameMeasures[i]!
      if (m < COUNTS) lines[tile * lineInts + COUNT + m] = sameValues[i]!
      else lineSums[tile * 2 + m - COUNTS] = sameValues[i]!
    }
  }

  const unpacking: ByteReader = { bytes: new Uint8Array(0), at: 0 }

  /** Makes the tiles of a user who has them as bytes. */
  function unpack(slot: number): void {
    const handle = -1 - runs[slot]!
    unpacking.bytes = packed.chunkOf(handle)
    unpacking.at = packed.placeOf(handle)
    runs[slot] = 0
    readTiles(slot, unpacking)
    packed.drop(handle)
  }

  /** The windows' tiles, where their oldest numbers are known already. */
  function readTiles(slot: number, from: ByteReader): void {
    sameCount = 0
    for (let w = 0; w < windowCount; w++) {
      const head = slot * userHeads + w * headInts
      const count = takeUint(from)
      if (count === 0) continue
      takeUint(from)
      let number = heads[head + OLDEST_NUMBER]!
      let older = 0
      for (let i = 0; i < count; i++) {
        if (i > 0) number += takeUint(from)
        const tile = clearTile()
        const line = tile * lineInts
        lines[line + NUMBER] = number
        lines[line + NEWER] = 0
        lines[line + OLDER] = older
        if (older === 0) heads[head + OLDEST] = tile
        else lines[older * lineInts + NEWER] = tile
        readMeasures(tile, from)
        older = tile
      }
      heads[head + NEWEST] = older
    }
    if (slot === lastSlot) lastSlot = -1
  }

  /** Passes over the windows' tiles, and keeps the oldest numbers. */
  function passTiles(slot: number, from: ByteReader, lastSeen: number): number {
    let tiles = 0
    for (let w = 0; w < windowCount; w++) {
      const count = takeUint(from)
      checkCount(from, count)
      if (count === 0) continue
      tiles += count
      heads[slot * userHeads + w * headInts + OLDEST_NUMBER] = Math.floor(lastSeen / hops[w]!) - takeUint(from)
      for (let i = 0; i < count; i++) {
        if (i > 0) passUint(from)
        const present = from.bytes[from.at++]! | (from.bytes[from.at++]! << 8)
        if (present >>> measureCount !== 0) throw new RangeError(`it says measures ${present} at byte ${from.at - 2}: it is broken`)
        for (let left = present; left !== 0; left &= left - 1) passUint(from)
      }
    }
    checkEnd(from)
    return tiles
  }

  const tail = (window: number, at: number) => Math.floor((at - spans[window]!) / hops[window]!)

  // The tails at the instant asked for last: a whole flush, and often a whole interval, asks for the same.
  let tailsAt = NaN
  const tails = new Int32Array(windowCount)
  function setTails(at: number): void {
    tailsAt = at
    for (let w = 0; w < windowCount; w++) tails[w] = tail(w, at)
  }

  return {
    slide(slot, clockAt) {
      if (clockAt !== tailsAt) setTails(clockAt)
      const head = slot * userHeads + OLDEST_NUMBER
      if (heads[head]! < tails[0]!) dropTilesBelow(slot, 0, tails[0]!)
      if (heads[head + headInts]! < tails[1]!) dropTilesBelow(slot, 1, tails[1]!)
      if (heads[head + 2 * headInts]! < tails[2]!) dropTilesBelow(slot, 2, tails[2]!)
      if (heads[head + 3 * headInts]! < tails[3]!) dropTilesBelow(slot, 3, tails[3]!)
    },
    add(slot, t, clockAt, behavior, completes, watchMs, amountMinor) {
      if (clockAt !== tailsAt) setTails(clockAt)
      const fine = Math.floor(t / hops[0]!)
      if (runs[slot]! < 0) unpack(slot)
      if (slot !== lastSlot || fine !== lastFine) {
        lastSlot = slot
        lastFine = fine
        for (let w = 0; w < windowCount; w++) {
          const number = w === 0 ? fine : Math.floor(t / hops[w]!)
          lastTiles[w] = number >= tails[w]! ? tileOf(slot, w, number) : 0
        }
      }
      const run = runs[slot]!
      for (let w = 0; w < windowCount; w++) {
        const tile = lastTiles[w]!
        if (tile === 0) continue
        lines[tile * lineInts + COUNT + behavior]!++
        if (completes) lines[tile * lineInts + COUNT + COMPLETES]!++
        if (watchMs !== 0) lineSums[tile * 2]! += watchMs
        if (amountMinor !== 0) lineSums[tile * 2 + 1]! += amountMinor
        if (run === 0) continue
        const counts = run * userCounts + w * COUNTS
        runCounts[counts + behavior]!++
        if (completes) runCounts[counts + COMPLETES]!++
        if (watchMs !== 0) runSums[run * userSums + w * 2]! += watchMs
        if (amountMinor !== 0) runSums[run * userSums + w * 2 + 1]! += amountMinor
      }
    },
    sums(slot) {
      if (runs[slot]! < 0) unpack(slot)
      const run = runs[slot]!
      if (run === 0) {
        addUp(slot)
        if (heads[slot * userHeads + OLDEST_NUMBER] !== NONE) keepRun(slot)
        return row
      }
      let counts = run * userCounts
      let sums = run * userSums
      for (let at = 0; at < featureCount; at += measureCount) {
        for (let m = 0; m < COUNTS; m++) row[at + m] = runCounts[counts + m]!
        row[at + WATCH_MS] = runSums[sums]!
        row[at + AMOUNT_MINOR] = runSums[sums + 1]!
        counts += COUNTS
        sums += 2
      }
      return row
    },
    nextLeave(slot) {
      let least = Infinity
      for (let w = 0; w < windowCount; w++) {
        const number = heads[slot * userHeads + w * headInts + OLDEST_NUMBER]!
        if (number === NONE) continue
        const leaves = (number + 1) * hops[w]! + spans[w]!
        if (leaves < least) least = leaves
      }
      return least
    },
    resize(users) {
      const from = heads.length
      heads = grown(heads, users * userHeads)
      for (let i = from + OLDEST_NUMBER; i < heads.length; i += headInts) heads[i] = NONE
      runs = grown(runs, users)
      // Tiles grow with users: they are not copied again for each doubling of their own. The first users may be the busiest, though.
      const tilesWanted = Math.ceil(tilesMade * Math.min(users / (from / userHeads), 16))
      if (tilesWanted * lineInts > lines.length) {
        lines = grown(lines, tilesWanted * lineInts, tilesMade * lineInts)
        lineSums = grown(lineSums, tilesWanted * 2, tilesMade * 2)
      }
    },
    tiles() {
      for (let slot = 0; slot < runs.length; slot++) if (runs[slot]! < 0) unpack(slot)
      let inUse = tilesMade - 1
      for (let tile = firstFree; tile !== 0; tile = lines[tile * lineInts + NEWER]!) inUse--
      return inUse
    },
    clear(slot) {
      if (runs[slot]! < 0) {
        packed.drop(-1 - runs[slot]!)
        runs[slot] = 0
      }
      for (let w = 0; w < windowCount; w++) {
        const head = slot * userHeads + w * headInts
        const newest = heads[head + NEWEST]!
        heads[head + OLDEST_NUMBER] = NONE
        if (newest === 0) continue
        // A window's tiles are chained as free ones are.
        lines[newest * lineInts + NEWER] = firstFree
        firstFree = heads[head + OLDEST]!
        heads[head + NEWEST] = 0
        heads[head + OLDEST] = 0
      }
      dropRun(slot)
      if (slot === lastSlot) lastSlot = -1
    },
    // Window by window, oldest tile first: how far its number lies behind the newest event's, or before the tile before it; which
    // measures it has, and these. No measures: those of the tile written last, as in the windows of a user who came by once.
    write(slot, to, lastSeen) {
      if (runs[slot]! < 0) unpack(slot)
      let before = 0
      for (let w = 0; w < windowCount; w++) {
        let count = 0
        const oldest = heads[slot * userHeads + w * headInts + OLDEST]!
        for (let tile = oldest; tile !== 0; tile = lines[tile * lineInts + NEWER]!) count++
        room(to, 8)
        putUint(to, count)
        let number = Math.floor(lastSeen / hops[w]!)
        for (let tile = oldest; tile !== 0; tile = lines[tile * lineInts + NEWER]!) {
          room(to, 12 + 8 * measureCount)
          putUint(to, Math.abs(number - lines[tile * lineInts + NUMBER]!))
          number = lines[tile * lineInts + NUMBER]!
          writeMeasures(tile, before, to)
          before = tile
        }
      }
    },
    read(slot, from, lastSeen) {
      const start = from.at
      if (passTiles(slot, from, lastSeen) === 0) return
      const handle = packed.keep(from.bytes, start, from.at)
      if (handle >= 0) runs[slot] = -1 - handle
      else {
        from.at = start
        readTiles(slot, from)
      }
    },
  }
}
