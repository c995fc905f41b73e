import { expect, test } from 'vitest'
import { metricsOf } from '../detect/watched.ts'
import { decideReview } from './review.ts'
import {
  alertNameOf,
  causeCellText,
  changeText,
  descriptionOf,
  figureText,
  noDataKpi,
  severityOf,
  summaryOf,
  type ToldAlert,
} from './tell.ts'

const alert: ToldAlert = {
  kind: 'kpi', state: 'firing', kpi: 'completion_rate', dimension: 'channel', value: 'ad', bucketAt: Date.UTC(2026, 0, 5, 9, 30),
  firedAt: Date.UTC(2026, 0, 5, 9, 33), dueAt: Date.UTC(2026, 0, 8, 9, 33), actual: 0.3, baseline: 0.5, reason: 'second closed bucket in a row',
} // prettier-ignore

test('a drop is told in percent of the baseline, never in points', () => {
  expect(summaryOf(alert)).toBe('completion_rate of channel ad is 40 % below its baseline')
  const text = `${summaryOf(alert)}\n${descriptionOf(alert)}`
  expect(text).toContain('Actual 0.3, baseline 0.5: 40 % below its baseline (relative)')
  expect(text).not.toMatch(/\b20 %|point|pp\b/)
  expect(text).toContain('due 2026-01-08 09:33 UTC')
})

test('a rise is told as one, and nothing is divided by nothing', () => {
  expect(changeText({ actual: 0.09, baseline: 0.06 })).toBe('50 % above its baseline')
  expect(changeText({ actual: 3, baseline: 0 })).toBeUndefined()
  expect(summaryOf({ ...alert, actual: 3, baseline: 0 })).toBe('completion_rate of channel ad is not what it should be')
})

test('likely causes are told with their share', () => {
  expect(descriptionOf({ ...alert, causes: [{ cell: 'app_version 8.6.0', share: 0.913 }] })).toContain(
    'Likely cause: app_version 8.6.0 (91.3 % of the change).',
  )
})

test.each<[string, Partial<ToldAlert>, string]>([
  ['cells', { causes: [{ cell: 'channel ad', share: 0.82 }, { cell: 'region CN-11', share: 0.1 }], attribution: { verdict: 'cells', change: 'fall' } }, 'channel ad (82 % of the fall); region CN-11 (10 % of the fall).'],
  ['everything', { causes: [{ cell: 'everything', share: 1 }], attribution: { verdict: 'everything', change: 'fall' } }, 'everything fell alike, no part of it more than the rest.'],
  ['the mix', { causes: [], attribution: { verdict: 'mix', change: 'rise' } }, 'the mix: rates stayed as they were, and traffic moved to where they are higher.'],
  ['unclear', { causes: [], attribution: { verdict: 'unclear', change: 'fall' } }, 'unclear, no part stands out.'],
])('a likely cause: %s', (_, more, text) => expect(descriptionOf({ ...alert, ...more })).toContain(`\nLikely cause: ${text}\n`)) // prettier-ignore

test('a cell is told by its dimensions; where events have none, that is said', () => {
  expect(causeCellText({ channel: "o'hare", category: '' })).toBe("channel o'hare, category (none)")
  expect(causeCellText({})).toBe('everything')
  expect(descriptionOf(alert)).not.toContain('Likely')
})

test.each([
  [1_234_567.8, '1230000'],
  [0.0179, '0.0179'],
  [0, '0'],
  [312.44, '312'],
])('%d reads as %s', (value, text) => expect(figureText(value)).toBe(text))

test('what concerns everyone is critical; an overdue review never is', () => {
  expect(severityOf({ kind: 'kpi', dimension: 'all' })).toBe('critical')
  expect(severityOf({ kind: 'kpi', dimension: 'channel' })).toBe('warning')
  expect(severityOf({ kind: 'review_overdue', dimension: 'all' })).toBe('warning')
})

test.each([
  ['before it is due', { reviewedAt: undefined, overdue: undefined }, 99, undefined],
  ['at the moment it is due', { reviewedAt: undefined, overdue: undefined }, 100, 'firing'],
  ['told once only', { reviewedAt: undefined, overdue: 'firing' }, 500, undefined],
  ['reviewed in time', { reviewedAt: 50, overdue: undefined }, 500, undefined],
  ['reviewed late, nobody was told yet', { reviewedAt: 150, overdue: undefined }, 500, undefined],
  ['reviewed after it was told', { reviewedAt: 150, overdue: 'firing' }, 160, 'resolved'],
  ['over', { reviewedAt: 150, overdue: 'resolved' }, 500, undefined],
] as const)('a review: %s', (_, facts, now, to) => expect(decideReview({ dueAt: 100, ...facts }, now)).toBe(to))

test('no data is told as that, not as a drop of 100 %', () => {
  const silent = { ...alert, kpi: noDataKpi, actual: 0, baseline: 9_000, reason: 'no data: 0 events, where 9000 are usual at this time' }
  expect(metricsOf('minute').at(-1)!.name).toBe(noDataKpi)
  expect(alertNameOf(silent)).toBe('NoData')
  expect(summaryOf(silent)).toBe('No data of channel ad')
  expect(summaryOf({ ...silent, state: 'resolved' })).toBe('Data again of channel ad')
  expect(descriptionOf(silent)).not.toMatch(/100 %|baseline/)
  expect(alertNameOf(alert)).toBe('KpiAlert')
})

test.each([
  ['service_score', 'the KPI is made of customer signals'],
  ['retention_d7', "the KPI looks at a user's other days"],
])('that causes are not looked for, of %s, is said with why', (kpi, why) => {
  expect(descriptionOf({ ...alert, kpi })).toContain(`Likely cause: not looked for, for ${why}.`)
  expect(descriptionOf(alert)).not.toContain('not looked for')
})
