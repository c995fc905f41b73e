import { expect, test } from 'vitest'
import type { Behavior } from '../../schemas/behavior-batch.ts'
import { naiveIsDuplicate } from './dedup.ts'

const hour = 3_600_000
const accepted = (behavior: Behavior, clockAt: number) => [{ eventId: 'a', behavior, clockAt }]

test.each<[string, Behavior, number, number, boolean]>([
  ['at once', 'play', 10 * hour, 10 * hour, true],
  ['an id is a duplicate through the 24th hour after its own', 'play', 10 * hour, 35 * hour - 1, true],
  ['in the 25th it is not', 'play', 10 * hour, 35 * hour, false],
  ['accepted at the end of an hour, it counts from that hour', 'play', 11 * hour - 1, 35 * hour - 1, true],
  ['and so is forgotten 24 h and 1 ms later', 'play', 11 * hour - 1, 35 * hour, false],
  ['a purchase through the 744th', 'purchase', 10 * hour, 755 * hour - 1, true],
  ['a purchase in the 745th no more', 'purchase', 10 * hour, 755 * hour, false],
  ['a register through the 744th', 'register', 10 * hour, 755 * hour - 1, true],
  ['a register in the 745th no more', 'register', 10 * hour, 755 * hour, false],
  ['before the epoch hours are counted downwards too', 'play', -1, 24 * hour - 1, true],
  ['before the epoch, the 25th hour', 'play', -1, 24 * hour, false],
])('%s', (_, behavior, then, now, duplicate) => {
  expect(naiveIsDuplicate(accepted(behavior, then), 'a', now)).toBe(duplicate)
})

test('another id is no duplicate', () => {
  expect(naiveIsDuplicate(accepted('play', 0), 'b', 0)).toBe(false)
})

test('an id accepted again is remembered from then, and as what it then was', () => {
  const twice = [...accepted('play', 0), ...accepted('purchase', 25 * hour)]
  expect(naiveIsDuplicate(twice, 'a', 60 * hour)).toBe(true)
  expect(naiveIsDuplicate(twice, 'a', (25 + 744) * hour)).toBe(true)
  expect(naiveIsDuplicate(twice, 'a', (25 + 745) * hour)).toBe(false)
})
