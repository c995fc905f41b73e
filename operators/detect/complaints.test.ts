// What users of other detectors complain of, one test each. (That an incomplete bucket never fires is the role's: pipeline/roles/detect.test.ts.)
import { expect, test } from 'vitest'
import { detector, type CellSamples } from './detector.ts'
import type { Transition } from './track.ts'
import {
  completion,
  count,
  deviate,
  drawn,
  hourMs,
  hours,
  minuteMs,
  minutes,
  noData,
  registrations,
  run,
  samplesOf,
  share,
} from './hand-made.ts'
import { seeded } from '../testing/seeded.ts'
import type { Metric } from './metric.ts'

const latenessMs = 120_000
// A Monday, 00:00 in Shanghai.
const startMs = Date.UTC(2026, 0, 4, 16)
const day = 24
const week = 7 * day

const byHour = (metrics: readonly Metric[]) => detector({ metrics, cadence: hours, latenessMs }, [])
const byMinute = (metrics: readonly Metric[]) => detector({ metrics, cadence: minutes, latenessMs }, [])
const inHours = (metrics: readonly Metric[], to: number, cells: (hour: number) => CellSamples[]) =>
  run(byHour(metrics), { startMs, bucketMs: hourMs, from: 0, to }, cells)
const inMinutes = (metrics: readonly Metric[], to: number, cells: (minute: number) => CellSamples[]) =>
  run(byMinute(metrics), { startMs, bucketMs: minuteMs, from: 0, to }, cells)

const brief = (transitions: readonly Transition[]) =>
  transitions.map(({ kpi, dimension, value, state, bucketAt }) => `${(bucketAt - startMs) / hourMs} ${kpi} ${dimension}:${value} ${state}`)
const firings = (transitions: readonly Transition[]) => transitions.filter(({ state }) => state === 'firing')

/** Busy evenings, quiet nights, half as much again on Saturday and Sunday. */
const shape = (hour: number) => (1 + 0.8 * Math.sin(((hour % day) / day) * 2 * Math.PI - 2.6)) * (Math.floor(hour / day) % 7 >= 5 ? 1.5 : 1)

test('an alert does not repeat hourly: two days of a drop are one', () => {
  const made = inMinutes([completion], 3_200, (m) => [samplesOf('all', '', share(m >= 200 && m < 3_080 ? 0.35 : 0.5))])
  expect(made.map(({ state }) => state)).toEqual(['pending', 'firing', 'recovering', 'resolved'])
})

test('it does not stay silent on no data: a cell that falls silent is an alert of its own, and no drop', () => {
  const cells = (m: number) => [
    samplesOf('all', '', share(0.5, 9_000), count(20_000)),
    samplesOf('channel', 'ad', ...(m >= 200 && m < 260 ? [share(0, 0), count(0)] : [share(0.5), count(4_000)])),
    ...(m >= 400 ? [] : [samplesOf('channel', 'kol', share(0.5), count(4_000))]),
  ]
  const made = inMinutes([completion, noData], 500, cells)
  expect(made.map(({ kpi, value, state, bucketAt }) => `${(bucketAt - startMs) / minuteMs} ${kpi} ${value} ${state}`)).toEqual([
    '200 no_data ad pending',
    '201 no_data ad firing',
    '260 no_data ad recovering',
    '262 no_data ad resolved',
    '400 no_data kol pending',
    '401 no_data kol firing',
  ])
})

test('a pipeline that falls silent is one alert, not one a cell', () => {
  const cells = (m: number) => (m >= 200 ? [] : [samplesOf('all', '', count(9_000)), ...['ad', 'kol'].map((v) => samplesOf('channel', v, count(4_000)))]) // prettier-ignore
  expect(brief(firings(inMinutes([noData], 300, cells)))).toEqual([`${201 / 60} no_data all: firing`])
})

test.each([
  { title: 'a fall of 9 points is none where that is 14 percent', from: 0.65, to: 0.56, threshold: 0.15, fires: false },
  { title: 'a fall of 2 points is one where that is 20 percent', from: 0.1, to: 0.08, threshold: 0.15, fires: true },
  { title: 'exactly 15 percent is not more than that', from: 0.6, to: 0.51, threshold: 0.15, fires: false },
  { title: 'a KPI has a threshold of its own: 6 percent where 5 are allowed', from: 0.5, to: 0.47, threshold: 0.05, fires: true },
  { title: 'nor are 5 percent points of 0.5 taken for 5 percent', from: 0.5, to: 0.48, threshold: 0.05, fires: false },
])('percent is not confused with percentage points: $title', ({ from, to, threshold, fires }) => {
  const metric = { ...completion, threshold }
  const made = firings(inMinutes([metric], 300, (m) => [samplesOf('all', '', share(m >= 200 ? to : from, 100_000))]))
  expect(made).toHaveLength(fires ? 1 : 0)
  if (fires) expect(made[0]!.reason).toContain(`${Number(((1 - to / from) * 100).toFixed(1))} % below the baseline`)
})

test('it does not alert on noise in tiny cells, however many there are', () => {
  const random = seeded(20_260_105)
  const metric = { ...completion, minimumDenominator: 10 }
  const cells = () => Array.from({ length: 150 }, (_, c) => samplesOf('region', `r${c}`, drawn(random, 0.4, 10 + (c % 30))))
  const made = inMinutes([metric], 500, cells)
  expect(brief(firings(made))).toEqual([])
})

test('nor on noise in cells of some volume; and a true drop among 150 cells is found', () => {
  const random = seeded(20_260_106)
  const cells = (m: number) =>
    Array.from({ length: 150 }, (_, c) => samplesOf('region', `r${c}`, drawn(random, m >= 240 && c === 77 ? 0.25 : 0.4, 500)))
  const made = firings(inMinutes([completion], 300, cells))
  expect(made.map(({ value }) => value)).toEqual(['r77'])
  expect((made[0]!.bucketAt - startMs) / minuteMs).toBeLessThan(245)
})

test('a lasting drop does not become normal: after two weeks it still fires, against the baseline of its beginning', () => {
  const random = seeded(7)
  const metrics = [{ ...completion, grain: 'hour' as const }, registrations]
  const from = 5 * week + 14
  const cells = (h: number) => {
    const low = h >= from ? 0.7 : 1
    return [samplesOf('all', '', drawn(random, 0.5 * low, 3_000), count(2_000 * shape(h) * low * (1 + 0.02 * deviate(random))))]
  }
  const one = byHour(metrics)
  const made = run(one, { startMs, bucketMs: hourMs, from: 0, to: from + 2 * week }, cells)
  expect(brief(firings(made))).toEqual([`${from + 1} completion_rate all: firing`, `${from + 1} registrations all: firing`])
  expect(one.open().map(({ state }) => state)).toEqual(['firing', 'firing'])
  expect(one.open()[0]!.baseline).toBeCloseTo(0.5, 1)
})

test('traffic that halves while rates are constant raises no alert of a ratio, but one of its count', () => {
  const random = seeded(11)
  const metrics = [{ ...completion, grain: 'hour' as const }, registrations]
  const from = 4 * week + 10
  const cells = (h: number) => {
    const traffic = h >= from ? 0.5 : 1
    return [samplesOf('all', '', drawn(random, 0.5, Math.round(4_000 * shape(h) * traffic)), count(2_000 * shape(h) * traffic))]
  }
  expect(brief(firings(inHours(metrics, from + 20, cells)))).toEqual([`${from + 1} registrations all: firing`])
})

const calm = { ...completion, grain: 'hour' as const }
/** Completion is lower at night and higher at the weekend, by more than the threshold. */
const rate = (hour: number) => 0.4 + 0.1 * Math.sin(((hour % day) / day) * 2 * Math.PI - 2.6) + (Math.floor(hour / day) % 7 >= 5 ? 0.06 : 0)

test.each([3 * week + 5, 6 * week])('nights and weekends raise no alert, in the %s hours from the first on', (to) => {
  const random = seeded(13)
  const cells = (h: number) => [
    samplesOf(
      'all',
      '',
      drawn(random, rate(h), Math.round(1_000 * shape(h)) + 500),
      count(3_000 * shape(h) * (1 + 0.03 * deviate(random))),
    ),
  ]
  const made = inHours([calm, registrations], to, cells)
  // Until there are three days the pattern cannot be known; from the fourth on nothing may fire.
  expect(brief(made.filter(({ bucketAt }) => bucketAt >= startMs + 3 * day * hourMs && bucketAt < startMs + 5 * day * hourMs))).toEqual([])
  expect(brief(firings(made.filter(({ bucketAt }) => bucketAt >= startMs + 3 * week * hourMs)))).toEqual([])
})

test('a campaign of two days that doubles traffic raises no alert, neither while it lasts nor when it ends', () => {
  const random = seeded(17)
  const from = 4 * week + 2 * day
  const cells = (h: number) => {
    const traffic = shape(h) * (h >= from && h < from + 2 * day ? 2 : 1)
    return [
      samplesOf('all', '', drawn(random, rate(h), Math.round(1_500 * traffic)), count(3_000 * traffic * (1 + 0.03 * deviate(random)))),
    ]
  }
  const made = inHours([calm, registrations], from + week, cells)
  expect(brief(firings(made).filter(({ bucketAt }) => bucketAt >= startMs + from * hourMs))).toEqual([])
})

test('the release of an app version raises no alert, neither of the new version nor of the one that fades', () => {
  const random = seeded(19)
  const released = 600
  const cells = (m: number) => {
    const moved = m < released ? 0 : Math.min(1, (m - released) / 60)
    const of = (version: string, plays: number) =>
      plays < 1 ? [] : [samplesOf('app_version', version, drawn(random, 0.45, Math.round(plays)), count(plays * 3))]
    return [samplesOf('all', '', drawn(random, 0.45, 3_000), count(9_000)), ...of('1.0', 3_000 * (1 - moved)), ...of('2.0', 3_000 * moved)]
  }
  expect(brief(firings(inMinutes([completion, noData], 900, cells)))).toEqual([])
})

test('where rising is bad a rise alerts and a fall does not', () => {
  const complaints: Metric = { ...completion, name: 'complaint_rate', better: 'down' }
  const cells = (m: number) => [samplesOf('all', '', share(m >= 200 && m < 220 ? 0.006 : m >= 300 ? 0.001 : 0.004, 100_000))]
  const made = inMinutes([complaints], 400, cells)
  expect(made.map(({ state, bucketAt }) => `${(bucketAt - startMs) / minuteMs} ${state}`)).toEqual([
    '200 pending',
    '201 firing',
    '220 recovering',
    '222 resolved',
  ])
})

test('any one severe violation alerts at once', () => {
  const violations: Metric = { ...registrations, name: 'severe_violations', better: 'down', kind: 'incident' }
  const made = inHours([violations], 20, (h) => [samplesOf('all', '', h === 5 ? count(1) : undefined)])
  expect(made.map(({ state, bucketAt }) => `${(bucketAt - startMs) / hourMs} ${state}`)).toEqual(['5 firing', '6 recovering', '8 resolved'])
})

test('the scatter of a mean is its own: what it always does is no alert, what it never does is', () => {
  const random = seeded(23)
  const dwell: Metric = { ...completion, name: 'dwell_s', minimumDenominator: 200, kind: 'mean', unit: 's', counts: 'sessions' }
  const cells = (m: number) => {
    const mean = (m >= 600 ? 70 : 100) * (1 + 0.08 * deviate(random))
    return [samplesOf('all', '', { numerator: mean * 1_000, denominator: 1_000 })]
  }
  const made = firings(inMinutes([dwell], 700, cells))
  expect(made).toHaveLength(1)
  expect(made[0]!.bucketAt).toBeGreaterThanOrEqual(startMs + 601 * minuteMs)
})

test('a month of minutes of four cells: only the drops fire, each within a few minutes', { timeout: 60_000 }, () => {
  const random = seeded(29)
  const perDay = 1_440
  const drops = [25 * perDay + 400, 27 * perDay + 900]
  const cells = (m: number) => {
    const time = Math.sin(((m % perDay) / perDay) * 2 * Math.PI - 2.6)
    const weekend = Math.floor(m / perDay) % 7 >= 5
    return ['', 'a', 'b', 'c'].map((value) => {
      const plays = Math.round((value === '' ? 6_000 : 1_500) * (1 + 0.6 * time))
      const low = value === 'b' && drops.some((from) => m >= from && m < from + 20) ? 0.75 : 1
      const usual = (0.42 + 0.08 * time + (weekend ? 0.04 : 0)) * (1 + 0.02 * deviate(random)) * low
      // Binomial, near enough at this volume.
      const completes = Math.round(plays * usual + Math.sqrt(plays * usual * (1 - usual)) * deviate(random))
      return samplesOf(value === '' ? 'all' : 'region', value, { numerator: Math.max(0, completes), denominator: plays })
    })
  }
  const made = firings(inMinutes([completion], 28 * perDay, cells)).filter(({ firedAt, decidedAt }) => firedAt === decidedAt)
  expect(made.map(({ value }) => value)).toEqual(['b', 'b'])
  for (const [i, { bucketAt }] of made.entries()) expect((bucketAt - startMs) / minuteMs - drops[i]!).toBeLessThanOrEqual(3)
})
