// Queries of the KPIs that are made of customer signals. These lie in the database of their own topic, which the dialect names: a query fails where there
// is none (`panelReadsSignals` says which).
import { signalViews } from '../../operators/board-views.ts'
import { catalogue, type CatalogueName } from '../../operators/kpi/catalogue.ts'
import type { Term } from '../../operators/kpi/metric.ts'
import type { Dialect } from '../dialect.ts'
import { before, cellDimension, cellValue, ofCell, view } from './query.ts'

const signals = (dialect: Dialect) => `${dialect.signalsDatabase}.${signalViews[0].name}`
const daysS = 86_400

const grainOf = (kpi: CatalogueName) => (catalogue[kpi].grain === 'day' ? 'day' : 'hour')

/**
 * Of each closed bucket of behaviour, with the sums that some of these KPIs are measured against: what its signals come to. Signals know channels and no
 * other dimension.
 */
function buckets(kpi: CatalogueName, dialect: Dialect, inSpan: (column: string) => string, aroundS: number): string {
  const { kind, numerator, denominator } = catalogue[kpi]
  const at = kind === 'incident' ? 'clock_at' : 'event_at'
  const terms = [numerator, ...(denominator === null ? [] : [denominator])]
  const measures = [...new Set(terms.flatMap((term) => ('measures' in term ? term.measures : [])))]
  const names = ['above', 'below'] as const
  const counted = terms.flatMap((term, i) => ('signals' in term ? [`${term.signals} AS ${names[i]}`] : []))
  const termSql = (term: Term, i: number) =>
    'signals' in term
      ? `toFloat64(signals.${names[i]})`
      : 'measures' in term
        ? `toFloat64(${term.measures.map((measure) => `buckets.${measure}`).join(' + ')})`
        : '0'
  const bucketsSql = `SELECT bucket_at, 1 AS one${measures.map((measure) => `, ${measure}`).join('')} FROM ${view(`kpi_${grainOf(kpi)}`)} WHERE ${ofCell(dialect)} AND ${inSpan('bucket_at')} AND NOT open`
  const from = before(dialect.from, aroundS)
  return `SELECT buckets.bucket_at AS bucket_at, ${terms.map((term, i) => `${termSql(term, i)} AS ${names[i]}`).join(', ')}${denominator === null ? ', toFloat64(1) AS below' : ''}
FROM (${bucketsSql}) AS buckets
LEFT JOIN (
  SELECT starts.bucket_at AS bucket_at, ${counted.join(', ')}
  FROM (
    SELECT ${at} AS at, 1 AS one, kind, score, seconds, severity, amount_minor
    FROM ${signals(dialect)}
    WHERE ${at} <= ${dialect.to} AND ${at} >= ${from} AND ${cellDimension(dialect)} IN ('all', 'channel') AND (${cellDimension(dialect)} = 'all' OR channel = ${cellValue(dialect)})
  ) AS s ASOF INNER JOIN (${bucketsSql}) AS starts ON s.one = starts.one AND s.at >= starts.bucket_at
  GROUP BY starts.bucket_at
) AS signals ON buckets.bucket_at = signals.bucket_at
WHERE ${cellDimension(dialect)} IN ('all', 'channel')`
}

export const signalTrend = (kpi: CatalogueName, dialect: Dialect) => `SELECT bucket_at AS time, above / nullIf(below, 0) AS ${kpi}
FROM (${buckets(kpi, dialect, dialect.inRange, 0)})
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
  FROM (${buckets(kpi, { ...dialect, from: dialect.to }, recent, backS)})
  WHERE below > 0
)
HAVING count() > 0`
}
