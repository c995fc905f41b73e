// Queries of KPIs: now, over time, by value of a dimension, cell by cell.
import { catalogue, catalogueNames, deltaKpisOf, sumSql, type CatalogueName, type KpiName } from '../../operators/kpi/catalogue.ts'
import type { Term } from '../../operators/kpi/metric.ts'
import type { Grain, KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import type { SplitDimension } from '../board.ts'
import type { Dialect } from '../dialect.ts'
import { before, cellDimension, changeOf, number, ofCell, text, time, view, type PanelQuery, type Unit } from './query.ts'
import { signalNow, signalTrend } from './signal.ts'
import { bySpan } from './span.ts'

export type KpiSource = 'cells' | 'daily' | 'signals'

/** Where a KPI's figures are. */
export function sourceOf(kpi: CatalogueName): KpiSource {
  const { numerator, denominator } = catalogue[kpi]
  const terms: readonly Term[] = denominator === null ? [numerator] : [numerator, denominator]
  if (terms.some((term) => 'signals' in term)) return 'signals'
  return terms.some((term) => 'daily' in term) ? 'daily' : 'cells'
}

export const unitOf = (kpi: CatalogueName) => catalogue[kpi].unit as Unit
const kpiView = { minute: view('kpi_minute'), hour: view('kpi_hour'), day: view('kpi_day') } as const

/** Of closed buckets: a minute's first seconds are any figure at all. The open ones have a panel of their own. */
export function kpiTrend(kpi: CatalogueName, dialect: Dialect): PanelQuery {
  const columns = [time(), number(kpi, unitOf(kpi))]
  const source = sourceOf(kpi)
  if (source === 'signals') return { sql: signalTrend(kpi, dialect), format: 'timeseries', columns }
  const sql =
    source === 'daily'
      ? `SELECT bucket_at AS time, figure AS ${kpi} FROM ${view('daily_kpis')}
WHERE name = '${kpi}' AND ${dialect.inRange('bucket_at')} AND ${cellDimension(dialect)} = 'all'
ORDER BY time`
      : `SELECT time, ${kpi} FROM (
${bySpan(dialect, catalogue[kpi].grain, (grain, condition) => `SELECT bucket_at AS time, ${kpi} FROM ${kpiView[grain]} WHERE ${condition} AND ${dialect.inRange('bucket_at')} AND ${ofCell(dialect)} AND NOT open`)}
)
ORDER BY time`
  return { sql, format: 'timeseries', columns }
}

/** Nobody compares more, and a list of values can be long. */
const mostValues = 50

/** The values that have most of the denominator. */
export function kpiSplit(kpi: KpiName, by: SplitDimension, dialect: Dialect): PanelQuery {
  const { numerator, denominator } = catalogue[kpi]
  const weight = termSql(denominator ?? numerator)
  return {
    sql: `SELECT point.1 AS time, ${by}, point.2 AS ${kpi} FROM (SELECT ${by}, arrayJoin(points) AS point FROM (
  SELECT ${by}, groupArray((bucket_at, figure)) AS points FROM (
${bySpan(dialect, catalogue[kpi].grain, (grain, condition) => `SELECT bucket_at, value AS ${by}, ${kpi} AS figure, ${weight} AS weight FROM ${kpiView[grain]} WHERE ${condition} AND ${dialect.inRange('bucket_at')} AND dimension = '${by}' AND NOT open`)}
  )
  GROUP BY ${by} ORDER BY sum(weight) DESC, ${by} LIMIT ${mostValues}
)) ORDER BY time, ${by}`,
    format: 'timeseries',
    columns: [time(), text(by), number(kpi, unitOf(kpi))],
  }
}

export function counts(measures: readonly KpiMeasure[], dialect: Dialect): PanelQuery {
  const names = measures.join(', ')
  return {
    sql: `SELECT time, ${names} FROM (
${bySpan(dialect, 'minute', (grain, condition) => `SELECT bucket_at AS time, ${names} FROM ${kpiView[grain]} WHERE ${condition} AND ${dialect.inRange('bucket_at')} AND ${ofCell(dialect)} AND NOT open`)}
)
ORDER BY time`,
    format: 'timeseries',
    columns: [time(), ...measures.map((measure) => number(measure))],
  }
}

export function openMinutes(measures: readonly KpiMeasure[], dialect: Dialect): PanelQuery {
  return {
    sql: `SELECT bucket_at AS minute_at, ${measures.join(', ')} FROM ${view('kpi_minute')}
WHERE ${ofCell(dialect)} AND bucket_at > ${before(dialect.to, 3_600)} AND bucket_at <= ${dialect.to} AND open
ORDER BY minute_at DESC LIMIT 5`,
    format: 'table',
    columns: [time('minute_at'), ...measures.map((measure) => number(measure))],
  }
}

const weekS = 604_800
const dayS = 86_400
/** How the latest figure and what is usual are taken: spans in seconds. */
const now: Record<Grain, { readonly lastS: number; readonly aroundS: number; readonly freshS: number; readonly spanS: number }> = {
  minute: { lastS: 900, aroundS: 900, freshS: 3_600, spanS: 60 },
  hour: { lastS: 3_600, aroundS: 0, freshS: 3 * 3_600, spanS: 3_600 },
  // A day of a zone that shifts its clocks begins an hour earlier or later.
  day: { lastS: dayS, aroundS: 3_600, freshS: 3 * dayS, spanS: dayS },
}

const nowColumns = (kpi: CatalogueName) => [
  number(kpi, unitOf(kpi)), number('baseline', unitOf(kpi)), number('target', unitOf(kpi)), time('until_at'),
] // prettier-ignore

export const targetSql = (kpi: CatalogueName) => `CAST(${catalogue[kpi].target ?? 'NULL'}, 'Nullable(Float64)') AS target`

/**
 * The last closed quarter of an hour (hour, day), and the median of the buckets at the same time of the week in the four weeks before; where there are none,
 * at the same time of day in the week before. It is the detector's baseline without the level, which follows the last day.
 */
export function kpiNow(kpi: CatalogueName, dialect: Dialect): PanelQuery {
  const source = sourceOf(kpi)
  if (source === 'signals') return { sql: signalNow(kpi, dialect), format: 'table', columns: nowColumns(kpi) }
  if (source === 'daily') return { sql: dailyNow(kpi, dialect), format: 'table', columns: nowColumns(kpi) }
  const { grain, numerator, denominator } = catalogue[kpi]
  const { lastS, aroundS, freshS, spanS } = now[grain]
  const above = termSql(numerator)
  const below = denominator === null ? '1' : termSql(denominator)
  // How far off the same time of day a bucket is, back from the last one, and the other way round.
  const off = (periodS: number) => `least(age_s % ${periodS}, ${periodS} - age_s % ${periodS})`
  const usual = (periodS: number, times: number) =>
    `age_s >= ${periodS - aroundS} AND ${off(periodS)} <= ${aroundS} AND age_s <= ${times * periodS + aroundS}`
  const medianOf = (condition: string) => `quantileExactIf(0.5)(assumeNotNull(figure), isNotNull(figure) AND ${condition})`
  const far = `(toUnixTimestamp(${dialect.to}) - toUnixTimestamp(bucket_at)) % ${dayS}`
  return {
    sql: `SELECT if(max(last_at) < ${before(dialect.to, freshS)}, NULL, sumIf(above, age_s < ${lastS}) / nullIf(${denominator === null ? '1' : `sumIf(below, age_s < ${lastS})`}, 0)) AS ${kpi},
  if(countIf(isNotNull(figure) AND ${usual(weekS, 4)}) > 0, ${medianOf(usual(weekS, 4))}, if(countIf(isNotNull(figure) AND ${usual(dayS, 7)}) > 0, ${medianOf(usual(dayS, 7))}, NULL)) AS baseline,
  ${targetSql(kpi)}, max(last_at) + toIntervalSecond(${spanS}) AS until_at
FROM (
  SELECT ${above} AS above, ${below} AS below, ${kpi} AS figure, max(bucket_at) OVER () AS last_at, dateDiff('second', bucket_at, last_at) AS age_s
  FROM ${kpiView[grain]}
  WHERE ${ofCell(dialect)} AND NOT open AND bucket_at <= ${dialect.to} AND bucket_at > ${before(dialect.to, 4 * weekS + freshS + aroundS)}${
    grain === 'minute' ? `\n    AND (${far} < ${freshS + aroundS} OR ${far} >= ${dayS - aroundS})` : ''
  }
)
HAVING count() > 0`,
    format: 'table',
    columns: nowColumns(kpi),
  }
}

const termSql = (term: Term) => ('measures' in term ? sumSql(term.measures, term.per ?? 1, (measure) => measure) : '0')

/** The latest day of which it is known, and the median of the 28 before that. Of everyone: no cell has it. */
const dailyNow = (kpi: CatalogueName, dialect: Dialect) => `SELECT anyIf(figure, place = 1) AS ${kpi},
  if(countIf(place > 1) > 0, quantileExactIf(0.5)(assumeNotNull(figure), place > 1), NULL) AS baseline,
  ${targetSql(kpi)}, maxIf(bucket_at, place = 1) + INTERVAL 1 DAY AS until_at
FROM (
  SELECT bucket_at, figure, row_number() OVER (ORDER BY bucket_at DESC) AS place
  FROM ${view('daily_kpis')}
  WHERE name = '${kpi}' AND isNotNull(figure) AND bucket_at <= ${dialect.to} AND bucket_at > ${before(dialect.to, 90 * dayS)} AND ${cellDimension(dialect)} = 'all'
)
WHERE place <= 29
HAVING count() > 0`

/** Those that cells count by the hour, with something to divide by: what kpi_cells lets one choose from. */
export const cellKpis = catalogueNames.filter((name) => deltaKpisOf('hour').includes(name) && catalogue[name].denominator !== null)

/**
 * The 24 hours up to the last that is closed, against the same a week before. Hours are added here: a user who came in two of them counts
 * twice, today as a week ago.
 */
export function kpiCells(dialect: Dialect): PanelQuery {
  const known = cellKpis.filter((name) => name === dialect.kpi)
  const among = known.length > 0 ? known : cellKpis
  const chosen = (of: 'numerator' | 'denominator') =>
    `multiIf(${among.map((name) => `${dialect.variable('kpi')} = '${name}', toFloat64(${termSql(catalogue[name][of]!)})`).join(', ')}, NULL)`
  /** As much as the last closed hour may lie before the range's end. */
  const { freshS } = now.hour
  const within = (fromS: number, untilS: number) =>
    `bucket_at > ${before(dialect.to, fromS)} AND bucket_at <= ${before(dialect.to, untilS)}`
  return {
    sql: `SELECT toString(dimension) AS dimension, value, ${dialect.variable('kpi')} AS kpi, now_above / nullIf(now_below, 0) AS figure, then_above / nullIf(then_below, 0) AS week_before,
  ${changeOf('figure', 'week_before')} AS change, now_below AS denominator
FROM (
  SELECT dimension, value, sumIf(above, is_now) AS now_above, sumIf(below, is_now) AS now_below, sumIf(above, is_then) AS then_above, sumIf(below, is_then) AS then_below
  FROM (
    SELECT dimension, value, dateDiff('second', bucket_at, max(bucket_at) OVER ()) AS age_s, age_s < ${dayS} AS is_now, age_s >= ${weekS} AND age_s < ${weekS + dayS} AS is_then,
      ${chosen('numerator')} AS above, ${chosen('denominator')} AS below
    FROM ${view('kpi_hour')}
    WHERE NOT open AND (${within(dayS + freshS, 0)} OR ${within(weekS + dayS + freshS, weekS)})
  )
  GROUP BY dimension, value
)
WHERE now_below > 0
ORDER BY isNull(change), change * sqrt(now_below)`,
    format: 'table',
    columns: [
      text('dimension'),
      text('value'),
      text('kpi'),
      number('figure'),
      number('week_before'),
      number('change', 'ratio'),
      number('denominator'),
    ],
  }
}
