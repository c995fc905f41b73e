// Runs the SQL of figures.md over processed traffic: what it shows as stored is what it recounts.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { databaseOf } from '../../pipeline/config/names.ts'
import { clickhouseStore } from '../../pipeline/adapters/clickhouse-store.ts'
import { embeddedLog } from '../../pipeline/adapters/embedded-log.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../../pipeline/adapters/embedded-store.ts'
import { prepareStore, processAll } from '../../pipeline/integration/process-harness.ts'
import type { Store } from '../../pipeline/ports/store.ts'
import { writeTraffic } from '../../pipeline/traffic/write-traffic.ts'

const page = readFileSync(new URL('figures.md', import.meta.url), 'utf8')
const examples = [...page.matchAll(/^```sql\n(.*?)^```/gms)].map((match) => match[1]!)

const topic = 'figures'
const database = databaseOf(topic)
const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-figures-'))
const dayMs = 86_400_000
let engine: EmbeddedEngine
let reader: Store

beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir, fsync: 'nothing' })
  const store = engine.store(database)
  await prepareStore(store)
  const log = await embeddedLog(join(dataDir, 'log'))
  // Of these days, because KPI deltas are forgotten after 40.
  const fromMs = (Math.floor(Date.now() / dayMs) - 4) * dayMs
  await writeTraffic(log, topic, { seed: 1, eventsPerSecond: 0.05, fromMs, spanMs: 3 * dayMs, users: 300, faults: 0.01, partitions: 2 })
  await processAll({ topic, members: [{ log, store }] })
  await log.close()
  reader = clickhouseStore({ url: engine.url(), ...engine.reader(), database })
})
afterAll(async () => {
  await reader?.close()
  await engine?.close()
  rmSync(dataDir, { recursive: true })
})

test('the page has examples', () => expect(examples.length).toBeGreaterThan(3))

test.each(examples)('stored is what is recounted: %s', async (sql) => {
  const rows = await reader.query<{ stored: number; recounted: number }>(sql)
  expect(rows.map((row) => row.recounted)).toEqual(rows.map((row) => row.stored))
  expect(rows.some((row) => row.stored > 0)).toBe(true)
})
