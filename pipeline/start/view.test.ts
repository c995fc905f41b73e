import { expect, test } from 'vitest'
import { tiers } from '../../schemas/tiers.ts'
import type { Snapshot } from './progress.ts'
import { screen, statusLine } from './view.ts'

const change = { user_id: 'u1', from: 'prospect', to: 'new', as_of: 0, reason: 'new: registered' } as const
const scores = { recency_score: 1, frequency_score: 1, monetary_score: 1 }
const snapshot = (changes: number, alerts: number): Snapshot => ({
  events: 12_345,
  duplicates: 0,
  rejected: 0,
  eventsPerSecond: 500,
  lag: 0,
  clock: 0,
  users: 10,
  usersByTier: Object.fromEntries(tiers.map((tier) => [tier, 2])) as Snapshot['usersByTier'],
  latestChanges: Array.from({ length: changes }, () => ({ ...change, ...scores })),
  alerts: Array.from({ length: alerts }, () => ({ at: 0, state: 'firing', text: 'completion_rate of channel organic: '.repeat(9) })),
  waiting: false,
  restoring: undefined,
})
const facts = { title: 'live traffic', data: './data', wallS: 1 }

test.each([20, 24, 30, 60])('in %i rows the view leaves one for the cursor, whatever there is to show', (height) => {
  for (const changes of [0, 1, 8])
    for (const alerts of [0, 1, 5]) {
      const lines = screen(snapshot(changes, alerts), facts, 80, height)
      expect(lines.length).toBeLessThan(height)
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
      expect(lines.some((line) => line.includes('FIRING'))).toBe(alerts > 0)
      expect(lines.some((line) => line.includes('prospect → new'))).toBe(changes > 0)
    }
})

test('with room for all, all is shown', () => {
  const lines = screen(snapshot(8, 5), facts, 80, 40)
  expect(lines.filter((line) => line.includes('prospect → new'))).toHaveLength(8)
  expect(lines.filter((line) => line.includes('FIRING'))).toHaveLength(5)
})

test('while state is read back, the view says how far that is', () => {
  const restoring = { ...snapshot(0, 0), clock: -Infinity, restoring: { records: 400_000, ofRecords: 1_000_000, users: 390_000 } }
  const wanted = 'RESTORING 390,000 users, 40 % read'
  expect(screen(restoring, facts, 80, 30).filter((line) => line.endsWith(wanted))).toHaveLength(1)
  expect(statusLine(restoring, facts)).toContain(wanted)
})
