// What each cohort has brought and is expected to bring, by a fit of `ltv_models`. Written by `reelpulse refit`.
import { fieldTable, float64, instant, nullable, uint64, uuid, type Row } from '../field.ts'
import { table } from '../table.ts'

export const ltvCohortsTable = table({
  name: 'ltv_cohorts',
  record: fieldTable('LtvCohort', {
    model_id: uuid(),
    as_of: instant('Events with clock_at before it are known.'),
    cohort_at: instant('Start of the day, in the zone, on which these customers began.'),
    customers: uint64(),
    buyers: uint64('Customers who have bought at all.'),
    realised_minor: uint64('All that they have spent.'),
    alive: nullable(float64('Customers expected not to have left; null, as the next two, where nothing could be fitted.')),
    expected_purchases: nullable(float64('Days with purchases expected within the horizon.')),
    predicted_minor: nullable(float64('Amount expected within the horizon.')),
    value_minor: float64('margin × (realised + predicted) per customer.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['as_of', 'model_id', 'cohort_at'],
  partitionBy: 'toYYYYMM(as_of)',
})
export type LtvCohortRow = Row<typeof ltvCohortsTable.record>
