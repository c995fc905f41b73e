import { expect, test } from 'vitest'
import { kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import { kpis, ratioSql, type KpiSpec } from './catalogue.ts'

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
  [{ ...kpis.completion_rate, numerator: ['likes', 'shares'] as const }, '(sum(likes) + sum(shares)) / nullIf(sum(plays), 0)'],
])('the SQL of a KPI divides its sums, and gives NULL where there is nothing to divide by: %#', (kpi, sql) => {
  expect(ratioSql(kpi, (measure) => `sum(${measure})`)).toBe(sql)
})
