// Customer signals through the whole role on real parts: owners that die beyond their checkpoint leave one copy of every row.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { naiveSignals } from '../../operators/naive/signals.ts'
import { draw } from '../../operators/testing/draw-customers.ts'
import { encodeAs } from '../../operators/testing/encode-flush.ts'
import { uuidOf } from '../../operators/testing/generate.ts'
import { plainSignal } from '../../operators/testing/nasty-signals.ts'
import { customerSignal, signalKinds } from '../../schemas/customer-signal.ts'
import { signalTables } from '../../schemas/tables/catalogue.ts'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { databaseOf, isSignalsTopic, signalsTopicOf } from '../config/names.ts'
import type { Log, OutRecord } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { moveClock } from '../ticks.ts'
import { copiedRecords } from '../testing/copied-records.ts'
import { dieBeyondCheckpoint, processAll } from './process-harness.ts'

const topic = signalsTopicOf('behavior-events')
const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-signals-'))
const startMs = Date.UTC(2026, 4, 31, 15, 59)
const limits = { block: { events: 40, bytes: 1e6 }, part: { rows: 15, bytes: 1e6 } }
let engine: EmbeddedEngine
let store: Store
let log: Log

beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir, fsync: 'nothing' })
  store = engine.store(databaseOf(topic))
  await store.migrate(signalTables, [])
  log = await embeddedLog(join(dataDir, 'log'))
  await log.createTopic({ topic, partitions: 2, timestamps: 'create' })
})
afterAll(async () => {
  await log?.close()
  await engine?.close()
  rmSync(dataDir, { recursive: true })
})

const random = draw(5)
const below = (n: number) => Math.floor(random.unit() * n)
const text = (value: string) => new TextEncoder().encode(value)

const sent: OutRecord[] = []

/** Some twice, some wrong, some broken. */
function records(from: number, count: number): OutRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const at = startMs + (from + i) * 1_000
    if (sent.length > 0 && below(4) === 0) return { ...sent[below(sent.length)]!, timestampMs: at }
    const user = below(5) === 0 ? null : `user${below(12)}`
    const made = plainSignal(signalKinds[below(signalKinds.length)]!, uuidOf(from + i), user, at - below(3_000))
    const signal = { ...made, sent_at: at, ...(below(12) === 0 ? { score: 99 } : {}) }
    const value = encodeAs(customerSignal, signal)
    const record = { key: text(signal.user_id ?? signal.channel!), value: below(20) === 0 ? value.slice(0, 30) : value, timestampMs: at }
    sent.push(record)
    return record
  })
}

async function expectOneCopy(): Promise<void> {
  for (const partition of [0, 1]) {
    const twin = naiveSignals(
      (await copiedRecords(log, topic, partition)).map(({ offset, key, value, headers, timestampMs }) => ({
        offset, key, value, headers, timestampMs: timestampMs!,
      })), // prettier-ignore
      { partition, partitionCount: 2, currency: 'CNY' },
    )
    expect(twin.accepted.length).toBeGreaterThan(15)
    expect(twin.duplicates).toBeGreaterThan(5)
    const stored = await store.query(
      `SELECT offset, toString(signal_id) AS id, toUnixTimestamp64Milli(event_at) AS at, kind, user_id, channel, score, amount_minor
       FROM customer_signals WHERE partition = {partition:UInt16} ORDER BY offset`,
      { partition },
    )
    const uuid = (bytes: Uint8Array) =>
      Buffer.from(bytes).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') // prettier-ignore
    expect(stored).toEqual(
      twin.accepted.map(({ offset, signal_id, event_at, kind, user_id, channel, score, amount_minor }) => ({
        offset, id: uuid(signal_id), at: event_at, kind, user_id, channel, score, amount_minor,
      })), // prettier-ignore
    )
    const rejected = await store.query(
      'SELECT offset, ordinal, reason FROM rejected_events WHERE partition = {partition:UInt16} ORDER BY offset',
      { partition },
    )
    expect(rejected).toEqual(twin.rejected.map(({ offset, ordinal, reason }) => ({ offset, ordinal, reason })))
    const aside = await copiedRecords(log, `${topic}.rejected`, partition)
    expect(aside.map(({ headers }) => Number(Buffer.from(headers!['offset']!).toString()))).toEqual(
      twin.rejected.map(({ offset }) => offset),
    )
  }
}

test('names: what is a topic of signals follows from its name, and its database is its own', () => {
  expect([topic, signalsTopicOf('simulation')]).toEqual(['customer-signals', 'simulation.customer-signals'])
  expect(['customer-signals', 'simulation.customer-signals', 'behavior-events', 'my-customer-signals'].map(isSignalsTopic)).toEqual([
    true,
    true,
    false,
    false,
  ])
  expect(databaseOf(topic)).toBe('reelpulse_customer_signals')
})

test('signals are stored once, whatever owners die after inserting beyond their checkpoint', async () => {
  const members = [{ log, store }]
  for (const round of [0, 1, 2]) {
    await log.append(topic, records(round * 150, 150))
    await moveClock(log, topic, startMs + (round + 1) * 150_000)
    await dieBeyondCheckpoint({ topic, members, limits })
    if (round === 1) await dieBeyondCheckpoint({ topic, members, limits })
    await processAll({ topic, members, limits })
    await expectOneCopy()
    const clocks = await store.query(
      `SELECT partition, toUnixTimestamp64Milli(max(block_at)) AS at, max(partition_count) AS of, count() - uniqExact(first_offset) AS twice
       FROM signal_clocks GROUP BY partition ORDER BY partition`,
    )
    const at = startMs + (round + 1) * 150_000
    expect(clocks).toEqual([0, 1].map((partition) => ({ partition, at, of: 2, twice: 0 })))
  }
})
