import { expect, test } from 'vitest'
import { durationMs, instantMs } from './duration.ts'
import { readIncident } from './incident-text.ts'
import { planSimulation, type SimulationPlan, type SimulationWish } from './plan.ts'

const nowMs = Date.parse('2026-11-23T21:00:00Z')
const plan = (wish: SimulationWish) => planSimulation(wish, nowMs, 'Asia/Shanghai')
const hourMs = 3_600_000

test.each([
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['0.5d', 12 * hourMs],
  ['250ms', 250],
  ['6', undefined],
  ['6 h', undefined],
  ['-6h', undefined],
  ['', undefined],
])('a span %s is %s ms', (text, ms) => expect(durationMs(text)).toBe(ms))

test.each([
  ['2026-11-01T00:00+08:00', Date.parse('2026-10-31T16:00Z')],
  ['2026-11-01', Date.parse('2026-11-01T00:00Z')],
  ['2026-11-01T00:00', undefined],
  ['2026-13-01', undefined],
  ['yesterday', undefined],
])('an instant %s is %s', (text, ms) => expect(instantMs(text)).toBe(ms))

test.each<[SimulationWish, Partial<SimulationPlan>]>([
  [{}, { kind: 'live', rate: 500, forMs: Infinity }],
  [
    { rate: 2_000, for: '10s' },
    { kind: 'live', rate: 2_000, forMs: 10_000 },
  ],
  [{ events: 3_283_200 }, { kind: 'span', eventsPerSecond: 1, events: 3_283_200, exactFrom: false }],
  [{ span: '6h' }, { kind: 'span', eventsPerSecond: 10, spanMs: 6 * hourMs, fromMs: Date.parse('2026-11-23T10:00Z') }],
  [
    { span: '1h', events: 36_000 },
    { kind: 'span', eventsPerSecond: 10, events: 36_000 },
  ],
  [
    { span: '1h', rate: 50 },
    { kind: 'span', eventsPerSecond: 50, spanMs: hourMs },
  ],
  [
    { events: 6_000, rate: 10 },
    { kind: 'span', eventsPerSecond: 10, events: 6_000 },
  ],
  [
    { from: '2026-11-01', span: '1d' },
    { kind: 'span', fromMs: Date.parse('2026-11-01'), exactFrom: true },
  ],
])('%j is planned', (wish, wanted) => expect(plan(wish)).toMatchObject(wanted))

test('a number of events ends before the last midnight by default, small or large', () => {
  for (const events of [50, 5_000, 500_000]) {
    const { fromMs, eventsPerSecond } = plan({ events }) as SimulationPlan & { kind: 'span' }
    const averageEndMs = fromMs + (events / eventsPerSecond) * 1000
    expect(averageEndMs).toBeLessThan(Date.parse('2026-11-23T16:00Z') - 3 * hourMs)
    expect(averageEndMs).toBeGreaterThan(Date.parse('2026-10-01'))
  }
})

test('what cannot be is told, flag by flag', () => {
  const wrong = plan({ span: 'long', from: 'then', for: '1h', incident: 'kpi=mood' })
  expect(wrong).toMatchObject({ kind: 'wrong' })
  expect(wrong.kind === 'wrong' && wrong.problems.map(({ where }) => where)).toEqual(['--span', '--from', '--incident', '--for'])
})

test('an incident counts its instant from the start, or says it', () => {
  const after = readIncident('channel=organic,kpi=completion,drop=0.5,at=+6h,for=20m')
  expect(after.ok && after.at(1_000)).toEqual({
    channel: 'organic', kpi: 'completion', drop: 0.5, fromMs: 1_000 + 6 * hourMs, toMs: 1_000 + 6 * hourMs + 1_200_000,
  }) // prettier-ignore
  const said = readIncident('at=2026-11-01')
  expect(said.ok && said.at(1_000)).toEqual({ kpi: 'completion', drop: 0.5, fromMs: Date.parse('2026-11-01'), toMs: Infinity })
})

test.each([
  '',
  'kpi',
  'kpi=mood',
  'drop=0',
  'drop=2',
  'at=6h',
  'for=ever',
  'kpi=completion,kpi=completion',
  'colour=red',
  'channel=nowhere',
])('no incident: %s', (text) => expect(readIncident(text).ok).toBe(false))
