// The comparison finds what it is for: after a run in which all went well, each wrong thing is planted, and counted.
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { tierChangesTopicOf } from '../config/names.ts'
import { prepareStore, processAll } from '../integration/process-harness.ts'
import type { Store } from '../ports/store.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { compare, sumOf, type Comparison } from './compare.ts'
import { startLoad, type Ledger } from './load.ts'

const topic = 'compared'
const { engine, log } = await embeddedParts('compare')
let store: Store
let ledger: Ledger

beforeAll(async () => {
  store = engine.store('compared')
  await log.createTopic({ topic, partitions: 4, timestamps: 'append' })
  await prepareStore(store)
  let appends = 0
  const load = startLoad({
    seed: 4,
    eventsPerSecond: 20_000,
    append: async (records) => {
      await log.append(topic, records)
      // The log has it, but its answer is lost: it is sent again.
      if (++appends === 2) throw new Error('the answer is lost')
    },
  })
  ledger = load.ledger
  while (ledger.flushes < 1_500) await sleep(50)
  await load.stop()
  await processAll({ topic, members: [{ log, store }], limits: { block: { events: 300, bytes: 1_000_000 } } })
}, 240_000)

const found = async (): Promise<Comparison> => compare(store, log, topic, ledger)
const wrong = ({ lost, doubled, differ }: Comparison) =>
  Object.fromEntries(Object.entries({ ...lost, ...differ, ...Object.fromEntries(Object.entries(doubled).map(([what, n]) => [`${what} twice`, n])) }).filter(([, n]) => n > 0)) // prettier-ignore

/** What is there before is known to the engine as a block of rows, and one row of it as none. */
const copyOne = (table: string, where = '1') =>
  store.command(`INSERT INTO ${table} SELECT * FROM ${table} WHERE ${where} ORDER BY ALL LIMIT 1 SETTINGS async_insert = 0`)

test('nothing is wrong where nothing went wrong, broken records, repeats and a lost answer or not', async () => {
  const comparison = await found()
  expect(wrong(comparison)).toEqual({})
  expect(sumOf(comparison.lost) + sumOf(comparison.doubled) + sumOf(comparison.differ)).toBe(0)
  expect(comparison.stored).toBe(ledger.events.size)
  expect(ledger).toMatchObject({ unsure: 1 })
  expect(ledger.broken.size).toBeGreaterThan(10)
  expect(ledger.repeats).toBeGreaterThan(10)
  const [changes] = await store.query<{ n: number }>('SELECT count() AS n FROM tier_changes')
  expect(changes!.n).toBeGreaterThan(0)
})

test('an event that was acknowledged and is nowhere is lost', async () => {
  ledger.events.add('somebody 00000000000000000000000000000000')
  ledger.broken.add('-1')
  expect(wrong(await found())).toEqual({ events: 1, broken_records: 1 })
  ledger.events.delete('somebody 00000000000000000000000000000000')
  ledger.broken.delete('-1')
})

test('messages that are missing are lost, and the same one again is doubled', async () => {
  const id = { id: new TextEncoder().encode('once') }
  for (let i = 0; i < 2; i++) await log.append(tierChangesTopicOf(topic), [{ key: null, value: null, headers: id }])
  expect(wrong(await found())).toEqual({ 'tier_change_messages twice': 1, surplus_messages: 1 })
  await copyOne('tier_changes')
  await store.command('INSERT INTO tier_changes SELECT * REPLACE (as_of + INTERVAL 1 DAY AS as_of) FROM tier_changes LIMIT 1')
  expect(wrong(await found())).toEqual({ 'tier_changes twice': 1, 'tier_change_messages twice': 1, tier_change_messages: 1 })
})

test('rows of events that are missing, or there twice, are counted, and KPI sums no longer fit', async () => {
  await copyOne('events')
  expect(wrong(await found())).toMatchObject({ 'events twice': 1, kpi_sums: 3 })
  const [gone] = await store.query<{ id: string }>('SELECT toString(event_id) AS id FROM events ORDER BY event_id LIMIT 1')
  await store.command('DELETE FROM events WHERE event_id = {id:UUID}', { id: gone!.id })
  expect((await found()).lost['events']).toBe(1)
})

test('a rejected record that is missing, or there twice, is counted, and so is a KPI row', async () => {
  await copyOne('rejected_events')
  await copyOne('kpi_deltas', "dimension = 'platform'")
  expect(wrong(await found())).toMatchObject({ 'rejected_events twice': 1, 'kpi_deltas twice': 1 })
  await store.command('DELETE FROM rejected_events WHERE reason = {reason:String}', { reason: 'null_key' })
  const comparison = await found()
  expect(comparison.differ['rejected']).toBeGreaterThan(0)
  expect(comparison.differ['surplus_messages']).toBeGreaterThan(1)
})

test('blocks that leave out offsets, or overlap, are counted', async () => {
  await store.command(
    "ALTER TABLE kpi_deltas UPDATE next_offset = next_offset + 1 WHERE dimension = 'clock' AND first_offset = 0 AND partition = 1 SETTINGS mutations_sync = 1",
  )
  await store.command("DELETE FROM kpi_deltas WHERE dimension = 'clock' AND first_offset = 0 AND partition = 2")
  const comparison = await found()
  expect(comparison.lost['blocks']).toBe(1)
  expect(comparison.doubled['blocks']).toBe(1)
})
