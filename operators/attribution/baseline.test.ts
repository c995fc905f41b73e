import { expect, test } from 'vitest'
import { plantedLeaves } from '../testing/planted-leaves.ts'
import { baselineOf, expectedOf, spreadLimits, type Bucket } from './baseline.ts'

const bucket = (numerator: readonly number[], denominator?: readonly number[]): Bucket => ({
  numerator: Float64Array.from(numerator),
  denominator: denominator === undefined ? undefined : Float64Array.from(denominator),
})

test('a bucket in which the trouble had begun is not part of the baseline', () => {
  const normal = Array.from({ length: 5 }, (_, i) => bucket([10 + i, 5], [100, 100]))
  const { taken, baselineNumerator, baselineDenominator, baselineBuckets } = baselineOf([...normal, bucket([90, 5], [100, 100])])
  expect(taken).toEqual([true, true, true, true, true, false])
  expect([...baselineNumerator]).toEqual([60, 25])
  expect([...baselineDenominator!]).toEqual([500, 500])
  expect(baselineBuckets).toBe(5)
})

test('a bucket without traffic says nothing', () => {
  expect(baselineOf([bucket([0], [0]), bucket([10], [100])])).toMatchObject({ taken: [false, true], baselineBuckets: 1 })
})

test('an additive KPI goes by its sums', () => {
  const { taken, baselineDenominator } = baselineOf([bucket([100, 3]), bucket([98, 4]), bucket([103, 2]), bucket([10, 1])])
  expect(taken).toEqual([true, true, true, false])
  expect(baselineDenominator).toBeUndefined()
})

test('no bucket: none is taken', () => {
  expect(baselineOf([])).toMatchObject({ taken: [], baselineBuckets: 0 })
})

test('spread is what counting does not explain, within its limits', () => {
  const spreadOf = (restless: number) =>
    plantedLeaves({ seed: 5, sizes: [10, 10], volume: 5_000, rate: 0.2, buckets: 20, causes: [], restless }).spread
  expect(spreadOf(0)).toBe(spreadLimits[0])
  expect(spreadOf(0.3)).toBeCloseTo(0.09, 2)
  expect(spreadOf(3)).toBe(spreadLimits[1])
})

test("a leaf's rate is drawn towards everyone's, the more the less is known of it; of a new leaf it is everyone's", () => {
  const { expected, level } = expectedOf({
    dimensions: ['a'], values: [['x', 'y', 'z']], codes: [Uint32Array.of(0, 1, 2)], spread: 0.01, baselineBuckets: 1,
    numerator: Float64Array.of(0, 0, 0), denominator: Float64Array.of(1_000, 1_000, 1_000),
    baselineNumerator: Float64Array.of(20_000, 2, 0), baselineDenominator: Float64Array.of(100_000, 10, 0),
  }) // prettier-ignore
  expect(level).toBeCloseTo(20_002 / 100_010, 12)
  expect(expected[0]! / 1_000).toBeCloseTo(0.2, 4)
  expect(expected[1]! / 1_000).toBeCloseTo(0.2, 4)
  expect(expected[2]! / 1_000).toBeCloseTo(level, 12)
})
