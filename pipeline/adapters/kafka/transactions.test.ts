// Flushes that a producer writes in transactions: markers and aborted records take offsets, and are nobody's flushes.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeSingleObject } from '../../../schemas/avro-encode.ts'
import { behaviorBatch } from '../../../schemas/behavior-batch.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../embedded-store.ts'
import { kafkaLog } from '../kafka-log.ts'
import { missingKafka, sharedKafka } from '../../testing/shared-kafka.ts'
import { prepareStore, processAll } from '../../integration/process-harness.ts'

const missing = await missingKafka()
const dir = mkdtempSync(join(tmpdir(), 'reelpulse-transactions-'))
const topic = `transactions-${Date.now()}`
const startMs = Date.UTC(2026, 10, 10, 4)
let engine: EmbeddedEngine

describe.skipIf(missing)('flushes written in transactions', () => {
  beforeAll(async () => {
    engine = await openEmbeddedEngine({ dataDir: join(dir, 'data') })
  })
  afterAll(async () => {
    await engine?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  test('are processed to the end, though the last offsets are markers and what was aborted', async () => {
    const brokers = await sharedKafka()
    const log = kafkaLog({ brokers: [brokers] })
    const producer = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING }).producer({
      transactionalId: topic,
      maxInFlightRequests: 1,
      idempotent: true,
    })
    try {
      await log.createTopic({ topic, partitions: 1, timestamps: 'create' })
      await producer.connect()
      for (const [n, ending] of (['commit', 'commit', 'abort'] as const).entries()) {
        const transaction = await producer.transaction()
        await transaction.send({
          topic,
          messages: [0, 1, 2].map((i) => ({ key: 'u', value: flush(n * 3 + i), timestamp: String(startMs) })),
        })
        await transaction[ending]()
      }
      const store = engine.store('transactions')
      await prepareStore(store)
      await processAll({ topic, members: [{ log, store }] })
      // The next owner begins before the markers, and comes to the end as well.
      await processAll({ topic, members: [{ log, store }] })
      expect(await store.query('SELECT offset FROM events ORDER BY offset')).toEqual([0, 1, 2, 4, 5, 6].map((offset) => ({ offset })))
    } finally {
      await producer.disconnect()
      await log.close()
    }
  }, 60_000)
})

function flush(n: number): Buffer {
  const id = (name: string) => Uint8Array.from(createHash('md5').update(`${name} ${n}`).digest())
  const bytes = encodeSingleObject(behaviorBatch, {
    batch_id: id('batch'), user_id: 'u', device_id: 'd', platform: 'ios', app_version: '8.4.1', channel: 'ad', region: 'CN-31', sent_at: startMs,
    experiments: {},
    events: [{
      event_id: id('event'), behavior: 'play', occurred_at: startMs, session_id: 's', content_id: 'v', creator_id: null, category: 'music',
      surface: 'feed', published_at: null, watch_ms: 900, duration_ms: 1_000, amount_minor: null, currency: null, query: null,
    }],
  }) // prettier-ignore
  return Buffer.from(bytes)
}
