// The same records through Kafka with two members, and through the embedded log: the same rows.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import type { Log, OutRecord } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { traffic } from '../traffic/generator/traffic.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { multiset } from './multiset.ts'
import { prepareStore, processAll } from './process-harness.ts'

const compared = ['events', 'user_features', 'tier_changes']
const partitions = 4

const missing = await missingKafka()
const dir = mkdtempSync(join(tmpdir(), 'reelpulse-parity-'))
let engine: EmbeddedEngine
const logs: Log[] = []

beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir: join(dir, 'data') })
})
afterAll(async () => {
  await Promise.all(logs.map((log) => log.close()))
  await engine.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Eleven days over a month's end, with retries, late flushes, wrong clocks and faults, and ticks at the end. */
function records(): OutRecord[] {
  const fromMs = Date.UTC(2026, 9, 22)
  const simulated = traffic({ seed: 11, fromMs, eventsPerSecond: 0.04, events: 30_000, users: 1_500, faults: 0.01 })
  const all: OutRecord[] = []
  while (!simulated.done()) for (const flush of simulated.next(Infinity, 1_000)) all.push({ ...flush, value: flush.value?.slice() ?? null })
  const lastMs = Math.max(...all.map(({ timestampMs }) => timestampMs!)) + 10_000
  const headers = { reelpulse: new TextEncoder().encode('tick'), clock_at: new TextEncoder().encode(String(lastMs)) }
  for (let partition = 0; partition < partitions; partition++) all.push({ key: null, value: null, headers, timestampMs: lastMs, partition })
  return all
}

async function fill(log: Log, topic: string, all: OutRecord[]): Promise<void> {
  await log.createTopic({ topic, partitions, timestamps: 'create' })
  for (let i = 0; i < all.length; i += 1_000) await log.append(topic, all.slice(i, i + 1_000))
}

describe.skipIf(missing !== undefined)(
  `Kafka with two members, and the embedded log${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    test('give the same events, features and tier changes', async () => {
      const topic = `parity-${Date.now()}`
      const all = records()
      const brokers = [await sharedKafka()]
      const first = kafkaLog({ brokers })
      const second = kafkaLog({ brokers })
      const embedded = await embeddedLog(join(dir, 'log'))
      logs.push(first, second, embedded)
      await fill(first, topic, all)
      await fill(embedded, topic, all)

      const ofKafka = engine.store('parity_kafka')
      const ofEmbedded = engine.store('parity_embedded')
      await prepareStore(ofKafka)
      await prepareStore(ofEmbedded)
      const byKafka = await processAll({
        topic,
        members: [
          { log: first, store: ofKafka },
          { log: second, store: ofKafka },
        ],
      })
      await processAll({ topic, members: [{ log: embedded, store: ofEmbedded }] })
      expect(byKafka.length).toBe(partitions)

      for (const table of compared) {
        // A member that took a partition over may have written features anew: rows of a user replace each other (docs/decisions/lost-acknowledgements.md).
        const rowsOf = async (store: Store) =>
          (await multiset(store, table)).map((row) => (table === 'user_features' ? row.split(' ')[0] : row))
        const rows = await rowsOf(ofEmbedded)
        expect(rows.length, table).toBeGreaterThan(200)
        expect(await rowsOf(ofKafka), table).toEqual(rows)
      }
      const [counts] = await ofKafka.query<{ events: number; rejected: number }>(
        'SELECT (SELECT count() FROM events) AS events, (SELECT count() FROM rejected_events) AS rejected',
      )
      expect(counts!.events).toBeGreaterThan(28_000)
      expect(counts!.rejected).toBeGreaterThan(20)
    }, 240_000)
  },
)
