// Who moves on the ladder, and why: a decision from facts, apart from the state that it will change.
import { ladder, rungOf, type TierFacts } from './ladder.ts'

/**
 * The rung after a look at the facts: the greater of the two after a record (promotion is immediate), the one whose rule
 * holds at a monthly evaluation, which alone demotes: one quiet week does not cost a user their benefits.
 */
export function nextRung(current: number, facts: TierFacts, monthly: boolean): number {
  const reached = rungOf(facts)
  return monthly || reached > current ? reached : current
}

/** The rule and the figures that decided, in words. */
export function reasonFor(from: number, to: number, facts: TierFacts): string {
  const rung = ladder[to]!
  if (to > from) return `${rung.tier}: ${rung.reason(facts)}`
  const left = ladder[from]!
  return `${left.tier} no longer holds: ${left.reason(facts)}`
}
