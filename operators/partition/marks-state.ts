// The marks of distinct counts at rest (operators/kpi/marks.ts): those made since the last checkpoint, in values of their own, which
// expire whole. Set again in any order, once or twice, they are the same marks.
import { byteWriter, checkCount, checkEnd, int32, putBytes, putInt, putInt32, putUint, room, taken, takeInt, takeUint } from '../bytes.ts'
import type { ByteReader, ByteWriter } from '../bytes.ts'
import { SESSION } from '../kpi/marks.ts'
import { murmur2 } from '../hash.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Cells } from '../kpi/cells.ts'
import { grown } from '../users/registry.ts'
import { together, type PartitionState } from './state.ts'

const marksVersion = 1
/** A value ends once it is larger than this: no hot hour makes a message that a topic refuses (bytes). */
const valueBytes = 512 * 1024
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
 * The marks made since the last call: version, the clock's minute, then for each run of one user's marks the length and bytes of the
 * user's id, a count, and for each mark the minutes before the clock's, its kind, the session's hash if it is one's, and its cells.
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

  marks.drainNew((grain, entries, count) => {
    const take = () => {
      if (to.at > to.start) generations.push({ grain, hour, marks: taken(to) })
    }
    for (let i = 0; i < count;) {
      const slot = entries[i * ints + 1]!
      let end = i + 1
      while (end < count && end - i < longestRun && entries[end * ints + 1] === slot) end++
      if (to.at - to.start > valueBytes) take()
      const idLength = state.users.idLength(slot)
      room(to, 32 + idLength + (end - i) * (32 + (ints - 5) * 32 * 4))
      if (to.at === to.start) {
        to.bytes[to.at++] = marksVersion
        putInt(to, clockMinute)
      }
      putUint(to, idLength)
      putBytes(to, state.users.ids(), state.users.idStart(slot), idLength)
      putUint(to, end - i)
      for (let before = -1; i < end; before = i * ints, i++) putMark(entries, i * ints, before)
    }
    take()
  })
  return generations
}

function openMarks(value: Uint8Array): { from: ByteReader; clockMinute: number } {
  if (value.length === 0) throw new RangeError('it is empty: it is broken')
  if (value[0] !== marksVersion)
    throw new RangeError(
      `marks of version ${value[0]}; this program knows ${marksVersion} and older: run the version that wrote it, or a newer one`,
    )
  const from: ByteReader = { bytes: value, at: 1 }
  const clockMinute = takeInt(from)
  checkEnd(from)
  return { clockMinute, from }
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
 * One reader serves many values.
 */
export function marksReader(state: PartitionState): (grain: Grain, value: Uint8Array) => void {
  const { marks, cells } = state.kpis
  const { words } = cells
  const mask = new Int32Array(words)
  const ints = 5 + words
  const hashes = new Int32Array(together)
  const slots = new Int32Array(together)
  let touched = 0 // or nothing would be read that nobody asks for
  const ids = new Int32Array(together * 3) // start and length of the id, end of the run's entries
  let entries = new Int32Array(ints * 256) // of the runs read together: kind, low, high, minutes ago, nothing, cells

  return (grain, value) => {
    const { from, clockMinute } = openMarks(value)
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
          if (slot < 0) continue
          const at = entry * ints
          for (let w = 0; w < words; w++) mask[w] = entries[at + 5 + w]!
          marks.restore(grain, entries[at]!, slot, entries[at + 1]!, entries[at + 2]!, clockMinute - entries[at + 3]!, mask)
        }
      }
    }
  }
}

/** A value's marks by where `placeOf` puts their user (of that murmur2), each place's a value of its own; undefined: left out. */
export function splitMarks(value: Uint8Array, placeOf: (hash: number) => number | undefined): Map<number, Uint8Array> {
  const { from, clockMinute } = openMarks(value)
  const places = new Map<number, ByteWriter>()
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
    let to = places.get(place)
    if (to === undefined) places.set(place, (to = byteWriter()))
    room(to, 16 + from.at - start)
    if (to.at === to.start) {
      to.bytes[to.at++] = marksVersion
      putInt(to, clockMinute)
    }
    putBytes(to, value, start, from.at - start)
  }
  return new Map([...places].map(([place, to]) => [place, taken(to)]))
}
