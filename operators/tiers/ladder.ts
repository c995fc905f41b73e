// The ladder: who is on which rung. Data that someone in operations can read and change.
import type { Tier } from '../../schemas/tiers.ts'

/** What a rule may look at. Days are zone days, the last one that of as_of − 1 ms. */
export type TierFacts = {
  registered: boolean
  /** Days with an accepted event, of the last 7 and 30. */
  activeDays7: number
  activeDays30: number
  purchases30: number
  purchaseDays90: number
  /** fen */
  spend90Minor: number
}

export type Rung = {
  tier: Tier
  holds(facts: TierFacts): boolean
  reason(facts: TierFacts): string
}

const active = { days: 3, of: 7 }
const paying = { purchases: 1, of: 30 }
const loyal = { purchaseDays: 3, of: 90, spendMinor: 100_000, activeDays: 8, activeOf: 30 }
/** For who recomputes the rules elsewhere (`verify`, in SQL). */
export const rungFigures = { active, paying, loyal } as const

/** Lowest first; a user's rung is the highest whose rule holds. */
export const ladder: readonly Rung[] = [
  { tier: 'prospect', holds: () => true, reason: () => 'not registered' },
  { tier: 'new', holds: (f) => f.registered, reason: () => 'registered' },
  {
    tier: 'active',
    holds: (f) => f.registered && f.activeDays7 >= active.days,
    reason: (f) => `active on ${f.activeDays7} of the last ${active.of} days (needs ${active.days})`,
  },
  {
    tier: 'paying',
    holds: (f) => f.registered && f.purchases30 >= paying.purchases,
    reason: (f) => `${f.purchases30} purchases in the last ${paying.of} days (needs ${paying.purchases})`,
  },
  {
    tier: 'loyal',
    holds: (f) =>
      f.registered && f.purchaseDays90 >= loyal.purchaseDays && f.spend90Minor >= loyal.spendMinor && f.activeDays30 >= loyal.activeDays,
    reason: (f) =>
      `purchases on ${f.purchaseDays90} of the last ${loyal.of} days (needs ${loyal.purchaseDays}), spend ${f.spend90Minor} (needs ${loyal.spendMinor}), ` +
      `active on ${f.activeDays30} of the last ${loyal.activeOf} days (needs ${loyal.activeDays})`,
  },
]

/** Index in `ladder` of the highest rung whose rule holds. */
export function rungOf(facts: TierFacts): number {
  for (let rung = ladder.length - 1; rung > 0; rung--) if (ladder[rung]!.holds(facts)) return rung
  return 0
}
