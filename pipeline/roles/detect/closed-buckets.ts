// Which minutes are closed, and what they came to: read from kpi_deltas.
import type { CellSamples } from '../../../operators/detect/detector.ts'
import type { Cell } from '../../../operators/detect/metric.ts'
import { measuresOf, samplesOf } from '../../../operators/detect/watched.ts'
import type { KpiMeasure } from '../../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../../ports/store.ts'

export const bucketMs = 60_000

/** Of each partition: the clock of its last block, and how many partitions that says there are. */
export type Clocks = Map<number, { clockMs: number; partitions: number }>

/** Brings `clocks` up to date. What it has is not read again. */
export async function readClocks(store: Store, clocks: Clocks): Promise<void> {
  const known = [...clocks.values()].map(({ clockMs }) => clockMs)
  const rows = await store.query<{ partition: number; clock_ms: number; partitions: number }>(
    `SELECT partition, toUnixTimestamp64Milli(max(bucket_at)) AS clock_ms, max(partition_count) AS partitions
     FROM kpi_deltas
     WHERE dimension = 'clock' AND value = '' AND grain = 'minute' AND bucket_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
     GROUP BY partition`,
    { since: known.length === 0 ? 0 : Math.min(...known) },
  )
  for (const { partition, clock_ms: clockMs, partitions } of rows) clocks.set(partition, { clockMs, partitions })
}

/** Minutes that end at or before this are closed; undefined while a partition has not been heard of. */
export function closedUntil(clocks: Clocks, latenessMs: number): number | undefined {
  const all = [...clocks.values()]
  if (all.length === 0 || all.length < Math.max(...all.map(({ partitions }) => partitions))) return undefined
  return Math.floor((Math.min(...all.map(({ clockMs }) => clockMs)) - latenessMs) / bucketMs) * bucketMs
}

const read = measuresOf('minute')

/** Start of the earliest minute from `sinceMs` on; undefined where there is none. */
export async function earliestBucketAt(store: Store, sinceMs: number): Promise<number | undefined> {
  const [row] = await store.query<{ buckets: number; at: number }>(
    `SELECT count() AS buckets, toUnixTimestamp64Milli(min(bucket_at)) AS at FROM kpi_deltas
     WHERE dimension != 'clock' AND grain = 'minute' AND bucket_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')`,
    { since: sinceMs },
  )
  return row === undefined || row.buckets === 0 ? undefined : row.at
}

/**
 * The cells of every minute in [fromMs, toMs), as they were known at its close: a partition's block counts where the clock
 * before it had not yet closed the minute. So it does not matter when this is read, nor by whom.
 */
export async function readBuckets(store: Store, fromMs: number, toMs: number, latenessMs: number): Promise<Map<number, CellSamples[]>> {
  // An event is never later than its block's clock, so a block whose clock is before `from` has nothing for these minutes.
  const rows = await store.query<Cell & { bucket_ms: number } & Record<KpiMeasure, number>>(
    `WITH blocks AS (
       SELECT partition, first_offset,
         lagInFrame(bucket_at, 1, toDateTime64(0, 3, 'UTC')) OVER (
           PARTITION BY partition ORDER BY next_offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
         ) AS clock_before
       FROM kpi_deltas
       WHERE dimension = 'clock' AND value = '' AND grain = 'minute' AND bucket_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
     )
     SELECT toUnixTimestamp64Milli(deltas.bucket_at) AS bucket_ms, deltas.dimension AS dimension, deltas.value AS value,
       ${read.map((measure) => `sum(deltas.${measure}) AS ${measure}`).join(', ')}
     FROM kpi_deltas AS deltas INNER JOIN blocks ON deltas.partition = blocks.partition AND deltas.first_offset = blocks.first_offset
     WHERE deltas.dimension != 'clock' AND deltas.grain = 'minute'
       AND deltas.bucket_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND deltas.bucket_at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
       AND deltas.block_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
       AND toUnixTimestamp64Milli(blocks.clock_before) < toUnixTimestamp64Milli(deltas.bucket_at) + {closes:Int64}
     GROUP BY deltas.bucket_at, deltas.dimension, deltas.value`,
    { from: fromMs, to: toMs, closes: bucketMs + latenessMs },
  )
  const buckets = new Map<number, CellSamples[]>()
  for (const { bucket_ms: bucketAt, dimension, value, ...sums } of rows) {
    let cells = buckets.get(bucketAt)
    if (cells === undefined) buckets.set(bucketAt, (cells = []))
    cells.push(samplesOf('minute', { dimension, value, sums }))
  }
  return buckets
}
