// The views: what dashboards and people read, so that tables can change behind them.
import { kpiMeasures, type Grain } from '../schemas/tables/kpi-deltas.ts'
import { alertViews } from './alerts/views.ts'
import { boardViews } from './board-views.ts'
import { allowedLatenessMs, deltaKpisOf, deltaKpiSql } from './kpi/catalogue.ts'

export type View = { readonly name: string; readonly select: string }

/**
 * How far the grain is rolled up, as a pair: all buckets before `bucket_at` are in kpi_cells, with what came late to them of blocks before which their
 * partition had an earlier clock than `known_at`. The epoch while nothing is.
 */
const reach = (grain: Grain) =>
  `(SELECT (max(kpi_cells.bucket_at), max(kpi_cells.known_at)) FROM kpi_cells WHERE dimension = 'clock' AND value = '' AND grain = '${grain}')`
const rolledUp = (grain: Grain) => `${reach(grain)}.1`
const knownUntil = (grain: Grain) => `${reach(grain)}.2`

/**
 * Of the partitions, in one look at their blocks' clocks: the least clock (the epoch while one has not been heard of; all were since the last minute that
 * is rolled up), and two arrays: their numbers, and from which offset on each one's blocks are later than what the grain knows.
 */
const clocks = (grain: Grain) => `(
  SELECT (if(count() = max(partition_count), min(clock_at), toDateTime64(0, 3, 'UTC')), groupArray(partition), groupArray(unknown_from))
  FROM (
    SELECT partition, max(block_at) AS clock_at, max(kpi_deltas.partition_count) AS partition_count, minIf(next_offset, bucket_at >= ${knownUntil(grain)}) AS unknown_from
    FROM kpi_deltas
    WHERE dimension = 'clock' AND value = '' AND grain = 'minute' AND bucket_at >= least(${rolledUp('minute')}, ${knownUntil(grain)})
    GROUP BY partition
  ))`

// A day of a zone that shifts its clocks can be 23 or 25 h long; its flag is then off by that hour.
const spanS: Record<Grain, number> = { minute: 60, hour: 3_600, day: 86_400 }

const measures = kpiMeasures.join(', ')

/**
 * What kpi_cells does not have: deltas of buckets that are not rolled up, and of blocks that are later than what is known. No event is later than its
 * block's clock, so parts that end before both are left out unread.
 */
const deltasSql = (grain: Grain) => `
    SELECT bucket_at, dimension, value, ${measures}, ${knownUntil(grain)} AS known_until
    FROM kpi_deltas
    WHERE grain = '${grain}' AND dimension != 'clock' AND block_at >= least(${rolledUp(grain)}, ${knownUntil(grain)}) AND (
      bucket_at >= ${rolledUp(grain)}
      OR block_at >= ${knownUntil(grain)} AND first_offset >= transform(partition, ${clocks(grain)}.2, ${clocks(grain)}.3, ${2n ** 63n - 1n})
    )`

/**
 * Buckets that are rolled up from kpi_cells, what those do not have from kpi_deltas: a bucket is before the border or not, whoever moves it meanwhile. Of
 * a cell that somebody has added to since the border was read, only the rows count that know most: what it is then, without deltas that are in it. The
 * engine looks up which parts a table has, then the borders, then the next table: cells are read last, so that what the borders promise is there.
 */
const kpiView = (grain: Grain): View => ({
  name: `kpi_${grain}`,
  select: `
SELECT
  bucket_at, dimension, value,
  ${measures},
  ${deltaKpisOf(grain)
    .map((name) => `${deltaKpiSql(name, (measure) => measure)} AS ${name}`)
    .join(',\n  ')},
  bucket_at + toIntervalSecond(${spanS[grain] + allowedLatenessMs / 1000}) > ${clocks(grain)}.1 AS open
FROM (
  SELECT bucket_at, dimension, value, ${kpiMeasures.map((measure) => `sumArgMax(known.${measure}, known.known_until) AS ${measure}`).join(', ')}
  FROM (${deltasSql(grain)}
    UNION ALL
    SELECT bucket_at, dimension, value, ${measures}, greatest(known_at, ${knownUntil(grain)}) AS known_until
    FROM kpi_cells FINAL
    WHERE grain = '${grain}' AND dimension != 'clock' AND bucket_at < ${rolledUp(grain)}
  ) AS known
  GROUP BY bucket_at, dimension, value
)`.trim(),
})

export const views = [
  { name: 'users', select: 'SELECT * FROM user_features FINAL' },
  kpiView('minute'),
  kpiView('hour'),
  kpiView('day'),
  ...alertViews,
  ...boardViews,
  {
    name: 'ltv',
    // The newest fit of each kind.
    select: `
SELECT cohorts.*, models.birth AS birth, models.zone AS zone, models.horizon_days AS horizon_days, models.margin AS margin
FROM ltv_cohorts AS cohorts INNER JOIN (
  SELECT * FROM ltv_models ORDER BY as_of DESC, operator_version DESC, model_id LIMIT 1 BY birth, zone, horizon_days, margin
) AS models ON cohorts.model_id = models.model_id`.trim(),
  },
] as const satisfies readonly View[]
