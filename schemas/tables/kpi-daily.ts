// The KPIs of a day that look at a user's other days, and so are in no cell: retention, months, lifetime value. The detect role computes them from
// `events` once a day of the zone is closed; the view `daily_kpis` has them for boards.
import { fieldTable, float64, instant, nullable, word, type Row } from '../field.ts'
import { table } from '../table.ts'

export const kpiDailyTable = table({
  name: 'kpi_daily',
  record: fieldTable('KpiDaily', {
    name: word("The KPI's; retention_d2 and its like besides. Empty: all days before bucket_at were computed."),
    bucket_at: instant("The day's start."),
    known_at: instant('Events with clock_at before it are known: when a day closed, of the latest that was computed.'),
    numerator: float64(),
    denominator: nullable(float64('null: the KPI is a count.')),
    first_known_at: instant('When it could be said for the first time: for retention_d7 a week after the day.'),
    numerator_first: float64('As it was known then; it never changes.'),
    denominator_first: nullable(float64()),
  }),
  engine: { kind: 'latest', version: 'known_at' },
  orderBy: ['name', 'bucket_at'],
  // The rows of one day's computation, and the row that says so, are there at once or not at all.
  partitionBy: 'tuple()',
})
export type KpiDailyRow = Row<typeof kpiDailyTable.record>
