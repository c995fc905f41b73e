// Writes the marks that a checkpoint keeps, as values of the form that marks-state.ts reads.
import { byteWriter, putBytes, putInt32, putUint, room } from '../bytes.ts'
import { SESSION } from '../kpi/marks.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import { beginValue, endValue, mostHeadBytes, SAME_CELLS, type MarksGeneration, type MarksHead } from './marks-state.ts'
import type { PartitionState } from './state.ts'

/** A value ends once it is larger than this: no hot hour makes a message that a topic refuses (bytes). */
const valueBytes = 512 * 1024
/** An hour or a day with so many new marks has values of its own, as has the fullest; the others of the grain share one. */
const marksOfOwnBucket = 256
/** Beyond so many entries the memory of their order is given back. */
const mostKeptOrder = 1 << 20
/** Marks of a user that are told together. */
const longestRun = 64
/** How many cells of a mark are told with a count of one byte, and the largest number of one that takes two. */
const mostCells = 127
const twoBytes = (1 << 14) - 1

/** Marks that are told together: entries [from, end) of the order in which they are told. */
type Group = MarksHead & { count: number; from: number; end: number }

/** Takes the marks made since the last call. One writer serves all checkpoints. */
export function marksWriter(state: PartitionState): () => MarksGeneration[] {
  const { users } = state
  const { marks, cells } = state.kpis
  const { stable } = cells
  const ints = marks.entryInts
  const to = byteWriter()
  let clockMinute = 0
  /** By entry, its group's number, less than 0 for what is forgotten already; then the entries group by group. */
  let groupOf = new Int32Array(0)
  let order = new Int32Array(0)

  function putMark(entries: Int32Array, at: number, before: number): void {
    const kind = entries[at]!
    let same = before >= 0
    for (let w = 5; same && w < ints; w++) same = entries[at + w] === entries[before + w]
    putUint(to, (clockMinute - entries[at + 4]!) | 0)
    const { bytes } = to
    bytes[to.at++] = kind | (same ? SAME_CELLS : 0)
    if (kind === SESSION) {
      putInt32(to, entries[at + 2]!)
      putInt32(to, entries[at + 3]!)
    }
    if (same) return
    const countAt = to.at
    let end = countAt + 1
    let set = 0
    for (let w = 5; w < ints; w++)
      for (let bits = entries[at + w]!; bits !== 0; bits &= bits - 1) {
        const number = stable[(w - 5) * 32 + 31 - Math.clz32(bits & -bits)]!
        if (set === mostCells || number > twoBytes) return putManyCells(entries, at)
        set++
        if (number > 127) {
          bytes[end++] = (number & 127) | 128
          bytes[end++] = number >>> 7
        } else bytes[end++] = number
      }
    bytes[countAt] = set
    to.at = end
  }

  /** The cells where their count does not fit into the byte that was left for it, or a number into two. */
  function putManyCells(entries: Int32Array, at: number): void {
    const numbers: number[] = []
    for (let bit = 0; bit < (ints - 5) * 32; bit++)
      if ((entries[at + 5 + (bit >>> 5)]! & (1 << (bit & 31))) !== 0) numbers.push(stable[bit]!)
    putUint(to, numbers.length)
    for (const number of numbers) putUint(to, number)
  }

  /** The marks order[i, end), which are one user's. */
  function putRun(entries: Int32Array, slot: number, i: number, end: number): void {
    const idLength = users.idLength(slot)
    putUint(to, idLength)
    putBytes(to, users.ids(), users.idStart(slot), idLength)
    putUint(to, end - i)
    for (let before = -1; i < end; i++) {
      const at = order[i]! * ints
      putMark(entries, at, before)
      before = at
    }
  }

  function putGroup(grain: Grain, entries: Int32Array, group: Group, generations: MarksGeneration[]): void {
    const hour = Math.floor(state.clock / 3_600_000)
    const take = (bodyAt: number) => generations.push({ grain, hour, marks: endValue(to, bodyAt) })
    let bodyAt = -1
    for (let i = group.from; i < group.end;) {
      const slot = entries[order[i]! * ints + 1]!
      const last = Math.min(group.end, i + longestRun)
      let end = i + 1
      while (end < last && entries[order[end]! * ints + 1] === slot) end++
      if (bodyAt >= 0 && to.at - to.start > valueBytes) {
        take(bodyAt)
        bodyAt = -1
      }
      room(to, mostHeadBytes + 16 + users.idLength(slot) + (end - i) * (32 + (ints - 5) * 32 * 4))
      if (bodyAt < 0) bodyAt = beginValue(to, group)
      putRun(entries, slot, i, end)
      i = end
    }
    if (bodyAt >= 0) take(bodyAt)
  }

  /** Puts `order` right. An hour or a day with many marks has a group of its own, as has the fullest; the others share one. */
  function groupsOf(grain: Grain, entries: Int32Array, count: number): Group[] {
    if (groupOf.length < count) {
      groupOf = new Int32Array(count * 2)
      order = new Int32Array(count * 2)
    }
    const groups: Group[] = []
    const ofMinute = new Map<number, number>()
    const ofBucket = new Map<number, number>()
    const numberOf = (ago: number): number => {
      const minute = clockMinute - ago
      if (marks.isLate(grain, minute)) return -1
      const bucket = grain === 'minute' ? 0 : grain === 'hour' ? marks.hourOf(minute) : marks.dayOf(minute)
      let number = ofBucket.get(bucket)
      if (number === undefined) {
        ofBucket.set(bucket, (number = groups.length))
        groups.push({ clockMinute, earliest: ago, latest: ago, count: 0, from: 0, end: 0 })
      }
      const group = groups[number]!
      group.earliest = Math.max(group.earliest, ago)
      group.latest = Math.min(group.latest, ago)
      return number
    }
    let lastAgo = NaN
    let number = -1
    for (let entry = 0; entry < count; entry++) {
      const ago = (clockMinute - entries[entry * ints + 4]!) | 0
      if (ago !== lastAgo) {
        lastAgo = ago
        const known = ofMinute.get(ago)
        number = known ?? numberOf(ago)
        if (known === undefined) ofMinute.set(ago, number)
      }
      groupOf[entry] = number
      if (number >= 0) groups[number]!.count++
    }
    const bySize = groups.toSorted((a, b) => b.count - a.count)
    let at = 0
    for (const group of bySize) {
      group.from = group.end = at
      at += group.count
    }
    for (let entry = 0; entry < count; entry++) if (groupOf[entry]! >= 0) order[groups[groupOf[entry]!]!.end++] = entry
    const own = bySize.filter((group, n) => n === 0 || group.count >= marksOfOwnBucket)
    const others = bySize.slice(own.length)
    return others.length === 0 ? own : [...own, others.reduce(joined)]
  }

  return () => {
    clockMinute = Math.floor(state.clock / 60_000)
    const generations: MarksGeneration[] = []
    marks.drainNew((grain, entries, count) => {
      for (const group of groupsOf(grain, entries, count)) putGroup(grain, entries, group, generations)
    })
    if (groupOf.length > mostKeptOrder) groupOf = order = new Int32Array(0)
    return generations
  }
}

const joined = (a: Group, b: Group): Group => ({
  ...a,
  earliest: Math.max(a.earliest, b.earliest),
  latest: Math.min(a.latest, b.latest),
  count: a.count + b.count,
  end: b.end,
})
