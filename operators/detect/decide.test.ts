import { expect, test } from 'vitest'
import { kpis } from '../kpi/catalogue.ts'
import { baselineOf, decide, dropZ, leastBaselineBuckets, type Facts, type Sample } from './decide.ts'

const kpi = kpis.completion_rate
/** A share of 1,000 plays, or of as many as told. */
const plays = (completed: number, of = 1_000): Sample => ({ numerator: Math.round(completed * of), denominator: of })
const steady = (buckets: number): Sample[] => Array.from({ length: buckets }, () => plays(0.5))

const quiet: Facts = {
  name: 'completion_rate',
  kpi,
  sample: plays(0.5),
  history: steady(360),
  alert: undefined,
  consecutive: true,
  recoveredBefore: 0,
  parentFiring: false,
}
const pending = { state: 'pending', baseline: 0.5 } as const
const firing = { state: 'firing', baseline: 0.5 } as const
const recovering = { state: 'recovering', baseline: 0.5 } as const

type Case = { title: string; facts: Partial<Facts>; to: ReturnType<typeof decide>['to']; because: RegExp }

const cases: Case[] = [
  { title: 'a KPI at its baseline is left alone', facts: {}, to: undefined, because: /not more than 15 % below/ },
  {
    title: 'a first bucket more than 15 % below the baseline is pending, not firing',
    facts: { sample: plays(0.4) },
    to: 'pending',
    because: /completion_rate 0\.400 \(1000 plays\) is 20 % below the baseline 0\.500, the median of 360 buckets of the last 6 h; z 6\.\d/,
  },
  { title: 'exactly 15 % below is not more than 15 %', facts: { sample: plays(0.425) }, to: undefined, because: /not more than 15 %/ },
  {
    title: 'a second consecutive bucket fires',
    facts: { sample: plays(0.4), alert: pending },
    to: 'firing',
    because: /second closed bucket in a row/,
  },
  {
    title: 'two buckets that are not consecutive do not fire',
    facts: { sample: plays(0.4), alert: pending, consecutive: false },
    to: 'resolved',
    because: /never fired, for the bucket after it was not looked at/,
  },
  {
    title: 'a drop of one bucket only never fires',
    facts: { alert: pending },
    to: 'resolved',
    because: /never fired, for the next bucket did not confirm it/,
  },
  {
    title: 'a drop that is significant at the volume of the cell counts',
    facts: { sample: plays(0.42, 500), history: Array.from({ length: 40 }, () => plays(0.5, 500)) },
    to: 'pending',
    because: /z 3\.\d, above 3/,
  },
  {
    title: 'a drop that is not significant at the volume of the cell is none',
    facts: { kpi: { ...kpi, minimumDenominator: 10 }, sample: plays(0.4, 50) },
    to: undefined,
    because: /z 1\.\d, not above 3: at this volume it can be chance/,
  },
  {
    title: 'a bucket below the minimum denominator says nothing',
    facts: { sample: plays(0.1, 499) },
    to: undefined,
    because: /fewer than 500 say nothing/,
  },
  { title: 'no data is not a drop', facts: { sample: undefined }, to: undefined, because: /no plays in the bucket: no data is not a drop/ },
  { title: 'nor is a bucket of other events', facts: { sample: plays(0, 0) }, to: undefined, because: /no data is not a drop/ },
  {
    title: 'no data after a drop does not confirm it',
    facts: { sample: undefined, alert: pending },
    to: 'resolved',
    because: /never fired.*no data is not a drop/,
  },
  {
    title: 'less than thirty buckets of history are no baseline, and that is said',
    facts: { sample: plays(0.1), history: steady(leastBaselineBuckets - 1) },
    to: undefined,
    because: /29 buckets of history, a baseline needs 30/,
  },
  {
    title: 'thirty are',
    facts: { sample: plays(0.1), history: steady(leastBaselineBuckets) },
    to: 'pending',
    because: /median of 30 buckets/,
  },
  {
    title: 'tiny buckets of the past are no history',
    facts: { sample: plays(0.1), history: [...steady(29), ...Array.from({ length: 100 }, () => plays(0.5, 10))] },
    to: undefined,
    because: /29 buckets of history/,
  },
  {
    title: 'a firing parent holds back its children',
    facts: { sample: plays(0.3), parentFiring: true },
    to: undefined,
    because: /held back, for the same KPI is firing for all/,
  },
  {
    title: 'a child that is pending when its parent fires does not fire',
    facts: { sample: plays(0.3), alert: pending, parentFiring: true },
    to: 'resolved',
    because: /held back/,
  },
  {
    title: 'a firing alert stays one while the drop lasts',
    facts: { sample: plays(0.3), alert: firing },
    to: undefined,
    because: /not above 90 %/,
  },
  {
    title: 'exactly 90 % of the frozen baseline is not above it',
    facts: { sample: plays(0.45), alert: firing },
    to: undefined,
    because: /not above 90 %/,
  },
  {
    title: 'a first bucket above 90 % of the frozen baseline is recovering',
    facts: { sample: plays(0.46), alert: firing },
    to: 'recovering',
    because: /0\.460 \(1000 plays\) is above 90 % of the baseline at firing, 0\.500/,
  },
  { title: 'a second one is still recovering', facts: { alert: recovering, recoveredBefore: 1 }, to: undefined, because: /is above 90 %/ },
  {
    title: 'three consecutive ones resolve it',
    facts: { alert: recovering, recoveredBefore: 2 },
    to: 'resolved',
    because: /3 closed buckets in a row/,
  },
  {
    title: 'a bad bucket while recovering is firing again',
    facts: { sample: plays(0.3), alert: recovering, recoveredBefore: 2 },
    to: 'firing',
    because: /not above 90 %/,
  },
  {
    title: 'recovery is measured by the baseline frozen at firing, not by what has become usual since',
    facts: { sample: plays(0.3), alert: firing, history: Array.from({ length: 360 }, () => plays(0.3)) },
    to: undefined,
    because: /baseline at firing, 0\.500/,
  },
  {
    title: 'no data resolves nothing',
    facts: { sample: undefined, alert: recovering, recoveredBefore: 2 },
    to: undefined,
    because: /says nothing/,
  },
  { title: 'nor does a tiny bucket', facts: { sample: plays(1, 20), alert: firing }, to: undefined, because: /says nothing/ },
  {
    title: 'an alert that fires goes on when its parent fires too',
    facts: { alert: recovering, recoveredBefore: 2, parentFiring: true },
    to: 'resolved',
    because: /3 closed buckets in a row/,
  },
]

test.each(cases)('$title', ({ facts, to, because }) => {
  const decision = decide({ ...quiet, ...facts })
  expect(decision.to).toBe(to)
  expect(decision.because).toMatch(because)
})

test('the baseline is the median of the ratios, not of the sums', () => {
  expect(baselineOf([plays(0.2, 90_000), plays(0.4), plays(0.6)], kpi)).toEqual({ ratio: 0.4, buckets: 3, denominator: 92_000 })
  expect(baselineOf([plays(0.2), plays(0.4), plays(0.6), plays(0.8)], kpi).ratio).toBeCloseTo(0.5, 12)
  expect(baselineOf([], kpi)).toEqual({ ratio: 0, buckets: 0, denominator: 0 })
})

test('z compares two proportions with their own volumes', () => {
  // 40 of 100 against 50 of 100: pooled 0.45, standard error 0.0703562.
  expect(dropZ(plays(0.4, 100), { ratio: 0.5, buckets: 1, denominator: 100 })).toBeCloseTo(0.1 / 0.0703562, 4)
  expect(dropZ(plays(0.6, 100), { ratio: 0.5, buckets: 1, denominator: 100 })).toBeLessThan(0)
  expect(dropZ(plays(0, 100), { ratio: 0, buckets: 1, denominator: 100 })).toBe(0)
})
