// How far the partitions of a topic have come, as the last row of each block says: in kpi_deltas for behaviour, in signal_clocks for signals.
import type { Store } from '../../ports/store.ts'

/** Rows that say a block's clock, in column `at`, with its partition, first_offset, next_offset and partition_count. */
export type ClockRows = { readonly table: string; readonly at: string; readonly where: string }

export const behaviourClocks: ClockRows = {
  table: 'kpi_deltas',
  at: 'bucket_at',
  where: `dimension = 'clock' AND value = '' AND grain = 'minute'`,
}

/** Of each partition: the clock of its last block, and how many partitions that says there are. */
export type Clocks = Map<number, { clockMs: number; partitions: number }>

/** Brings `clocks` up to date. What it has is not read again. */
export async function readClocks(store: Store, clocks: Clocks, { table, at, where }: ClockRows = behaviourClocks): Promise<void> {
  const known = [...clocks.values()].map(({ clockMs }) => clockMs)
  const rows = await store.query<{ partition: number; clock_ms: number; partitions: number }>(
    `SELECT partition, toUnixTimestamp64Milli(max(${at})) AS clock_ms, max(partition_count) AS partitions
     FROM ${table}
     WHERE ${where} AND ${at} >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
     GROUP BY partition`,
    { since: known.length === 0 ? 0 : Math.min(...known) },
  )
  for (const { partition, clock_ms: clockMs, partitions } of rows) clocks.set(partition, { clockMs, partitions })
}

/** What every partition's clock has reached; undefined while one has not been heard of. */
export function leastClock(clocks: Clocks): number | undefined {
  const all = [...clocks.values()]
  if (all.length === 0 || all.length < Math.max(...all.map(({ partitions }) => partitions))) return undefined
  return Math.min(...all.map(({ clockMs }) => clockMs))
}

/**
 * Blocks whose clock is at or after {from}, each with the clock of its partition before it (0 of the first one of these): a bucket that begins
 * at or after {from} has nothing of earlier blocks, for no event is later than its block's clock.
 */
export const blocksSince = (from: string, { table, at, where }: ClockRows = behaviourClocks): string => `
  SELECT partition, first_offset,
    toUnixTimestamp64Milli(lagInFrame(${at}, 1, toDateTime64(0, 3, 'UTC')) OVER (
      PARTITION BY partition ORDER BY next_offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )) AS before_ms
  FROM ${table}
  WHERE ${where} AND ${at} >= fromUnixTimestamp64Milli(${from}, 'UTC')`
