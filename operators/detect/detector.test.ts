import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { lookbackBuckets } from './cadence.ts'
import { detector, type CellSamples } from './detector.ts'
import type { Transition } from './track.ts'
import {
  completion,
  count,
  hourMs,
  hours,
  minuteMs,
  minutes,
  noData,
  registrations,
  run,
  samplesOf,
  share,
  shortWeeks,
} from './hand-made.ts'
import { seeded } from '../testing/seeded.ts'
import type { Metric } from './metric.ts'
import { usualAmountShare } from './settings.ts'

const latenessMs = 120_000
const start = Date.UTC(2026, 0, 5, 6)
const at = (minute: number) => start + minute * minuteMs

const newDetector = (stored: Transition[] = []) => detector({ metrics: [completion], cadence: minutes, latenessMs }, stored)
const ads = (rate: number) => samplesOf('channel', 'ad', share(rate))
const all = (rate: number) => samplesOf('all', '', share(rate, 10_000))
const steps = (one: ReturnType<typeof newDetector>, from: number, to: number, cells: (minute: number) => CellSamples[]) =>
  run(one, { startMs: start, bucketMs: minuteMs, from, to }, cells)

const brief = (transitions: readonly Transition[]) =>
  transitions.map(({ dimension, value, state, bucketAt }) => `${(bucketAt - start) / minuteMs} ${dimension}:${value} ${state}`)

test.each([
  ['in every hour falls', 1, ['600 pending', '601 firing']],
  ['in two hours of ten says nothing', 0.2, []],
])('an amount that somebody spends %s', (_, usually, expected) => {
  const random = seeded(3)
  const revenue: Metric = { ...registrations, name: 'revenue', unit: 'fen', usually: usualAmountShare }
  const one = detector({ metrics: [revenue], cadence: hours, latenessMs }, [])
  const spend = (hour: number) => (hour >= 600 || random() >= usually ? 0 : 4_000 + Math.round(random() * 500))
  const made = run(one, { startMs: start, bucketMs: hourMs, from: 0, to: 603 }, (hour) => [samplesOf('all', '', count(spend(hour)))])
  expect(made.map(({ state, bucketAt }) => `${(bucketAt - start) / hourMs} ${state}`)).toEqual(expected)
})

test('an alert is pending, firing, recovering, resolved, with one identity', () => {
  const made = steps(newDetector(), 0, 120, (m) => [all(0.5), ads(m >= 60 && m < 80 ? 0.3 : 0.5)])
  expect(brief(made)).toEqual(['60 channel:ad pending', '61 channel:ad firing', '80 channel:ad recovering', '82 channel:ad resolved'])
  expect(made.map(({ begunAt, sequence }) => [begunAt, sequence])).toEqual([0, 1, 2, 3].map((sequence) => [at(60), sequence]))
})

test('due_at is 72 h after the firing, and neither moves afterwards', () => {
  const made = steps(newDetector(), 0, 120, (m) => [ads(m >= 60 && m < 80 ? 0.3 : 0.5)])
  const firedAt = at(61) + minuteMs + latenessMs
  expect(made.map((one) => one.firedAt)).toEqual([undefined, firedAt, firedAt, firedAt])
  expect(made.at(-1)!.dueAt).toBe(firedAt + 72 * 3_600_000)
})

test('one alert per KPI and cell at a time', () => {
  const made = steps(newDetector(), 0, 200, (m) => [ads(m >= 60 ? 0.3 - m / 2_000 : 0.5)])
  expect(brief(made)).toEqual(['60 channel:ad pending', '61 channel:ad firing'])
})

test('a firing parent holds back its children', () => {
  const made = steps(newDetector(), 0, 100, (m) => [all(m >= 60 ? 0.3 : 0.5), ads(m >= 61 ? 0.3 : 0.5)])
  expect(brief(made)).toEqual(['60 all: pending', '61 all: firing'])
})

test('a child that still drops when its parent has resolved fires then, for held-back buckets are not taken as normal', () => {
  const made = steps(newDetector(), 0, 100, (m) => [all(m >= 60 && m < 80 ? 0.3 : 0.5), ads(m >= 60 ? 0.3 : 0.5)])
  expect(brief(made)).toEqual([
    '60 all: pending',
    '60 channel:ad pending',
    '61 all: firing',
    '61 channel:ad resolved',
    '80 all: recovering',
    '82 all: resolved',
    '82 channel:ad pending',
    '83 channel:ad firing',
  ])
})

test('buckets in which the cell was pending or firing are not in the baseline', () => {
  const made = steps(newDetector(), 0, 700, (m) => [ads((m >= 60 && m < 300) || m >= 400 ? 0.3 : 0.5)])
  expect(brief(made).slice(0, 5)).toEqual([
    '60 channel:ad pending',
    '61 channel:ad firing',
    '300 channel:ad recovering',
    '302 channel:ad resolved',
    '400 channel:ad pending',
  ])
  expect(made.at(-1)!.baseline).toBe(0.5)
})

test('a lone bad bucket while it recovers starts the count of three anew', () => {
  const bad = new Set([60, 61, 62, 65])
  const made = steps(newDetector(), 0, 100, (m) => [ads(bad.has(m) ? 0.3 : 0.5)])
  expect(brief(made).slice(2)).toEqual([
    '63 channel:ad recovering',
    '65 channel:ad firing',
    '66 channel:ad recovering',
    '68 channel:ad resolved',
  ])
})

test('buckets without data are not consecutive with what comes after', () => {
  const made = steps(newDetector(), 0, 100, (m) => (m === 64 ? [] : [ads(m >= 60 && m < 63 ? 0.3 : 0.5)]))
  expect(brief(made).slice(2)).toEqual(['63 channel:ad recovering', '67 channel:ad resolved'])
})

const metrics = [
  completion,
  registrations,
  { ...noData, minimumDenominator: 5 },
  { ...completion, name: 'complaints', better: 'neither' as const },
]
const cellsOf = (rates: readonly number[], bucket: number): CellSamples[] =>
  [
    ['all', '', 0],
    ['channel', 'ad', 1],
    ['channel', 'kol', 5],
  ].flatMap(([dimension, value, ahead]) => {
    const rate = rates[(bucket + Number(ahead)) % rates.length]!
    if (rate < 0) return []
    return [samplesOf(dimension as 'all', String(value), share(rate, 3_000), count(rate * 400), count(90), share(rate, 3_000))]
  })

test('taken up anywhere, from the buckets that it looks back on and what it had stored, it goes on as if it had never stopped', () => {
  const buckets = 260
  const lookback = lookbackBuckets(shortWeeks)
  const states = new Set<string>()
  const calm = fc.constantFrom(0.5, 0.5, 0.52, 0.49)
  // Now and then a stretch of drop, of rise, of no data (−1).
  const stretch = fc.oneof(
    { weight: 4, arbitrary: fc.array(calm, { minLength: 4, maxLength: 40 }) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(0.2, 0.3, 0.46), { minLength: 1, maxLength: 9 }) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(0.8), { minLength: 1, maxLength: 6 }) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(-1), { minLength: 1, maxLength: 6 }) },
  )
  fc.assert(
    fc.property(fc.array(stretch, { minLength: 12, maxLength: 30 }), fc.nat(), fc.nat(), (parts, pick, cut) => {
      const rates = parts.flat()
      const cells = (bucket: number) => cellsOf(rates, bucket)
      const options = { metrics, cadence: shortWeeks, latenessMs }
      const whole = run(detector(options, []), { startMs: 0, bucketMs: minuteMs, from: 0, to: buckets }, cells)
      for (const { kpi, state } of whole) states.add(`${kpi} ${state}`)
      // It begins at the bucket of the last transition that was stored: another one of that bucket may be missing.
      const from = lookback + (pick % (buckets - lookback))
      const inBucket = whole.filter(({ bucketAt }) => bucketAt === from * minuteMs)
      const stored = [...whole.filter(({ bucketAt }) => bucketAt < from * minuteMs), ...inBucket.slice(0, cut % (inBucket.length + 1))]
      const again = detector(options, stored)
      const enough = from - lookback + shortWeeks.kept
      const history = { startMs: 0, bucketMs: minuteMs }
      expect(run(again, { ...history, from: from - lookback, to: enough, how: 'remember' }, cells)).toEqual([])
      expect(run(again, { ...history, from: enough, to: from, how: 'compare' }, cells)).toEqual([])
      const late = run(again, { startMs: 0, bucketMs: minuteMs, from, to: buckets }, cells)
      expect([...stored, ...late]).toEqual(whole)
    }),
    { numRuns: 60 },
  )
  for (const all of ['completion_rate resolved', 'registrations firing', 'no_data firing', 'complaints firing'])
    expect(states).toContain(all)
})
