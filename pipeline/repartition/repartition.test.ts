// What `repartition` promises: rows as those of a log that had its partitions from the first, however often it is killed and begun again.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { partitionOf } from '../../operators/hash.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { embeddedLog, type EmbeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { kpiSums, multiset, placedElsewhere } from '../integration/multiset.ts'
import { dieBeyondCheckpoint, prepareStore, processAll } from '../integration/process-harness.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { knownFlushes, namesOf } from '../start/roles.ts'
import { copiedRecords, withoutOffset, type Copied } from '../testing/copied-records.ts'
import { Died, dyingAfter } from '../testing/dying.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { moveClock } from '../ticks.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { verify } from '../verify/verify.ts'
import type { Place } from './one-clock.ts'
import { repartition } from './repartition.ts'

const dir = mkdtempSync(join(tmpdir(), 'reelpulse-repartition-'))
/** The month's evaluation comes between the two halves of what is written. */
const startMs = Date.UTC(2026, 9, 31, 8)
const hourMs = 3_600_000

let engine: EmbeddedEngine
let embedded: EmbeddedLog
beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir: join(dir, 'data') })
  embedded = await embeddedLog(join(dir, 'log'))
})
afterAll(async () => {
  await embedded.close()
  await engine.close()
  rmSync(dir, { recursive: true, force: true })
})

let cases = 0
async function newPlace(partitions: number, log: Log = embedded): Promise<Place> {
  const topic = `repartition-${Date.now()}-${cases}`
  const store = engine.store(`repartition_${cases++}`)
  await prepareStore(store)
  await log.createTopic({ topic, partitions, timestamps: 'create' })
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
  expect(report.rowsCompared).toBeGreaterThan(50)
  expect([report.featureRows.examples.slice(0, 3), report.tierChangeRows.examples.slice(0, 3)]).toEqual([[], []])
  expect(report).toMatchObject({ rowsDiffer: 0, findings: [], openRows: 0 })
}

/** Rows are those of a log with as many partitions from its beginning, processed without a stop. */
async function expectAsFromTheFirst(place: Place): Promise<void> {
  const partitions = await countOf(place, place.topic)
  const twin = await newPlace(partitions)
  const records = (await allRecords(place)).toSorted((a, b) => a.timestampMs! - b.timestampMs!)
  const flushes = records.filter(({ key }) => key !== null)
  await twin.log.append(twin.topic, flushes.map(withoutOffset)) // by their keys
  await moveClock(twin.log, twin.topic, clockOf(records))
  await processed(twin)
  for (const table of ['events', 'user_features', 'tier_changes']) {
    const rows = await multiset(twin.store, table, placedElsewhere)
    expect(rows.length, table).toBeGreaterThan(5)
    expect(await multiset(place.store, table, placedElsewhere), table).toEqual(rows)
  }
  expect(await kpiSums(place.store)).toEqual(await kpiSums(twin.store))
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
    await expectAsFromTheFirst(place)
  }, 240_000)
})
