// The views: what dashboards and people read, so that tables can change behind them.
import { kpiMeasures, type Grain } from '../schemas/tables/kpi-deltas.ts'
import { alertViews } from './alerts/views.ts'
import { allowedLatenessMs, deltaKpisOf, deltaKpiSql } from './kpi/catalogue.ts'

export type View = { readonly name: string; readonly select: string }

/** All buckets of the grain before it are in kpi_cells; the epoch while none is. */
const rolledUp = (grain: Grain) => `(SELECT max(bucket_at) FROM kpi_cells WHERE dimension = 'clock' AND value = '' AND grain = '${grain}')`

/** Least clock of all partitions; the epoch while one of them has not been heard of. All were heard of since the last minute that is rolled up. */
const leastClock = `
  SELECT if(count() = max(partition_count), min(clock_at), toDateTime64(0, 3, 'UTC'))
  FROM (
    SELECT partition, max(block_at) AS clock_at, max(kpi_deltas.partition_count) AS partition_count
    FROM kpi_deltas WHERE dimension = 'clock' AND value = '' AND grain = 'minute' AND bucket_at >= ${rolledUp('minute')} GROUP BY partition
  )`

// A day of a zone that shifts its clocks can be 23 or 25 h long; its flag is then off by that hour.
const spanS: Record<Grain, number> = { minute: 60, hour: 3_600, day: 86_400 }

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
  SELECT bucket_at, dimension, value, ${kpiMeasures.join(', ')}
  FROM kpi_cells FINAL
  WHERE grain = '${grain}' AND dimension != 'clock' AND bucket_at < ${rolledUp(grain)}
  UNION ALL
  SELECT bucket_at, dimension, value, ${kpiMeasures.map((measure) => `sum(deltas.${measure}) AS ${measure}`).join(', ')}
  FROM kpi_deltas AS deltas
  WHERE grain = '${grain}' AND dimension != 'clock' AND bucket_at >= ${rolledUp(grain)}
  GROUP BY bucket_at, dimension, value
)`.trim(),
})

export const views = [
  { name: 'users', select: 'SELECT * FROM user_features FINAL' },
  kpiView('minute'),
  kpiView('hour'),
  kpiView('day'),
  ...alertViews,
] as const satisfies readonly View[]
