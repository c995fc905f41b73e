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

export function kpiMeasuresOf(event: EventRow): Partial<Record<KpiMeasure, number>> {
  switch (event.behavior) {
    case 'play': {
      const complete = isComplete({ behavior: 'play', watchMs: event.watch_ms, durationMs: event.duration_ms })
      return { events: 1, plays: 1, completes: complete ? 1 : 0, watch_ms: event.watch_ms! }
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

/** A row without its block: `partition`, `first_offset`, `part` and `block_at` are filled in when the block ends. */
export type UnplacedDelta = Omit<KpiDeltaRow, 'partition' | 'first_offset' | 'part' | 'block_at'>

type Counting = Omit<UnplacedDelta, KpiMeasure> & Record<KpiMeasure, number>

const nothing = Object.fromEntries(kpiMeasures.map((name) => [name, 0])) as Record<KpiMeasure, number>

/** One row for each (grain, bucket, cell) that a block's events touch, in the order of first touch, then the block's clock. */
export function naiveKpiDeltas(
  events: readonly EventRow[],
  settings: { dimensions: DimensionLists },
  zone: Zone,
  block: { blockAt: number; nextOffset: number; partitionCount: number },
): UnplacedDelta[] {
  const rows = new Map<string, Counting>()
  for (const event of events) {
    for (const grain of grains) {
      const bucketAt = bucketStart(zone, grain, event.event_at)
      for (const { dimension, value } of cellsOf(event, settings.dimensions)) {
        const key = `${grain} ${bucketAt} ${dimension} ${value}`
        if (!rows.has(key)) rows.set(key, { grain, bucket_at: bucketAt, dimension, value, ...nothing, next_offset: 0, partition_count: 0 })
        const row = rows.get(key)!
        for (const [measure, added] of Object.entries(kpiMeasuresOf(event)) as [KpiMeasure, number][]) row[measure] += added
      }
    }
  }
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
