// Customers in, models and a prediction for each cohort out.
import { fitBgNbd, type BgNbdParams, type Fit } from './bg-nbd.ts'
import { fitGammaGamma, type GammaGammaParams } from './gamma-gamma.ts'
import type { CustomerFigures } from './histories.ts'
import { cohortValues, type Amounts, type CohortValue } from './lifetime-value.ts'

/** Unit of time of the models: alpha is in weeks. */
export const daysPerUnit = 7

export type RefitOptions = {
  /** The last day whose purchases are known, counted as in the figures. */
  readonly lastDay: number
  readonly horizonDays: number
  readonly margin: number
}

/** Without a model of purchases nothing is predicted, and a cohort's value is what it has brought so far. */
export type CohortOutcome = Omit<CohortValue, 'alive' | 'expectedPurchases' | 'predicted'> & {
  readonly alive: number | null
  readonly expectedPurchases: number | null
  readonly predicted: number | null
}

export type Refit = {
  readonly customers: number
  /** Of whom a purchase counts. */
  readonly repeatBuyers: number
  readonly purchases: Fit<BgNbdParams>
  readonly amountsFit: Fit<GammaGammaParams>
  readonly amounts: Amounts
  readonly cohorts: readonly CohortOutcome[]
}

export function refit({ groups, spenders: all }: CustomerFigures, { lastDay, horizonDays, margin }: RefitOptions): Refit {
  // What was given away tells nothing of amounts.
  const spenders = all.filter(({ spent }) => spent > 0)
  const purchases = fitBgNbd({
    frequency: groups.map(({ frequency }) => frequency),
    recency: groups.map(({ recency }) => recency / daysPerUnit),
    age: groups.map(({ cohort }) => (lastDay - cohort) / daysPerUnit),
    count: groups.map(({ customers }) => customers),
  })
  const amountsFit = fitGammaGamma({
    frequency: spenders.map(({ frequency }) => frequency),
    average: spenders.map(({ frequency, spent }) => spent / frequency),
    count: spenders.map(({ customers }) => customers),
  })
  const repeatBuyers = all.reduce((sum, { customers }) => sum + customers, 0)
  const bought = spenders.reduce((sum, { frequency, customers }) => sum + frequency * customers, 0)
  const spent = spenders.reduce((sum, { spent: each, customers }) => sum + each * customers, 0)
  const amounts: Amounts =
    amountsFit.kind === 'fit'
      ? { kind: 'gamma_gamma', params: amountsFit.params }
      : { kind: 'mean', mean: bought === 0 ? 0 : spent / bought, because: amountsFit.because }
  const model = { amounts, horizon: horizonDays / daysPerUnit, margin }
  // Where purchases have no model, anyone's parameters serve to sum what is known; what is predicted with them is thrown away.
  const values = cohortValues(groups, lastDay, daysPerUnit, {
    ...model,
    purchases: purchases.kind === 'fit' ? purchases.params : { r: 1, alpha: 1, a: 1, b: 1 },
  })
  return {
    customers: groups.reduce((sum, { customers }) => sum + customers, 0),
    repeatBuyers,
    purchases,
    amountsFit,
    amounts,
    cohorts: purchases.kind === 'fit' ? values : values.map((value) => unpredicted(value, margin)),
  }
}

const unpredicted = (value: CohortValue, margin: number): CohortOutcome => ({
  ...value,
  alive: null,
  expectedPurchases: null,
  predicted: null,
  value: (margin * value.realised) / value.customers,
})
