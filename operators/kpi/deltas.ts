// What a block adds to the KPI counts, by grain, bucket and cell. Sums are counted by the minute, and rolled up to hours and days
// when the block ends; what a user counts in only once is counted in each grain by itself, from marks.
import { behaviors, type Behavior } from '../../schemas/behavior-batch.ts'
import { grains, kpiMeasures, rolledUpMeasures, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import type { Zone } from '../time/zone.ts'
import { cellSums, type CellSums } from './cell-sums.ts'
import { kpiCells, type Cells, type KpiDictionaries } from './cells.ts'
import { ACTIVE, BUYER, ENGAGED, IN_DAY, IN_HOUR, IN_MINUTE, kpiMarks, SESSION, type Marks } from './marks.ts'
import { firstWeekDays, freshMs } from './spans.ts'

const width = kpiMeasures.length
const measure = (name: KpiMeasure) => kpiMeasures.indexOf(name)
const COMPLETES = measure('completes')
const WATCH_MS = measure('watch_ms')
const AMOUNT_MINOR = measure('amount_minor')
const EVENTS = measure('events')
const FRESH_PLAYS = measure('fresh_plays')
const FIRST_WEEK_PLAYS = measure('first_week_plays')
const FIRST_WEEK_COMPLETES = measure('first_week_completes')
const REJECTED = measure('rejected')
const LATE_UNMARKED = measure('late_unmarked')
/** By what is marked. */
const distinctMeasure = [ACTIVE, ENGAGED, BUYER, SESSION].map((kind) =>
  measure((['active_users', 'engaged_users', 'buyers', 'sessions'] as const)[kind]!),
)

const counted: Partial<Record<Behavior, KpiMeasure>> = {
  register: 'registers', impression: 'impressions', click: 'clicks', play: 'plays', like: 'likes', comment: 'comments',
  share: 'shares', follow: 'follows', search: 'searches', purchase: 'purchases',
} // prettier-ignore
const measureOf = behaviors.map((behavior) => (counted[behavior] === undefined ? -1 : measure(counted[behavior])))
const engages = behaviors.map((behavior) => ['like', 'comment', 'share', 'follow'].includes(behavior))
const PLAY = behaviors.indexOf('play')
const PURCHASE = behaviors.indexOf('purchase')

/** One cell of one bucket. `measures` holds from `start`, in the order of kpiMeasures. */
export type DeltaVisitor = (
  grain: number,
  bucketAt: number,
  dimension: number,
  value: string,
  measures: Float64Array,
  start: number,
) => void

/** One accepted event; reused. */
export type KpiEvent = {
  t: number
  behavior: number
  completes: boolean
  watchMs: number
  amountMinor: number
  /** Codes; −1 for null. */
  category: number
  surface: number
  /** NaN for null. */
  publishedAt: number
  /** The user's registered_at as known after the event; NaN where there is none. */
  registeredAt: number
  /** Two halves of the session's hash. */
  hasSession: boolean
  sessionLow: number
  sessionHigh: number
}

export type KpiDeltas = {
  readonly marks: Marks
  readonly cells: Cells
  /** The user, the clock, and the cells that every event of the next flush belongs to, as codes. */
  beginFlush(slot: number, clock: number, platform: number, channel: number, region: number, appVersion: number, tier: number): void
  /** Fill this in, then call `add`. */
  readonly event: KpiEvent
  add(): void
  endFlush(): void
  /** An event, or a whole record, was rejected at this clock. */
  addRejected(clock: number): void
  /** Visits every cell touched since the last call, minutes first, then hours, then days; and forgets them. */
  drain(visit: DeltaVisitor): void
}

export function kpiDeltas(zone: Zone, dictionaries: KpiDictionaries): KpiDeltas {
  const cells = kpiCells(dictionaries)
  const { first, words } = cells
  const marks = kpiMarks(zone, words)
  const byMinute = cellSums(width)
  const byHour = cellSums(width)
  const byDay = cellSums(width)
  const flushCells = new Int32Array(6)
  const flushSums = new Float64Array(width)
  const flushMeasures = new Int32Array(width)
  const flushMask = new Int32Array(words)
  /** The cells of the event under way. */
  const mask = new Int32Array(words)
  const event: KpiEvent = {
    t: 0, behavior: 0, completes: false, watchMs: 0, amountMinor: 0, category: -1, surface: -1,
    publishedAt: NaN, registeredAt: NaN, hasSession: false, sessionLow: 0, sessionHigh: 0,
  } // prettier-ignore
  // Whom to mark where, gathered over the flush's events of one minute, and of one session: one look-up for all of them.
  const masks = distinctMeasure.map(() => new Int32Array(words))
  const isGathered = distinctMeasure.map(() => false)
  let sessionLow = 0
  let sessionHigh = 0
  let slot = 0
  let minute = 0
  let pending = false

  function addFlushSums(): void {
    // A flush adds to few of the measures.
    let some = 0
    for (let m = 0; m < width; m++) if (flushSums[m] !== 0) flushMeasures[some++] = m
    for (let c = 0; c < flushCells.length; c++) {
      const start = byMinute.at(minute, flushCells[c]!)
      const sums = byMinute.sums()
      for (let i = 0; i < some; i++) sums[start + flushMeasures[i]!]! += flushSums[flushMeasures[i]!]!
    }
    flushSums.fill(0)
    pending = false
  }

  function addTo(sums: Float64Array, start: number, fresh: boolean, firstWeek: boolean, late: boolean): void {
    const { behavior, completes, watchMs, amountMinor } = event
    const own = measureOf[behavior]!
    if (own >= 0) sums[start + own]!++
    sums[start + EVENTS]!++
    if (completes) sums[start + COMPLETES]!++
    if (watchMs !== 0) sums[start + WATCH_MS]! += watchMs
    if (amountMinor !== 0) sums[start + AMOUNT_MINOR]! += amountMinor
    if (fresh) sums[start + FRESH_PLAYS]!++
    if (firstWeek) {
      sums[start + FIRST_WEEK_PLAYS]!++
      if (completes) sums[start + FIRST_WEEK_COMPLETES]!++
    }
    if (late) sums[start + LATE_UNMARKED]!++
  }

  /** Adds one to a measure of each cell whose bit is set. */
  function addToCells(into: CellSums, bucket: number, of: Int32Array, what: number): void {
    for (let w = 0; w < words; w++)
      for (let bits = of[w]!; bits !== 0; bits &= bits - 1) {
        const start = into.at(bucket, w * 32 + 31 - Math.clz32(bits & -bits))
        into.sums()[start + what]!++
      }
  }

  function gather(kind: number): void {
    const into = masks[kind]!
    for (let w = 0; w < words; w++) into[w]! |= mask[w]!
    isGathered[kind] = true
  }

  function markGathered(kind: number): void {
    if (!isGathered[kind]!) return
    const gathered = masks[kind]!
    const found =
      kind === SESSION ? marks.mark(kind, slot, sessionLow, sessionHigh, minute, gathered) : marks.mark(kind, slot, 0, 0, minute, gathered)
    gathered.fill(0)
    isGathered[kind] = false
    if (found === 0) return
    const what = distinctMeasure[kind]!
    const { freshMinute } = marks
    if ((found & IN_MINUTE) !== 0) {
      // Mostly all of the flush's own cells are new or none is.
      let all = true
      for (let w = 0; w < words; w++) if ((freshMinute[w]! & flushMask[w]!) !== flushMask[w]) all = false
      if (all) {
        flushSums[what]!++
        for (let w = 0; w < words; w++) freshMinute[w]! &= ~flushMask[w]!
      }
      addToCells(byMinute, minute, freshMinute, what)
    }
    if ((found & IN_HOUR) !== 0) addToCells(byHour, marks.hourOf(minute), marks.freshHour, what)
    if ((found & IN_DAY) !== 0) addToCells(byDay, marks.dayOf(minute), marks.freshDay, what)
  }

  /** Ends what the flush has in a minute. */
  function endMinute(): void {
    for (let kind = ACTIVE; kind <= SESSION; kind++) markGathered(kind)
    addFlushSums()
  }

  function isFirstWeek(): boolean {
    const { t, registeredAt } = event
    // Most users registered long ago, which needs no calendar.
    if (!(t - registeredAt < (firstWeekDays + 1) * 86_400_000)) return false
    const day = zone.dayOf(t) - zone.dayOf(registeredAt)
    return day >= 0 && day < firstWeekDays
  }

  function rollUp(into: CellSums, bucketOf: (minute: number) => number): void {
    for (let row = 0; row < byMinute.rows(); row++) {
      const start = into.at(bucketOf(byMinute.minute(row)), byMinute.cell(row))
      const sums = into.sums()
      const from = byMinute.sums()
      for (let m = 0; m < rolledUpMeasures; m++) sums[start + m]! += from[row * width + m]!
    }
  }

  function visitAll(grain: number, of: CellSums, visit: DeltaVisitor): void {
    for (let row = 0; row < of.rows(); row++) {
      const { dimension, value } = cells.list[of.cell(row)]!
      visit(grain, of.minute(row) * 60_000, dimension, value, of.sums(), row * width)
    }
    of.clear()
  }

  return {
    marks,
    cells,
    event,
    beginFlush(user, clock, platform, channel, region, appVersion, tier) {
      slot = user
      marks.advance(clock)
      flushCells[0] = first.all
      flushCells[1] = first.platform + platform
      flushCells[2] = first.channel + channel
      flushCells[3] = first.region + region
      flushCells[4] = first.app_version + appVersion
      flushCells[5] = first.tier + tier
      flushMask.fill(0)
      for (let c = 0; c < flushCells.length; c++) flushMask[flushCells[c]! >>> 5]! |= 1 << (flushCells[c]! & 31)
    },
    add() {
      const { t, behavior, category, surface } = event
      const at = Math.floor(t / 60_000)
      if (at !== minute) {
        if (pending) endMinute()
        minute = at
      }
      pending = true
      const isPlay = behavior === PLAY
      const fresh = isPlay && t - event.publishedAt < freshMs
      const firstWeek = isPlay && isFirstWeek()
      const late = marks.isLateMinute(at)
      addTo(flushSums, 0, fresh, firstWeek, late)
      for (let w = 0; w < words; w++) mask[w] = flushMask[w]!
      if (category >= 0) {
        const cell = first.category + category
        mask[cell >>> 5]! |= 1 << (cell & 31)
        const start = byMinute.at(at, cell)
        addTo(byMinute.sums(), start, fresh, firstWeek, late)
      }
      if (surface >= 0) {
        const cell = first.surface + surface
        mask[cell >>> 5]! |= 1 << (cell & 31)
        const start = byMinute.at(at, cell)
        addTo(byMinute.sums(), start, fresh, firstWeek, late)
      }
      if (late && marks.isLateHour(at)) addToCells(byHour, marks.hourOf(at), mask, LATE_UNMARKED)
      gather(ACTIVE)
      if (engages[behavior]!) gather(ENGAGED)
      if (behavior === PURCHASE) gather(BUYER)
      if (event.hasSession) {
        if (event.sessionLow !== sessionLow || event.sessionHigh !== sessionHigh) {
          markGathered(SESSION)
          sessionLow = event.sessionLow
          sessionHigh = event.sessionHigh
        }
        gather(SESSION)
      }
    },
    endFlush() {
      if (pending) endMinute()
    },
    addRejected(clock) {
      const start = byMinute.at(Math.floor(clock / 60_000), first.all)
      byMinute.sums()[start + REJECTED]!++
    },
    drain(visit) {
      rollUp(byHour, marks.hourOf)
      rollUp(byDay, marks.dayOf)
      visitAll(grains.indexOf('minute'), byMinute, visit)
      visitAll(grains.indexOf('hour'), byHour, visit)
      visitAll(grains.indexOf('day'), byDay, visit)
    },
  }
}
