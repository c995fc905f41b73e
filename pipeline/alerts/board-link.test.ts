import { expect, test } from 'vitest'
import { boards } from '../../dashboards/all-boards.ts'
import { placeOf } from '../../dashboards/live/state.ts'
import { renderGrafana } from '../../dashboards/render-grafana.ts'
import { dailyWatches } from '../../operators/detect/watched-daily.ts'
import { signalMetricsOf } from '../../operators/detect/watched-signals.ts'
import type { Cell } from '../../operators/detect/metric.ts'
import { metricsOf } from '../../operators/detect/watched.ts'
import { cellDimensions, grains, type Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Notification } from '../ports/notifier.ts'
import { notificationOf } from '../roles/detect/alert-rows.ts'
import { alertTopic, madeTransition } from '../roles/detect/hand-made-alerts.ts'
import { spanOf } from '../roles/serve/range.ts'
import { readWish } from '../roles/serve/wish.ts'
import { boardLinkOf } from './board-link.ts'

const at = Date.UTC(2026, 10, 20, 3)
const hour = 3_600_000

/** All that anyone can be told of. */
const watched: { kpi: string; grain: Grain }[] = [
  ...grains.flatMap((grain) => [...metricsOf(grain), ...signalMetricsOf(grain)]),
  ...dailyWatches.flatMap(({ metrics }) => metrics),
].map(({ name, grain }) => ({ kpi: name, grain }))

const alertOn = (kpi: string, grain: Grain, dimension: Cell['dimension'] = 'channel', value = 'ad 渠道&x=1', more: Partial<Notification> = {}) => ({
  ...notificationOf(alertTopic, madeTransition(value, at, 5, 'firing', { kpi, grain, dimension })),
  ...more,
}) // prettier-ignore

/** Whether the board has a panel that shows it. */
function shows(uid: string, kpi: string): boolean {
  const board = boards.find((one) => one.uid === uid)!
  return board.panels.some(
    (panel) => panel.shows === 'kpi_cells' || ('kpi' in panel && panel.kpi === kpi) || (kpi === 'no_data' && panel.shows === 'counts'),
  )
}

test('every KPI that alerts opens a live board that shows it, in its cell, around the drop', () => {
  const link = boardLinkOf('https://board.example/')!
  expect(watched.length).toBeGreaterThan(20)
  for (const { kpi, grain } of watched) {
    const about = alertOn(kpi, grain)
    const { searchParams } = new URL(link(about))
    const wish = readWish(searchParams)
    if ('code' in wish) throw new Error(`${kpi}: ${wish.error}`)
    expect(shows(wish.info.uid, kpi), `${kpi} on ${wish.info.uid}`).toBe(true)
    const has = wish.info.variables.map(({ name }) => name)
    if (has.includes('kpi')) expect(wish.choice.kpi).toBe(kpi)
    if (has.includes('channel')) expect(wish.choice.channel).toBe(about.value)
    const { from, to } = spanOf(wish.range, 0)
    expect(from).toBeLessThan(about.firedAt!)
    expect(to).toBeGreaterThan(about.bucketAt)
    // The browser's own part reads the same.
    expect(placeOf(searchParams.toString())).toMatchObject({ board: wish.info.uid, range: { from: String(from), to: String(to) } })
  }
})

test.each(['en', 'zh'] as const)('and one in Grafana that has the variables which the link sets, in %s', (language) => {
  const suffix = language === 'en' ? '' : '-zh'
  const link = boardLinkOf(`https://grafana.example/sub/d/reelpulse-overview${suffix}/overview?orgId=2`)!
  const rendered = new Map(boards.map((one) => renderGrafana(one, boards, language)).map((one) => [one.uid, one.templating!.list!]))
  for (const { kpi, grain } of watched)
    for (const dimension of cellDimensions.filter((one) => one !== 'clock')) {
      const { pathname, searchParams } = new URL(link(alertOn(kpi, grain, dimension)))
      const uid = /^\/sub\/d\/([a-z-]+)$/.exec(pathname)![1]!
      expect(shows(uid.slice(0, uid.length - suffix.length), kpi), `${kpi} on ${uid}`).toBe(true)
      expect(searchParams.get('orgId')).toBe('2')
      for (const [name, value] of Array.from(searchParams).filter(([name]) => name.startsWith('var-'))) {
        const variable = rendered.get(uid)!.find((one) => `var-${one.name}` === name && one.hide === 0)
        expect(variable, `${name} on ${uid}`).toBeDefined()
        if (name === 'var-kpi') expect(variable!.options!.map((option) => option.value)).toContain(value)
      }
    }
})

test('a KPI of cells says which cell, wherever it leads', () => {
  const about = alertOn('completion_rate', 'minute', 'platform', 'ios')
  const span = `from=${about.firedAt! - 3 * hour}&to=${about.bucketAt + hour}&var-kpi=completion_rate&var-platform=ios`
  expect(boardLinkOf('http://localhost:8080/')!(about)).toBe(`http://localhost:8080/?board=reelpulse-cells&${span}`)
  expect(boardLinkOf('http://localhost:8080/?board=reelpulse-overview')!(about)).toBe(
    `http://localhost:8080/?board=reelpulse-cells&${span}`,
  )
  expect(boardLinkOf('http://localhost:3000/d/reelpulse-overview')!(about)).toBe(`http://localhost:3000/d/reelpulse-cells?${span}`)
  // Somebody's own board stays.
  expect(boardLinkOf('http://localhost:3000/d/ours')!(about)).toBe(`http://localhost:3000/d/ours?${span}`)
  expect(boardLinkOf(undefined)).toBeUndefined()
})

test('a review that is overdue leads to the alerts, from the drop three days before until now', () => {
  const dueAt = at + 72 * hour
  const about = alertOn('completion_rate', 'minute', 'channel', 'ad', { kind: 'review_overdue', bucketAt: dueAt, firedAt: dueAt })
  const wish = readWish(new URL(boardLinkOf('http://localhost:8080/')!(about)).searchParams)
  if ('code' in wish) throw new Error(wish.error)
  expect(wish.info.uid).toBe('reelpulse-alerts')
  expect(spanOf(wish.range, 0)).toEqual({ from: at - 3 * hour, to: dueAt + hour })
})

test('of an alert that is over the drop is still in the range, and the range is one that boards take', () => {
  const link = boardLinkOf('http://localhost:8080/')!
  for (const lasted of [10, 24 * 30, 24 * 500]) {
    const about = alertOn('completion_rate', 'minute', 'channel', 'ad', { state: 'resolved', bucketAt: at + lasted * hour, firedAt: at })
    const wish = readWish(new URL(link(about)).searchParams)
    if ('code' in wish) throw new Error(wish.error)
    const { from, to } = spanOf(wish.range, 0)
    expect(to).toBe(at + (lasted + 1) * hour)
    expect(from).toBe(Math.max(at - 3 * hour, to - 24 * 90 * hour))
  }
})
