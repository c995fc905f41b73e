// What a partition goes through besides traffic: quiet hours, upgrades, a producer whose partitioner is not Kafka's.
import { describe, expect, test } from 'vitest'
import { defaultSettings, operatorVersion } from '../../operators/settings.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { changelogOf } from '../config/names.ts'
import type { Store } from '../ports/store.ts'
import { encode, event, everything, flush, learned, userOf, utf8, world } from '../replay/hand-made.ts'
import { checkpointRecord, readChangelog } from '../roles/process/checkpoint.ts'
import { startProcess } from '../roles/process/process.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { dieBeyondCheckpoint, prepareStore, processAll } from './process-harness.ts'

const { engine, log } = await embeddedParts('lives')

test('a quiet partition gets time from ticks: its users get their rows and its blocks their clocks, while only another has traffic', async () => {
  const topic = 'quiet'
  const store = engine.store('quiet')
  await prepareStore(store)
  await log.createTopic({ topic, partitions: 2, timestamps: 'append' })
  const quiet = userOf(1)
  const sent = (user: string) =>
    log.append(topic, [{ key: utf8(user), value: encode(flush(user, [event({ occurred_at: Date.now() })], { sent_at: Date.now() })) }])
  await sent(quiet)
  const blocks = new Map<number, number>()
  let changed = () => {}
  const role = await startProcess({
    clock: systemClock, log, store, topic, names: namesOf(topic, 'reelpulse'), settings: { ...defaultSettings, emitMs: 1_000 },
    blockSpanMs: 300, checkpointMs: 1_000, resolve: knownFlushes(), tell: () => {},
    onProgress(progress) {
      blocks.set(progress.partition, progress.blocks)
      changed()
    },
  }) // prettier-ignore
  while ((blocks.get(1) ?? 0) < 8) {
    await sent(userOf(0))
    await new Promise<void>((resolve) => (changed = resolve))
  }
  await role.stop()
  const [rows] = await store.query<{ rows: number; as_of_ms: number }>(
    'SELECT count() AS rows, toUnixTimestamp64Milli(max(as_of)) AS as_of_ms FROM user_features WHERE user_id = {quiet:String}',
    { quiet },
  )
  const clocks = await store.query<{ at_ms: number; next_offset: number }>(
    "SELECT toUnixTimestamp64Milli(bucket_at) AS at_ms, next_offset FROM kpi_deltas WHERE dimension = 'clock' AND partition = 1 ORDER BY next_offset",
  )
  expect(rows!.rows).toBe(1)
  expect(clocks.length).toBeGreaterThanOrEqual(8)
  expect(clocks.at(-1)!.at_ms).toBeGreaterThan(rows!.as_of_ms)
  expect(clocks.map(({ at_ms: at }) => at)).toEqual(clocks.map(({ at_ms: at }) => at).toSorted((a, b) => a - b))
}, 60_000)

test('a partition that never had a record has a clock all the same, so that it holds no KPI bucket open', async () => {
  const topic = 'empty'
  const store = engine.store('empty')
  await prepareStore(store)
  await log.createTopic({ topic, partitions: 1, timestamps: 'append' })
  let ended = () => {}
  const role = await startProcess({
    clock: systemClock, log, store, topic, names: namesOf(topic, 'reelpulse'), settings: defaultSettings,
    blockSpanMs: 100, checkpointMs: 1_000, resolve: knownFlushes(), tell: () => {},
    onProgress: ({ blocks }) => blocks >= 3 && ended(),
  }) // prettier-ignore
  await new Promise<void>((resolve) => (ended = resolve))
  await role.stop()
  const [clocks] = await store.query<{ rows: number; at_ms: number }>(
    "SELECT count() AS rows, toUnixTimestamp64Milli(max(bucket_at)) AS at_ms FROM kpi_deltas WHERE dimension = 'clock'",
  )
  expect(clocks!.rows).toBeGreaterThanOrEqual(3)
  expect(Math.abs(Date.now() - clocks!.at_ms)).toBeLessThan(60_000)
}, 60_000)

describe('an upgrade', () => {
  const unclean = 'an upgrade after an unclean stop'
  let cases = 0

  async function processed(topic: string, store: Store): Promise<{ message: string; facts: Readonly<Record<string, unknown>> }[]> {
    const told: { message: string; facts: Readonly<Record<string, unknown>> }[] = []
    await processAll({ topic, members: [{ log, store }], onTold: (message, facts) => told.push({ message, facts }) })
    return told.filter(({ message }) => message.startsWith(unclean))
  }

  /** A partition that a program of another version left, by its last checkpoint. */
  async function leftBy(version: number, clean: boolean): Promise<{ topic: string; store: Store }> {
    const topic = `upgrade-${cases++}`
    const store = engine.store(topic.replace('-', '_'))
    await prepareStore(store)
    await write(topic)
    expect(await processed(topic, store)).toEqual([])
    const owner = await log.claim({ group: 'reelpulse', topic, partition: 0, changelogTopic: changelogOf(topic) })
    const { checkpoint } = await readChangelog(owner.restore())
    await owner.commit({ changelog: [checkpointRecord({ ...checkpoint!, operatorVersion: version, clean })], outbox: [] })
    await owner.close()
    return { topic, store }
  }

  const write = (topic: string) =>
    writeTraffic(log, topic, { seed: 2, eventsPerSecond: 0.05, users: 50, partitions: 1, events: 200, fromMs: Date.UTC(2026, 10, 10) })

  test('after a clean stop goes on without a word, and says so in what it writes', async () => {
    const { topic, store } = await leftBy(operatorVersion + 1, true)
    await write(topic)
    expect(await processed(topic, store)).toEqual([])
    const owner = await log.claim({ group: 'reelpulse', topic, partition: 0, changelogTopic: changelogOf(topic) })
    expect((await readChangelog(owner.restore())).checkpoint).toMatchObject({ operatorVersion, clean: true })
    await owner.close()
  }, 60_000)

  test('after an unclean stop goes on, and says that rows may be of two versions', async () => {
    const { topic, store } = await leftBy(operatorVersion + 1, false)
    await write(topic)
    const told = await processed(topic, store)
    expect(told.map(({ facts }) => facts)).toEqual([{ partition: 0, was: operatorVersion + 1, is: operatorVersion }])
  }, 60_000)

  test('after a clean stop that an owner followed who inserted more and was killed says so too', async () => {
    const { topic, store } = await leftBy(operatorVersion + 1, true)
    await write(topic)
    await dieBeyondCheckpoint({ topic, members: [{ log, store }] })
    expect(await processed(topic, store)).toHaveLength(1)
  }, 60_000)
})

test("flushes of a producer whose partitioner is not Kafka's are rejected as wrong_partition, and count once after a replay", async () => {
  const store = engine.store('partitioner')
  const at = world(log, store, 'partitioner')
  await at.begin()
  const right = flush(userOf(0), [event()])
  const wrong = [flush(userOf(0), [event(), event()]), flush(userOf(1), [event()])]
  await at.send(right)
  await at.append(wrong.map((batch, i) => ({ key: utf8(batch.user_id), value: encode(batch), partition: 1 - i }))) // each in the other's
  await at.process()
  const count = async (sql: string) => (await store.query<{ n: number }>(sql))[0]!.n
  expect(await count('SELECT count() AS n FROM events')).toBe(1)
  expect(await count("SELECT count() AS n FROM rejected_events WHERE reason = 'wrong_partition'")).toBe(2)
  const source = { ...everything, filter: { ...everything.filter, reasons: new Set(['wrong_partition'] as const) } }
  expect(await at.replay({ source, resolve: learned })).toMatchObject({ records: 2, eventsAppended: 3, stillRejected: {} })
  await at.process()
  expect(await at.replay({ source })).toMatchObject({ eventsAppended: 0, eventsAlreadyThere: 3 })
  expect(await count('SELECT count() AS n FROM events')).toBe(4)
  expect(await count('SELECT uniqExact(event_id) AS n FROM events')).toBe(4)
}, 60_000)
