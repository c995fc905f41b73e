// Every way in which a store can be away, under load, before a real engine: the role stops reading, says so and why, and goes on by
// itself with nothing lost and nothing twice.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Store } from '../ports/store.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { soon } from '../testing/soon.ts'
import { clickhouseError, errorPage, storeFaults, type FaultOptions, type StoreFault, type StoreFaults } from '../testing/store-faults.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { verify } from '../verify/verify.ts'
import { multiset } from './multiset.ts'
import { prepareStore } from './process-harness.ts'
import { batchRecords, blockEvents, startRun, storeThrough, type Run } from './store-outage-harness.ts'

const topic = 'outage'
const { engine, log } = await embeddedParts('outage', { engine: { fsync: 'nothing' } })
const compared = ['events', 'user_features', 'tier_changes', 'rejected_events', 'kpi_deltas']
/** So many inserts of each partition pass before its fault begins: its first blocks, and a part of the next. */
const after = { inserts: 12, partitions: 2 }
/** So long an answer is waited for where none will come. */
const silentMs = 1_000

let faults: StoreFaults
/** Rows of a run without any fault. */
const whole = new Map<string, string[]>()

beforeAll(async () => {
  faults = await storeFaults(() => ({ socketPath: engine.url().slice('unix:'.length) }))
  await writeTraffic(log, topic, {
    seed: 7,
    partitions: 2,
    eventsPerSecond: 0.05,
    users: 300,
    faults: 0.03,
    events: 1_600,
    fromMs: Date.UTC(2026, 9, 28),
  })
  const store = engine.store('outage_whole')
  await prepareStore(store)
  const run = await startRun({ log, store, topic, group: 'whole' })
  while (!(await run.processed())) await new Promise((resolve) => setTimeout(resolve, 50))
  await run.stop()
  for (const table of compared) whole.set(table, await multiset(store, table))
})
afterAll(() => faults.close())

test('the run without a fault, with which the others are compared, has rows in every table', () => {
  for (const table of compared) expect(whole.get(table)!.length, table).toBeGreaterThan(5)
})

let runs = 0
async function begin(fault: StoreFault, options: FaultOptions = { after }): Promise<{ run: Run; direct: Store; again(): Promise<Run> }> {
  const name = `outage_${++runs}`
  const direct = engine.store(name)
  await prepareStore(direct)
  const timeoutMs = fault.kind === 'hang' || fault.kind === 'lose_reply' ? silentMs : undefined
  const again = () => startRun({ log, store: storeThrough(faults.url, engine, name, timeoutMs), topic, group: name })
  faults.begin(fault, options)
  return { run: await again(), direct, again }
}

async function expectWhole(direct: Store): Promise<void> {
  for (const table of compared) expect(await multiset(direct, table), table).toEqual(whole.get(table))
  await expectRight(direct)
}

async function expectRight(direct: Store): Promise<void> {
  const [counted] = await direct.query<{ rows: number; ids: number }>('SELECT count() AS rows, uniqExact(event_id) AS ids FROM events')
  expect(counted!.rows).toBe(counted!.ids)
  const report = await verify(direct, defaultSettings, { everything: true, users: undefined, rows: 0 })
  expect(report.rowsDiffer).toBe(0)
  expect(report.rowsCompared).toBeGreaterThan(50)
}

/** By partition: the offset before which every row is in the store. */
async function acknowledged(direct: Store): Promise<number[]> {
  const rows = await direct.query<{ partition: number; next: number }>(
    "SELECT partition, max(next_offset) AS next FROM kpi_deltas WHERE dimension = 'clock' GROUP BY partition",
  )
  const next = [0, 0]
  for (const row of rows) next[row.partition] = row.next
  return next
}

/** A record is an event at least: one block is inserted, one is full and waits for that, and a batch is in hand. */
const mostAhead = 2 * blockEvents + batchRecords

/** Some 200 inserts are still to be made: the longest wait. */
const processed = (run: Run) => expect.poll(() => run.processed(), { timeout: 150_000, interval: 50 }).toBe(true)

const noAnswer = new RegExp(`no answer within ${silentMs} ms`)

type Case = [name: string, fault: StoreFault, state: RegExp, reason: RegExp]
const cases: Case[] = [
  ['refuses connections', { kind: 'refuse' }, /ECONNREFUSED|hang up|ECONNRESET|EPIPE/, /CONNECTION_REFUSED|CONNECTION_BROKEN/],
  ['hangs', { kind: 'hang' }, noAnswer, /NO_ANSWER/],
  ['takes inserts, whose replies are lost', { kind: 'lose_reply' }, noAnswer, /NO_ANSWER/],
  ['breaks off in the middle of a request', { kind: 'break_request' }, /hang up|ECONNRESET|EPIPE/, /CONNECTION_BROKEN/],
  ['takes inserts, and breaks off in its replies', { kind: 'break_reply' }, /Parse Error|hang up|ECONNRESET|aborted/, /CONNECTION_BROKEN/],
  [
    'is behind a load balancer that answers 500',
    errorPage(500, 'Internal Server Error'),
    /not ClickHouse's: HTTP status 500/,
    /NOT_CLICKHOUSE/,
  ],
  ['is behind a load balancer that answers 502', errorPage(502, 'Bad Gateway'), /HTTP status 502: 502 Bad Gateway/, /NOT_CLICKHOUSE/],
  ['is behind a load balancer that answers 503', errorPage(503, 'Service Temporarily Unavailable'), /HTTP status 503/, /NOT_CLICKHOUSE/],
  ['is behind a load balancer that answers 504', errorPage(504, 'Gateway Time-out'), /HTTP status 504/, /NOT_CLICKHOUSE/],
  ['is behind a proxy that answers 429', errorPage(429, 'Too Many Requests'), /HTTP status 429/, /NOT_CLICKHOUSE/],
  ['is behind a proxy that answers 200 in its place', { kind: 'answer', status: 200, body: '' }, /HTTP status 200/, /NOT_CLICKHOUSE/],
  [
    'has too many parts',
    clickhouseError(252, 'TOO_MANY_PARTS', 'Too many parts (3000 with average size of 1.00 MiB) in table'),
    /TOO_MANY_PARTS, code 252/,
    /TOO_MANY_PARTS/,
  ],
  [
    'is read-only',
    clickhouseError(242, 'TABLE_IS_READ_ONLY', 'Table is in readonly mode'),
    /TABLE_IS_READ_ONLY, code 242/,
    /TABLE_IS_READ_ONLY/,
  ],
  [
    'has no disk space',
    clickhouseError(243, 'NOT_ENOUGH_SPACE', 'Cannot reserve 1.00 MiB, not enough space'),
    /NOT_ENOUGH_SPACE, code 243/,
    /NOT_ENOUGH_SPACE/,
  ],
  [
    'has no memory',
    clickhouseError(241, 'MEMORY_LIMIT_EXCEEDED', 'Memory limit (total) exceeded'),
    /MEMORY_LIMIT_EXCEEDED, code 241/,
    /MEMORY_LIMIT_EXCEEDED/,
  ],
  [
    'says 200 with an exception in the body',
    clickhouseError(252, 'TOO_MANY_PARTS', 'Too many parts', 200),
    /TOO_MANY_PARTS, code 252/,
    /TOO_MANY_PARTS/,
  ],
]

test.each(cases)(
  'a store that %s is waited for, and is told of',
  async (_, fault, error, reason) => {
    const { run, direct } = await begin(fault)
    const waiting = async () =>
      (await run.readyz()).shown.parts.filter(({ state, error: told = '' }) => state === 'waiting_for_store' && error.test(told))
    await soon(async () => (await waiting()).length).toBe(2)
    const { status, shown } = await run.readyz()
    expect(status).toBe(503)
    expect(shown.ready).toBe(false)
    for (const part of await waiting())
      expect(part).toMatchObject({ role: 'process', since: expect.any(String), to_do: expect.any(String) })

    const taken = run.taken()
    const done = await acknowledged(direct)
    const ends = (await log.describeTopic(topic))!.partitions.map(({ end }) => end)
    for (const partition of [0, 1]) {
      expect(taken[partition]! - done[partition]!).toBeLessThanOrEqual(mostAhead)
      expect(ends[partition]! - taken[partition]!).toBeGreaterThan(mostAhead)
    }
    const retries = await run.metric('reelpulse_insert_retries_total')
    expect([...retries.keys()].some((labels) => reason.test(labels))).toBe(true)
    expect([...(await run.metric('reelpulse_lag_records')).values()].every((lag) => lag > mostAhead)).toBe(true)
    expect((await run.metric('reelpulse_ready')).get('')).toBe(0)
    expect((await run.metric('reelpulse_partition_state')).get('partition="0",state="waiting_for_store"')).toBe(1)
    for (const bytes of (await run.metric('reelpulse_buffered_bytes')).values()) expect(bytes).toBeLessThan(1_000_000)

    await faults.end()
    await processed(run)
    await soon(async () => (await run.readyz()).status).toBe(200)
    for (const waited of (await run.metric('reelpulse_store_wait_seconds_total')).values()) expect(waited).toBeGreaterThan(0)
    expect([...(await run.metric('reelpulse_lag_records')).values()]).toEqual([0, 0])
    await run.stop()
    await expectWhole(direct)
  },
  240_000,
)

test('a store that takes all tables but one is waited for all the same', async () => {
  const fault = clickhouseError(252, 'TOO_MANY_PARTS', 'Too many parts in table user_features')
  const { run, direct } = await begin(fault, { table: 'user_features', after: { inserts: 2, partitions: 2 } })
  await soon(async () => (await run.readyz()).shown.parts.filter(({ state }) => state === 'waiting_for_store').length).toBe(2)
  // The block's other tables are in; it still waits.
  await soon(
    async () => (await run.metric('reelpulse_insert_retries_total')).get('table="user_features",reason="TOO_MANY_PARTS"') ?? 0,
  ).toBeGreaterThan(6)
  expect((await run.readyz()).shown.parts.map(({ state }) => state)).toEqual(['waiting_for_store', 'waiting_for_store'])
  await faults.end()
  await processed(run)
  await run.stop()
  await expectWhole(direct)
}, 240_000)

test.each<[string, StoreFault, RegExp]>([
  ['a type that does not fit', clickhouseError(53, 'TYPE_MISMATCH', 'Cannot convert', 400), /TYPE_MISMATCH, code 53/],
  ['a table that is not there', clickhouseError(60, 'UNKNOWN_TABLE', 'Table does not exist', 404), /UNKNOWN_TABLE, code 60/],
  ['rights that are missing', clickhouseError(497, 'ACCESS_DENIED', 'Not enough privileges', 403), /ACCESS_DENIED, code 497/],
  ['a wrong password', clickhouseError(516, 'AUTHENTICATION_FAILED', 'Authentication failed', 403), /AUTHENTICATION_FAILED, code 516/],
])(
  '%s stops the partition at once, and the next start goes on',
  async (_, fault, error) => {
    const { run, direct, again } = await begin(fault, { table: 'user_features', after: { inserts: 2, partitions: 2 } })
    const stopped = async () =>
      (await run.readyz()).shown.parts.filter(({ state, error: told = '' }) => state === 'stopped' && error.test(told))
    await soon(async () => (await stopped()).length).toBe(2)
    // Once each: it is not tried again.
    expect(faults.met()).toBe(2)
    expect((await run.readyz()).status).toBe(503)
    await faults.end()
    // It is stopped, and stays so.
    expect((await stopped()).length).toBe(2)
    await run.stop()
    const next = await again()
    await processed(next)
    await next.stop()
    await expectWhole(direct)
  },
  240_000,
)

test('an engine that is killed under load is started again, and the role goes on', async () => {
  const name = 'outage_killed'
  const direct = engine.store(name)
  await prepareStore(direct)
  const run = await startRun({ log, store: storeThrough(faults.url, engine, name), topic, group: name })
  for (const rows of [100, 600]) {
    await soon(async () => (await run.metric('reelpulse_inserted_rows_total')).get('table="events"') ?? 0).toBeGreaterThan(rows)
    process.kill(engine.pid()!, 'SIGKILL')
    await soon(async () => (await run.readyz()).status).toBe(503)
  }
  await processed(run)
  await soon(async () => (await run.readyz()).status).toBe(200)
  await run.stop()
  // What stopped merges of `user_features` died with the engine: only the latest rows are there to be compared.
  for (const table of compared.filter((name) => name !== 'user_features'))
    expect(await multiset(direct, table), table).toEqual(whole.get(table))
  expect(await multiset(direct, 'user_features', 'FINAL')).toEqual(await multiset(engine.store('outage_whole'), 'user_features', 'FINAL'))
  await expectRight(direct)
}, 240_000)
