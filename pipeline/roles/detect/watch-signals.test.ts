// KPIs of customer signals through the detect role on the real engine.
import { expect, onTestFinished, test } from 'vitest'
import { encodeRows } from '../../../schemas/row-binary.ts'
import { signalTables } from '../../../schemas/tables/catalogue.ts'
import { customerSignalsTable, type CustomerSignalRow } from '../../../schemas/tables/customer-signals.ts'
import { signalClocksTable, type SignalClockRow } from '../../../schemas/tables/signal-clocks.ts'
import { databaseOf, signalsTopicOf } from '../../config/names.ts'
import type { Logger } from '../../log/logger.ts'
import { logger } from '../../log/logger.ts'
import type { Store } from '../../ports/store.ts'
import { newDetection } from '../detect.ts'
import { delivery } from './delivery.ts'
import { deltaWriter, type MadeBlock, type MadeCell } from './hand-made.ts'
import { embeddedEngine } from '../../testing/embedded-parts.ts'

const { engine, newStore } = await embeddedEngine('watch-signals', { fsync: 'nothing' })
const hourMs = 3_600_000
const dayMs = 24 * hourMs
// Of late, for the tables forget. Midnight in Shanghai.
const now = Math.floor(Date.now() / dayMs) * dayMs - 8 * hourMs

type Signal = Partial<CustomerSignalRow> & Pick<CustomerSignalRow, 'kind' | 'event_at'>
type SignalBlock = { blockAt: number; of: readonly Signal[] }
type Place = {
  topic: string
  store: Store
  behaviour: ReturnType<typeof deltaWriter>
  /** Blocks one after the other. */
  signals(blocks: readonly SignalBlock[]): Promise<void>
}

let places = 0
/** A topic of one partition, and its signals', of one as well. */
async function newPlace(migrateSignals = true): Promise<Place> {
  const topic = `place${places++}`
  const store = await newStore(databaseOf(topic))
  const beside = engine.store(databaseOf(signalsTopicOf(topic)))
  if (migrateSignals) await beside.migrate(signalTables, [])
  let offset = 0
  return {
    topic,
    store,
    behaviour: deltaWriter(store, 1),
    async signals(blocks) {
      await beside.migrate(signalTables, [])
      const [rows, clocks]: [CustomerSignalRow[], SignalClockRow[]] = [[], []]
      for (const { blockAt, of } of blocks) {
        const block = { partition: 0, first_offset: offset, part: 0, block_at: blockAt }
        for (const signal of of)
          rows.push({
            ...block, offset: offset++, operator_version: 1, record_at: blockAt, received_at: blockAt, clock_at: signal.event_at,
            occurred_at: signal.event_at, sent_at: blockAt, signal_id: new Uint8Array(16), user_id: 'ann', channel: null, score: null, seconds: null,
            content_id: null, severity: null, amount_minor: null, currency: null, ...signal,
          }) // prettier-ignore
        clocks.push({ ...block, next_offset: ++offset, partition_count: 1 })
      }
      const token = `${topic}/${offset}`
      const { name, record } = customerSignalsTable
      if (rows.length > 0) await beside.insert({ table: name, columns: Object.keys(record.fields), rows: encodeRows(record, rows), token })
      const of = signalClocksTable
      await beside.insert({ table: of.name, columns: Object.keys(of.record.fields), rows: encodeRows(of.record, clocks), token })
    },
  }
}

const silent = logger('detect', { level: 'silent' })
function detectorOn({ store, topic }: Place, log: Logger = silent) {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const { signal } = controller
  const settings = { topic, latenessMs: 120_000, zone: 'Asia/Shanghai' }
  return newDetection({ store, settings, log, signal }, delivery([], { store, topic, log, signal }))
}

const alertsIn = async ({ store }: Place, from: number, ms: number) =>
  (
    await store.query<{ line: string }>(
      `SELECT concat(toString(intDiv(toUnixTimestamp64Milli(bucket_at) - {from:Int64}, {ms:Int64})), ' ', kpi, ' ', dimension, ':', value, ' ', state) AS line
       FROM alerts WHERE kind = 'kpi' ORDER BY bucket_at, kpi, dimension, value, sequence`,
      { from, ms },
    )
  ).map(({ line }) => line)

/** As many hours before those that are looked at as it takes to know how figures scatter. */
const history = 120
const hours = history + 6
const start = now - 6 * hourMs
const from = -history

type HourShape = { score?: number; seconds?: number; reports?: number; severe?: number }
/** Of an hour: 60 ratings whose scores add up to `score`, 50 replies, content reports. */
function signalsOf(hour: number, { score = 270, seconds = 100, reports = 10, severe = 0 }: HourShape): Signal[] {
  const at = start + hour * hourMs + 1_800_000
  const made = (count: number, of: (i: number) => Omit<Signal, 'event_at'>) =>
    Array.from({ length: count }, (_, i) => ({ event_at: at, ...of(i) }))
  return [
    ...made(60, (i) => ({ kind: 'service_rating', score: i < score - 240 ? 5 : 4 })),
    ...made(50, () => ({ kind: 'service_reply', seconds })),
    ...made(reports, (i) => ({ kind: 'content_report', content_id: 'v', severity: i < severe ? 'severe' : null })),
  ]
}
const hourEnd = (hour: number) => start + (hour + 1) * hourMs + 10_000
const behaviourOf = (hour: number): MadeBlock => ({
  partition: 0,
  blockAt: hourEnd(hour),
  cells: [{ dimension: 'all', value: '', grain: 'hour', bucketAt: start + hour * hourMs, sums: { active_users: 1_000, events: 1_000 } }],
})
const range = (first: number, to: number) => Array.from({ length: to - first }, (_, i) => first + i)

/** From hour `first` to before `to`: a block of each topic an hour. */
async function writeHours(place: Place, first: number, to: number, shape: (hour: number) => HourShape): Promise<void> {
  await place.behaviour(range(first, to).map(behaviourOf))
  await place.signals(range(first, to).map((hour) => ({ blockAt: hourEnd(hour), of: signalsOf(hour, shape(hour)) })))
}

test('a service score 6 % down fires after two hours, one severe report at once, slow replies and many complaints; stepwise as at once', async () => {
  const shape = (hour: number): HourShape => ({
    score: hour >= 0 ? 253 : 270,
    seconds: hour >= 2 ? 130 : 100,
    reports: hour >= 1 ? 20 : 10,
    severe: hour === 3 ? 1 : 0,
  })
  const [atOnce, stepwise] = [await newPlace(), await newPlace()]
  await writeHours(atOnce, from, 6, shape)
  await detectorOn(atOnce).poll()
  const expected = [
    '0 service_score all: pending', '1 complaint_rate all: pending', '1 service_score all: firing', '2 complaint_rate all: firing',
    '2 service_response_s all: pending', '3 service_response_s all: firing', '3 severe_violations all: firing',
    '4 severe_violations all: recovering',
  ] // prettier-ignore
  expect(await alertsIn(atOnce, start, hourMs)).toEqual(expected)
  const [told] = await atOnce.store.query<{ reason: string }>(
    "SELECT reason FROM alerts WHERE kpi = 'severe_violations' AND state = 'firing'",
  )
  expect(told!.reason).toBe('severe_violations 1.00: any one alerts')

  await writeHours(stepwise, from, 2, shape)
  for (let hour = 2; hour < 6; hour += 2) {
    // Each time another one.
    await detectorOn(stepwise).poll()
    await writeHours(stepwise, hour, hour + 2, shape)
  }
  await detectorOn(stepwise).poll()
  expect(await alertsIn(stepwise, start, hourMs)).toEqual(expected)
})

test('a service score 4 % down does not fire', async () => {
  const place = await newPlace()
  await writeHours(place, from, 6, (hour) => ({ score: hour >= 0 ? 259 : 270 }))
  expect(await detectorOn(place).poll()).toBeGreaterThan(hours)
  expect(await alertsIn(place, start, hourMs)).toEqual([])
})

test('an hour is closed only when signals have passed it; what comes late changes nothing, but a severe report is told in its hour of arrival', async () => {
  const place = await newPlace()
  const shape = (hour: number): HourShape => ({ score: hour >= 0 ? 253 : 270 })
  await writeHours(place, from, 1, shape)
  await place.behaviour(range(1, 5).map(behaviourOf))
  const { poll } = detectorOn(place)
  await poll()
  // The clock of signals is ten seconds into hour 1: 0 waits for what is up to two minutes late.
  expect(await alertsIn(place, start, hourMs)).toEqual([])
  await place.signals([{ blockAt: hourEnd(1), of: signalsOf(1, shape(1)) }])
  await poll()
  expect(await alertsIn(place, start, hourMs)).toEqual(['0 service_score all: pending'])
  // Hour 0 has closed: ratings that would make it good, and a report.
  const late = signalsOf(0, { score: 300, severe: 1, reports: 1 }).map((signal) => ({ ...signal, clock_at: hourEnd(2) - 60_000 }))
  await place.signals([
    { blockAt: hourEnd(2), of: [...late, ...signalsOf(2, shape(2))] },
    { blockAt: hourEnd(3), of: signalsOf(3, shape(3)) },
    { blockAt: hourEnd(4), of: [] },
  ])
  await detectorOn(place).poll()
  const alerts = await alertsIn(place, start, hourMs)
  expect(alerts.filter((line) => !line.includes('complaint'))).toEqual([
    '0 service_score all: pending',
    '1 service_score all: firing',
    '2 severe_violations all: firing',
    '3 severe_violations all: recovering',
  ])
})

test('without a database of signals that is said once and the others are watched; once it is there, its KPIs are', async () => {
  const place = await newPlace(false)
  const said: string[] = []
  const log = { ...silent, info: (_: object, message: string) => said.push(message), warn: () => {}, error: () => {} } as unknown as Logger
  const { poll } = detectorOn(place, log)
  await place.behaviour(range(-20, 2).map(behaviourOf))
  expect(await poll()).toBeGreaterThan(15)
  await poll()
  await place.behaviour([behaviourOf(2)])
  await poll()
  expect(said).toEqual(['there are no customer signals: KPIs that are made of them are not watched'])
  await place.behaviour([behaviourOf(3)])
  await place.signals(range(0, 4).map((hour) => ({ blockAt: hourEnd(hour), of: signalsOf(hour, { severe: hour === 2 ? 1 : 0 }) })))
  await poll()
  expect(said[1]).toBe('there are customer signals now: their KPIs are watched')
  expect((await alertsIn(place, start, hourMs)).filter((line) => !line.includes('no_data'))).toEqual(['2 severe_violations all: firing'])
})

test('a channel whose users cost more fires by the day, where everything together does not', async () => {
  const days = 30
  const first = now - days * dayMs
  const place = await newPlace()
  const each = Array.from({ length: days + 1 }, (_, day) => first + day * dayMs)
  const cells = (at: number): MadeCell[] =>
    [['all', '', 5_000] as const, ['channel', 'ad', 500] as const, ['channel', 'kol', 4_500] as const].map(([dimension, value, registers]) => ({
      dimension, value, grain: 'day', bucketAt: at, sums: { registers, amount_minor: registers * 800, events: registers },
    })) // prettier-ignore
  await place.behaviour(each.map((at) => ({ partition: 0, blockAt: at + dayMs - 1, cells: cells(at) })))
  const blocks = each.map((at) => {
    const isLast = at === first + (days - 1) * dayMs
    const cost = (channel: string, amount: number): Signal => ({ kind: 'cost', event_at: at + hourMs, user_id: null, channel, amount_minor: amount, currency: 'CNY' }) // prettier-ignore
    return { blockAt: at + dayMs - 1, of: [cost('ad', isLast ? 75_000 : 50_000), cost('kol', 450_000)] }
  })
  await place.signals(blocks)
  await detectorOn(place).poll()
  expect((await alertsIn(place, first, dayMs)).filter((line) => !line.includes('events'))).toEqual([
    `${days - 1} acquisition_cost channel:ad firing`,
    `${days - 1} return_on_investment channel:ad firing`,
  ])
})
