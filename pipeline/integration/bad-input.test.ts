// Whatever comes in through a real broker gets its treatment: rejected with its reason and its bytes, or counted; never a
// crash, never a lost neighbour.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { partitionOf } from '../../operators/hash.ts'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch, type BehaviorBatch, type BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { rejectedTopicOf } from '../config/names.ts'
import type { Log, OutRecord } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { prepareStore, processAll } from './process-harness.ts'

const partitions = 2
const startMs = Date.UTC(2026, 10, 10, 4)
const text = (value: string) => new TextEncoder().encode(value)

const missing = await missingKafka()
const dir = mkdtempSync(join(tmpdir(), 'reelpulse-bad-input-'))
let engine: EmbeddedEngine
let log: Log
let store: Store
const topic = `bad-input-${Date.now()}`

let ids = 0
const id = () => Uint8Array.from(createHash('md5').update(`id ${ids++}`).digest())

const event = (over: Partial<BehaviorEvent> = {}): BehaviorEvent => ({
  event_id: id(), behavior: 'play', occurred_at: startMs, session_id: 's', content_id: 'v', creator_id: null, category: 'music', surface: 'feed',
  published_at: null, watch_ms: 900, duration_ms: 1_000, amount_minor: null, currency: null, query: null, ...over,
}) // prettier-ignore
const flush = (user: string, events: BehaviorEvent[], over: Partial<BehaviorBatch> = {}): BehaviorBatch => ({
  batch_id: id(), user_id: user, device_id: 'd', platform: 'ios', app_version: '8.4.1', channel: 'ad', region: 'CN-31', sent_at: startMs,
  experiments: {}, events, ...over,
}) // prettier-ignore
const encode = (batch: BehaviorBatch) => encodeSingleObject(behaviorBatch, batch)

type Case = { name: string; key: Uint8Array | null; value: Uint8Array | null; reason?: string; partition?: number }

/** A key of each partition, so that a wrong one can be chosen. */
const userOf = (partition: number) =>
  Array.from({ length: 50 }, (_, i) => `user-${i}`).find((user) => partitionOf(text(user), partitions) === partition)!

function cases(): Case[] {
  const key = text('user-1')
  const good = encode(flush('user-1', [event()]))
  const broken = (change: (bytes: Uint8Array) => Uint8Array | void) => {
    const bytes = Uint8Array.from(encode(flush('user-1', [event()])))
    return change(bytes) ?? bytes
  }
  const spoilt = broken((bytes) => {
    bytes[Buffer.from(bytes).indexOf('CN-31')] = 0xff
  })
  const one = (name: string, reason: string, over: Partial<BehaviorEvent>): Case => ({
    name,
    reason,
    key,
    value: encode(flush('user-1', [event(over)])),
  })
  return [
    { name: 'garbage bytes', reason: 'bad_header', key, value: Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 255) },
    { name: 'an empty value', reason: 'bad_header', key, value: new Uint8Array(0) },
    { name: 'an unknown fingerprint', reason: 'unknown_schema', key, value: broken((bytes) => void (bytes[4]! ^= 0xff)) },
    { name: 'a truncated body', reason: 'truncated', key, value: good.subarray(0, good.length - 9) },
    { name: 'trailing bytes', reason: 'trailing_bytes', key, value: broken((bytes) => Buffer.concat([bytes, Buffer.of(0, 0)])) },
    { name: 'invalid UTF-8', reason: 'bad_utf8', key, value: spoilt },
    { name: '10 MB of garbage', reason: 'bad_header', key, value: new Uint8Array(10_000_000).fill(7) },
    { name: '10 MB in one string', reason: 'field_too_long', key, value: encode(flush('user-1', [event({ query: 'x'.repeat(10_000_000) })])) },
    { name: 'a null key', reason: 'null_key', key: null, value: good, partition: partitionOf(key, partitions) },
    { name: 'a key of 5 MB', reason: 'bad_header', key: new Uint8Array(5_000_000).fill(97), value: Uint8Array.of(1, 2, 3) },
    { name: 'a null value', reason: 'null_value', key, value: null },
    { name: "a key that is not the flush's user", reason: 'key_mismatch', key, value: encode(flush('user-2', [event()])) },
    { name: 'a key in the wrong partition', reason: 'wrong_partition', key: text(userOf(0)), value: encode(flush(userOf(0), [event()])), partition: 1 },
    { name: 'a flush field that is too long', reason: 'flush_field_too_long', key, value: encode(flush('user-1', [event()], { device_id: 'x'.repeat(513) })) },
    { name: '5,000 events in one', reason: 'too_many_events', key, value: encode(flush('user-1', Array.from({ length: 5_000 }, () => event()))) },
    one('a negative duration', 'out_of_range', { duration_ms: -5 }),
    one('an amount above the limit', 'out_of_range', { behavior: 'purchase', amount_minor: 10_000_000_001, currency: 'CNY' }),
    one('a purchase in another currency', 'currency', { behavior: 'purchase', amount_minor: 5, currency: 'USD' }),
    one('a play of nothing', 'missing_field', { content_id: null }),
    one('an event of 1970', 'too_old', { occurred_at: 0 }),
    { name: 'an event of 2100, which is clamped', key, value: encode(flush('user-1', [event({ occurred_at: Date.UTC(2100, 0) })])) },
    { name: 'an empty flush', key, value: encode(flush('user-1', [])) },
  ] // prettier-ignore
}

beforeAll(async () => {
  if (missing !== undefined) return
  engine = await openEmbeddedEngine({ dataDir: join(dir, 'data') })
  store = engine.store('bad_input')
  log = kafkaLog({ brokers: [await sharedKafka()] })
  await prepareStore(store)
})
afterAll(async () => {
  await log?.close()
  await engine?.close()
  rmSync(dir, { recursive: true, force: true })
})

describe.skipIf(missing !== undefined)(`bad input through a real broker${missing === undefined ? '' : ` (${missing})`}`, () => {
  const all = cases()
  const neighbours: Uint8Array[] = []
  const repeated = encode(flush('user-1', [event(), event()]))

  test('is processed to the end', async () => {
    await log.createTopic({ topic, partitions, timestamps: 'create', maxMessageBytes: 16_000_000 })
    const records: OutRecord[] = []
    let at = startMs
    const add = (record: Omit<OutRecord, 'timestampMs'>) => records.push({ ...record, timestampMs: (at += 1_000) })
    const neighbour = () => {
      const good = event()
      neighbours.push(good.event_id)
      add({ key: text('user-1'), value: encode(flush('user-1', [good])) })
    }
    for (const { key, value, partition } of all) {
      neighbour()
      add({ key, value, headers: { received_at: text('not a number') }, ...(partition === undefined ? {} : { partition }) })
    }
    neighbour()
    add({ key: text('user-1'), value: repeated })
    add({ key: text('user-1'), value: repeated })
    for (const record of records) await log.append(topic, [record])
    const progress = await processAll({ topic, members: [{ log, store }] })
    expect(progress.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(2)
  }, 240_000)

  test('loses no neighbour, and counts a repeated batch once', async () => {
    const rows = await store.query<{ id: string; n: number }>('SELECT lower(hex(event_id)) AS id, count() AS n FROM events GROUP BY id')
    expect(rows.every(({ n }) => n === 1)).toBe(true)
    const stored = await store.query<{ id: string }>('SELECT toString(event_id) AS id FROM events')
    const found = new Set(stored.map((row) => row.id.replaceAll('-', '')))
    for (const wanted of neighbours) expect(found.has(Buffer.from(wanted).toString('hex'))).toBe(true)
    // The neighbours, the clamped event of 2100, and the two of the repeated batch.
    expect(found.size).toBe(neighbours.length + 3)
  })

  test.each(cases().flatMap(({ name, reason }, i) => (reason === undefined ? [] : [[name, reason, i] as const])))(
    '%s: %s',
    async (_name, reason, i) => {
      const { value } = all[i]!
      const head = Buffer.from(value?.subarray(0, 64) ?? []).toString('hex')
      const rows = await store.query<{ n: number }>(
        'SELECT count() AS n FROM rejected_events WHERE reason = {reason:String} AND value_bytes = {bytes:UInt32} AND lower(hex(value_head)) = {head:String}',
        { reason, bytes: value?.length ?? 0, head },
      )
      expect(rows[0]!.n).toBe(1)
    },
  )

  test('every rejected record is in the rejected topic with its bytes, or their digest, and where it came from', async () => {
    const rejected = rejectedTopicOf(topic)
    const found: { reason: string; value: Uint8Array | null; digest: string | undefined; topic: string; offset: string }[] = []
    for (const [partition, { end }] of (await log.describeTopic(rejected))!.partitions.entries()) {
      const reader = await log.read(rejected, partition, 0)
      for (let next = 0; next < end;) {
        const batch = await reader.next(2_000)
        if (batch.count === 0) break
        for (let k = 0; k < batch.count; k++) {
          const header = (name: string) =>
            batch.headers[k]?.[name] === undefined ? undefined : Buffer.from(batch.headers[k]![name]!).toString()
          found.push({
            reason: header('reason')!,
            value: batch.values[k]?.slice() ?? null,
            digest: header('digest'),
            topic: header('topic')!,
            offset: header('offset')!,
          })
        }
        next = batch.offsets[batch.count - 1]! + 1
      }
      await reader.close()
    }
    const expected = all.filter(({ reason }) => reason !== undefined)
    expect(found.length).toBe(expected.length)
    expect(found.every((message) => message.topic === topic && /^\d+$/.test(message.offset))).toBe(true)
    for (const { name, reason, value } of expected) {
      const digest = value === null ? undefined : `sha256:${createHash('sha256').update(value).digest('hex')}`
      const match = found.find(
        (m) =>
          m.reason === reason &&
          (m.digest === undefined ? Buffer.compare(m.value ?? Buffer.alloc(0), value ?? Buffer.alloc(0)) === 0 : m.digest === digest),
      )
      expect(match, name).toBeDefined()
      if ((value?.length ?? 0) <= 1_000_000) expect(match!.value === null, name).toBe(value === null)
    }
  })

  test('an event of 2100 happened when it arrived', async () => {
    const rows = await store.query<{ n: number }>(
      "SELECT count() AS n FROM events WHERE occurred_at > '2099-01-01' AND event_at = record_at",
    )
    expect(rows[0]!.n).toBe(1)
  })
})
