// A fall in one channel, as the role sees it: one alert, that says which other cells it explains; the parts are those of the events.
import { expect, onTestFinished, test } from 'vitest'
import type { Part } from '../../../operators/detect/explained.ts'
import { cadenceOf } from '../../../operators/detect/cadence.ts'
import { seeded } from '../../../operators/testing/seeded.ts'
import { zone } from '../../../operators/time/zone.ts'
import { eventsTable } from '../../../schemas/tables/events.ts'
import { listAlerts, showAlert } from '../../alerts/reviews.ts'
import { renderAlert } from '../../alerts/render.ts'
import { webhookBody } from '../../adapters/webhook-notifier.ts'
import { calmMinutes, minuteMs, trafficWriter } from '../../chaos/detect/traffic.ts'
import { logger } from '../../log/logger.ts'
import type { Notification, Notifier } from '../../ports/notifier.ts'
import type { Store } from '../../ports/store.ts'
import { embeddedEngine } from '../../testing/embedded-parts.ts'
import { insertRows, madeEvents } from '../../verify/hand-made.ts'
import { newDetection } from '../detect.ts'
import { delivery } from './delivery.ts'
import { readParts } from './read-parts.ts'

const { newStore } = await embeddedEngine('hold-back', { fsync: 'nothing' })
const log = logger('hold-back', { level: 'silent' })
const latenessMs = 120_000
const settings = { topic: 'behavior-events', latenessMs, zone: 'UTC' }
const start = Math.floor(Date.now() / minuteMs) * minuteMs - 6 * 3_600_000

function detectorOn(store: Store, notifiers: readonly Notifier[] = []) {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const { signal } = controller
  const deliveries = delivery(notifiers, { store, topic: settings.topic, log, signal, firstPauseMs: 1 })
  return { ...newDetection({ store, settings, log, signal, causesPatienceMs: 60_000 }, deliveries), told: deliveries.settled }
}

const linesIn = async (store: Store) =>
  (
    await store.query<{ line: string }>(
      `SELECT concat(toString(intDiv(toUnixTimestamp64Milli(bucket_at) - {start:Int64}, 60000)), ' ', toString(dimension), ' ', value, ' ', toString(state)) AS line
       FROM alerts ORDER BY bucket_at, dimension, value, sequence`,
      { start },
    )
  ).map(({ line }) => line)

test('a fall in a channel is one alert, told with the cells that it holds back; whoever takes it up half-way goes on so', async () => {
  const store = await newStore()
  const write = trafficWriter(store, start, 1)
  const told: Notification[] = []
  const notifier: Notifier = { name: 'test', notify: (one) => Promise.resolve(void told.push(one)) }
  const minute = calmMinutes
  // Channel ad loses a third of its completions for nine minutes; region CN-12, more than half of whose plays are ad's, a fifth; all an eighth.
  for (const [from, to] of [
    [0, minute + 3],
    [minute + 3, minute + 5],
    [minute + 5, minute + 18],
  ] as const) {
    // prettier-ignore
    await write(from, to)
    const one = detectorOn(store, [notifier])
    await one.poll()
    await one.told()
  }
  const lines = await linesIn(store)
  expect(lines.filter((line) => line.endsWith('firing'))).toEqual([`${minute + 1} channel ad firing`])
  const held = ['region CN-12']
  for (const cell of held) expect(lines, cell).toContain(`${minute + 1} ${cell} resolved`)
  expect(lines.filter((line) => line.endsWith('pending') && !line.startsWith(`${minute} `))).toEqual([])

  const fired = told.find(({ state }) => state === 'firing')!
  expect(fired.holdsBack).toEqual(held)
  expect(webhookBody(fired)).toMatchObject({ holds_back: held })
  expect(String(webhookBody(fired)['description'])).toContain(`It explains the same in ${held.join(', ')}: no alerts of their own.`)
  const resolved = told.find(({ state, value }) => state === 'resolved' && value === 'CN-12')!
  expect([resolved.aboutId, resolved.firedAt]).toEqual([fired.alertId, undefined])
  expect(resolved.reason).toContain('held back, for channel ad fires, outside of which it is no drop by itself')

  const [alert, ...others] = await listAlerts(store, { which: 'all', limit: 10 })
  expect(others).toEqual([])
  expect(renderAlert(await showAlert(store, alert!))).toContain(`holds back  ${held.join(', ')}`)
})

test('the parts are those of the events that were known when the bucket closed', async () => {
  const store = await newStore()
  const random = seeded(3)
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const at = start + 90 * minuteMs
  const begunAt = at - 3 * minuteMs
  const made = Array.from({ length: 3_000 }, () => {
    const t = begunAt - 2 * 3_600_000 + Math.floor(random() * (2 * 3_600_000 + 6 * minuteMs))
    return {
      t, clock_at: t + pick([0, 1_000, 4 * minuteMs]), behavior: pick(['play', 'play', 'like'] as const), channel: pick(['ad', 'kol', "it's"]),
      category: pick(['music', null]), tier: pick(['prospect', 'paying'] as const), watch_ms: pick([100, 950]), duration_ms: 1_000,
    } // prettier-ignore
  })
  await insertRows(store, eventsTable, madeEvents(made))
  const cells = [
    { dimension: 'channel', value: 'ad' },
    { dimension: 'category', value: 'music' },
    { dimension: 'tier', value: 'paying' },
    { dimension: 'channel', value: "it's" },
  ] as const
  const closing = { grain: 'minute', cadence: cadenceOf('minute', zone('UTC')), latenessMs } as const
  const other = { dimension: 'region', value: 'other' } as const
  const [parts, ...more] = await readParts(store, closing, at, [
    { kpi: 'completion_rate', cells: [...cells, other], begunAt },
    { kpi: 'no_data', cells, begunAt },
  ])
  expect(more).toEqual([])
  expect(parts!.cells).toEqual(cells)

  const naive = (from: number, to: number): Part[] => {
    const sums = new Map<string, { in: number[]; numerator: number; denominator: number }>()
    for (const { t, clock_at: clock, behavior, watch_ms: watched, ...event } of made) {
      if (behavior !== 'play' || t < from || t >= to || clock >= at + minuteMs + latenessMs) continue
      const places = cells.flatMap(({ dimension, value }, place) => (event[dimension] === value ? [place] : []))
      if (places.length === 0) continue
      const part = sums.get(places.join()) ?? { in: places, numerator: 0, denominator: 0 }
      sums.set(places.join(), part)
      part.denominator++
      if (watched === 950) part.numerator++
    }
    return [...sums.values()]
  }
  const inOrder = (all: readonly Part[]) => all.toSorted((a, b) => (a.in.join() < b.in.join() ? -1 : 1))
  expect(inOrder(parts!.now)).toEqual(inOrder(naive(at, at + minuteMs)))
  expect(inOrder(parts!.before)).toEqual(inOrder(naive(begunAt - 3_600_000, begunAt)))
  expect(parts!.now.length).toBeGreaterThan(3)
})
