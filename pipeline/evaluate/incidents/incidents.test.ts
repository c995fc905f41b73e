import { expect, test } from 'vitest'
import { metricsOf } from '../../../operators/detect/watched.ts'
import { isVisible, planOf, type Incident, type Plan } from './plan.ts'
import { run } from './run.ts'
import { score } from './score.ts'

const note = () => {}
const incident: Incident = { kind: 'one cell', kpi: 'completion_rate', cells: [{ platform: 'ios' }], drop: 0.4, from: 7_000, to: 7_060 }
const plan: Plan = { days: 6, incidents: [incident], harmless: [] }
const told = { verdict: 'cells', causes: [{ platform: 'ios' }] }
const fired = {
  kpi: 'completion_rate' as const, dimension: 'platform', value: 'ios', atMinute: 7_002, reason: '', atOnce: { verdict: 'unclear', causes: [] }, later: told,
} // prettier-ignore

test('what is planned follows from the seed, and incidents do not overlap', () => {
  const options = { days: 30, incidents: 40, firstDay: 3, seed: 7 }
  const { incidents } = planOf(options)
  expect(planOf(options).incidents).toEqual(incidents)
  expect(planOf({ ...options, seed: 8 }).incidents).not.toEqual(incidents)
  expect(incidents).toHaveLength(40)
  for (const [i, { from, to, drop }] of incidents.entries()) {
    expect(from).toBeGreaterThanOrEqual(i === 0 ? 3 * 1_440 : incidents[i - 1]!.to)
    expect(to).toBeLessThanOrEqual(30 * 1_440)
    expect(drop).toBeGreaterThanOrEqual(0.15)
    expect(drop).toBeLessThanOrEqual(0.6)
  }
})

test.each<[string, Partial<typeof fired>, number]>([
  ['an alert of its KPI, cell and time is the incident\u2019s', {}, 1],
  ['of another KPI it is not', { kpi: 'interaction_rate' as never }, 0],
  ['of another value it is not', { value: 'android' }, 0],
  ['of another dimension it is', { dimension: 'region', value: 'east' }, 1],
  ['before it, it is not', { atMinute: 6_999 }, 0],
  ['long after it, it is not', { atMinute: 7_070 }, 0],
])('%s', (_, change, found) => {
  const { figures } = score(plan, [{ ...fired, ...change }], () => true)
  expect(figures).toMatchObject({ found, falseAlarms: 1 - found, recall: found, precision: found })
})

test('causes are right only where they are the cells, neither more nor fewer', () => {
  const right = (later: typeof told) => score(plan, [{ ...fired, later }], () => true).figures.causesRightLater
  expect(right(told)).toBe(1)
  expect(right({ verdict: 'cells', causes: [{ platform: 'ios' }, { region: 'east' }] as never })).toBe(0)
  expect(right({ verdict: 'cells', causes: [{ platform: 'android' }] })).toBe(0)
  expect(right({ verdict: 'everything', causes: [] })).toBe(0)
})

test('a cell of two dimensions is visible only where a watched cell loses enough', () => {
  const of = (cells: Incident['cells'], drop: number) => isVisible({ ...incident, cells, drop }, 40_000, 0.15, 500)
  expect(of([{ platform: 'ios' }], 0.16)).toBe(true)
  expect(of([{ platform: 'ios', region: 'east' }], 0.3)).toBe(false) // 32 % of ios, 40 % of east
  expect(of([{ platform: 'ios', region: 'east' }], 0.5)).toBe(true)
  expect(isVisible(incident, 100, 0.15, 500)).toBe(false)
})

test('of a day after three of history: what is lost in a cell and in all is found with its cause, half the traffic alarms nobody', () => {
  const at = (hours: number) => (3 * 24 + hours) * 60
  const happens: Plan = {
    days: 4,
    incidents: [
      { kind: 'one cell', kpi: 'completion_rate', cells: [{ platform: 'ios' }], drop: 0.45, from: at(9), to: at(10) },
      { kind: 'global', kpi: 'interaction_rate', cells: [{}], drop: 0.5, from: at(20), to: at(21) },
    ],
    harmless: [{ kind: 'halved', from: at(14), to: at(17) }],
  }
  const metrics = metricsOf('minute').filter(({ name }) => name === 'completion_rate' || name === 'interaction_rate')
  const fired = run({ plan: happens, metrics, latenessMs: 120_000, historyDays: 3, seed: 5, playsPerMinute: 20_000, note })
  expect(score(happens, fired, () => true).figures).toMatchObject({ found: 2, falseAlarms: 0, causesRightLater: 1 })
})
