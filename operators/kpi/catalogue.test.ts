import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import { catalogue, catalogueNames, deltaKpisOf, deltaKpiSql, kpis, ratioSql, type CatalogueName, type KpiSpec } from './catalogue.ts'
import { dailyFigures, dailyQueries } from './daily.ts'
import { generatedFiles } from './generate.ts'

test('a KPI of a measure that is not counted does not compile', () => {
  const wrong: KpiSpec = {
    ...kpis.completion_rate,
    // @ts-expect-error 'finishes' is no column of kpi_deltas
    numerator: ['finishes'],
    // @ts-expect-error nor is 'starts'
    denominator: 'starts',
  }
  expect(kpiMeasures).not.toContain(wrong.denominator)
})

test.each([
  [kpis.completion_rate, 'sum(completes) / nullIf(sum(plays), 0)'],
  [kpis.dwell_s, 'sum(watch_ms) / 1000 / nullIf(sum(sessions), 0)'],
  [kpis.interaction_rate, '(sum(likes) + sum(comments) + sum(shares)) / nullIf(sum(plays), 0)'],
])('the SQL of a KPI divides its sums, and gives NULL where there is nothing to divide by: %#', (kpi, sql) => {
  expect(ratioSql(kpi, (measure) => `sum(${measure})`)).toBe(sql)
})

/** The contract's list of KPIs: REELPULSE_CATALOGUE, or beside the checkout. It is not ours to ship. */
const beside = fileURLToPath(new URL('../../../shared/contract/catalogue.csv', import.meta.url))
const contract = [process.env['REELPULSE_CATALOGUE'], beside].find((path) => path !== undefined && path !== '' && existsSync(path))

/** A line of CSV; a quoted value may hold commas. */
const valuesOf = (line: string) =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '')

test.skipIf(contract === undefined)('the catalogue is that of the contract, line by line (REELPULSE_CATALOGUE names the file)', () => {
  const [header = '', ...lines] = readFileSync(contract!, 'utf8').trim().split(/\r?\n/)
  const columns = valuesOf(header)
  const wanted = lines.map((line) => {
    const row = Object.fromEntries(valuesOf(line).map((value, i) => [columns[i]!, value]))
    const number = (value: string | undefined) => (value === undefined || value === '' ? null : Number(value))
    return {
      name: row['name'], group: row['group'], grain: row['grain'], unit: row['unit'], source: row['source'],
      says: { numerator: row['numerator'], denominator: row['denominator'] }, target: number(row['target']),
      better: row['better'] === '' ? 'neither' : row['better'],
      minimumDenominator: number(row['minimum_denominator']), threshold: number(row['drop_threshold']),
    } // prettier-ignore
  })
  const ours = catalogueNames.map((name) => {
    const { kind: _, numerator: _n, denominator: _d, meaning: _m, ...entry } = catalogue[name]
    return { name, ...entry }
  })
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) => (a.name! < b.name! ? -1 : 1)
  expect(ours.toSorted(byName)).toEqual(wanted.toSorted(byName))
})

test.each(catalogueNames)('%s says what is divided by what where a denominator is named, and what that means', (name) => {
  const { numerator, denominator, says, kind, meaning } = catalogue[name]
  expect(denominator === null).toBe(says.denominator === '')
  expect(denominator === null).toBe(kind === 'count' || kind === 'incident')
  for (const term of denominator === null ? [numerator] : [numerator, denominator]) {
    if ('measures' in term) for (const measure of term.measures) expect(kpiMeasures).toContain(measure)
    else if ('daily' in term) expect(dailyFigures).toContain(term.daily)
    else expect(term.signals).toMatch(/kind = '/)
  }
  expect(meaning).toMatch(/\.$/)
})

test('every figure of a day is given by one query', () => {
  expect(dailyQueries.flatMap(({ figures }) => figures).toSorted()).toEqual(dailyFigures.toSorted())
})

test('a coarser bucket has the KPIs of the finer ones too', () => {
  const [minute, hour, day] = (['minute', 'hour', 'day'] as const).map(deltaKpisOf) as [CatalogueName[], CatalogueName[], CatalogueName[]]
  expect(minute).toContain('dwell_s')
  expect(minute).not.toContain('conversion_rate')
  expect(hour).toEqual(expect.arrayContaining([...minute, 'conversion_rate', 'revenue', 'late_event_share']))
  expect(day).toEqual(expect.arrayContaining([...hour, 'daily_active_users', 'engaged_user_share', 'first_week_completion']))
  expect(deltaKpiSql('revenue', (measure) => measure)).toBe('amount_minor')
})

test('the page in the repository is what the catalogue says (npm run generate)', () => {
  for (const { path, content } of generatedFiles()) expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(content)
})
