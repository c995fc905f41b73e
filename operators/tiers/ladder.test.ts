import { expect, test } from 'vitest'
import { tiers } from '../../schemas/tiers.ts'
import { ladder, rungOf, type TierFacts } from './ladder.ts'

const stranger: TierFacts = { registered: false, activeDays7: 0, activeDays30: 0, purchases30: 0, purchaseDays90: 0, spend90Minor: 0 }
const everything: TierFacts = { registered: true, activeDays7: 7, activeDays30: 30, purchases30: 9, purchaseDays90: 9, spend90Minor: 1e9 }

test('the rungs are the tiers, lowest first', () => {
  expect(ladder.map((rung) => rung.tier)).toEqual(tiers)
})

test.each<[string, TierFacts, string]>([
  ['seen, not registered', stranger, 'prospect'],
  ['whatever else they did, who is not registered is a prospect', { ...everything, registered: false }, 'prospect'],
  ['registered', { ...stranger, registered: true }, 'new'],
  ['active on 2 of the last 7 days is not enough', { ...stranger, registered: true, activeDays7: 2 }, 'new'],
  ['active on 3 of the last 7 days', { ...stranger, registered: true, activeDays7: 3 }, 'active'],
  ['a purchase in the last 30 days, however idle else', { ...stranger, registered: true, purchases30: 1 }, 'paying'],
  [
    'all three of loyal, on their bounds',
    { ...stranger, registered: true, purchaseDays90: 3, spend90Minor: 100_000, activeDays30: 8 },
    'loyal',
  ],
  ['loyal needs purchases on 3 days', { ...everything, purchaseDays90: 2 }, 'paying'],
  ['loyal needs a spend of 100,000', { ...everything, spend90Minor: 99_999 }, 'paying'],
  ['loyal needs activity on 8 of the last 30 days', { ...everything, activeDays30: 7 }, 'paying'],
  ['a rung may be skipped: no purchase in 30 days, but loyal by 90', { ...everything, purchases30: 0, activeDays7: 0 }, 'loyal'],
  ['who fails loyal falls to the highest that holds', { ...everything, purchases30: 0, spend90Minor: 0 }, 'active'],
])('%s', (_, facts, tier) => {
  expect(ladder[rungOf(facts)]!.tier).toBe(tier)
})

test('a reason names the figures that decided', () => {
  expect(ladder[2]!.reason({ ...stranger, activeDays7: 4 })).toBe('active on 4 of the last 7 days (needs 3)')
  expect(ladder[4]!.reason(everything)).toContain('spend 1000000000 (needs 100000)')
})
