// Which buckets are closed, and what they came to as it was known then: read from kpi_cells as far as that goes, else from kpi_deltas.
import type { Cadence } from '../../../operators/detect/cadence.ts'
import type { CellSamples } from '../../../operators/detect/detector.ts'
import type { Cell } from '../../../operators/detect/metric.ts'
import { measuresOf, samplesOf, type CellSums } from '../../../operators/detect/watched.ts'
import { kpiMeasures, type Grain, type KpiMeasure } from '../../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../../ports/store.ts'
import { blocksSince } from './clocks.ts'

/** How buckets of a grain run, and when they close: `latenessMs` after their end. */
export type Closing = { readonly grain: Grain; readonly cadence: Cadence; readonly latenessMs: number }

/** Buckets that begin before this are closed. */
export const closedUntil = ({ cadence, latenessMs }: Closing, clockMs: number): number => cadence.startOf(clockMs - latenessMs)

/** When the bucket that begins at `bucketMs` closes (ms), for buckets of [fromMs, toMs). */
export function closesSql({ grain, cadence, latenessMs }: Closing, bucketMs: string, fromMs: number, toMs: number): string {
  if (grain !== 'day') return `${bucketMs} + ${cadence.endOf(0) + latenessMs}`
  const days: number[] = []
  for (let at = cadence.startOf(fromMs); at < toMs; at = cadence.endOf(at)) days.push(at)
  // An Int64 even where there is none, or one.
  const list = (values: readonly number[]) => `CAST([${values.join(', ')}], 'Array(Int64)')`
  return `transform(${bucketMs}, ${list(days)}, ${list(days.map((at) => cadence.endOf(at) + latenessMs))}, toInt64(0))`
}

/** Start of the earliest bucket from `sinceMs` on; undefined where there is none. */
export async function earliestBucketAt(
  store: Store,
  grain: Grain,
  sinceMs: number,
  tables = ['kpi_cells', 'kpi_deltas'],
): Promise<number | undefined> {
  const inTable = (table: string) => `SELECT min(bucket_at) AS earliest_at, count() AS buckets FROM ${table}
     WHERE dimension != 'clock' AND grain = '${grain}' AND bucket_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')`
  const [row] = await store.query<{ at: number; found: number }>(
    `SELECT toUnixTimestamp64Milli(minIf(earliest_at, buckets > 0)) AS at, sum(buckets) AS found FROM (${tables.map(inTable).join(' UNION ALL ')})`,
    { since: sinceMs },
  )
  return row === undefined || row.found === 0 ? undefined : row.at
}

export type BucketsWanted = {
  readonly fromMs: number
  readonly toMs: number
  readonly rolledMs: number
  /** This one alone. */
  readonly cell?: Cell
}

type CellRow = Cell & { bucket_ms: number } & Record<KpiMeasure, number>

/**
 * The cells of every bucket in [fromMs, toMs), as they were known at its close: a partition's block counts where the clock
 * before it had not yet closed the bucket. So it does not matter when this is read, nor by whom. Buckets before `rolledMs` are in kpi_cells.
 */
export async function readBuckets(store: Store, closing: Closing, wanted: BucketsWanted): Promise<Map<number, CellSamples[]>> {
  const { grain } = closing
  const buckets = await readSums(store, closing, wanted, measuresOf(grain))
  return new Map([...buckets].map(([at, cells]) => [at, cells.map((sums) => samplesOf(grain, sums))]))
}

/** The same before KPIs are made of it. */
export async function readSums(
  store: Store,
  closing: Closing,
  { fromMs, toMs, rolledMs, cell }: BucketsWanted,
  measures: readonly KpiMeasure[],
): Promise<Map<number, CellSums[]>> {
  const { grain } = closing
  const border = Math.min(toMs, Math.max(fromMs, rolledMs))
  const rows: CellRow[] = []
  if (fromMs < border)
    rows.push(...(await store.query<CellRow>(cellsAtClose(grain, measures, cell), { ...cell, from: fromMs, to: border })))
  if (border < toMs)
    rows.push(...(await store.query<CellRow>(deltasAtClose(closing, measures, border, toMs, cell), { ...cell, from: border, to: toMs })))
  const buckets = new Map<number, CellSums[]>()
  for (const { bucket_ms: bucketAt, dimension, value, ...sums } of rows) {
    let cells = buckets.get(bucketAt)
    if (cells === undefined) buckets.set(bucketAt, (cells = []))
    cells.push({ dimension, value, sums })
  }
  return buckets
}

const inSpan = (column: string) =>
  `${column} >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ${column} < fromUnixTimestamp64Milli({to:Int64}, 'UTC')`

const isCell = (of: string, cell: Cell | undefined) =>
  cell === undefined ? `${of}.dimension != 'clock'` : `${of}.dimension = {dimension:String} AND ${of}.value = {value:String}`

/** A cell that nothing had touched when its bucket closed was not there: what came later has its row without it. */
const cellsAtClose = (grain: Grain, measures: readonly KpiMeasure[], cell: Cell | undefined) => `
  SELECT toUnixTimestamp64Milli(cells.bucket_at) AS bucket_ms, cells.dimension AS dimension, cells.value AS value,
    ${measures.map((measure) => `cells.${measure}_at_close AS ${measure}`).join(', ')}
  FROM kpi_cells AS cells FINAL
  WHERE cells.grain = '${grain}' AND ${isCell('cells', cell)} AND ${inSpan('cells.bucket_at')}
    AND greatest(${kpiMeasures.map((measure) => `cells.${measure}_at_close`).join(', ')}) > 0` // prettier-ignore

const deltasAtClose = (closing: Closing, measures: readonly KpiMeasure[], fromMs: number, toMs: number, cell: Cell | undefined) => `
  WITH blocks AS (${blocksSince('{from:Int64}')})
  SELECT toUnixTimestamp64Milli(deltas.bucket_at) AS bucket_ms, deltas.dimension AS dimension, deltas.value AS value,
    ${measures.map((measure) => `sum(deltas.${measure}) AS ${measure}`).join(', ')}
  FROM kpi_deltas AS deltas INNER JOIN blocks ON deltas.partition = blocks.partition AND deltas.first_offset = blocks.first_offset
  WHERE ${isCell('deltas', cell)} AND deltas.grain = '${closing.grain}' AND ${inSpan('deltas.bucket_at')}
    AND deltas.block_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND blocks.before_ms < ${closesSql(closing, 'toUnixTimestamp64Milli(deltas.bucket_at)', fromMs, toMs)}
  GROUP BY deltas.bucket_at, deltas.dimension, deltas.value` // prettier-ignore
