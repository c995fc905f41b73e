import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { discoveryLimit, normalTail } from './discoveries.ts'

test.each([
  [2, 0.022750131948179195],
  [2.75, 0.002979763235054556],
  [6, 9.865876450376981e-10],
  [20, 2.7536241186061556e-89],
])('the tail of the normal distribution beyond %d', (z, tail) => {
  expect(normalTail(z) / tail).toBeCloseTo(1, 9)
})

// The example of the paper (Benjamini, Hochberg 1995, table 1): 15 tests, of which 4 are discoveries at 0.05.
const published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1]

test('the published example has four discoveries', () => {
  expect(discoveryLimit(published, 15, 0.05)).toBe(0.0095)
})

test('chances that are left out are taken as large', () => {
  expect(discoveryLimit([0.0095, 0.0004, 0.0001, 0.0019], 15, 0.05)).toBe(0.0095)
  expect(discoveryLimit([], 15, 0.05)).toBe(-1)
  expect(discoveryLimit([0.01], 15, 0.05)).toBe(-1)
})

test('the limit is the greatest chance that its own rank allows', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 0.2, noNaN: true }), { maxLength: 30 }), fc.nat(100), (chances, others) => {
      const tests = chances.length + others
      const allowed = chances.filter((chance) => chance <= (0.05 * chances.filter((other) => other <= chance).length) / tests)
      expect(discoveryLimit(chances, tests, 0.05)).toBe(Math.max(-1, ...allowed))
    }),
  )
})
