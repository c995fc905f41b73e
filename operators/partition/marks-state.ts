// The marks of distinct counts at rest (operators/kpi/marks.ts): the form of their values and how they are read back. marks-writer.ts writes them.
//
// A value has those made since the last checkpoint and expires whole. Set again in any order, once or twice, they are the same marks;
// those of hours and days that are over, once these are asked for.
import { byteWriter, checkCount, checkEnd, int32, putBytes, putInt, putInt32, putUint, room, taken, takeInt, takeUint } from '../bytes.ts'
import type { ByteReader, ByteWriter } from '../bytes.ts'
import { SESSION } from '../kpi/marks.ts'
import { murmur2 } from '../hash.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Cells } from '../kpi/cells.ts'
import { grown } from '../users/registry.ts'
import type { PartitionState } from './state.ts'
import { together, userFinder } from './user-finder.ts'

const marksVersion = 2
/** In a mark's kind: its cells are those of the mark before it. */
export const SAME_CELLS = 4

/** Hours after that of the checkpoint's clock through which a value may still say something. */
export const marksKeptHours = { minute: 3, hour: 50, day: 31 * 24 + 26 } as const satisfies Record<Grain, number>

/**
 * A value: version, the clock's minute, how many minutes before it the earliest and the latest mark may be and the length of the rest; then
 * for each run of one user's marks the length and bytes of the user's id, a count, and for each mark the minutes before the clock's, its
 * kind, the session's hash if it is one's, and its cells.
 */
export type MarksGeneration = { readonly grain: Grain; readonly hour: number; readonly marks: Uint8Array }

/** `earliest` and `latest`: minutes before the clock's. */
export type MarksHead = { clockMinute: number; earliest: number; latest: number }
export const mostHeadBytes = 32

/** Where the rest begins; there must be room. */
export function beginValue(to: ByteWriter, { clockMinute, earliest, latest }: MarksHead): number {
  to.bytes[to.at++] = marksVersion
  putInt(to, clockMinute)
  putUint(to, earliest)
  putUint(to, latest)
  putInt32(to, 0)
  return to.at - to.start
}

export function endValue(to: ByteWriter, bodyAt: number): Uint8Array {
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
  const { starts, lengths, slots, find } = userFinder(state.users)
  const ends = new Int32Array(together) // of a run's entries
  let entries = new Int32Array(ints * 256) // of the runs read together: kind, low, high, minutes ago, nothing, cells

  /** `users`: how many there were when the value was restored. Who came since is somebody else than a forgotten user of that id. */
  function setMarks(grain: Grain, value: Uint8Array, from: ByteReader, clockMinute: number, users: number): void {
    while (from.at < value.length) {
      let runs = 0
      let read = 0
      for (; runs < together && from.at < value.length; runs++) {
        const idLength = takeUint(from)
        checkCount(from, idLength)
        starts[runs] = from.at
        lengths[runs] = idLength
        from.at += idLength
        const count = takeUint(from)
        checkCount(from, count)
        for (let i = 0; i < count; i++, read++) {
          if ((read + 1) * ints > entries.length) entries = grown(entries, entries.length * 2)
          if (!takeMark(from, entries, read * ints)) takeCells(from, cells, mask)
          checkEnd(from)
          for (let w = 0; w < words; w++) entries[read * ints + 5 + w] = mask[w]!
        }
        ends[runs] = read
      }
      find(value, runs)
      let entry = 0
      for (let run = 0; run < runs; run++) {
        const slot = slots[run]!
        for (; entry < ends[run]!; entry++) {
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
