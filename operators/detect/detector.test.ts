import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { bucketMs, detector, type CellSums, type Detector, type Transition } from './detector.ts'

const latenessMs = 120_000
const start = Date.UTC(2026, 0, 5, 6)
const at = (minute: number) => start + minute * bucketMs

const cell = (dimension: CellSums['dimension'], value: string, rate: number, plays = 2_000): CellSums => ({
  dimension,
  value,
  sums: { plays, completes: Math.round(rate * plays), impressions: 0, clicks: 0 },
})
const all = (rate: number) => cell('all', '', rate, 10_000)
const ads = (rate: number) => cell('channel', 'ad', rate)

/** Cells of minutes [from, to). */
function run(one: Detector, from: number, to: number, cells: (minute: number) => CellSums[], decides = true): Transition[] {
  const made = []
  for (let minute = from; minute < to; minute++) made.push(...one.step(at(minute), cells(minute), decides))
  return made
}

const brief = (transitions: readonly Transition[]) =>
  transitions.map(({ dimension, value, state, bucketAt }) => `${(bucketAt - start) / bucketMs} ${dimension}:${value} ${state}`)

test('an alert is pending, firing, recovering, resolved, with one identity', () => {
  const made = run(detector({ latenessMs }, []), 0, 120, (m) => [all(0.5), ads(m >= 60 && m < 80 ? 0.3 : 0.5)])
  expect(brief(made)).toEqual(['60 channel:ad pending', '61 channel:ad firing', '80 channel:ad recovering', '82 channel:ad resolved'])
  expect(made.map(({ begunAt, sequence }) => [begunAt, sequence])).toEqual([0, 1, 2, 3].map((sequence) => [at(60), sequence]))
})

test('due_at is 72 h after the firing, and neither moves afterwards', () => {
  const made = run(detector({ latenessMs }, []), 0, 120, (m) => [ads(m >= 60 && m < 80 ? 0.3 : 0.5)])
  const firedAt = at(61) + bucketMs + latenessMs
  expect(made.map((one) => one.firedAt)).toEqual([undefined, firedAt, firedAt, firedAt])
  expect(made.at(-1)!.dueAt).toBe(firedAt + 72 * 3_600_000)
})

test('one alert per KPI and cell at a time', () => {
  const made = run(detector({ latenessMs }, []), 0, 200, (m) => [ads(m >= 60 ? 0.3 - m / 2_000 : 0.5)])
  expect(brief(made)).toEqual(['60 channel:ad pending', '61 channel:ad firing'])
})

test('a firing parent holds back its children', () => {
  const made = run(detector({ latenessMs }, []), 0, 100, (m) => [all(m >= 60 ? 0.3 : 0.5), ads(m >= 61 ? 0.3 : 0.5)])
  expect(brief(made)).toEqual(['60 all: pending', '61 all: firing'])
})

test('a child that still drops when its parent has resolved fires then, for held-back buckets are not taken as normal', () => {
  const made = run(detector({ latenessMs }, []), 0, 100, (m) => [all(m >= 60 && m < 80 ? 0.3 : 0.5), ads(m >= 60 ? 0.3 : 0.5)])
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
  const made = run(detector({ latenessMs }, []), 0, 700, (m) => [ads((m >= 60 && m < 300) || m >= 400 ? 0.3 : 0.5)])
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
  const made = run(detector({ latenessMs }, []), 0, 100, (m) => [ads(bad.has(m) ? 0.3 : 0.5)])
  expect(brief(made).slice(2)).toEqual([
    '63 channel:ad recovering',
    '65 channel:ad firing',
    '66 channel:ad recovering',
    '68 channel:ad resolved',
  ])
})

test('buckets without data are not consecutive with what comes after', () => {
  const made = run(detector({ latenessMs }, []), 0, 100, (m) => (m === 64 ? [] : [ads(m >= 60 && m < 63 ? 0.3 : 0.5)]))
  expect(brief(made).slice(2)).toEqual(['63 channel:ad recovering', '67 channel:ad resolved'])
})

test('taken up anywhere from what it had stored, it goes on as if it had never stopped', () => {
  const cells = (minute: number, rates: readonly number[]) => [
    all(0.5),
    ads(rates[minute] ?? 0.5),
    cell('channel', 'kol', rates[minute + 3] ?? 0.5),
  ]
  const rate = fc.constantFrom(0.5, 0.5, 0.5, 0.3, 0.46)
  fc.assert(
    fc.property(fc.array(rate, { minLength: 60, maxLength: 60 }), fc.nat(), (tail, seed) => {
      const rates = [...Array.from({ length: 43 }, () => 0.5), ...tail]
      const whole = run(detector({ latenessMs }, []), 0, 100, (m) => cells(m, rates))
      const stored = whole.slice(0, seed % (whole.length + 1))
      const again = detector({ latenessMs }, stored)
      // It begins at the bucket of the last transition that was stored: another one of that bucket may be missing.
      const last = Math.max(0, ...stored.map((one) => (one.bucketAt - start) / bucketMs))
      const early = run(again, 0, last, (m) => cells(m, rates), false)
      const late = run(again, last, 100, (m) => cells(m, rates))
      expect([...early, ...stored, ...late]).toEqual(whole)
    }),
    { numRuns: 50 },
  )
})
