import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cadence, Lags } from '../detect/cadence.ts'
import { judge } from '../detect/judge.ts'
import { memory } from '../detect/memory.ts'
import { valueOf, type Metric, type MetricKind } from '../detect/metric.ts'
import { naiveJudgements, type NaiveBucket } from './judge.ts'

// Days of four buckets, weeks of twelve: a few hundred buckets have all of it.
const lagsOf = (index: number): Lags => ({
  weeks: [1, 2, 3, 4].map((k) => index - 12 * k),
  days: [1, 2, 3, 4, 5, 6].map((k) => index - 4 * k),
})
const cadence: Cadence = {
  indexOf: (at) => at, startOf: (at) => at, endOf: (at) => at + 1, back: (at, count) => at - count, lags: lagsOf, hold: 2, around: 1, kept: 50,
  called: 'bucket', recent: { of: 6, least: 3 }, level: { before: 3, of: 8, least: 4 }, scatter: { of: 20, least: 5 },
} // prettier-ignore

const metricOf = (kind: MetricKind): Metric => ({
  name: 'm', grain: 'minute', better: 'neither', threshold: 0.15, minimumDenominator: 10, counts: 'plays', unit: '', kind,
}) // prettier-ignore

const bucket = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      sample: fc.record({ numerator: fc.nat(40), denominator: fc.nat(60) }),
      normal: fc.constant(true),
      outlier: fc.constant(false),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      sample: fc.record({ numerator: fc.nat(400), denominator: fc.integer({ min: 0, max: 900 }) }),
      normal: fc.boolean(),
      outlier: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant<NaiveBucket>({ sample: undefined, normal: true, outlier: false }) },
)

test.each(['share', 'mean', 'count'] as const)('a %s is judged as its definition says, in every bucket', (kind) => {
  const metric = metricOf(kind)
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(bucket, { minLength: 80, maxLength: 160 }), fc.nat(100), (buckets, first) => {
      const remembered = memory(cadence)
      const got = buckets.map(({ sample, normal, outlier }, i) => {
        const { expected, z, residual, value } = judge(metric, sample, remembered, first + i, lagsOf(first + i))
        const good = normal && !Number.isNaN(value)
        const share = good && expected !== undefined && expected.season === 'week' && expected.seasonal !== 0
        remembered.keep(
          first + i,
          good ? value : NaN,
          share ? value / expected.seasonal : NaN,
          normal || outlier ? residual : NaN,
          expected?.season,
        )
        if (expected !== undefined)
          seen
            .add(expected.season)
            .add(Number.isNaN(z) ? 'no z' : 'z')
            .add(expected.level === 1 ? 'no level' : 'level')
        return expected === undefined ? undefined : { season: expected.season, baseline: expected.baseline, level: expected.level, z }
      })
      const wanted = naiveJudgements(metric, cadence, first, buckets, lagsOf)
      for (const [i, one] of wanted.entries()) {
        expect(got[i]?.season, `bucket ${i}`).toBe(one?.season)
        if (one === undefined) continue
        for (const figure of ['baseline', 'level', 'z'] as const) expectClose(got[i]![figure], one[figure], `${figure} of bucket ${i}`)
      }
    }),
    { numRuns: 60 },
  )
  for (const all of ['week', 'day', 'recent', 'z', 'level', 'no level']) expect(seen).toContain(all)
})

function expectClose(got: number, wanted: number, what: string): void {
  if (!Number.isFinite(wanted)) expect(got, what).toBe(wanted)
  else expect(Math.abs(got - wanted), what).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(wanted)))
}

test('a gap in what is looked at is a gap in what is remembered', () => {
  const metric = metricOf('count')
  const [one, other] = [memory(cadence), memory(cadence)]
  for (let i = 0; i < 200; i++) {
    const skipped = i > 90 && i < 140
    const value = skipped ? NaN : valueOf(metric, { numerator: 10 + (i % 7), denominator: 0 })
    other.keep(i, value, value / 10, value, skipped ? undefined : 'week')
    if (!skipped) one.keep(i, value, value / 10, value, 'week')
    if (i >= 140) {
      expect(one.expect(i + 1, lagsOf(i + 1))).toEqual(other.expect(i + 1, lagsOf(i + 1)))
      expect(one.deviation(true, 'week')).toBe(other.deviation(true, 'week'))
      expect(one.size()).toEqual(other.size())
    }
  }
})
