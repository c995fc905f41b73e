// Each fit of the models of lifetime value, and why there is none where there is none. Written by `reelpulse refit`.
import { enumeration, fieldTable, float64, instant, list, nullable, string, uint32, uint64, uint8, uuid, word, type Row } from '../field.ts'
import { table } from '../table.ts'

export const ltvModelsTable = table({
  name: 'ltv_models',
  record: fieldTable('LtvModel', {
    model_id: uuid('Follows from all else in the row: the same fit has the same.'),
    as_of: instant('Events with clock_at before it are known.'),
    operator_version: uint32(),
    birth: enumeration('LtvBirth', ['registration', 'first_purchase'], 'Where a customer begins.'),
    zone: word('Whose days are counted.'),
    horizon_days: uint32('How far predictions reach.'),
    margin: float64('Share of an amount that is earned; 1 counts spend.'),
    customers: uint64(),
    repeat_buyers: uint64('Customers of whom a purchase counts.'),
    purchases: enumeration('LtvPurchases', ['bg_nbd', 'none'], 'What predicts purchases.'),
    r: nullable(float64('BG/NBD; null where it could not be fitted.')),
    alpha_weeks: nullable(float64()),
    a: nullable(float64()),
    b: nullable(float64()),
    purchases_log_likelihood: nullable(float64('With times in weeks.')),
    amounts: enumeration('LtvAmounts', ['gamma_gamma', 'mean'], 'What predicts the amount of a purchase.'),
    p: nullable(float64('Gamma-Gamma; null where the mean serves instead.')),
    q: nullable(float64()),
    gamma_minor: nullable(float64()),
    amounts_log_likelihood: nullable(float64('With amounts in minor units.')),
    mean_minor: nullable(float64('Mean amount of a day with purchases, where Gamma-Gamma could not be fitted.')),
    converged: uint8('1: every fit that there is ended where the likelihood is flat.'),
    at_edge: list(word(), 'Parameters in which the likelihood has no maximum; their value says nothing.'),
    because: string('Why there is no fit, or no model of amounts; empty where there are both.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['as_of', 'model_id'],
  partitionBy: 'toYYYYMM(as_of)',
})
export type LtvModelRow = Row<typeof ltvModelsTable.record>
