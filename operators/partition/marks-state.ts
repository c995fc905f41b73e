// The marks of distinct counts at rest (operators/kpi/marks.ts): those made since the last checkpoint, in values of their own, which
// expire whole. Set again in any order, once or twice, they are the same marks; those of hours and days that are over, once these are asked for.
import { byteWriter, checkCount, checkEnd, int32, putBytes, putInt, putInt32, putUint, room, taken, takeInt, takeUint } from '../bytes.ts'
import type { ByteReader, ByteWriter } from '../bytes.ts'
import { SESSION } from '../kpi/marks.ts'
import { murmur2 } from '../hash.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Cells } from '../kpi/cells.ts'
import { grown } from '../users/registry.ts'
import { together, type PartitionState } from './state.ts'

const marksVersion = 2
/** A value ends once it is larger than this: no hot hour makes a message that a topic refuses (bytes). */
const valueBytes = 512 * 1024
/** An hour or a day with so many new marks has values of its own, as has the fullest; the others of the grain share one. */
const marksOfOwnBucket = 256
/** Marks of a user that are told together. */
const longestRun = 64
/** How many cells of a mark are told with a count of one byte. */
const mostCells = 127
/** In a mark's kind: its cells are those of the mark before it. */
const SAME_CELLS = 4

/** Hours after that of the checkpoint's clock through which a value may still say something. */
export const marksKeptHours = { minute: 3, hour: 50, day: 31 * 24 + 26 } as const satisfies Record<Grain, number>

export type MarksGeneration = { readonly grain: Grain; readonly hour: number; readonly marks: Uint8Array }

/**
 * The marks made since the last call: version, the clock's minute, how many minutes before it the earliest and the latest mark may be and
 * the length of the rest; then for each run of one user's marks the length and bytes of the user's id, a count, and for each mark the
 * minutes before the clock's, its kind, the session's hash if it is one's, and its cells.
 */
export function takeNewMarks(state: PartitionState): MarksGeneration[] {
  const { marks, cells } = state.kpis
  const { stable } = cells
  const ints = marks.entryInts
  const hour = Math.floor(state.clock / 3_600_000)
  const clockMinute = Math.floor(state.clock / 60_000)
  const generations: MarksGeneration[] = []
  const to = byteWriter()

  function putMark(entries: Int32Array, at: number, before: number): void {
    const kind = entries[at]!
    let same = before >= 0
    for (let w = 5; same && w < ints; w++) same = entries[at + w] === entries[before + w]
    putUint(to, (clockMinute - entries[at + 4]!) | 0)
    to.bytes[to.at++] = kind | (same ? SAME_CELLS : 0)
    if (kind === SESSION) {
      putInt32(to, entries[at + 2]!)
      putInt32(to, entries[at + 3]!)
    }
    if (same) return
    const countAt = to.at++
    let set = 0
    for (let w = 5; w < ints; w++)
      for (let bits = entries[at + w]!; bits !== 0; bits &= bits - 1) {
        if (set === mostCells) return putManyCells(entries, at, countAt)
        set++
        const number = stable[(w - 5) * 32 + 31 - Math.clz32(bits & -bits)]!
        if (number < 128) to.bytes[to.at++] = number
        else putUint(to, number)
      }
    to.bytes[countAt] = set
  }

  /** The same where the count does not fit into the byte that was left for it. */
  function putManyCells(entries: Int32Array, at: number, countAt: number): void {
    to.at = countAt
    const numbers: number[] = []
    for (let bit = 0; bit < (ints - 5) * 32; bit++)
      if ((entries[at + 5 + (bit >>> 5)]! & (1 << (bit & 31))) !== 0) numbers.push(stable[bit]!)
    putUint(to, numbers.length)
    for (const number of numbers) putUint(to, number)
  }

  function putGroup(grain: Grain, entries: Int32Array, group: readonly number[]): void {
    const head: MarksHead = { clockMinute, earliest: -Infinity, latest: Infinity }
    for (const entry of group) {
      const ago = (clockMinute - entries[entry * ints + 4]!) | 0
      head.earliest = Math.max(head.earliest, ago)
      head.latest = Math.min(head.latest, ago)
    }
    let bodyAt = -1
    const take = () => {
      if (bodyAt < 0) return
      generations.push({ grain, hour, marks: endValue(to, bodyAt) })
      bodyAt = -1
    }
    for (let i = 0; i < group.length;) {
      const slot = entries[group[i]! * ints + 1]!
      let end = i + 1
      while (end < group.length && end - i < longestRun && entries[group[end]! * ints + 1] === slot) end++
      if (to.at - to.start > valueBytes) take()
      const idLength = state.users.idLength(slot)
      room(to, mostHeadBytes + 16 + idLength + (end - i) * (32 + (ints - 5) * 32 * 4))
      if (bodyAt < 0) bodyAt = beginValue(to, head)
      putUint(to, idLength)
      putBytes(to, state.users.ids(), state.users.idStart(slot), idLength)
      putUint(to, end - i)
      for (let before = -1; i < end; i++) {
        putMark(entries, group[i]! * ints, before)
        before = group[i]! * ints
      }
    }
    take()
  }

  /** Entries that are told together, without those that are forgotten already; of an hour or a day by themselves where they are many. */
  function groupsOf(grain: Grain, entries: Int32Array, count: number): number[][] {
    const byBucket = new Map<number, number[]>()
    for (let entry = 0; entry < count; entry++) {
      const minute = clockMinute - ((clockMinute - entries[entry * ints + 4]!) | 0)
      if (marks.isLate(grain, minute)) continue
      const bucket = grain === 'minute' ? 0 : grain === 'hour' ? marks.hourOf(minute) : marks.dayOf(minute)
      const group = byBucket.get(bucket)
      if (group === undefined) byBucket.set(bucket, [entry])
      else group.push(entry)
    }
    const groups = [...byBucket.values()].toSorted((a, b) => b.length - a.length)
    const own = groups.filter((group, n) => n === 0 || group.length >= marksOfOwnBucket)
    return [...own, groups.slice(own.length).flat()]
  }

  marks.drainNew((grain, entries, count) => {
    for (const group of groupsOf(grain, entries, count)) putGroup(grain, entries, group)
  })
  return generations
}

/** `earliest` and `latest`: minutes before the clock's. */
type MarksHead = { clockMinute: number; earliest: number; latest: number }
const mostHeadBytes = 32

/** Where the rest begins; there must be room. */
function beginValue(to: ByteWriter, { clockMinute, earliest, latest }: MarksHead): number {
  to.bytes[to.at++] = marksVersion
  putInt(to, clockMinute)
  putUint(to, earliest)
  putUint(to, latest)
  putInt32(to, 0)
  return to.at - to.start
}

function endValue(to: ByteWriter, bodyAt: number): Uint8Array {
  const value = taken(to)
  new DataView(value.buffer, value.byteOffset).setInt32(bodyAt - 4, value.length - bodyAt, true)
  return value
}

function openMarks(value: Uint8Array): { from: ByteReader; head: MarksHead } {
  if (value.length === 0) throw new RangeError('it is empty: it is broken')
  if (value[0] !== marksVersion)
    throw new RangeError(`marks of version ${value[0]}; this program knows ${marksVersion}: run the version that wrote it, or a newer one`)
  const from: ByteReader = { bytes: value, at: 1 }
  const head = { clockMinute: takeInt(from), earliest: takeUint(from), latest: takeUint(from) }
  const length = int32(value, from.at)
  from.at += 4
  checkEnd(from)
  if (value.length - from.at !== length)
    throw new RangeError(`it says ${length} bytes of marks, and has ${value.length - from.at}: it is cut short or broken`)
  return { head, from }
}

/** Reads a mark's minutes before the clock's, kind and session into `into`; its cells follow, unless they are those of the mark before. */
function takeMark(from: ByteReader, into: Int32Array, at: number): boolean {
  const ago = takeUint(from)
  const kind = takeUint(from)
  if (kind > 7) throw new RangeError(`it says mark ${kind} at byte ${from.at}: it is broken`)
  into[at] = kind & 3
  into[at + 1] = into[at + 2] = 0
  into[at + 3] = ago
  if ((kind & 3) === SESSION) {
    into[at + 1] = int32(from.bytes, from.at)
    into[at + 2] = int32(from.bytes, from.at + 4)
    from.at += 8
  }
  return (kind & SAME_CELLS) !== 0
}

function takeCells(from: ByteReader, { ofStable }: Cells, mask: Int32Array): void {
  mask.fill(0)
  const count = takeUint(from)
  checkCount(from, count)
  for (let i = 0; i < count; i++) {
    const stable = takeUint(from)
    const cell = stable < ofStable.length ? ofStable[stable]! : -1
    if (cell < 0) throw new RangeError(`it says cell ${stable}, which no list has: it is broken`)
    mask[cell >>> 5]! |= 1 << (cell & 31)
  }
}

function passCells(from: ByteReader): void {
  const count = takeUint(from)
  checkCount(from, count)
  for (let i = 0; i < count; i++) takeUint(from)
}

/**
 * Sets values' marks, after the last user is back and `marks.advance` came to the clock. Those of users who are not there are passed over.
 * One reader serves many values. Marks of hours and days that are over, but for late events, wait in their values until one of these comes: then
 * a broken value is told as what `brokenBy` makes of the error, as it is at once for all others, and for any that is cut short.
 */
export function marksReader(state: PartitionState): (grain: Grain, value: Uint8Array, brokenBy: (error: unknown) => unknown) => void {
  const { marks, cells } = state.kpis
  const { words } = cells
  const mask = new Int32Array(words)
  const ints = 5 + words
  const hashes = new Int32Array(together)
  const slots = new Int32Array(together)
  let touched = 0 // or nothing would be read that nobody asks for
  const ids = new Int32Array(together * 3) // start and length of the id, end of the run's entries
  let entries = new Int32Array(ints * 256) // of the runs read together: kind, low, high, minutes ago, nothing, cells

  /** `users`: how many there were when the value was restored. Who came since is somebody else than a forgotten user of that id. */
  function setMarks(grain: Grain, value: Uint8Array, from: ByteReader, clockMinute: number, users: number): void {
    while (from.at < value.length) {
      let runs = 0
      let read = 0
      for (; runs < together && from.at < value.length; runs++) {
        const idLength = takeUint(from)
        checkCount(from, idLength)
        ids[runs * 3] = from.at
        ids[runs * 3 + 1] = idLength
        hashes[runs] = murmur2(value, from.at, idLength)
        from.at += idLength
        const count = takeUint(from)
        checkCount(from, count)
        for (let i = 0; i < count; i++, read++) {
          if ((read + 1) * ints > entries.length) entries = grown(entries, entries.length * 2)
          if (!takeMark(from, entries, read * ints)) takeCells(from, cells, mask)
          checkEnd(from)
          for (let w = 0; w < words; w++) entries[read * ints + 5 + w] = mask[w]!
        }
        ids[runs * 3 + 2] = read
      }
      touched ^= state.users.warm(hashes, runs)
      for (let run = 0; run < runs; run++) slots[run] = state.users.find(value, ids[run * 3]!, ids[run * 3 + 1]!, hashes[run]!)
      let entry = 0
      for (let run = 0; run < runs; run++) {
        const slot = slots[run]!
        for (; entry < ids[run * 3 + 2]!; entry++) {
          if (slot < 0 || slot >= users) continue
          const at = entry * ints
          for (let w = 0; w < words; w++) mask[w] = entries[at + 5 + w]!
          marks.restore(grain, entries[at]!, slot, entries[at + 1]!, entries[at + 2]!, clockMinute - entries[at + 3]!, mask)
        }
      }
    }
  }

  return (grain, value, brokenBy) => {
    const telling = (act: () => void) => {
      try {
        act()
      } catch (error) {
        throw brokenBy(error)
      }
    }
    telling(() => {
      const { from, head } = openMarks(value)
      const { clockMinute, earliest, latest } = head
      if (marks.isLate(grain, clockMinute - latest)) return
      const users = state.users.count()
      const set = () => setMarks(grain, value, from, clockMinute, users)
      const isHeld = marks.hold(grain, clockMinute - earliest, clockMinute - latest, value.length, () => telling(set))
      if (!isHeld) set()
    })
  }
}

/** A value's marks by where `placeOf` puts their user (of that murmur2), each place's a value of its own; undefined: left out. */
export function splitMarks(value: Uint8Array, placeOf: (hash: number) => number | undefined): Map<number, Uint8Array> {
  const { from, head } = openMarks(value)
  const places = new Map<number, { to: ByteWriter; bodyAt: number }>()
  const mark = new Int32Array(4)
  while (from.at < value.length) {
    const start = from.at
    const idLength = takeUint(from)
    checkCount(from, idLength)
    const place = placeOf(murmur2(value, from.at, idLength))
    from.at += idLength
    const count = takeUint(from)
    checkCount(from, count)
    for (let i = 0; i < count; i++) if (!takeMark(from, mark, 0)) passCells(from)
    checkEnd(from)
    if (place === undefined) continue
    let at = places.get(place)
    if (at === undefined) {
      const to = byteWriter()
      places.set(place, (at = { to, bodyAt: beginValue(to, head) }))
    }
    room(at.to, from.at - start)
    putBytes(at.to, value, start, from.at - start)
  }
  return new Map([...places].map(([place, { to, bodyAt }]) => [place, endValue(to, bodyAt)]))
}
