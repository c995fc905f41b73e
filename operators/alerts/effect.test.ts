import fc from 'fast-check'
import { expect, test } from 'vitest'
import { naiveEffect } from '../naive/effect.ts'
import { measureEffect, type EffectBucket, type Span } from './effect.ts'

const minute = 60_000
const hour = 60 * minute
const before: Span = { fromMs: 0, toMs: 2 * hour }
const after: Span = { fromMs: 2 * hour, toMs: 4 * hour }

const series = (rate: (at: number, i: number) => number, denominator = 1_000): EffectBucket[] =>
  Array.from({ length: 240 }, (_, i) => ({ at: i * minute, numerator: Math.round(rate(i * minute, i) * denominator), denominator }))

/** A fixed, uneven scatter that is not the same in two cells. */
const wobble = (i: number, of: number) => 0.005 * Math.sin(i * (1.7 + of) + of)

test('a rise that the comparable cells do not share is the effect of the strategy', () => {
  const treated = series((at, i) => (at < 2 * hour ? 0.3 : 0.45) + wobble(i, 1))
  const control = series((_, i) => 0.5 + wobble(i, 2), 9_000)
  const found = measureEffect({ treated, control, before, after })
  expect(found.verdict).toBe('rose')
  expect(found.effect).toBeCloseTo(0.15, 2)
  expect(found.low).toBeLessThan(0.15)
  expect(found.high).toBeGreaterThan(0.15)
  expect(found.expectedAfter).toBeCloseTo(0.3, 2)
})

test('a rise that all cells share is nobody’s work', () => {
  const treated = series((at, i) => (at < 2 * hour ? 0.3 : 0.45) + wobble(i, 1))
  const control = series((at, i) => (at < 2 * hour ? 0.4 : 0.55) + wobble(i, 2), 9_000)
  const found = measureEffect({ treated, control, before, after })
  expect(found.verdict).toBe('no_difference')
  expect(found.treated.after - found.treated.before).toBeCloseTo(0.15, 2)
  expect(found.effect).toBeCloseTo(0, 2)
})

test('a strategy that made it worse is told so', () => {
  const treated = series((at, i) => (at < 2 * hour ? 0.3 : 0.2) + wobble(i, 1))
  expect(measureEffect({ treated, control: series((_, i) => 0.5 + wobble(i, 2)), before, after }).verdict).toBe('fell')
})

test('without comparable cells it is before and after alone', () => {
  const treated = series((at, i) => (at < 2 * hour ? 0.3 : 0.45) + wobble(i, 1))
  const found = measureEffect({ treated, control: [], before, after })
  expect(found).toMatchObject({ control: undefined, verdict: 'rose' })
  expect(found.effect).toBeCloseTo(found.treated.after - found.treated.before, 12)
})

test.each([
  ['nothing after', series(() => 0.3).filter(({ at }) => at < 2 * hour)],
  ['a quarter of the span after', series(() => 0.3).filter(({ at }) => at < 2.4 * hour)],
  ['nothing at all', []],
])('too little says nothing: %s', (_, treated) => {
  const found = measureEffect({ treated, control: series(() => 0.5), before, after })
  expect(found.verdict).toBe('unknown')
  expect(found.effect).toBeNaN()
})

const cell = fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 2_000 })), { minLength: 240, maxLength: 240 })
const bucketsOf = (sums: [number, number][]): EffectBucket[] =>
  sums.map(([numerator, more], i) => ({ at: i * minute, numerator, denominator: numerator === 0 && more === 0 ? 0 : numerator + more }))

test('it is what cluster-robust weighted least squares says', () => {
  fc.assert(
    fc.property(cell, fc.option(cell), (treatedSums, controlSums) => {
      const question = {
        treated: bucketsOf(treatedSums as [number, number][]),
        control: bucketsOf((controlSums ?? []) as [number, number][]),
        before,
        after,
      }
      const [found, naive] = [measureEffect(question), naiveEffect(question)]
      expect(found.effect).toBeCloseTo(naive.effect, 9)
      expect(found.standardError).toBeCloseTo(naive.standardError, 9)
    }),
    { numRuns: 60 },
  )
})

test('its interval holds the truth about as often as it says', () => {
  // A generator with a seed: 400 pairs of cells without any effect, whose hours drift together.
  let state = 42
  const random = () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
  let wrong = 0
  for (let round = 0; round < 400; round++) {
    let common = 0
    const shared = Array.from({ length: 240 }, () => (common = 0.95 * common + 0.01 * (random() - 0.5)))
    const side = (rate: number) => series((_, i) => rate + shared[i]! + 0.03 * (random() - 0.5))
    if (measureEffect({ treated: side(0.3), control: side(0.5), before, after }).verdict !== 'no_difference') wrong++
  }
  expect(wrong / 400).toBeGreaterThan(0.01)
  expect(wrong / 400).toBeLessThan(0.09)
})
