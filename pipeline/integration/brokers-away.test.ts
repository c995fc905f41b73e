// Brokers that die under the whole role, one and then all, for longer than a transaction may last: members go on without help, nothing
// is lost, nothing is there twice; and who starts or stops meanwhile waits, or ends.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { changelogOf, databaseOf } from '../config/names.ts'
import type { Log } from '../ports/log.ts'
import { missingCluster, startKafkaCluster, type KafkaCluster } from '../testing/kafka-cluster.ts'
import { expectOnce, knownTraffic } from './known-traffic.ts'
import { holds, startMember, startMemberProcess } from './members.ts'
import { prepareStore } from './process-harness.ts'
import { storeGate, type StoreGate } from './store-gate.ts'

const partitions = 4
const transactionTimeoutMs = 3_000
const missing = await missingCluster()
const dir = mkdtempSync(join(tmpdir(), 'reelpulse-brokers-'))
let engine: EmbeddedEngine
let gate: StoreGate
let cluster: KafkaCluster
const logs: Log[] = []

const openLog = () => {
  const log = kafkaLog({ brokers: cluster.brokers, sessionTimeoutMs: 6_000, transactionTimeoutMs })
  logs.push(log)
  return log
}

describe.skipIf(missing)(`brokers that go away under the process role${missing === undefined ? '' : ` (${missing})`}`, () => {
  beforeAll(async () => {
    cluster = await startKafkaCluster()
    engine = await openEmbeddedEngine({ dataDir: join(dir, 'data') })
    gate = await storeGate(engine.url().slice('unix:'.length))
  })
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()))
    await cluster?.stop()
    await gate?.close()
    await engine?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  test('cost nothing: every event counts once, and every message is there once', async () => {
    const topic = `brokers-${Date.now()}`
    const log = openLog()
    await log.createTopic({ topic, partitions, timestamps: 'append' })
    const store = engine.store(databaseOf(topic))
    await prepareStore(store)
    const started = (name: string) =>
      startMemberProcess({
        topic,
        brokers: cluster.brokers,
        store: { url: gate.url, ...engine.owner() },
        dataDir: join(dir, name),
      })
    const traffic = knownTraffic(log, topic)
    const a = await startMember(topic, openLog(), store)
    const b = await startMember(topic, openLog(), store)
    await holds(a, 2)
    await holds(b, 2)

    // One, as it leads the changelog of a partition.
    await cluster.inSync(changelogOf(topic))
    const one = (await cluster.leaderOf(changelogOf(topic), 0)) as number
    await cluster.kill(one)
    const before = traffic.ids.size
    await expect.poll(() => traffic.ids.size, { timeout: 60_000 }).toBeGreaterThan(before + 2_000)
    await cluster.start(one)

    // All. Checkpoints come every second, so some are under way.
    await Promise.all(cluster.ids.map((id) => cluster.kill(id)))
    const late = started('late')
    const impatient = started('impatient')
    for (const { said } of [late, impatient])
      await expect.poll(() => said.join('\n'), { timeout: 60_000 }).toContain('still waiting for the brokers')
    expect(await impatient.stop()).toBe(0)
    // The outage is what is tested: whatever transaction was open has timed out by now.
    await new Promise((resolve) => setTimeout(resolve, transactionTimeoutMs))
    // Cannot make a last checkpoint, says so, and does not wait for ever.
    await b.role.stop()
    expect(b.role.status()).toEqual([])

    await Promise.all(cluster.ids.map((id) => cluster.start(id)))
    await holds(a, 2)
    await traffic.stop()
    await expectOnce(log, store, topic, traffic)
    expect(await late.stop()).toBe(0)
    await a.role.stop()
  }, 400_000)
})
