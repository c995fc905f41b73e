// What customers are worth: what they have brought, and what BG/NBD and Gamma-Gamma expect of them; of one, and of cohorts.
import { expectedPurchases, probabilityAlive, type BgNbdParams, type Customer } from './bg-nbd.ts'
import { expectedAverage, type GammaGammaParams } from './gamma-gamma.ts'

/** What a further purchase brings: by customer, or the same for all where amounts could not be modelled. */
export type Amounts =
  | { readonly kind: 'gamma_gamma'; readonly params: GammaGammaParams }
  | { readonly kind: 'mean'; readonly mean: number; readonly because: string }

export type ValueModel = {
  readonly purchases: BgNbdParams
  readonly amounts: Amounts
  /** In the models' unit of time. */
  readonly horizon: number
  /** Share of an amount that is earned; 1 counts spend. */
  readonly margin: number
}

/** `average`: of the purchases that `frequency` counts. `realised`: everything that the customer has spent so far. */
export type Spender = Customer & { readonly average: number; readonly realised: number }

export function lifetimeValue(spender: Spender, { purchases, amounts, horizon, margin }: ValueModel): number {
  const average = amounts.kind === 'mean' ? amounts.mean : expectedAverage(amounts.params, spender.frequency, spender.average)
  return margin * (spender.realised + expectedPurchases(purchases, spender, horizon) * average)
}

/** Customers of one cohort with the same purchases at the same times. Days are whole ones, from any first one. */
export type Group = {
  /** Day on which they began. */
  readonly cohort: number
  readonly frequency: number
  /** Days from `cohort` to the last purchase that `frequency` counts. */
  readonly recency: number
  readonly customers: number
  /** Of them, those who have bought at all. */
  readonly buyers: number
  /** Sum over the group of what the purchases that `frequency` counts came to. */
  readonly spent: number
  /** Sum over the group of everything spent. */
  readonly realised: number
}

export type CohortValue = {
  readonly cohort: number
  readonly customers: number
  readonly buyers: number
  readonly realised: number
  /** Customers who are expected not to have left. Those who never bought count whole: the model cannot know. */
  readonly alive: number
  readonly expectedPurchases: number
  /** Amount that is expected within the horizon. */
  readonly predicted: number
  /** margin × (realised + predicted), per customer. */
  readonly value: number
}

/**
 * The same as lifetimeValue summed over each cohort's customers: a Gamma-Gamma average is linear in what was spent, so those with
 * the same purchases at the same times need not be told apart. `daysPerUnit`: days of the models' unit of time.
 */
export function cohortValues(groups: readonly Group[], lastDay: number, daysPerUnit: number, model: ValueModel): CohortValue[] {
  const { purchases, amounts, horizon, margin } = model
  const cohorts = new Map<number, { -readonly [K in Exclude<keyof CohortValue, 'cohort' | 'value'>]: number }>()
  for (const group of groups) {
    let sums = cohorts.get(group.cohort)
    if (sums === undefined)
      cohorts.set(group.cohort, (sums = { customers: 0, buyers: 0, realised: 0, alive: 0, expectedPurchases: 0, predicted: 0 }))
    const customer = {
      frequency: group.frequency,
      recency: group.recency / daysPerUnit,
      age: (lastDay - group.cohort) / daysPerUnit,
    }
    const each = expectedPurchases(purchases, customer, horizon)
    const averageSpent = group.frequency === 0 ? 0 : group.spent / (group.customers * group.frequency)
    const average = amounts.kind === 'mean' ? amounts.mean : expectedAverage(amounts.params, group.frequency, averageSpent)
    sums.customers += group.customers
    sums.buyers += group.buyers
    sums.realised += group.realised
    sums.alive += group.customers * probabilityAlive(purchases, customer)
    sums.expectedPurchases += group.customers * each
    sums.predicted += group.customers * each * average
  }
  return [...cohorts]
    .toSorted(([one], [other]) => one - other)
    .map(([cohort, sums]) => ({ cohort, ...sums, value: (margin * (sums.realised + sums.predicted)) / sums.customers }))
}
