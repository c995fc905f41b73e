// The views: what dashboards and people read, so that tables can change behind them.
import { kpiMeasures, type Grain } from '../schemas/tables/kpi-deltas.ts'
import { alertViews } from './alerts/views.ts'
import { boardViews } from './board-views.ts'
import { allowedLatenessMs, deltaKpisOf, deltaKpiSql } from './kpi/catalogue.ts'

export type View = { readonly name: string; readonly select: string }

const reached = (column: string, grain: Grain) =>
  `(SELECT max(${column}) FROM kpi_cells WHERE dimension = 'clock' AND value = '' AND grain = '${grain}')`
/** All buckets of the grain before it are in kpi_cells; the epoch while none is. */
const rolledUp = (grain: Grain) => reached('bucket_at', grain)
/** What came late to those is in them, of blocks before which their partition had an earlier clock than this. */
const knownUntil = (grain: Grain) => reached('known_at', grain)

/** Least clock of all partitions; the epoch while one of them has not been heard of. All were heard of since the last minute that is rolled up. */
const leastClock = `
  SELECT if(count() = max(partition_count), min(clock_at), toDateTime64(0, 3, 'UTC'))
  FROM (
    SELECT partition, max(block_at) AS clock_at, max(kpi_deltas.partition_count) AS partition_count
    FROM kpi_deltas WHERE dimension = 'clock' AND value = '' AND grain = 'minute' AND bucket_at >= ${rolledUp('minute')} GROUP BY partition
  )`

// A day of a zone that shifts its clocks can be 23 or 25 h long; its flag is then off by that hour.
const spanS: Record<Grain, number> = { minute: 60, hour: 3_600, day: 86_400 }

const sums = (of: string) => kpiMeasures.map((measure) => `sum(${of}.${measure}) AS ${measure}`).join(', ')

/**
 * Deltas of buckets that are rolled up, that kpi_cells does not have yet. Whoever adds them there while this is read says so in the cell's
 * known_at, so that none counts twice.
 */
function lateSql(grain: Grain): string {
  const isLate = `grain = '${grain}' AND dimension != 'clock' AND bucket_at < ${rolledUp(grain)} AND block_at >= ${knownUntil(grain)}`
  return `
  SELECT late.bucket_at AS bucket_at, late.dimension AS dimension, late.value AS value, ${kpiMeasures.map((measure) => `late.${measure} AS ${measure}`).join(', ')}
  FROM (SELECT * FROM kpi_deltas WHERE ${isLate}) AS late
  INNER JOIN (
    SELECT partition, first_offset,
      lagInFrame(bucket_at, 1, toDateTime64(0, 3, 'UTC')) OVER (PARTITION BY partition ORDER BY next_offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before_at
    FROM kpi_deltas
    WHERE dimension = 'clock' AND value = '' AND grain = 'minute' AND bucket_at >= ${knownUntil(grain)}
  ) AS blocks ON late.partition = blocks.partition AND late.first_offset = blocks.first_offset
  LEFT JOIN (
    SELECT dimension, value, bucket_at, known_at FROM kpi_cells FINAL
    WHERE grain = '${grain}' AND (dimension, value, bucket_at) IN (SELECT dimension, value, bucket_at FROM kpi_deltas WHERE ${isLate})
  ) AS cells ON late.dimension = cells.dimension AND late.value = cells.value AND late.bucket_at = cells.bucket_at
  WHERE blocks.before_at >= greatest(cells.known_at, ${knownUntil(grain)})`
}

/** Buckets that are rolled up from kpi_cells, the others from kpi_deltas: a bucket is before the border or not, whoever moves it meanwhile. */
const kpiView = (grain: Grain): View => ({
  name: `kpi_${grain}`,
  select: `
SELECT
  bucket_at, dimension, value,
  ${kpiMeasures.join(', ')},
  ${deltaKpisOf(grain)
    .map((name) => `${deltaKpiSql(name, (measure) => measure)} AS ${name}`)
    .join(',\n  ')},
  bucket_at + toIntervalSecond(${spanS[grain] + allowedLatenessMs / 1000}) > (${leastClock}
  ) AS open
FROM (
  SELECT bucket_at, dimension, value, ${sums('known')}
  FROM (
    SELECT bucket_at, dimension, value, ${kpiMeasures.join(', ')}
    FROM kpi_cells FINAL
    WHERE grain = '${grain}' AND dimension != 'clock' AND bucket_at < ${rolledUp(grain)}
    UNION ALL
    SELECT bucket_at, dimension, value, ${kpiMeasures.join(', ')}
    FROM kpi_deltas
    WHERE grain = '${grain}' AND dimension != 'clock' AND bucket_at >= ${rolledUp(grain)}
    UNION ALL${lateSql(grain)}
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
