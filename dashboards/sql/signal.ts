// Queries of the KPIs that are made of customer signals. These lie in the database of their own topic, which the dialect names: a query fails where there
// is none (`panelReadsSignals` says which).
import { signalViews } from '../../operators/board-views.ts'
import { catalogue, type CatalogueName } from '../../operators/kpi/catalogue.ts'
import type { Term } from '../../operators/kpi/metric.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Dialect } from '../dialect.ts'
import { before, cellDimension, cellValue, ofCell, view } from './query.ts'
import { bySpan } from './span.ts'

const signals = (dialect: Dialect) => `${dialect.signalsDatabase}.${signalViews[0].name}`
const daysS = 86_400

const grainOf = (kpi: CatalogueName) => (catalogue[kpi].grain === 'day' ? 'day' : 'hour')

/**
 * Of each closed bucket of behaviour's, with the sums that some of these KPIs are measured against: what its signals come to. One list of bucket starts
 * and signals, by their time: a signal belongs to the last start before it, whatever hours and days are in the zone. Signals know channels and no other
 * dimension.
 */
function buckets(
  kpi: CatalogueName,
  grain: Grain,
  dialect: Dialect,
  inSpan: (column: string) => string,
  fromSql: string,
  condition = 'true',
): string {
  const { kind, numerator, denominator } = catalogue[kpi]
  const at = kind === 'incident' ? 'clock_at' : 'event_at'
  const measures = [...new Set([numerator, denominator].flatMap((term) => (term !== null && 'measures' in term ? term.measures : [])))]
  const sumSql = (term: Term | null) =>
    term === null
      ? '1'
      : 'signals' in term
        ? term.signals
        : 'measures' in term
          ? term.measures.map((measure) => `max(cell_${measure})`).join(' + ')
          : '0'
  // A bucket that begins within the range may end after it.
  const around = (column: string) => `${column} >= ${fromSql} AND ${column} <= ${dialect.to} + toIntervalHour(25)`
  const dimension = cellDimension(dialect)
  return `SELECT start_at AS bucket_at, toFloat64(${sumSql(numerator)}) AS above, toFloat64(${sumSql(denominator)}) AS below
FROM (
  SELECT max(start) OVER (ORDER BY at, is_signal ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS start_at, kind, score, seconds, severity, amount_minor, is_closed${measures.map((measure) => `, cell_${measure}`).join('')}
  FROM (
    SELECT bucket_at AS at, toNullable(bucket_at) AS start, 0 AS is_signal, '' AS kind, NULL AS score, NULL AS seconds, NULL AS severity, NULL AS amount_minor,
      toUInt8(NOT open) AS is_closed${measures.map((measure) => `, ${measure} AS cell_${measure}`).join('')}
    FROM ${view(`kpi_${grain}`)} WHERE ${condition} AND ${ofCell(dialect)} AND ${around('bucket_at')} AND ${dimension} IN ('all', 'channel')
    UNION ALL
    SELECT ${at} AS at, NULL AS start, 1 AS is_signal, toString(kind) AS kind, score, seconds, toString(severity) AS severity, amount_minor, 0 AS is_closed${measures.map((measure) => `, 0 AS cell_${measure}`).join('')}
    FROM ${signals(dialect)} WHERE ${condition} AND ${around(at)} AND ${dimension} IN ('all', 'channel') AND (${dimension} = 'all' OR channel = ${cellValue(dialect)})
  )
)
WHERE isNotNull(start_at)
GROUP BY start_at
HAVING max(is_closed) = 1 AND ${inSpan('bucket_at')}`
}

export const signalTrend = (kpi: CatalogueName, dialect: Dialect) => `SELECT bucket_at AS time, above / nullIf(below, 0) AS ${kpi}
FROM (${bySpan(dialect, grainOf(kpi), (grain, condition) => buckets(kpi, grain, dialect, dialect.inRange, dialect.from, condition))})
ORDER BY time`

/** The last closed hours or days with anything to divide by, and the median of those before. */
export function signalNow(kpi: CatalogueName, dialect: Dialect): string {
  const backS = 28 * daysS
  const recent = (column: string) => `${column} > ${before(dialect.to, backS)} AND ${column} <= ${dialect.to}`
  const { target } = catalogue[kpi]
  return `SELECT anyIf(figure, place = 1) AS ${kpi}, if(countIf(place > 1) > 0, quantileExactIf(0.5)(figure, place > 1), NULL) AS baseline,
  CAST(${target ?? 'NULL'}, 'Nullable(Float64)') AS target, maxIf(bucket_at, place = 1) + toIntervalSecond(${grainOf(kpi) === 'day' ? daysS : 3_600}) AS until_at
FROM (
  SELECT bucket_at, above / below AS figure, row_number() OVER (ORDER BY bucket_at DESC) AS place
  FROM (${buckets(kpi, grainOf(kpi), dialect, recent, before(dialect.to, backS))})
  WHERE below > 0
)
HAVING count() > 0`
}
