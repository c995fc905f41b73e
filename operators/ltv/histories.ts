// Purchase histories → the figures that the models are fitted to. In SQL the same is in pipeline/ltv/customers.ts.
import type { Group } from './lifetime-value.ts'

/**
 * Where a customer begins. `registration`: all purchases count, and whoever never bought is a customer too. `first_purchase`: the
 * classical reading, in which the first purchase makes the customer and only later ones count.
 */
export const births = ['registration', 'first_purchase'] as const
export type Birth = (typeof births)[number]

/** Days are whole ones, from any first one. Several purchases of one day are one. */
export type History = {
  readonly registeredDay: number | undefined
  /** Amount by day, in minor units. */
  readonly purchases: ReadonlyMap<number, number>
}

export type CustomerFigures = {
  readonly groups: readonly Group[]
  /** Those of whom a purchase counts, by how many days and what it all came to. */
  readonly spenders: readonly { readonly frequency: number; readonly spent: number; readonly customers: number }[]
  /** Who bought without having registered, where customers begin with registration. */
  readonly unregistered: number
}

/** By what is known through `lastDay`. */
export function customerFigures(histories: Iterable<History>, birth: Birth, lastDay: number): CustomerFigures {
  type Sums = { -readonly [K in keyof Group]: Group[K] }
  const groups = new Map<string, Sums>()
  const spenders = new Map<string, { frequency: number; spent: number; customers: number }>()
  let unregistered = 0
  for (const { registeredDay, purchases } of histories) {
    const days = [...purchases.keys()].filter((day) => day <= lastDay)
    const cohort = birth === 'registration' ? registeredDay : days.length === 0 ? undefined : Math.min(...days)
    if (cohort === undefined || cohort > lastDay) {
      if (days.length > 0) unregistered++
      continue
    }
    // What was bought before the registration, by a clock that was set back, counts as bought on its day.
    const counted = birth === 'registration' ? days : days.filter((day) => day > cohort)
    const frequency = new Set(counted.map((day) => Math.max(day, cohort))).size
    const recency = Math.max(cohort, ...counted) - cohort
    const spent = counted.reduce((sum, day) => sum + purchases.get(day)!, 0)
    const key = `${cohort}/${frequency}/${recency}`
    let group = groups.get(key)
    if (group === undefined) groups.set(key, (group = { cohort, frequency, recency, customers: 0, buyers: 0, spent: 0, realised: 0 }))
    group.customers++
    if (days.length > 0) group.buyers++
    group.spent += spent
    group.realised += days.reduce((sum, day) => sum + purchases.get(day)!, 0)
    if (frequency === 0) continue
    const kind = `${frequency}/${spent}`
    const spender = spenders.get(kind)
    if (spender === undefined) spenders.set(kind, { frequency, spent, customers: 1 })
    else spender.customers++
  }
  return inOrder({ groups: [...groups.values()], spenders: [...spenders.values()], unregistered })
}

/** Sums of doubles depend on their order: with this the same customers give the same figures to the last digit. */
export function inOrder({ groups, spenders, unregistered }: CustomerFigures): CustomerFigures {
  return {
    groups: groups.toSorted((one, other) => one.cohort - other.cohort || one.frequency - other.frequency || one.recency - other.recency),
    spenders: spenders.toSorted((one, other) => one.frequency - other.frequency || one.spent - other.spent),
    unregistered,
  }
}
