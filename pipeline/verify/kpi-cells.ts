// kpi_cells, recomputed from the deltas of days that are held against the events: what each cell came to at its close, and what it is known to be.
import { kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import { cellDifferences } from './cell-differences.ts'
import { ms, zoneDay } from './facts.ts'

const figures = kpiMeasures.flatMap((measure) => [measure, `${measure}_at_close`] as const)

/**
 * {days}, {starts} and {ends}: days of the zone, and when they begin and end (ms). A block belongs to what was known at an instant where its
 * partition's clock before it was earlier.
 */
export function compareCells(latenessMs: number): string {
  const isChosen = (at: string) => `has({days:Array(Int32)}, ${zoneDay(at)})`
  const bucket = ms('bucket_at')
  const closes = `multiIf(grain = 'minute', ${bucket} + 60000, grain = 'hour', ${bucket} + 3600000, {ends:Array(Int64)}[indexOf({starts:Array(Int64)}, ${bucket})]) + ${latenessMs}`
  const reached = `
    SELECT grain, max(${ms('bucket_at')}) AS until_ms, max(${ms('known_at')}) AS known_ms FROM kpi_cells WHERE dimension = 'clock' GROUP BY grain`
  const blocks = `
    SELECT partition, first_offset, ${ms(`lagInFrame(bucket_at, 1, toDateTime64(0, 3, 'UTC')) OVER (
      PARTITION BY partition ORDER BY next_offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`)} AS before_ms
    FROM kpi_deltas WHERE dimension = 'clock' AND value = '' AND grain = 'minute'`
  return cellDifferences(
    figures,
    `toString(k.grain) AS grain, ${ms('k.bucket_at')} AS bucket_ms, toString(k.dimension) AS dimension, toString(k.value) AS value,
          ${figures.map((name) => `toInt64(k.${name}) AS ${name}`).join(', ')}
        FROM kpi_cells AS k FINAL INNER JOIN (${reached}) AS reached ON k.grain = reached.grain
        WHERE k.dimension != 'clock' AND ${isChosen(ms('k.bucket_at'))} AND ${ms('k.bucket_at')} < reached.until_ms`,
    `toString(d.grain) AS grain, ${ms('d.bucket_at')} AS bucket_ms, toString(d.dimension) AS dimension, toString(d.value) AS value,
          ${kpiMeasures.map((measure) => `toInt64(sum(d.${measure})) AS ${measure}, toInt64(sumIf(d.${measure}, blocks.before_ms < d.closes_ms)) AS ${measure}_at_close`).join(', ')}
        FROM (SELECT *, ${closes} AS closes_ms FROM kpi_deltas WHERE dimension != 'clock' AND ${isChosen(bucket)}) AS d
        INNER JOIN (${blocks}) AS blocks ON d.partition = blocks.partition AND d.first_offset = blocks.first_offset
        INNER JOIN (${reached}) AS reached ON d.grain = reached.grain
        WHERE ${ms('d.bucket_at')} < reached.until_ms AND blocks.before_ms < reached.known_ms
        GROUP BY d.grain, d.bucket_at, d.dimension, d.value`,
  )
}
