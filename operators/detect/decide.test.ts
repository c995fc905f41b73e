import { expect, test } from 'vitest'
import { decide } from './decide.ts'
import type { Facts } from './facts.ts'
import { completion, noData, registrations, share } from './hand-made.ts'
import type { Judgement } from './judge.ts'
import type { Expected } from './memory.ts'
import type { Metric } from './metric.ts'

const usual: Expected = { baseline: 0.5, seasonal: 0.5, level: 1, season: 'week', spans: 4, buckets: 124 }
/** A bucket of 1,000 plays with that completion rate. */
const bucket = (rate: number, z = 0, off?: Judgement['off']): Judgement => ({
  sample: share(rate, 1_000), value: rate, expected: usual, z, residual: z, off, tested: true, chance: off === undefined ? 1 : 1e-9,
}) // prettier-ignore
const drop = bucket(0.4, -6.3, 'fall')
const fell: Partial<Facts> = { judgement: drop, believed: true }
const nothing = { ...bucket(NaN), sample: undefined, expected: undefined, z: NaN }

const quiet: Facts = {
  metric: completion,
  judgement: bucket(0.5),
  believed: false,
  alert: undefined,
  consecutive: true,
  recoveredBefore: 0,
  parentFiring: false,
  hold: 2,
  called: 'minute',
}
const pending = { state: 'pending', baseline: 0.5, direction: 'fall', depth: 0.2 } as const
const firing = { state: 'firing', baseline: 0.5, direction: 'fall', depth: 0.2 } as const
const recovering = { state: 'recovering', baseline: 0.5, direction: 'fall', depth: 0.2 } as const
const complaints: Metric = { ...completion, name: 'complaint_rate', better: 'down' }
const violations: Metric = { ...registrations, name: 'severe_violations', better: 'down', kind: 'incident' }

type Case = { title: string; facts: Partial<Facts>; to: ReturnType<typeof decide>['to']; because: RegExp }

const cases: Case[] = [
  { title: 'a KPI at its baseline is left alone', facts: {}, to: undefined, because: /not above 2\.6: it can be chance/ },
  {
    title: 'a first drop is pending, not firing',
    facts: fell,
    to: 'pending',
    because:
      /^completion_rate 0\.400 \(1000 plays\) is 20 % below the baseline 0\.500, the median of 124 minutes at this time of the week in 4 weeks, level 1\.00; z 6\.3, above 2\.6$/,
  },
  { title: 'a first drop of a day fires', facts: { ...fell, hold: 1, called: 'day' }, to: 'firing', because: /20 % below/ },
  {
    title: 'a second consecutive bucket fires',
    facts: { ...fell, alert: pending },
    to: 'firing',
    because: /^second closed minute in a row: completion/,
  },
  {
    title: 'two buckets that are not consecutive do not fire',
    facts: { ...fell, alert: pending, consecutive: false },
    to: 'resolved',
    because: /never fired, for the minute after it was not looked at/,
  },
  {
    title: 'a fall after a rise does not confirm it',
    facts: { ...fell, metric: { ...completion, better: 'neither' }, alert: { ...pending, direction: 'rise' } },
    to: 'resolved',
    because: /did not confirm it/,
  },
  {
    title: 'a drop of one bucket only never fires',
    facts: { alert: pending },
    to: 'resolved',
    because: /never fired, for the next minute did not confirm it/,
  },
  {
    title: 'a drop that is none among all that was tested is left alone',
    facts: { judgement: drop, believed: false },
    to: undefined,
    because: /among all that is tested in this minute it can be chance/,
  },
  {
    title: 'a change that is significant and small is told as what it is',
    facts: { judgement: bucket(0.46, -4) },
    to: undefined,
    because: /is 8 % below .*: not more than 15 % below what is usual/,
  },
  {
    title: 'a bucket below the minimum denominator says nothing',
    facts: { judgement: { ...bucket(NaN), sample: share(0.1, 499) } },
    to: undefined,
    because: /fewer than 500 say nothing/,
  },
  {
    title: 'no data is not a drop',
    facts: { judgement: nothing },
    to: undefined,
    because: /no plays in the bucket: no data is not a drop/,
  },
  {
    title: 'no data after a drop does not confirm it',
    facts: { judgement: nothing, alert: pending },
    to: 'resolved',
    because: /never fired.*no data is not a drop/,
  },
  {
    title: 'no history is no baseline, and that is said',
    facts: { judgement: { ...bucket(0.1), expected: undefined, z: NaN } },
    to: undefined,
    because: /too little history for a baseline/,
  },
  {
    title: 'a short history is said',
    facts: { ...fell, judgement: { ...drop, expected: { ...usual, season: 'day', spans: 5, buckets: 155 } } },
    to: 'pending',
    because: /the median of 155 minutes at this time of day on 5 days, for there is no history of three weeks yet/,
  },
  {
    title: 'a history of hours is said',
    facts: { ...fell, judgement: { ...drop, expected: { ...usual, season: 'recent', spans: 0, buckets: 60 } } },
    to: 'pending',
    because: /the median of 60 minutes just before, for there is no history of days yet/,
  },
  {
    title: 'a firing parent holds back its children',
    facts: { ...fell, parentFiring: true },
    to: undefined,
    because: /held back, for the same KPI is firing for all/,
  },
  {
    title: 'a child that is pending when its parent fires does not fire',
    facts: { ...fell, alert: pending, parentFiring: true },
    to: 'resolved',
    because: /held back/,
  },
  {
    title: 'a firing alert stays one while the drop lasts',
    facts: { ...fell, alert: firing },
    to: undefined,
    because: /is not above 90 % of the baseline at firing, 0\.500/,
  },
  {
    title: 'exactly 90 % of the frozen baseline is not above it',
    facts: { judgement: bucket(0.45), alert: firing },
    to: undefined,
    because: /is not above 90 %/,
  },
  {
    title: 'a first bucket above 90 % of the frozen baseline is recovering',
    facts: { judgement: bucket(0.46), alert: firing },
    to: 'recovering',
    because: /0\.460 \(1000 plays\) is above 90 % of the baseline at firing, 0\.500/,
  },
  { title: 'a second one is still recovering', facts: { alert: recovering, recoveredBefore: 1 }, to: undefined, because: /is above 90 %/ },
  {
    title: 'three consecutive ones resolve it',
    facts: { alert: recovering, recoveredBefore: 2 },
    to: 'resolved',
    because: /3 closed minutes in a row/,
  },
  {
    title: 'a bad bucket while recovering is firing again',
    facts: { ...fell, alert: recovering, recoveredBefore: 2 },
    to: 'firing',
    because: /is not above 90 %/,
  },
  {
    title: 'recovery is measured by the baseline frozen at firing, not by what has become usual since',
    facts: { judgement: { ...bucket(0.3), expected: { ...usual, baseline: 0.3 } }, alert: firing },
    to: undefined,
    because: /baseline at firing, 0\.500/,
  },
  {
    title: 'no data resolves nothing',
    facts: { judgement: nothing, alert: recovering, recoveredBefore: 2 },
    to: undefined,
    because: /the minute says nothing/,
  },
  {
    title: 'an alert that fires goes on when its parent fires too',
    facts: { alert: recovering, recoveredBefore: 2, parentFiring: true },
    to: 'resolved',
    because: /3 closed minutes in a row/,
  },
  {
    title: 'where rising is bad a rise fires',
    facts: { metric: complaints, judgement: bucket(0.6, 6.3, 'rise'), believed: true, alert: { ...pending, direction: 'rise' } },
    to: 'firing',
    because: /is 20 % above the baseline/,
  },
  {
    title: 'and it recovers below 110 % of the baseline at firing',
    facts: { metric: complaints, judgement: bucket(0.54), alert: { ...firing, direction: 'rise' } },
    to: 'recovering',
    because: /is below 110 % of the baseline at firing, 0\.500/,
  },
  {
    title: 'but not at 110 %',
    facts: { metric: complaints, judgement: bucket(0.55), alert: { ...firing, direction: 'rise' } },
    to: undefined,
    because: /is not below 110 %/,
  },
  {
    title: 'a count recovers against what is usual at its own hour',
    facts: {
      metric: registrations,
      judgement: { ...bucket(19, -0.4), sample: { numerator: 19, denominator: 0 }, expected: { ...usual, baseline: 20 } },
      alert: { ...firing, baseline: 900 },
    },
    to: 'recovering',
    because: /registrations 19\.0 is above 90 % of the baseline 20\.0/,
  },
  {
    title: 'a count that is as usual, but no nearer than when it fell, has not recovered: in a quiet hour all looks usual',
    facts: {
      metric: registrations,
      judgement: { ...bucket(16, -0.4), sample: { numerator: 16, denominator: 0 }, expected: { ...usual, baseline: 20 } },
      alert: { ...firing, baseline: 900 },
    },
    to: undefined,
    because: /registrations 16\.0 is not above 90 % of the baseline 20\.0/,
  },
  {
    title: 'any one of what should never happen fires at once',
    facts: {
      metric: violations,
      judgement: { ...nothing, sample: { numerator: 1, denominator: 0 }, value: 1, off: 'rise', chance: 0 },
      believed: true,
    },
    to: 'firing',
    because: /severe_violations 1\.00: any one alerts/,
  },
  {
    title: 'no data where there is always some is an alert of its own',
    facts: {
      metric: noData,
      judgement: { ...nothing, value: 0, expected: { ...usual, baseline: 120 }, off: 'fall', chance: 0 },
      believed: true,
      alert: pending,
    },
    to: 'firing',
    because: /no data: 0 events, where 120 are usual at this time/,
  },
]

test.each(cases)('$title', ({ facts, to, because }) => {
  const decision = decide({ ...quiet, ...facts })
  expect(decision.to).toBe(to)
  expect(decision.because).toMatch(because)
})
