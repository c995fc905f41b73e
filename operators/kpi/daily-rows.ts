// The rows of table `kpi_daily` that follow from the events known when a day of the zone closed, in SQL: every KPI of the catalogue that looks at a user's
// other days, and the rest of the retention curve. {known:Int64} is that instant, {until:Int64} the day's end (ms), {zone:String} the zone.
import { kpiCellsKeptDays } from '../../schemas/tables/kpi-cells.ts'
import { catalogue, catalogueNames } from './catalogue.ts'
import { asOfKnown, dailyQueriesOf, retentionDays, type DailyFigure } from './daily.ts'
import type { Term } from './metric.ts'

type DailyTerm = { readonly figure: DailyFigure; readonly per: number }
export type DailyKpi = { readonly name: string; readonly numerator: DailyTerm; readonly denominator: DailyTerm | undefined }

/** The day's active users are counted from the same events as what they are held against, not from cells. */
function dailyTerm(term: Term): DailyTerm | undefined {
  const { per = 1 } = term
  if ('daily' in term) return { figure: term.daily, per }
  return 'measures' in term && term.measures.join() === 'active_users' ? { figure: 'daily_active_users', per } : undefined
}

const ofCatalogue = catalogueNames.flatMap((name): DailyKpi[] => {
  const { numerator, denominator } = catalogue[name]
  const terms: readonly Term[] = denominator === null ? [numerator] : [numerator, denominator]
  if (!terms.some((term) => 'daily' in term)) return []
  const [above, below] = terms.map(dailyTerm)
  if (above === undefined || (denominator !== null && below === undefined))
    throw new Error(`${name} of the catalogue is divided by what no day has: teach operators/kpi/daily.ts to count it`)
  return [{ name, numerator: above, denominator: below }]
})

const curve = retentionDays.map((day): DailyKpi => ({
  name: `retention_d${day}`,
  numerator: { figure: `retained_d${day}`, per: 1 },
  denominator: { figure: 'registrants', per: 1 },
}))

/** All that kpi_daily has, by name. */
export const dailyKpis: readonly DailyKpi[] = [...ofCatalogue, ...curve.filter(({ name }) => !ofCatalogue.some((one) => one.name === name))]

const termSql = ({ figure, per }: DailyTerm) => `toFloat64(${figure})${per === 1 ? '' : ` / ${per}`}`
const kpiSql = ({ name, numerator, denominator }: DailyKpi) =>
  `('${name}', CAST(${termSql(numerator)}, 'Nullable(Float64)'), CAST(${denominator === undefined ? 'NULL' : termSql(denominator)}, 'Nullable(Float64)'))`

/** Start of a day of the zone, by its number. */
const startOf = `toTimeZone(toDateTime64(toString(toDate32(day)), 3, {zone:String}), 'UTC')`

const figures = dailyQueriesOf(asOfKnown)
  .map((query) => {
    const own = dailyKpis.filter(({ numerator, denominator }) =>
      [numerator, denominator].every((term) => term === undefined || query.figures.includes(term.figure)),
    )
    return { own, sql: `SELECT day, arrayJoin([${own.map(kpiSql).join(', ')}]) AS one FROM (${query.sql})` }
  })
  .filter(({ own }) => own.length > 0)

/** Rows of (name, bucket_at, known_at, numerator, denominator, first_known_at, numerator_first, denominator_first) of the days that are over. */
export const dailyRowsSql = `
SELECT now.name AS name, now.bucket_at AS bucket_at, fromUnixTimestamp64Milli({known:Int64}, 'UTC') AS known_at, now.numerator AS numerator, now.denominator AS denominator,
  if(told.is_told, told.first_known_at, known_at) AS first_known_at,
  if(told.is_told, told.numerator_first, now.numerator) AS numerator_first,
  if(told.is_told, told.denominator_first, now.denominator) AS denominator_first
FROM (
  SELECT tupleElement(one, 1) AS name, ${startOf} AS bucket_at, assumeNotNull(tupleElement(one, 2)) AS numerator, tupleElement(one, 3) AS denominator
  FROM (${figures.map(({ sql }) => sql).join('\nUNION ALL\n')})
  WHERE isNotNull(tupleElement(one, 2)) AND day < ${asOfKnown.until} AND day >= ${asOfKnown.until} - ${kpiCellsKeptDays}
) AS now LEFT JOIN (
  SELECT name, bucket_at, true AS is_told, first_known_at, numerator_first, denominator_first FROM kpi_daily FINAL
) AS told ON now.name = told.name AND now.bucket_at = told.bucket_at`.trim()
