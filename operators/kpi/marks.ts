// Marks: who was counted where, so that a user counts once per bucket and cell. Kept for 2 h of minutes, 48 h of hours and 31 days,
// by the partition's clock (docs/decisions/kpi-marks.md).
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Zone } from '../time/zone.ts'
import { grown } from '../users/registry.ts'
import { markTables } from './mark-table.ts'

/** A bucket's marks are kept while it is not before the bucket that holds the clock less this (ms). */
export const marksKeptMs = { minute: 2 * 3_600_000, hour: 48 * 3_600_000, day: 31 * 86_400_000 } as const satisfies Record<Grain, number>

/** What is counted once. */
export const ACTIVE = 0
export const ENGAGED = 1
export const BUYER = 2
export const SESSION = 3

/** Bits of what `mark` returns: the grains in which there was something new. */
export const IN_MINUTE = 1
export const IN_HOUR = 2
export const IN_DAY = 4

export type Marks = {
  /** Goes on to a clock: forgets what is not kept any longer. */
  advance(clock: number): void
  /** Whether the bucket of this minute, or the hour that it is in, is kept no longer. */
  isLateMinute(minute: number): boolean
  isLateHour(minute: number): boolean
  /** Whether the bucket of the grain that holds this minute is kept no longer. */
  isLate(grain: Grain, minute: number): boolean
  /** First minute of the hour, and of the day, that hold a minute. */
  hourOf(minute: number): number
  dayOf(minute: number): number
  /**
   * Marks the cells of `mask` in the buckets that hold `minute`, as far as they are kept; `low` and `high` tell sessions apart. Returns
   * in which grains some of them are new; those are in `freshMinute`, `freshHour` and `freshDay` until the next call. O(1).
   */
  mark(kind: number, slot: number, low: number, high: number, minute: number, mask: Int32Array): number
  readonly freshMinute: Int32Array
  readonly freshHour: Int32Array
  readonly freshDay: Int32Array
  /** A mark as it was drained from the log of `grain`, of a user who may have another slot now. After `advance` to the clock of then. */
  restore(grain: Grain, kind: number, slot: number, low: number, high: number, minute: number, mask: Int32Array): void
  /**
   * Keeps what `restore`s a grain's marks of two minutes' buckets and those between, until one of these is asked for, or they are forgotten.
   * False where one of the buckets has minutes that are kept, which most marks ask for: these must be restored at once.
   */
  hold(grain: Grain, firstMinute: number, lastMinute: number, bytes: number, restoreAll: () => void): boolean
  /** Entries since the last time. */
  newEntries(): number
  /**
   * Hands over the marks made since the last call, each in the coarsest grain in which it was new: what is marked in a day is marked in
   * the hour and the minute too. In order; entries have `entryInts` ints (kind, slot, low, high, minute modulo 2³², mask). Borrowed.
   */
  drainNew(each: (grain: Grain, entries: Int32Array, count: number) => void): void
  readonly entryInts: number
  /** Memory of the tables, and of what is held. */
  bytes(): number
}

/** Marks that wait for a checkpoint, one entry after the other. */
function entryLog(words: number) {
  const ints = 5 + words
  let entries = new Int32Array(ints * 64)
  let count = 0
  return {
    /** The bits of `mask` without those of `except`, if there are any. */
    add(kind: number, slot: number, low: number, high: number, minute: number, mask: Int32Array, except: Int32Array | undefined): void {
      const at = count * ints
      if (at + ints > entries.length) entries = grown(entries, entries.length * 2)
      let any = 0
      for (let w = 0; w < words; w++) any |= entries[at + 5 + w] = except === undefined ? mask[w]! : mask[w]! & ~except[w]!
      if (any === 0) return
      entries[at] = kind
      entries[at + 1] = slot
      entries[at + 2] = low
      entries[at + 3] = high
      entries[at + 4] = minute
      count++
    },
    entries: () => entries,
    count: () => count,
    clear() {
      count = 0
      if (entries.length > 1 << 20) entries = new Int32Array(ints * 64)
    },
  }
}

/** Marks of buckets that nobody has asked for since the restore: of [from, end), in minutes; forgotten with their last bucket. */
type Held = { readonly grain: Grain; readonly from: number; readonly end: number; readonly bytes: number; readonly restoreAll: () => void }

export function kpiMarks(zone: Zone, words: number): Marks {
  const tablesOf = () => ({ users: markTables(1, words), sessions: markTables(3, words) })
  const minutes = tablesOf()
  const hours = tablesOf()
  const days = tablesOf()
  const newInMinute = entryLog(words)
  const newInHour = entryLog(words)
  const newInDay = entryLog(words)
  const freshMinute = new Int32Array(words)
  const freshHour = new Int32Array(words)
  const freshDay = new Int32Array(words)
  /** Marks may be restored in the middle of `mark`, which needs its own. */
  const ignored = new Int32Array(words)
  let held: Held[] = []
  /** Where the last bucket ends of which something is held: all that most marks ask. */
  let heldUntil = -Infinity
  /** Where hours begin, as far as they are in one day, of which nothing is held any more. */
  const asked = new Set<number>()

  let clockMinute = -Infinity
  let firstMinute = -Infinity
  let firstHour = -Infinity
  let firstDay = -Infinity
  // The buckets of the minute that was asked for last.
  let lastMinute = NaN
  let lastHour = 0
  let lastDay = 0

  function place(minute: number): void {
    if (minute === lastMinute) return
    lastMinute = minute
    lastHour = zone.startOfHour(minute * 60_000) / 60_000
    lastDay = zone.startOfDay(zone.dayOf(minute * 60_000)) / 60_000
  }

  function drop(of: ReturnType<typeof tablesOf>, before: number): void {
    of.users.dropBefore(before)
    of.sessions.dropBefore(before)
  }

  function markIn(
    of: ReturnType<typeof tablesOf>,
    bucket: number,
    kind: number,
    slot: number,
    low: number,
    high: number,
    mask: Int32Array,
    fresh: Int32Array,
  ): boolean {
    return kind === SESSION
      ? of.sessions.of(bucket).mark(slot + 1, low, high, mask, fresh)
      : of.users.of(bucket).mark(slot * 4 + kind + 1, 0, 0, mask, fresh)
  }

  function setHeld(next: Held[]): void {
    held = next
    heldUntil = next.reduce((until, { end }) => Math.max(until, end), -Infinity)
  }

  /** Restores what is held of the hour of a minute, and of its day. What comes with it of others does no harm: marks may be set at any time. */
  function restoreHeld(minute: number): void {
    const begin = Math.max(lastHour, lastDay)
    if (asked.has(begin)) return
    asked.add(begin)
    const wanted = held.filter(({ from, end }) => from <= minute && minute < end)
    if (wanted.length === 0) return
    setHeld(held.filter(({ from, end }) => minute < from || end <= minute))
    for (const { restoreAll } of wanted) restoreAll()
    place(minute)
  }

  return {
    freshMinute,
    freshHour,
    freshDay,
    entryInts: 5 + words,
    advance(clock) {
      const minute = Math.floor(clock / 60_000)
      if (minute === clockMinute) return
      clockMinute = minute
      const at = minute * 60_000
      firstMinute = minute - marksKeptMs.minute / 60_000
      drop(minutes, firstMinute)
      const hour = zone.startOfHour(at - marksKeptMs.hour) / 60_000
      if (hour === firstHour) return
      firstHour = hour
      drop(hours, firstHour)
      firstDay = zone.startOfDay(zone.dayOf(at - marksKeptMs.day)) / 60_000
      drop(days, firstDay)
      const isForgotten = ({ grain, end }: Held) => end <= (grain === 'hour' ? firstHour : firstDay)
      if (held.some(isForgotten)) setHeld(held.filter((one) => !isForgotten(one)))
    },
    isLateMinute: (minute) => minute < firstMinute,
    isLateHour(minute) {
      place(minute)
      return lastHour < firstHour
    },
    isLate(grain, minute) {
      if (grain === 'minute') return minute < firstMinute
      place(minute)
      return grain === 'hour' ? lastHour < firstHour : lastDay < firstDay
    },
    hourOf(minute) {
      place(minute)
      return lastHour
    },
    dayOf(minute) {
      place(minute)
      return lastDay
    },
    // What is marked in a minute is marked in its hour and its day: where nothing is new in the finer bucket, nothing is in the coarser.
    mark(kind, slot, low, high, minute, mask) {
      let found = 0
      let rest = mask
      if (minute >= firstMinute) {
        if (!markIn(minutes, minute, kind, slot, low, high, rest, freshMinute)) return 0
        found = IN_MINUTE
        rest = freshMinute
      }
      place(minute)
      if (minute < heldUntil && lastDay >= firstDay) restoreHeld(minute)
      let inHour: Int32Array | undefined
      let inDay: Int32Array | undefined
      if (lastHour < firstHour || markIn(hours, lastHour, kind, slot, low, high, rest, freshHour)) {
        if (lastHour >= firstHour) {
          found |= IN_HOUR
          rest = inHour = freshHour
        }
        if (lastDay >= firstDay && markIn(days, lastDay, kind, slot, low, high, rest, freshDay)) {
          found |= IN_DAY
          inDay = freshDay
          newInDay.add(kind, slot, low, high, minute, freshDay, undefined)
        }
        if (inHour !== undefined) newInHour.add(kind, slot, low, high, minute, inHour, inDay)
      }
      if ((found & IN_MINUTE) !== 0) newInMinute.add(kind, slot, low, high, minute, freshMinute, inHour)
      return found
    },
    restore(grain, kind, slot, low, high, minute, mask) {
      if (minute >= firstMinute) markIn(minutes, minute, kind, slot, low, high, mask, ignored)
      if (grain === 'minute') return
      place(minute)
      if (lastHour >= firstHour) markIn(hours, lastHour, kind, slot, low, high, mask, ignored)
      if (grain === 'day' && lastDay >= firstDay) markIn(days, lastDay, kind, slot, low, high, mask, ignored)
    },
    hold(grain, first, last, bytes, restoreAll) {
      if (grain === 'minute') return false
      place(last)
      const end = grain === 'hour' ? lastHour + 60 : zone.startOfDay(zone.dayOf(last * 60_000) + 1) / 60_000
      if (end > firstMinute) return false
      place(first)
      held.push({ grain, from: grain === 'hour' ? lastHour : lastDay, end, bytes, restoreAll })
      heldUntil = Math.max(heldUntil, end)
      return true
    },
    newEntries: () => newInMinute.count() + newInHour.count() + newInDay.count(),
    drainNew(each) {
      for (const [grain, log] of [
        ['minute', newInMinute],
        ['hour', newInHour],
        ['day', newInDay],
      ] as const) {
        if (log.count() > 0) each(grain, log.entries(), log.count())
        log.clear()
      }
    },
    bytes() {
      const ofTables = [minutes, hours, days].reduce((sum, { users, sessions }) => sum + users.bytes() + sessions.bytes(), 0)
      return held.reduce((sum, { bytes }) => sum + bytes, ofTables)
    },
  }
}
