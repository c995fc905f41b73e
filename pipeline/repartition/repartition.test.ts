// What `repartition` promises: rows as those of a log that had its partitions from the first, however often it is killed and begun again.
import { describe, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { kpiSums, multiset, placedElsewhere } from '../integration/multiset.ts'
import { dieBeyondCheckpoint, prepareStore, processAll } from '../integration/process-harness.ts'
import type { Log, TimestampType } from '../ports/log.ts'
import { kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../ports/store.ts'
import { lastCheckpoint } from '../doctor/read-checkpoint.ts'
import { startProcess } from '../roles/process/process.ts'
import { replay } from '../replay/replay.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'
import { copiedRecords, withoutOffset, type Copied } from '../testing/copied-records.ts'
import { Died, dyingAfter } from '../testing/dying.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { moveClock } from '../ticks.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { verify } from '../verify/verify.ts'
import { RepartitionRefused, type Place } from './one-clock.ts'
import { repartition } from './repartition.ts'

const { engine, log: embedded } = await embeddedParts('repartition')
/** The month's evaluation comes between the two halves of what is written. */
const startMs = Date.UTC(2026, 9, 31, 8)
const hourMs = 3_600_000

let cases = 0
async function newPlace(partitions: number, log: Log = embedded, timestamps: TimestampType = 'create'): Promise<Place> {
  const topic = `repartition-${Date.now()}-${cases}`
  const store = engine.store(`repartition_${cases++}`)
  await prepareStore(store)
  await log.createTopic({ topic, partitions, timestamps })
  return {
    log, store, topic, names: namesOf(topic, 'reelpulse'), settings: defaultSettings, resolve: knownFlushes(), clock: systemClock,
    signal: new AbortController().signal, tell: () => {}, limits: { block: { events: 200, bytes: 1e9 } },
  } // prettier-ignore
}

const write = async ({ log, topic }: Place, events: number, seed = 5) => {
  const { partitions } = (await log.describeTopic(topic))!
  const common = { eventsPerSecond: 0.03, users: 60, faults: 0.02, fromMs: startMs }
  await writeTraffic(log, topic, { ...common, seed, events, partitions: partitions.length })
}
const processed = (place: Place) => processAll({ topic: place.topic, members: [place], limits: place.limits! })
const countOf = async ({ log }: Place, topic: string) => (await log.describeTopic(topic))!.partitions.length
const clockOf = (records: readonly Copied[]) => Math.max(...records.map(({ timestampMs }) => timestampMs!))

async function allRecords({ log, topic }: Place): Promise<Copied[]> {
  const all = []
  for (let partition = 0; partition < (await countOf({ log } as Place, topic)); partition++)
    all.push(...(await copiedRecords(log, topic, partition)))
  return all
}

async function expectVerified(store: Store): Promise<void> {
  const report = await verify(store, defaultSettings, { everything: true, users: undefined, rows: 1 })
  expect(report.rowsCompared).toBeGreaterThan(20)
  expect(report).toMatchObject({ rowsDiffer: 0, findings: [], openRows: 0 })
}

type Rows = Record<string, string[]>
async function rowsOf(store: Store): Promise<Rows> {
  // The twin does not get what has no key, so it rejects less.
  const rows: Rows = {
    kpi_deltas: await kpiSums(
      store,
      kpiMeasures.filter((measure) => measure !== 'rejected'),
    ),
  }
  for (const table of ['events', 'user_features', 'tier_changes']) rows[table] = await multiset(store, table, '', placedElsewhere)
  for (const [table, found] of Object.entries(rows)) expect(found.length, table).toBeGreaterThan(3)
  return rows
}

const rowsFromTheFirst = async (place: Place): Promise<Rows> => rowsOf(await twinOf(place))

/** The tables of a log with as many partitions from its beginning, processed without a stop. */
async function twinOf(place: Place): Promise<Store> {
  const partitions = await countOf(place, place.topic)
  const twin = await newPlace(partitions)
  const records = (await allRecords(place)).toSorted((a, b) => a.timestampMs! - b.timestampMs!)
  const flushes = records.filter(({ key }) => key !== null)
  await twin.log.append(twin.topic, flushes.map(withoutOffset)) // by their keys
  await moveClock(twin.log, twin.topic, clockOf(records))
  await processed(twin)
  return twin.store
}

/** The last hour's flushes once more, as SDKs do that got no answer. */
async function sendAgain({ log, topic }: Place, records: readonly Copied[]): Promise<number> {
  const now = clockOf(records)
  const again = records.filter(({ key, timestampMs }) => key !== null && timestampMs! > now - hourMs)
  await log.append(topic, again.map((record) => ({ ...withoutOffset(record), timestampMs: now }))) // prettier-ignore
  return again.length
}

describe('a topic that gets more partitions', () => {
  test('stops its owners with a message that names the command, and after it goes on as if it had had them from the first', async () => {
    const place = await newPlace(2)
    await write(place, 1_500)
    await processed(place)
    await write(place, 300)
    await dieBeyondCheckpoint({ topic: place.topic, members: [place], limits: place.limits! })
    await place.log.addPartitions(place.topic, 5)
    await expect(processed(place)).rejects.toThrow(
      new RegExp(`topic ${place.topic} had 2 partitions .* and has 5 now.*reelpulse repartition --topic ${place.topic}`),
    )
    const before = await allRecords(place)
    const done = await repartition(place)
    expect(done).toMatchObject({ from: 2, to: 5, wrongPartition: 0 })
    expect(done.users).toBeGreaterThan(10)
    expect(await repartition(place)).toMatchObject({ from: 5, to: 5, users: 0 })
    expect(await sendAgain(place, before)).toBeGreaterThan(0)
    await write(place, 1_500, 6)
    const progress = await processed(place)
    expect(progress.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBeGreaterThan(0)
    await expectVerified(place.store)
    expect(await rowsOf(place.store)).toEqual(await rowsFromTheFirst(place))
  }, 240_000)
  test('killed after any of its writes and begun again, it comes to the same; until then no process starts', async () => {
    // Two halves of one history, the same in every round, with an hour between them.
    const history = await newPlace(1)
    await write(history, 120)
    const first = await allRecords(history)
    await moveClock(embedded, history.topic, clockOf(first) + hourMs)
    await write(history, 120, 6)
    const second = (await allRecords(history)).slice(first.length + 1)
    const endMs = clockOf(second)
    const append = async ({ topic }: Place, records: readonly Copied[]) =>
      embedded.append(topic, records.filter(({ key }) => key !== null).map(withoutOffset)) // prettier-ignore
    let wanted: Rows | undefined
    for (let n = 1; ; n++) {
      const place = await newPlace(2)
      await append(place, first)
      await moveClock(embedded, place.topic, clockOf(first))
      await processed(place)
      await place.log.addPartitions(place.topic, 3)
      const dying = dyingAfter(n, place)
      const died = await repartition({ ...place, ...dying }).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Died) return true
          throw error
        },
      )
      const isThrough = (await countOf(place, place.names.outbox.tierChanges)) === 3
      if (!isThrough) await expect(processed(place)).rejects.toThrow(/reelpulse repartition/)
      await repartition(place)
      await append(place, second)
      await append(
        place,
        first.slice(-40).map((record) => ({ ...record, timestampMs: endMs })),
      ) // duplicates
      await moveClock(embedded, place.topic, endMs)
      await processed(place)
      wanted ??= await rowsFromTheFirst(place)
      expect(await rowsOf(place.store), `killed after write ${n}`).toEqual(wanted)
      if (!died) {
        expect(n).toBeGreaterThan(15)
        break
      }
    }
  }, 1_800_000)

  test('one that is interrupted, and whose topic grows again meanwhile, is finished first', async () => {
    const place = await newPlace(2)
    await write(place, 600)
    await processed(place)
    await place.log.addPartitions(place.topic, 3)
    // The first partition that has its new checkpoint makes it one that must be finished.
    for (let n = 1; ; n++) {
      await repartition({ ...place, ...dyingAfter(n, place) }).catch((error: unknown) => {
        if (!(error instanceof Died)) throw error
      })
      if ((await lastCheckpoint(place.log, place.names.changelog, 2)) !== undefined) break
    }
    expect((await lastCheckpoint(place.log, place.names.changelog, 0))!.partitionCount).toBe(2)
    await place.log.addPartitions(place.topic, 7)
    expect(await repartition(place)).toMatchObject({ from: 2, to: 7 })
    await write(place, 600, 6)
    await processed(place)
    await expectVerified(place.store)
    expect(await rowsOf(place.store)).toEqual(await rowsFromTheFirst(place))
  }, 240_000)

  test('flushes that came under the new count before it are rejected as wrong_partition, and counted; their bytes are kept', async () => {
    const place = await newPlace(2)
    await write(place, 300)
    await processed(place)
    await place.log.addPartitions(place.topic, 3)
    await write(place, 300, 6)
    const done = await repartition(place)
    expect(done.wrongPartition).toBeGreaterThan(5)
    await processed(place)
    await expectVerified(place.store)
    const rejected = []
    for (let partition = 0; partition < 3; partition++)
      rejected.push(...(await copiedRecords(place.log, place.names.outbox.rejected, partition)))
    const reasons = rejected.map(({ headers }) => new TextDecoder().decode(headers!['reason']))
    expect(reasons.filter((reason) => reason === 'wrong_partition')).toHaveLength(done.wrongPartition)

    const { log, store, topic, names, settings, resolve, clock, signal } = place
    const { figures } = await replay({
      log, store, topic, settings, resolve, clock, signal, dryRun: false, waitMs: undefined,
      names: { changelog: names.changelog, rejected: names.outbox.rejected },
      source: { kind: 'rejected', filter: { reasons: new Set(['wrong_partition']), sinceMs: -Infinity, untilMs: Infinity } },
    }) // prettier-ignore
    expect(figures).toMatchObject({ records: done.wrongPartition, stillRejected: {}, notReplayable: {} })
    await processed(place)
    await expectVerified(place.store)
    const ids = 'SELECT DISTINCT toString(event_id) AS event_id FROM events ORDER BY event_id'
    const twin = await twinOf(place)
    expect(await place.store.query(ids)).toEqual(await twin.query(ids))
  }, 120_000)

  test('under LogAppendTime too every partition comes to one clock, and the rows are exact', async () => {
    const place = await newPlace(2, embedded, 'append')
    const history = await newPlace(1)
    await write(history, 600)
    const flushes = (await allRecords(history)).filter(({ key }) => key !== null).map(withoutOffset)
    const half = Math.floor(flushes.length / 2)
    await place.log.append(place.topic, flushes.slice(0, half))
    await processed(place)
    await place.log.addPartitions(place.topic, 5)
    await repartition(place)
    const clocks = []
    for (let partition = 0; partition < 5; partition++)
      clocks.push((await lastCheckpoint(place.log, place.names.changelog, partition))!.clock)
    expect(new Set(clocks).size).toBe(1)
    await place.log.append(place.topic, flushes.slice(half - 20)) // some again: duplicates
    await moveClock(place.log, place.topic, Date.now() + 60_000)
    const progress = await processed(place)
    expect(progress.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBeGreaterThan(10)
    await expectVerified(place.store)
  }, 120_000)

  test('an owner that runs when it happens stops, and says why', async () => {
    const place = await newPlace(2)
    await write(place, 100)
    const role = await startProcess({
      ...place,
      tell: () => {},
      // Long waits are short: it is only a matter of when it looks.
      clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 50), signal) },
      blockSpanMs: 300,
      checkpointMs: 300,
    })
    await place.log.addPartitions(place.topic, 3)
    await role.drained()
    expect(role.status()).toHaveLength(2)
    for (const { state, error } of role.status()) {
      expect(state).toBe('stopped')
      expect(error).toMatch(/had 2 partitions .* has 3 now.*reelpulse repartition/)
    }
    await role.stop()
  }, 60_000)
})

describe('what is refused', () => {
  test('a topic with fewer partitions than before is another one', async () => {
    const place = await newPlace(3)
    await write(place, 100)
    await processed(place)
    const smaller = { ...(await newPlace(2)), names: place.names, store: place.store }
    await expect(repartition(smaller)).rejects.toThrow(/had 3 partitions .* has 2 now.*cannot lose partitions.*process it anew/)
    await expect(repartition({ ...place, topic: `${place.topic}-unknown` })).rejects.toThrow(RepartitionRefused)
  }, 60_000)

  test('a topic that nobody has processed has nothing to move', async () => {
    const place = await newPlace(2)
    await write(place, 100)
    await place.log.addPartitions(place.topic, 3)
    expect(await repartition(place)).toEqual({ from: 3, to: 3, users: 0, wrongPartition: 0 })
  }, 60_000)
})

const missing = await missingKafka()
describe.skipIf(missing)(`on Kafka${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('a topic that was given more partitions goes on as if it had had them from the first', async () => {
    const log = kafkaLog({ brokers: [await sharedKafka()], sessionTimeoutMs: 6_000 })
    try {
      const place = await newPlace(2, log)
      await write(place, 900)
      await processed(place)
      await log.addPartitions(place.topic, 3)
      await expect(processed(place)).rejects.toThrow(/reelpulse repartition/)
      const before = await allRecords(place)
      expect(await repartition(place)).toMatchObject({ from: 2, to: 3, wrongPartition: 0 })
      await sendAgain(place, before)
      await write(place, 900, 6)
      await processed(place)
      await expectVerified(place.store)
      expect(await rowsOf(place.store)).toEqual(await rowsFromTheFirst(place))
    } finally {
      await log.close()
    }
  }, 240_000)
})
