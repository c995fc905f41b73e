// The Kafka log on three brokers that die, hang and change places: nothing is lost, nothing is there twice, nobody has to help.

import kafkajs from 'kafkajs'
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { OwnerLost, type Log, type OutRecord, type PartitionOwner } from '../ports/log.ts'
import { missingCluster, startKafkaCluster, type KafkaCluster } from '../testing/kafka-cluster.ts'
import { logContract, readSome } from '../testing/log-contract.ts'
import { kafkaLog, type KafkaLogOptions } from './kafka-log.ts'
import { closeCluster, coordinator, kafkaClient } from './kafka/client.ts'

const missing = await missingCluster()
const bytes = (text: string) => new TextEncoder().encode(text)
const record = (value: string, more: Partial<OutRecord> = {}): OutRecord => ({ key: bytes('k'), value: bytes(value), ...more })
const newName = () => `cluster-${crypto.randomUUID().slice(0, 8)}`

let cluster: KafkaCluster
const opened: Log[] = []
const said: string[] = []
function open(options: Partial<KafkaLogOptions> = {}): Log {
  const log = kafkaLog({
    brokers: cluster.brokers,
    sessionTimeoutMs: 6_000,
    log: (level, message) => level === 'warn' && said.push(message),
    ...options,
  })
  opened.push(log)
  return log
}

/** Who coordinates a group or a transactional id now. */
async function coordinatorOf(type: 'group' | 'transaction', id: string, topic: string): Promise<number> {
  const connections = kafkaClient({ brokers: cluster.brokers }).newCluster()
  try {
    return (await coordinator(connections, type, id, topic)).nodeId
  } finally {
    await closeCluster(connections)
  }
}

/** Appends numbers to partition 0 of a topic, one call after another, until it is told to stop. */
function counting(log: Log, topic: string) {
  let appended = 0
  let stopping = false
  const done = (async () => {
    while (!stopping) {
      await log.append(
        topic,
        Array.from({ length: 10 }, (_, i) => record(String(appended + i), { partition: 0 })),
      )
      appended += 10
    }
  })()
  return {
    /** Resolves once so many more were appended. */
    async more(count: number) {
      const wanted = appended + count
      while (appended < wanted) await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 20))])
    },
    async stop(): Promise<number> {
      stopping = true
      await done
      return appended
    },
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i))
const valuesOf = async (log: Log, topic: string) =>
  (await readSome(log, topic, 0)).filter(({ headers }) => headers['reelpulse'] === undefined).map(({ value }) => value)

describe.skipIf(missing)(`the Kafka log on three brokers${missing ? ` (${missing})` : ''}`, () => {
  beforeAll(async () => {
    cluster = await startKafkaCluster()
  })
  afterAll(() => cluster?.stop())
  afterEach(async () => {
    vi.restoreAllMocks()
    await Promise.all(opened.splice(0).map((log) => log.close()))
    said.length = 0
  })

  async function newTopic(log: Log, partitions = 1): Promise<string> {
    const topic = newName()
    await log.createTopic({ topic, partitions, timestamps: 'append' })
    return topic
  }

  async function healthy(...topics: string[]): Promise<void> {
    for (const topic of topics) await cluster.inSync(topic)
  }

  test('topics are made with the replicas that the cluster says', async () => {
    const log = open()
    const topic = await newTopic(log, 4)
    const owner = await log.claim({ group: newName(), topic, partition: 0, changelogTopic: `${topic}.state` })
    await owner.close()
    const admin = new kafkajs.Kafka({ brokers: cluster.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic, `${topic}.state`] })
    await admin.disconnect()
    expect(topics.map(({ partitions }) => partitions.map(({ replicas }) => replicas.length))).toEqual([
      [3, 3, 3, 3],
      [3, 3, 3, 3],
    ])
  })

  test.each(['leader of the topic', 'leader of the changelog', 'coordinator of the transaction', 'coordinator of the group'] as const)(
    'the %s is killed under load: everything goes on, and is there once',
    async (who) => {
      const log = open()
      const topic = await newTopic(log)
      const group = newName()
      const claim = { group, topic, partition: 0, changelogTopic: `${topic}.state` }
      const events: string[] = []
      await log.join(group, topic, {
        assigned: (partition) => events.push(`+${partition}`),
        revoked: (partition) => events.push(`-${partition}`),
      })
      const owner = await log.claim(claim)
      const load = counting(log, topic)
      await load.more(50)
      await healthy(topic, claim.changelogTopic, '__transaction_state', '__consumer_offsets')
      const victim = {
        'leader of the topic': () => cluster.leaderOf(topic, 0),
        'leader of the changelog': () => cluster.leaderOf(claim.changelogTopic, 0),
        'coordinator of the transaction': () => coordinatorOf('transaction', `${group}/${topic}/0`, topic),
        'coordinator of the group': () => coordinatorOf('group', group, topic),
      }[who]
      const id = (await victim()) as number
      // In the middle of a checkpoint: large enough that it has several requests.
      const state = Array.from({ length: 3_000 }, (_, i) => record(`${i} ${'x'.repeat(3_000)}`))
      const committing = owner.commit({ changelog: state, outbox: [] })
      await new Promise((resolve) => setTimeout(resolve, 30))
      await cluster.kill(id)
      await committing
      await load.more(50)
      await owner.commit({ changelog: [record('after')], outbox: [] })
      await owner.reportProgress(7)
      await cluster.start(id)
      const appended = await load.stop()
      expect(await valuesOf(log, topic)).toEqual(numbers(appended))
      expect(await valuesOf(log, claim.changelogTopic)).toEqual([...state.map(({ value }) => new TextDecoder().decode(value!)), 'after'])
      expect(events).toEqual(['+0'])
      await owner.close()
    },
    180_000,
  )

  test('a leader that hangs is gone round, and does no harm when it wakes', async () => {
    const log = open()
    const topic = await newTopic(log)
    const claim = { group: newName(), topic, partition: 0, changelogTopic: `${topic}.state` }
    const owner = await log.claim(claim)
    const load = counting(log, topic)
    await load.more(50)
    await healthy(topic, claim.changelogTopic, '__transaction_state')
    const id = (await cluster.leaderOf(topic, 0)) as number
    cluster.pause(id)
    await load.more(50)
    await owner.commit({ changelog: [record('while it hangs')], outbox: [] })
    cluster.resume(id)
    await load.more(50)
    await owner.commit({ changelog: [record('after')], outbox: [] })
    const appended = await load.stop()
    expect(await valuesOf(log, topic)).toEqual(numbers(appended))
    expect(await valuesOf(log, claim.changelogTopic)).toEqual(['while it hangs', 'after'])
    await owner.close()
  }, 180_000)

  test('with too few replicas in sync what is written waits, says so, and is there once', async () => {
    const log = open()
    const topic = await newTopic(log)
    const claim = { group: newName(), topic, partition: 0, changelogTopic: `${topic}.state` }
    const owner = await log.claim(claim)
    await healthy(topic, claim.changelogTopic, '__transaction_state')
    await cluster.kill(1)
    await cluster.kill(2)
    const appending = log.append(topic, [record('waits', { partition: 0 })])
    const committing = owner.commit({ changelog: [record('waits')], outbox: [] })
    await expect.poll(() => said.length, { timeout: 30_000 }).toBeGreaterThan(0)
    await cluster.start(1)
    await Promise.all([appending, committing])
    await cluster.start(2)
    expect(await valuesOf(log, topic)).toEqual(['waits'])
    expect(await valuesOf(log, claim.changelogTopic)).toEqual(['waits'])
    await owner.close()
  }, 180_000)

  test('all brokers away for longer than a transaction may last: the owner is dead, what it began is not read, the next one goes on', async () => {
    const log = open({ transactionTimeoutMs: 3_000 })
    const topic = await newTopic(log)
    const claim = { group: newName(), topic, partition: 0, changelogTopic: `${topic}.state` }
    const owner = await log.claim(claim)
    await owner.commit({ changelog: [record('before')], outbox: [] })
    await healthy(topic, claim.changelogTopic, '__transaction_state')
    const reader = await log.read(topic, 0, 0)
    const appending = log.append(topic, [record('while all are away', { partition: 0 })])
    await Promise.all(cluster.ids.map((id) => cluster.kill(id)))
    await expect(owner.commit({ changelog: [record('while all are away')], outbox: [] })).rejects.toThrow(/the transaction failed/)
    const claiming = log.claim(claim)
    await Promise.all(cluster.ids.map((id) => cluster.start(id)))
    await appending
    const next: PartitionOwner = await claiming
    await next.commit({ changelog: [record('after')], outbox: [] })
    await expect(owner.commit({ changelog: [record('zombie')], outbox: [] })).rejects.toThrow(OwnerLost)
    expect(await valuesOf(log, claim.changelogTopic)).toEqual(['before', 'after'])
    expect((await reader.next(20_000)).count).toBe(1)
    await Promise.all([reader.close(), next.close()])
  }, 180_000)

  test.each([
    ['a produce request', 0],
    ['the end of a transaction', 26],
    ['the addition of a partition', 24],
    ['a heartbeat', 12],
  ])('the reply to %s is lost with its connection: what was asked counts once', async (_, apiKey) => {
    const log = open({ sessionTimeoutMs: 3_000 })
    const topic = await newTopic(log)
    const claim = { group: newName(), topic, partition: 0, changelogTopic: `${topic}.state` }
    const events: string[] = []
    await log.join(claim.group, topic, {
      assigned: (partition) => events.push(`+${partition}`),
      revoked: (partition) => events.push(`-${partition}`),
    })
    const owner = await log.claim(claim)
    let lost = 0
    const { fulfillRequest } = RequestQueue.prototype
    vi.spyOn(RequestQueue.prototype, 'fulfillRequest').mockImplementation(function (this: RequestQueue, response) {
      if (lost < 2 && this.inflight.get(response.correlationId)?.entry.apiKey === apiKey) {
        lost++
        this.rejectAll(new kafkajs.KafkaJSConnectionError('Closed connection', { broker: 'the test' }))
      } else fulfillRequest.call(this, response)
    })
    await log.append(topic, [record('0', { partition: 0 }), record('1', { partition: 0 })])
    await log.append(topic, [record('2', { partition: 0 })])
    await owner.commit({ changelog: [record('0')], outbox: [{ topic, records: [record('3', { partition: 0 })] }] })
    await owner.commit({ changelog: [record('1')], outbox: [] })
    await expect.poll(() => lost, { timeout: 20_000 }).toBe(2)
    expect(await valuesOf(log, topic)).toEqual(numbers(4))
    expect(await valuesOf(log, claim.changelogTopic)).toEqual(numbers(2))
    expect(events).toEqual(['+0'])
    await owner.close()
  })

  logContract('Kafka, three brokers', async () => {
    const logs: Log[] = []
    const another = async () => {
      const log = kafkaLog({ brokers: cluster.brokers, sessionTimeoutMs: 6_000 })
      logs.push(log)
      return log
    }
    return {
      log: await another(),
      another,
      async close() {
        for (const log of logs) await log.close()
      },
    }
  })
})
