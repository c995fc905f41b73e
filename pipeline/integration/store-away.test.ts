// A store that does not answer: the role waits for it wherever it is, says so, loses nothing, and can be stopped meanwhile.
import { beforeAll, expect, test } from 'vitest'
import { systemClock } from '../adapters/system-clock.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { StoreAway, type Store } from '../ports/store.ts'
import { partHead } from '../roles/process/block-rows.ts'
import { startProcess } from '../roles/process/process.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'
import { prepareStore, processAll } from './process-harness.ts'

const topic = 'away'
const { engine, log } = await embeddedParts('away')

beforeAll(async () => {
  await writeTraffic(log, topic, { seed: 5, eventsPerSecond: 0.05, users: 100, faults: 0, events: 400, fromMs: Date.UTC(2026, 9, 28) })
})

/** The store, away for each partition's first questions and inserts. */
function awayAtFirst(store: Store, calls: number): Store {
  let questions = 0
  let inserts = 0
  const fail = () => Promise.reject(new StoreAway('connect ECONNREFUSED'))
  return {
    ...store,
    query: (sql, params) => (questions++ < calls ? fail() : store.query(sql, params)),
    insert: (block) => (inserts++ < calls ? fail() : store.insert(block)),
  }
}

test('away when a partition is taken and when it inserts, the store is waited for', async () => {
  const store = engine.store('away_at_first')
  await prepareStore(store)
  await processAll({ topic, members: [{ log, store: awayAtFirst(store, 8) }] })
  const [counted] = await store.query<{ rows: number; ids: number }>('SELECT count() AS rows, uniqExact(event_id) AS ids FROM events')
  expect(counted!.rows).toBeGreaterThan(300)
  expect(counted!.ids).toBe(counted!.rows)
}, 60_000)

test('a role whose store never answered can be stopped', async () => {
  const said: string[] = []
  const role = await startProcess({
    clock: systemClock,
    log,
    store: awayAtFirst(engine.store('away_for_ever'), Infinity),
    topic,
    names: namesOf(topic, 'for-ever'),
    settings: defaultSettings,
    blockSpanMs: 300,
    checkpointMs: 1_000,
    resolve: knownFlushes(),
    tell: (level, message) => said.push(`${level}: ${message}`),
  })
  await expect.poll(() => said.length).toBeGreaterThanOrEqual(4)
  await role.stop()
  expect(new Set(said)).toEqual(new Set(['warn: the store does not answer; waiting']))
  expect(role.status()).toEqual([])
}, 60_000)

test('an insert that has had no answer for long is told, though it has not failed', async () => {
  const store = engine.store('away_silent')
  await prepareStore(store)
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => (answer = resolve))
  let aheadMs = 0
  const role = await startProcess({
    clock: { ...systemClock, now: () => Date.now() + aheadMs },
    log,
    store: { ...store, insert: (block) => answered.then(() => store.insert(block)) },
    topic,
    names: namesOf(topic, 'silent'),
    settings: defaultSettings,
    blockSpanMs: 300,
    checkpointMs: 1_000,
    resolve: knownFlushes(),
    tell() {},
    limits: { block: { events: 20, bytes: 1e9 } },
  })
  const states = () => new Set(role.status().map(({ state }) => state))
  await expect.poll(states, { timeout: 30_000 }).toEqual(new Set(['running']))
  aheadMs += 60_000
  await expect.poll(states, { timeout: 30_000 }).toEqual(new Set(['waiting_for_store']))
  expect(role.status()[0]!.error).toMatch(/an insert has had no answer for [67]\d s/)
  answer()
  await expect.poll(states, { timeout: 30_000 }).toEqual(new Set(['running']))
  await role.stop()
}, 120_000)

/** A server that is killed inside an insert: it knows the token afterwards, and does not have the rows. */
function losing(store: Store, loses: (table: string) => 'told' | 'untold' | undefined): Store {
  return {
    ...store,
    async insert(block) {
      await store.insert(block)
      const loss = loses(block.table)
      if (loss === undefined) return
      const { partition, firstOffset } = partHead(block.rows)
      await store.command(
        `ALTER TABLE ${block.table} DELETE WHERE partition = {partition:UInt16} AND first_offset = {at:Int64} SETTINGS mutations_sync = 2`,
        { partition, at: firstOffset },
      )
      if (loss === 'told') throw new StoreAway('the connection broke')
    },
  }
}

test.each(['told', 'untold'] as const)(
  'an insert whose token outlived its part is made again (%s)',
  async (kind) => {
    const calm = engine.store(`kept_${kind}`)
    const shaken = engine.store(`lost_${kind}`)
    const rows = async (store: Store) =>
      store.query("SELECT count() AS rows, uniqExact(event_id) AS ids, sum(cityHash64(formatRow('RowBinary', *))) AS digest FROM events")
    const lost = new Set<string>()
    for (const [store, group, through] of [
      [calm, 'kept', calm],
      [
        shaken,
        'lost',
        losing(shaken, (table) => {
          if (lost.has(table) || table === 'user_features') return undefined
          lost.add(table)
          return kind
        }),
      ],
    ] as const) {
      await prepareStore(store)
      await processAll({ topic, members: [{ log, store: through }], group: `${group}-${kind}`, checkpointMs: 300 })
    }
    expect([...lost].toSorted()).toEqual(['events', 'kpi_deltas', 'rejected_events', 'tier_changes'].filter((table) => lost.has(table)))
    expect(lost.has('events') && lost.has('kpi_deltas')).toBe(true)
    expect(await rows(shaken)).toEqual(await rows(calm))
  },
  120_000,
)
