import fc from 'fast-check'
import { expect, test } from 'vitest'
import { growsBy, slopeOf } from './slope.ts'

test('a line has its own slope, and no error', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -50, max: 50 }),
      fc.integer({ min: 0, max: 500 }),
      fc.integer({ min: 3, max: 40 }),
      (perMinute, from, count) => {
        const samples = Array.from({ length: count }, (_, i) => ({ minutes: i / 4, value: from + (perMinute * i) / 4 }))
        const slope = slopeOf(samples)
        expect(slope.perMinute).toBeCloseTo(perMinute, 6)
        expect(slope.error).toBeCloseTo(0, 6)
      },
    ),
  )
})

test('what only swings is not told from what stands still; what grows through its swings is', () => {
  const swinging = (perMinute: number) =>
    Array.from({ length: 40 }, (_, i) => ({ minutes: i / 4, value: 40 + (i % 2) + (perMinute * i) / 4 }))
  expect(growsBy(slopeOf(swinging(0))).least).toBeLessThan(0)
  expect(growsBy(slopeOf(swinging(0))).most).toBeGreaterThan(0)
  expect(growsBy(slopeOf(swinging(0.5))).least).toBeGreaterThan(0.3)
})
