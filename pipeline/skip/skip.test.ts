// What `skip` promises: behind a hole a partition goes on with tables and state that say the same, however often it is begun.
import { describe, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { changelogOf } from '../config/names.ts'
import { kpiSums, multiset } from '../integration/multiset.ts'
import { dieBeyondCheckpoint, prepareStore, processAll } from '../integration/process-harness.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { readChangelog } from '../roles/process/checkpoint.ts'
import { moveClock } from '../ticks.ts'
import { copiedRecords, withoutOffset, type Copied } from '../testing/copied-records.ts'
import { Died, dyingAfter } from '../testing/dying.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { truncateKafka } from '../testing/truncate-kafka.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { verify } from '../verify/verify.ts'
import { findGap, skip, type Gap, type SkipPlace } from './skip.ts'

const startMs = Date.UTC(2026, 9, 28)
const retentionMs = 1_000
const limits = { block: { events: 100, bytes: 1e9 } }
const options = { settings: defaultSettings, newId: () => crypto.randomUUID(), now: () => startMs }

/** Of the embedded log's retention: everything is young until a test lets time pass. */
let nowMs = 0
const { engine, log: embedded } = await embeddedParts('skip', { log: { now: () => nowMs, maintainEveryMs: 0 } })

let cases = 0
async function newPlace(log: Log = embedded): Promise<SkipPlace> {
  const topic = `skip-${Date.now()}-${cases}`
  const store = engine.store(`skip_${cases++}`)
  // Merges go on: what a merge took away must come back.
  await prepareStore(store)
  await store.command('SYSTEM START MERGES user_features')
  await log.createTopic({ topic, partitions: 1, timestamps: 'create', ...(log === embedded ? { retentionMs } : {}) })
  return { log, store, topic, group: 'reelpulse', changelog: changelogOf(topic) }
}

const write = ({ log, topic }: SkipPlace, events = 300) =>
  writeTraffic(log, topic, { seed: 5, eventsPerSecond: 0.02, users: 40, faults: 0.1, partitions: 1, events, fromMs: startMs })
const processed = (place: SkipPlace) => processAll({ topic: place.topic, members: [place], limits })
const rangeOf = async ({ log, topic }: SkipPlace) => (await log.describeTopic(topic))!.partitions[0]!
const headOf = async ({ log, topic, group, changelog }: SkipPlace) => {
  const owner = await log.claim({ group, topic, partition: 0, changelogTopic: changelog })
  const head = await readChangelog(owner.restore())
  await owner.close()
  return head
}

async function truncateTo(place: SkipPlace, begin: number): Promise<void> {
  const before = (await copiedRecords(place.log, place.topic, 0)).filter(({ offset }) => offset < begin)
  nowMs = Math.max(...before.map(({ timestampMs }) => timestampMs!)) + retentionMs + 1
  await embedded.maintain()
  nowMs = 0
  expect((await rangeOf(place)).begin).toBe(begin)
}

/** A clean checkpoint; blocks beyond it by an owner that died without another; and the log's beginning gone, up to the middle of those. */
async function holed(place: SkipPlace, truncate = truncateTo): Promise<Copied[]> {
  await write(place)
  await processed(place)
  await write(place)
  const middle = (await rangeOf(place)).end
  await write(place)
  await dieBeyondCheckpoint({ topic: place.topic, members: [place], limits })
  const all = await copiedRecords(place.log, place.topic, 0)
  await truncate(place, middle)
  return all
}

async function skipAll(place: SkipPlace): Promise<void> {
  const gap = await findGap(place, 0)
  if (gap !== undefined) await skip(place, gap, options)
}

async function expectVerified(store: Store): Promise<void> {
  const report = await verify(store, defaultSettings, { everything: true, users: undefined, rows: 1 })
  expect(report.rowsCompared).toBeGreaterThan(10)
  expect(report).toMatchObject({ rowsDiffer: 0, findings: [], openRows: 0 })
}

type Rows = Record<string, string[]>
async function rowsOf(store: Store): Promise<Rows> {
  const rows: Rows = { kpi_deltas: await kpiSums(store) }
  for (const table of ['events', 'tier_changes', 'rejected_events']) rows[table] = await multiset(store, table)
  for (const [table, found] of Object.entries(rows)) expect(found.length, table).toBeGreaterThan(0)
  return rows
}

/** What a log gives that never had the records that are lost. */
async function rowsWithout(all: readonly Copied[], { from, to }: Pick<Gap, 'from' | 'to'>): Promise<Rows> {
  const twin = await newPlace()
  await twin.log.append(twin.topic, all.filter(({ offset }) => offset < from || offset >= to).map(withoutOffset)) // prettier-ignore
  await processed(twin)
  return rowsOf(twin.store)
}

/** Events, changes, rejects and counts are those of a log that never had the records that are lost. */
async function expectAsWithout(place: SkipPlace, all: readonly Copied[], gap: Pick<Gap, 'from' | 'to'>): Promise<void> {
  expect(await rowsOf(place.store)).toEqual(await rowsWithout(all, gap))
}

describe('a partition whose log lost records after the last checkpoint', () => {
  test('stops with a message that names the command; looking changes nothing', async () => {
    const place = await newPlace()
    expect(await findGap(place, 0)).toBeUndefined()
    const all = await holed(place)
    await expect(processed(place)).rejects.toThrow(new RegExp(`is outside the log.*reelpulse skip --topic ${place.topic}`))
    const before = await headOf(place)
    const gap = (await findGap(place, 0))!
    const { begin } = await rangeOf(place)
    expect(gap).toMatchObject({ partition: 0, from: before.checkpoint!.nextOffset, to: begin })
    expect(all.filter(({ offset }) => offset >= gap.from && offset < gap.to).length).toBeGreaterThan(20)
    expect(gap.orphans['events']).toBeGreaterThan(100)
    expect(await headOf(place)).toEqual(before)
  }, 120_000)

  test('goes on as a log that never had them, and its rows are exact again', async () => {
    const place = await newPlace()
    const all = await holed(place)
    const before = await headOf(place)
    const gap = (await findGap(place, 0))!
    await place.store.command('OPTIMIZE TABLE user_features FINAL') // the orphans have taken the place of older rows
    await skip(place, gap, options)
    expect(await findGap(place, 0)).toBeUndefined()
    const after = await headOf(place)
    const holes = [{ from: gap.from, to: gap.to, at: startMs }]
    expect(after.checkpoint).toEqual({ ...before.checkpoint, nextOffset: gap.to, clean: true, holes })
    expect(after.logId).not.toBe(before.logId)
    await processed(place)
    await write(place)
    await processed(place)
    // Later checkpoints keep what was given up.
    expect((await headOf(place)).checkpoint!.holes).toEqual(holes)
    await expectVerified(place.store)
    await expectAsWithout(place, [...all, ...(await copiedRecords(place.log, place.topic, 0)).filter(({ offset }) => offset > all.at(-1)!.offset)], gap) // prettier-ignore
  }, 180_000)

  test('users whose newest rows went with the hole have rows again at the end of the interval', async () => {
    const place = await newPlace()
    await holed(place)
    await place.store.command('OPTIMIZE TABLE user_features FINAL')
    const gap = (await findGap(place, 0, (await rangeOf(place)).end))!
    await skip(place, gap, options)
    await moveClock(place.log, place.topic, (await headOf(place)).checkpoint!.clock + defaultSettings.emitMs)
    await processed(place)
    await expectVerified(place.store)
  }, 120_000)

  test('killed after any of its writes and begun again, it comes to the same', async () => {
    // The records are the same in every round, and so are the rows of a log without the hole.
    let wanted: Rows | undefined
    for (let n = 1; ; n++) {
      const place = await newPlace()
      const all = await holed(place)
      await place.store.command('OPTIMIZE TABLE user_features FINAL')
      const gap = (await findGap(place, 0))!
      const dying = dyingAfter(n, place)
      const died = await skipAll({ ...place, ...dying }).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Died) return true
          throw error
        },
      )
      await skipAll(place)
      await processed(place)
      wanted ??= await rowsWithout(all, gap)
      expect(await rowsOf(place.store), `killed after write ${n}`).toEqual(wanted)
      if (!died) {
        expect(n).toBeGreaterThan(5)
        await expectVerified(place.store)
        break
      }
    }
  }, 1_200_000)
})

describe('what cannot be skipped', () => {
  test('a topic that was made anew: its offsets would be taken for those processed before', async () => {
    const place = await newPlace()
    await write(place)
    await processed(place)
    const again = { ...(await newPlace()), changelog: place.changelog, store: place.store }
    await write(again, 20)
    await expect(findGap(again, 0)).rejects.toThrow(/deleted and made anew.*another --group and an empty database/)
  }, 60_000)

  test('a place outside the log, or before the checkpoint', async () => {
    const place = await newPlace()
    await expect(findGap(place, 0, 5)).rejects.toThrow(/nothing of it was processed yet/)
    await write(place)
    await processed(place)
    const { end } = await rangeOf(place)
    await expect(findGap(place, 0, end + 1)).rejects.toThrow(/outside the log, which has \[0, /)
    await expect(findGap(place, 0, 3)).rejects.toThrow(/before the last checkpoint/)
    await expect(findGap(place, 1)).rejects.toThrow(/has no partition 1/)
  }, 60_000)

  test('a record that is there may be passed over, where it is asked for by its offset', async () => {
    const place = await newPlace()
    await write(place)
    await processed(place)
    await write(place)
    const { nextOffset } = (await headOf(place)).checkpoint!
    const all = await copiedRecords(place.log, place.topic, 0)
    const gap = (await findGap(place, 0, nextOffset + 10))!
    await skip(place, gap, options)
    await processed(place)
    await expectVerified(place.store)
    await expectAsWithout(place, all, { from: nextOffset, to: nextOffset + 10 })
  }, 60_000)
})

test('rows of an owner that died before the first checkpoint stop the partition, where the log has lost their beginning', async () => {
  const place = await newPlace()
  await write(place)
  const middle = (await rangeOf(place)).end
  await write(place)
  await dieBeyondCheckpoint({ topic: place.topic, members: [place], limits })
  const all = await copiedRecords(place.log, place.topic, 0)
  await truncateTo(place, middle)
  await expect(processed(place)).rejects.toThrow(/inserted before the first checkpoint.*reelpulse skip/)
  await skipAll(place)
  await processed(place)
  await expectVerified(place.store)
  await expectAsWithout(place, all, { from: 0, to: middle })
}, 120_000)

const missing = await missingKafka()
describe.skipIf(missing)(`on Kafka${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('records that were deleted from the topic are passed over, and the rows are exact', async () => {
    const brokers = [await sharedKafka()]
    const log = kafkaLog({ brokers, sessionTimeoutMs: 6_000 })
    try {
      const place = await newPlace(log)
      const all = await holed(place, (at, begin) => truncateKafka(brokers, at.topic, 0, begin))
      await expect(processed(place)).rejects.toThrow(/reelpulse skip/)
      const gap = (await findGap(place, 0))!
      await skip(place, gap, options)
      await processed(place)
      await expectVerified(place.store)
      await expectAsWithout(place, all, gap)
    } finally {
      await log.close()
    }
  }, 180_000)
})
