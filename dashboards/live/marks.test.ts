import { expect, test } from 'vitest'
import { instant } from './format.ts'
import { marksText, noMarks, saidMarks, type Marks } from './marks.ts'
import type { Mark } from './protocol.ts'

const at = new Date(2026, 10, 20, 11, 4).getTime()
const minuteMs = 60_000
const alert = (more: Partial<Mark> = {}): Mark => ({ at, until: null, kpi: 'completion_rate', dimension: 'all', value: '', ...more })
const kpis = { completion_rate: { unit: 'ratio', words: { en: 'Completion rate', zh: '完播率' }, hasCells: true } }
const names = (marks: Partial<Marks>, language: 'en' | 'zh') => saidMarks({ ...noMarks, ...marks }, language, kpis).map(({ name, when }) => `${name} ${when}`) // prettier-ignore

test('an alert is said by its KPI and cell, and how long it was open', () => {
  const when = instant(at)
  expect(names({ alerts: [alert()] }, 'en')).toEqual([`Completion rate ${when} – still open`])
  const cell = alert({ dimension: 'channel', value: 'ad', until: at + 12 * minuteMs })
  expect(names({ alerts: [cell] }, 'en')).toEqual([`Completion rate · Channel ad ${when} – 11:16`])
  expect(names({ alerts: [cell] }, 'zh')).toEqual([`完播率 · 渠道 ad ${when} – 11:16`])
  const tomorrow = at + 86_400_000
  expect(names({ alerts: [alert({ until: tomorrow })] }, 'en')).toEqual([`Completion rate ${when} – ${instant(tomorrow)}`])
  expect(names({ alerts: [alert({ dimension: 'tier', value: 'paying' })] }, 'zh')).toEqual([`完播率 · 用户层级 付费 ${when} – 未恢复`])
  expect(names({ alerts: [alert({ kpi: 'of_tomorrow' })] }, 'en')).toEqual([`of_tomorrow ${when} – still open`])
})

test('alerts and versions stand in order of time, the latest first', () => {
  const releases = [alert({ at: at + 1, value: '8.6.0' })]
  const alerts = [alert({ at: at + 2 }), alert()]
  expect(names({ alerts, releases }, 'zh').map((name) => name.split(' ')[0])).toEqual(['完播率', '版本', '完播率'])
})

test('a chart says what is marked on it, five at most, and how many more there are', () => {
  expect(marksText([], 'en')).toBe('')
  const marks = saidMarks({ ...noMarks, alerts: Array.from({ length: 7 }, (_, i) => alert({ at: at + i })) }, 'en', kpis)
  expect(marksText(marks.slice(0, 1), 'en')).toBe(` Marked on the charts: alert Completion rate (${instant(at)} – still open).`)
  expect(marksText(marks, 'en').match(/alert Completion rate/g)).toHaveLength(5)
  expect(marksText(marks, 'en')).toMatch(/; 2 more\.$/)
})
