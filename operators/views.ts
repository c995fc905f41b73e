// The views: what dashboards and people read, so that tables can change behind them.
import { kpiMeasures, type Grain } from '../schemas/tables/kpi-deltas.ts'
import { alertViews } from './alerts/views.ts'
import { allowedLatenessMs, deltaKpisOf, deltaKpiSql } from './kpi/catalogue.ts'

export type View = { readonly name: string; readonly select: string }

/** Least clock of all partitions; the epoch while one of them has not been heard of. */
const leastClock = `
  SELECT if(count() = max(partition_count), min(clock_at), toDateTime64(0, 3, 'UTC'))
  FROM (
    SELECT partition, max(block_at) AS clock_at, max(kpi_deltas.partition_count) AS partition_count
    FROM kpi_deltas WHERE dimension = 'clock' AND value = '' AND grain = 'minute' GROUP BY partition
  )`

// A day of a zone that shifts its clocks can be 23 or 25 h long; its flag is then off by that hour.
const spanS: Record<Grain, number> = { minute: 60, hour: 3_600, day: 86_400 }

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
  SELECT bucket_at, dimension, value, ${kpiMeasures.map((measure) => `sum(deltas.${measure}) AS ${measure}`).join(', ')}
  FROM kpi_deltas AS deltas
  WHERE grain = '${grain}' AND dimension != 'clock'
  GROUP BY bucket_at, dimension, value
)`.trim(),
})

export const views = [
  { name: 'users', select: 'SELECT * FROM user_features FINAL' },
  kpiView('minute'),
  kpiView('hour'),
  kpiView('day'),
  ...alertViews,
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
