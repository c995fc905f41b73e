// Naive twin of KPI deltas: what a block's accepted events add to each (grain, bucket, cell).
import type { EventRow } from '../../schemas/tables/events.ts'
import { grains, kpiMeasures, type CellDimension, type Grain, type KpiDeltaRow, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import type { DimensionLists } from '../settings.ts'
import type { Zone } from '../time/zone.ts'
import { countedAs } from './dimensions.ts'
import { isComplete } from './rolling.ts'

type Cell = { dimension: CellDimension; value: string }

/** The start of the bucket that holds an instant: minutes of UTC, hours and days of the zone. */
export function bucketStart(zone: Zone, grain: Grain, at: number): number {
  if (grain === 'minute') return Math.floor(at / 60_000) * 60_000
  if (grain === 'hour') return zone.startOfHour(at)
  return zone.startOfDay(zone.dayOf(at))
}

/** The cells that an event counts in. No category or no surface: no cell of that dimension. */
export function cellsOf(event: EventRow, lists: DimensionLists): Cell[] {
  const cells: Cell[] = [
    { dimension: 'all', value: '' },
    { dimension: 'platform', value: event.platform },
    { dimension: 'channel', value: countedAs(lists, 'channel', event.channel) },
    { dimension: 'region', value: countedAs(lists, 'region', event.region) },
    { dimension: 'app_version', value: countedAs(lists, 'app_version', event.app_version) },
  ]
  if (event.category !== null) cells.push({ dimension: 'category', value: countedAs(lists, 'category', event.category) })
  if (event.surface !== null) cells.push({ dimension: 'surface', value: countedAs(lists, 'surface', event.surface) })
  cells.push({ dimension: 'tier', value: event.tier })
  return cells
}

/** What an event adds to the sums of its cells. */
export function kpiMeasuresOf(event: EventRow): Partial<Record<KpiMeasure, number>> {
  switch (event.behavior) {
    case 'play': {
      const complete = isComplete({ behavior: 'play', watchMs: event.watch_ms, durationMs: event.duration_ms })
      const fresh = event.published_at !== null && event.event_at - event.published_at < 7 * dayMs
      return { events: 1, plays: 1, completes: complete ? 1 : 0, watch_ms: event.watch_ms!, fresh_plays: fresh ? 1 : 0 }
    }
    case 'purchase':
      return { events: 1, purchases: 1, amount_minor: event.amount_minor! }
    case 'impression':
      return { events: 1, impressions: 1 }
    case 'click':
      return { events: 1, clicks: 1 }
    case 'like':
      return { events: 1, likes: 1 }
    case 'comment':
      return { events: 1, comments: 1 }
    case 'share':
      return { events: 1, shares: 1 }
    case 'follow':
      return { events: 1, follows: 1 }
    case 'search':
      return { events: 1, searches: 1 }
    case 'register':
      return { events: 1, registers: 1 }
    case 'session_start':
    case 'session_end':
      return { events: 1 }
  }
}

/** A play on one of the seven days of the zone that begin with the day of the registration, as that was known before it. */
function firstWeekOf(event: EventRow, registeredAt: number | null, zone: Zone): Partial<Record<KpiMeasure, number>> {
  if (event.behavior !== 'play' || registeredAt === null) return {}
  const day = zone.dayOf(event.event_at) - zone.dayOf(registeredAt)
  return day < 0 || day > 6 ? {} : { first_week_plays: 1, first_week_completes: kpiMeasuresOf(event).completes! }
}

/** Whether a bucket that holds `at` still knows whom it has counted, at a clock. */
export function isMarked(zone: Zone, grain: Grain, at: number, clockAt: number): boolean {
  const kept = { minute: 2 * hourMs, hour: 48 * hourMs, day: 31 * dayMs }[grain]
  return bucketStart(zone, grain, at) >= bucketStart(zone, grain, clockAt - kept)
}

/** What the event is counted once as: the measure, and whose count it is. */
function countedOnce(event: EventRow): [KpiMeasure, string][] {
  const found: [KpiMeasure, string][] = [['active_users', event.user_id]]
  if (['like', 'comment', 'share', 'follow'].includes(event.behavior)) found.push(['engaged_users', event.user_id])
  if (event.behavior === 'purchase') found.push(['buyers', event.user_id])
  if (event.session_id !== null) found.push(['sessions', JSON.stringify([event.user_id, event.session_id])])
  return found
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** A row without its block: `partition`, `first_offset`, `part` and `block_at` are filled in when the block ends. */
export type UnplacedDelta = Omit<KpiDeltaRow, 'partition' | 'first_offset' | 'part' | 'block_at'>

type Counting = Omit<UnplacedDelta, KpiMeasure> & Record<KpiMeasure, number>

const nothing = Object.fromEntries(kpiMeasures.map((name) => [name, 0])) as Record<KpiMeasure, number>

export type KpiBlock = {
  blockAt: number
  nextOffset: number
  partitionCount: number
  /** clock_at of everything that was rejected. */
  rejectedAts: readonly number[]
}

/** What the log before a block has left behind. */
export type KpiPast = {
  /** Who was counted where, for ever. */
  counted: Set<string>
  /** Least event_at of the user's registrations before the event in the log. */
  registeredAt(event: EventRow): number | null
}

/** One row for each (grain, bucket, cell) that a block touches, in the order of first touch, then the block's clock. */
export function naiveKpiDeltas(
  events: readonly EventRow[],
  settings: { dimensions: DimensionLists },
  zone: Zone,
  block: KpiBlock,
  past: KpiPast,
): UnplacedDelta[] {
  const rows = new Map<string, Counting>()
  const rowOf = (grain: Grain, bucketAt: number, { dimension, value }: Cell): [key: string, row: Counting] => {
    const key = `${grain} ${bucketAt} ${dimension} ${value}`
    if (!rows.has(key)) rows.set(key, { grain, bucket_at: bucketAt, dimension, value, ...nothing, next_offset: 0, partition_count: 0 })
    return [key, rows.get(key)!]
  }
  for (const event of events) {
    const sums = Object.entries({ ...kpiMeasuresOf(event), ...firstWeekOf(event, past.registeredAt(event), zone) })
    for (const grain of grains) {
      const marked = isMarked(zone, grain, event.event_at, event.clock_at)
      for (const cell of cellsOf(event, settings.dimensions)) {
        const [key, row] = rowOf(grain, bucketStart(zone, grain, event.event_at), cell)
        for (const [measure, added] of sums as [KpiMeasure, number][]) row[measure] += added
        if (!marked) {
          row.late_unmarked++
          continue
        }
        for (const [measure, who] of countedOnce(event)) {
          const mark = `${key} ${measure} ${who}`
          if (!past.counted.has(mark)) row[measure]++
          past.counted.add(mark)
        }
      }
    }
  }
  for (const at of block.rejectedAts)
    for (const grain of grains) rowOf(grain, bucketStart(zone, grain, at), { dimension: 'all', value: '' })[1].rejected++
  const clock: UnplacedDelta = {
    grain: 'minute',
    bucket_at: block.blockAt,
    dimension: 'clock',
    value: '',
    ...nothing,
    next_offset: block.nextOffset,
    partition_count: block.partitionCount,
  }
  return [...rows.values(), clock]
}
