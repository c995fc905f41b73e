// Partitions that move between members of a group while traffic flows, on a real broker: nothing is lost, nothing is there twice.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { databaseOf } from '../config/names.ts'
import type { Log } from '../ports/log.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { expectOnce, knownTraffic } from './known-traffic.ts'
import { holds, startMember, startMemberProcess } from './members.ts'
import { prepareStore } from './process-harness.ts'
import { storeGate, type InsertMoment } from './store-gate.ts'

const partitions = 6
const missing = await missingKafka()
const dir = mkdtempSync(join(tmpdir(), 'reelpulse-rebalance-'))
let engine: EmbeddedEngine
let brokers: string
const logs: Log[] = []

const openLog = () => {
  const log = kafkaLog({ brokers: [brokers], sessionTimeoutMs: 6_000 })
  logs.push(log)
  return log
}

describe.skipIf(missing)(`members of a group${missing === undefined ? '' : ` (${missing})`}`, () => {
  beforeAll(async () => {
    brokers = await sharedKafka()
    engine = await openEmbeddedEngine({ dataDir: join(dir, 'data') })
  })
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()))
    await engine?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  async function prepared(name: string) {
    const topic = `${name}-${Date.now()}`
    const log = openLog()
    await log.createTopic({ topic, partitions, timestamps: 'append' })
    const store = engine.store(databaseOf(topic))
    await prepareStore(store)
    return { topic, log, store }
  }

  test('come and go under load: every event counts once, and a partition that stays with its member is not taken again', async () => {
    const { topic, log, store } = await prepared('rebalance')
    const claims: { member: string; partition: number }[] = []
    const joined = (member: string) => startMember(topic, openLog(), store, (partition) => claims.push({ member, partition }))
    const traffic = knownTraffic(log, topic)
    const a = await joined('a')
    await holds(a, 6)
    const b = await joined('b')
    await holds(b, 3)
    const c = await joined('c')
    await holds(c, 2)
    await holds(a, 2)
    await a.role.stop()
    await holds(b, 3)
    await holds(c, 3)
    await b.role.stop()
    await holds(c, 6)
    await traffic.stop()
    await expectOnce(log, store, topic, traffic)
    await c.role.stop()
    // 6 for a, then 3 move to b, 2 to c, 2 of a's and 3 of b's to who is left; every claim is by another member than the one before.
    expect(claims).toHaveLength(6 + 3 + 2 + 2 + 3)
    const owners = Map.groupBy(claims, ({ partition }) => partition)
    for (const history of owners.values())
      for (let i = 1; i < history.length; i++) expect(history[i]!.member).not.toBe(history[i - 1]!.member)
  }, 240_000)

  test('one that is stopped in the middle of an insert, or before its checkpoint, and wakes when its partitions have moved, does no harm', async () => {
    const { topic, log, store } = await prepared('stopped')
    const gate = await storeGate(engine.url().slice('unix:'.length))
    const paused = startMemberProcess({
      topic,
      brokers: [brokers],
      store: { url: gate.url, ...engine.owner() },
      dataDir: join(dir, 'stopped'),
    })
    const traffic = knownTraffic(log, topic)
    const other = await startMember(topic, openLog(), store)
    try {
      for (const [table, moment] of [
        ['events', 'before'],
        ['kpi_deltas', 'after'],
      ] as const satisfies [string, InsertMoment][]) {
        await holds(other, 3)
        const moved = Promise.withResolvers<void>()
        const stopped = Promise.withResolvers<void>()
        gate.onInsert = async (into, when) => {
          if (into !== table || when !== moment) return
          gate.onInsert = async () => {}
          paused.child.kill('SIGSTOP')
          stopped.resolve()
          // What it sent is on its way all the while.
          await moved.promise
        }
        await stopped.promise
        await holds(other, 6)
        // The other has claimed, restored and stored what the stopped one had in hand.
        const soFar = traffic.ids.size
        const stored = async () => (await store.query<{ n: number }>('SELECT uniqExact(event_id) AS n FROM events'))[0]!.n
        await expect.poll(stored, { timeout: 60_000, interval: 300 }).toBeGreaterThanOrEqual(soFar)
        const saidBefore = paused.said.length
        moved.resolve()
        paused.child.kill('SIGCONT')
        await expect
          .poll(() => paused.said.slice(saidBefore).join('\n'), { timeout: 60_000 })
          .toMatch(/giving up partitions|newer owner|taken again/)
      }
      await holds(other, 3)
      await traffic.stop()
      await expectOnce(log, store, topic, traffic)
    } finally {
      await traffic.stop()
      expect(await paused.stop()).toBe(0)
      await other.role.stop()
      await gate.close()
    }
  }, 300_000)
})
