// Blocks that are hard to write once: one of 300,000 rows that only the clock made, over a month's end, with failures
// between its parts and between its tables, and owners that come when no token is remembered any more.
import { beforeAll, expect, test } from 'vitest'
import { plainBatch, plainEvent, tick, uuidOf } from '../../operators/testing/generate.ts'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch, behaviors } from '../../schemas/behavior-batch.ts'
import type { OutRecord } from '../ports/log.ts'
import type { InsertBlock, Store } from '../ports/store.ts'
import { blockTables } from '../roles/process/rows.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { verify } from '../verify/verify.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { prepareStore, processAll } from './process-harness.ts'

const topic = 'large'
const { engine, log } = await embeddedParts('large-blocks')
const users = 300_000
const minuteMs = 60_000
/** In UTC the users' months and the tables' end together. */
const settings = { ...defaultSettings, zone: 'UTC' }
const monthEndMs = Date.UTC(2026, 10, 1)
const fromMs = monthEndMs - 40 * minuteMs

function flushOf(user: number, eventId: Uint8Array, at: number): OutRecord {
  // Some register, so that the evaluation at the month's end has users to look at.
  const behavior = user % 50 === 0 ? 'register' : behaviors[user % behaviors.length]!
  const value = encodeSingleObject(behaviorBatch, plainBatch(`user${user}`, at, [plainEvent(eventId, behavior, at)]))
  return { key: new TextEncoder().encode(`user${user}`), value, timestampMs: at }
}

beforeAll(async () => {
  await log.createTopic({ topic, partitions: 1, timestamps: 'create' })
  for (let from = 0; from < users; from += 10_000) {
    const records: OutRecord[] = []
    for (let i = from; i < from + 10_000; i++) {
      const at = fromMs + Math.floor((i * 30 * minuteMs) / users)
      records.push(flushOf(i, uuidOf(i), at))
    }
    await log.append(topic, records)
  }
  const tickAt = (at: number): OutRecord => ({ key: null, value: null, partition: 0, timestampMs: at, headers: tick(String(at)) })
  // A block that begins in one month and ends in the next.
  const over = Array.from({ length: 3_000 }, (_, i) => flushOf(i, uuidOf(users * 2 + i), monthEndMs - 30_000 + i * 20))
  await log.append(topic, [tickAt(monthEndMs - 60_000), ...over, tickAt(monthEndMs + 60_000)])
  // Then far enough that every user's tile leaves the shortest window: rows that no event made.
  await log.append(topic, [tickAt(monthEndMs + 65 * minuteMs)])
}, 240_000)

/** Fails inserts as a process that dies does: after the insert or before it, whatever is under way with it. */
function dying(store: Store, dies: (block: InsertBlock) => 'before' | 'after' | undefined, onDeath: () => Promise<void>): Store {
  return {
    ...store,
    async insert(block) {
      const when = dies(block)
      if (when !== 'before') await store.insert(block)
      if (when === undefined) return
      await onDeath()
      throw new Error(`died ${when} an insert into ${block.table}`)
    },
  }
}

const tables = blockTables().all.map(({ table }) => table.name)

async function content(store: Store): Promise<Record<string, unknown>> {
  const result: Record<string, unknown> = {}
  for (const table of tables) {
    const [row] = await store.query(
      `SELECT count() AS rows, uniqExact(first_offset) AS blocks, max(part) AS last_part, sum(cityHash64(formatRow('RowBinary', *))) AS digest FROM ${table}`,
    )
    result[table] = row
  }
  return result
}

test('a block of 300,000 rows that only the clock made, killed between parts and tables, without tokens, is there once', async () => {
  const calm = engine.store('calm')
  await prepareStore(calm)
  await processAll({ topic, members: [{ log, store: calm }], group: 'calm', settings })

  const [largest] = await calm.query<{ rows: number; first_offset: number; parts: number }>(
    `SELECT first_offset, count() AS rows, uniqExact(part) AS parts FROM user_features GROUP BY first_offset ORDER BY rows DESC LIMIT 1`,
  )
  expect(largest!.rows).toBeGreaterThanOrEqual(300_000)
  expect(largest!.parts).toBeGreaterThanOrEqual(3)
  const eventsOf = async (condition: string, params = {}) =>
    (await calm.query<{ first_offset: number }>(`SELECT DISTINCT first_offset FROM events WHERE ${condition}`, params)).map(
      (row) => row.first_offset,
    )
  expect(await eventsOf('first_offset = {at:Int64}', { at: largest!.first_offset })).toEqual([])
  const [overMonthEnd, ...others] = await eventsOf('toYYYYMM(clock_at) != toYYYYMM(block_at)')
  expect([typeof overMonthEnd, others]).toEqual(['number', []])

  const shaken = engine.store('shaken')
  await prepareStore(shaken)
  const death = (firstOffset: number, table: string, part: number, when: 'before' | 'after') => (block: InsertBlock) =>
    block.table === table && block.token.includes(`/${firstOffset}-`) && `${block.token}/`.includes(`/${table}/${part}/`) ? when : undefined
  const deaths = [
    death(overMonthEnd!, 'events', 0, 'after'),
    death(overMonthEnd!, 'kpi_deltas', 0, 'before'),
    death(largest!.first_offset, 'user_features', 0, 'after'),
    death(largest!.first_offset, 'user_features', 1, 'after'),
    death(largest!.first_offset, 'kpi_deltas', 0, 'before'),
    death(largest!.first_offset, 'kpi_deltas', 0, 'after'),
  ] as const
  let died = 0
  const store = dying(
    shaken,
    (block) => deaths[died]?.(block),
    async () => {
      died++
      // The next owner comes when the windows have moved on.
      for (const table of tables) await shaken.command(`ALTER TABLE ${table} MODIFY SETTING non_replicated_deduplication_window = 0`)
    },
  )
  // A role that is told to stop does not begin anew after a death: whoever looks after it starts it again.
  for (let lives = 0; died < deaths.length && lives < 20; lives++)
    await processAll({ topic, members: [{ log, store }], group: 'shaken', settings })
  await processAll({ topic, members: [{ log, store }], group: 'shaken', settings })
  expect(died).toBe(deaths.length)
  expect(await content(shaken)).toEqual(await content(calm))
  const report = await verify(shaken, settings, { everything: false, users: 2_000, rows: 5_000 })
  expect(report.rowsDiffer).toBe(0)
  expect(report.rowsCompared).toBeGreaterThan(2_000)
}, 600_000)
