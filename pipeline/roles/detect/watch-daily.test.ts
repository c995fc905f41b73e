import { onTestFinished, expect, test } from 'vitest'
import { cadenceOf } from '../../../operators/detect/cadence.ts'
import { dailyWatches } from '../../../operators/detect/watched-daily.ts'
import { zone } from '../../../operators/time/zone.ts'
import { encodeRows } from '../../../schemas/row-binary.ts'
import { eventsTable } from '../../../schemas/tables/events.ts'
import { kpiDailyTable, type KpiDailyRow } from '../../../schemas/tables/kpi-daily.ts'
import { logger } from '../../log/logger.ts'
import type { Store } from '../../ports/store.ts'
import { embeddedEngine } from '../../testing/embedded-parts.ts'
import { insertRows, madeEvents } from '../../verify/hand-made.ts'
import { newDetection } from '../detect.ts'
import { dailyFigures } from './daily-figures.ts'
import { delivery } from './delivery.ts'
import { deltaWriter } from './hand-made.ts'

const { newStore } = await embeddedEngine('watch-daily', { fsync: 'nothing' })
const log = logger('watch-daily', { level: 'silent' })
const latenessMs = 120_000
const dayMs = 86_400_000
const shanghai = zone('Asia/Shanghai')
const cadence = cadenceOf('day', shanghai)
const settings = { topic: 'behavior-events', latenessMs, zone: 'Asia/Shanghai' }
const days = 38
const start = cadence.startOf(Date.now() - (days + 1) * dayMs)
const at = (day: number) => start + day * dayMs

/** What the days until `until` came to: of each KPI the days that can be said by then. */
async function tell(store: Store, until: number, rateOf: (name: string, day: number) => number): Promise<void> {
  const rows: KpiDailyRow[] = []
  for (const { daysLater, metrics } of dailyWatches)
    for (const { name, kind } of metrics)
      for (let day = 0; day + daysLater < until; day++) {
        const known = at(day + daysLater + 1) + latenessMs
        const numerator = Math.round(20_000 * rateOf(name, day))
        const denominator = kind === 'count' ? null : 20_000
        // Later it is known otherwise, which is for boards.
        rows.push({ name, bucket_at: at(day), known_at: at(until) + latenessMs, numerator: 0, denominator: 1, first_known_at: known, numerator_first: numerator, denominator_first: denominator }) // prettier-ignore
      }
  const reached = at(until)
  rows.push({ name: '', bucket_at: reached, known_at: reached, numerator: 0, denominator: null, first_known_at: reached, numerator_first: 0, denominator_first: null }) // prettier-ignore
  await store.insert({
    table: kpiDailyTable.name,
    columns: Object.keys(kpiDailyTable.record.fields),
    rows: encodeRows(kpiDailyTable.record, rows),
    token: `told/${until}`,
  })
}

/** The log has come ten minutes past the end of a day; there is nothing in it but that. */
const clockAt = (until: number) => [{ partition: 0, blockAt: at(until) + 10 * 60_000, cells: [] }]

async function pollTwice(store: Store): Promise<void> {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const { signal } = controller
  const detection = newDetection({ store, settings, log, signal }, delivery([], { store, topic: settings.topic, log, signal }))
  // The first finds out how far kpi_daily goes, in the background.
  for (let polls = 0; polls < 2; polls++) {
    await detection.poll()
    await detection.settled()
  }
}

const linesIn = async (store: Store) =>
  (
    await store.query<{ line: string; late: number }>(
      `SELECT concat(kpi, ' ', toString(intDiv(toUnixTimestamp64Milli(bucket_at) - {start:Int64}, 86400000)), ' ', toString(state)) AS line,
       intDiv(toUnixTimestamp64Milli(decided_at) - toUnixTimestamp64Milli(bucket_at), 86400000) AS late
     FROM alerts WHERE dimension = 'all' AND grain = 'day' ORDER BY kpi, sequence`,
      { start },
    )
  ).map(({ line, late }) => `${line} after ${late} days`)

const usual = (name: string, day: number) => (name === 'mau_per_dau' ? 2.5 : 0.5) + ((day * 7) % 5) / 500

test('a KPI of a day is decided once its day can be said, by what was said first; whoever decides it again finds it done', async () => {
  const store = await newStore()
  const falls = (name: string, day: number) => usual(name, day) * ((name === 'retention_d7' && day === 29) || (name === 'paying_penetration' && day === 36) ? 0.6 : 1) // prettier-ignore
  const write = deltaWriter(store, 1)
  await write(clockAt(36))
  await tell(store, 36, falls)
  await pollTwice(store)
  expect(await linesIn(store)).toEqual([])

  // Day 36 has closed, but was not computed: neither it, nor what depends on it, is decided.
  await write(clockAt(37))
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const { signal } = controller
  await newDetection({ store, settings, log, signal }, delivery([], { store, topic: settings.topic, log, signal })).poll()
  expect(await linesIn(store)).toEqual([])

  await tell(store, 37, falls)
  for (let starts = 0; starts < 2; starts++) await pollTwice(store)
  expect(await linesIn(store)).toEqual(['paying_penetration 36 firing after 1 days', 'retention_d7 29 firing after 8 days'])
  const [row] = await store.query<{ reason: string; actual: number }>("SELECT reason, actual FROM alerts WHERE kpi = 'retention_d7'")
  expect(row!.reason).toContain('retention_d7 0.30')
  expect(row!.actual).toBeCloseTo(0.6 * usual('retention_d7', 29), 3)
})

test('each KPI is there as many days later as it is waited for', async () => {
  const store = await newStore()
  const behaviors = ['register', 'search', 'follow', 'purchase'] as const
  const made = Array.from({ length: days * 12 }, (_, i) => {
    const t = at(Math.floor(i / 12)) + (i % 12) * 3_600_000
    return { user_id: `u${i >> 2}`, clock_at: t, t, behavior: behaviors[i % 4]!, amount_minor: 100 }
  })
  await insertRows(store, eventsTable, madeEvents(made))
  await deltaWriter(store, 1)([{ partition: 0, blockAt: at(days) + 600_000, cells: [{ grain: 'day', bucketAt: start, dimension: 'all', value: '', sums: { events: 1 } }] }]) // prettier-ignore
  const figures = dailyFigures(store, { grain: 'day', cadence, latenessMs }, settings.zone)
  while (await figures.advance(at(days) + 600_000));
  expect(figures.reached()).toBe(at(days))
  const rows = await store.query<{ name: string; day: number }>(
    `SELECT name, intDiv(toUnixTimestamp64Milli(max(bucket_at)) - {start:Int64}, 86400000) AS day FROM kpi_daily WHERE name != '' GROUP BY name`,
    { start },
  )
  const last = new Map(rows.map(({ name, day }) => [name, day]))
  for (const { daysLater, metrics } of dailyWatches)
    for (const { name } of metrics) if (last.has(name)) expect(days - 1 - last.get(name)!, name).toBe(daysLater)
  expect(last.size).toBeGreaterThan(8)
})
