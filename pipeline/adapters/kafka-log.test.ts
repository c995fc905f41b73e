// What is the Kafka log's own, on a real broker: restarts, fencing in mid-transaction, offsets that are gone, rebalances, kafkajs's faults.

import kafkajs from 'kafkajs'
import Connection from 'kafkajs/src/network/connection.js'
import loggers from 'kafkajs/src/loggers/index.js'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { OffsetGone, OwnerLost, type Log, type OutRecord } from '../ports/log.ts'
import { startKafka, type RunningKafka } from '../testing/kafka-broker.ts'
import { readSome } from '../testing/log-contract.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { kafkaLog, type KafkaLogOptions } from './kafka-log.ts'
import { closeCluster, kafkaClient, originOf } from './kafka/client.ts'
import { socketFactory } from './kafka/connection.ts'
import { initProducer } from './kafka/producer.ts'

const missing = await missingKafka()
const bytes = (text: string) => new TextEncoder().encode(text)
const record = (value: string, more: Partial<OutRecord> = {}): OutRecord => ({ key: bytes('k'), value: bytes(value), ...more })
const newName = () => `kafka-${crypto.randomUUID().slice(0, 8)}`

const opened: Log[] = []
function open(brokers: string, options: Partial<KafkaLogOptions> = {}): Log {
  const log = kafkaLog({ brokers: [brokers], sessionTimeoutMs: 6_000, ...options })
  opened.push(log)
  return log
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map((log) => log.close()))
})

/** Members of a group, and who owns what now. Ownership is only ever what handlers said. */
function groupWatch() {
  const owners = new Map<string, Set<number>>()
  let changed = () => {}
  return {
    owners,
    handlers(name: string) {
      const owned = new Set<number>()
      owners.set(name, owned)
      return {
        assigned(partition: number) {
          expect(owned.has(partition)).toBe(false)
          owned.add(partition)
          changed()
        },
        revoked(partition: number) {
          expect(owned.delete(partition)).toBe(true)
          changed()
        },
      }
    },
    async until(condition: () => boolean) {
      while (!condition()) await new Promise<void>((resolve) => (changed = resolve))
    },
    /** Each of `partitions` partitions is owned once. */
    complete(partitions: number) {
      const all = [...owners.values()].flatMap((owned) => [...owned])
      return all.length === partitions && new Set(all).size === partitions
    },
  }
}

describe.skipIf(missing)('the Kafka log on a shared broker', () => {
  let brokers: string
  let kafka: kafkajs.Kafka
  beforeAll(async () => {
    brokers = await sharedKafka()
    kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING })
  })

  async function newTopic(log: Log, partitions = 1): Promise<string> {
    const topic = newName()
    await log.createTopic({ topic, partitions, timestamps: 'append' })
    return topic
  }

  async function deleteBefore(topic: string, offset: number): Promise<void> {
    const admin = kafka.admin()
    await admin.connect()
    await admin.fetchTopicOffsets(topic) // without it kafkajs's admin knows no leaders
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] })
    await admin.disconnect()
  }

  test('a reader whose next records were deleted is told, and does not jump over the gap', async () => {
    const log = open(brokers)
    const topic = await newTopic(log)
    await log.append(
      topic,
      Array.from({ length: 10 }, (_, index) => record(String(index))),
    )
    const late = await log.read(topic, 0, 2)
    await deleteBefore(topic, 5)
    await expect(log.read(topic, 0, 4)).rejects.toThrow(/offset 4 is outside the log, which has \[5, 10\]/)
    expect((await log.describeTopic(topic))?.partitions).toEqual([{ begin: 5, end: 10 }])
    expect((await readSome(log, topic, 0, 5)).map(({ value }) => value)).toEqual(['5', '6', '7', '8', '9'])
    // The late one may have had its first response already; what it does not have it is told.
    const first = await late.next(5_000).catch((error: unknown) => error)
    if (first instanceof Error) expect(first).toBeInstanceOf(OffsetGone)
    else expect((first as { count: number }).count).toBe(8)
    await late.close()
  })

  test('a reader that falls out of the log while it reads gets OffsetGone', async () => {
    const log = open(brokers)
    const topic = await newTopic(log)
    // More than one fetch brings, so that the reader must ask again after the deletion.
    const value = 'x'.repeat(100_000)
    for (let i = 0; i < 6; i++) {
      await log.append(
        topic,
        Array.from({ length: 20 }, () => record(value)),
      )
    }
    const reader = await log.read(topic, 0, 0)
    const first = await reader.next(20_000)
    expect(first.count).toBeGreaterThan(0)
    await deleteBefore(topic, 120)
    const seen: number[] = []
    const rest = async () => {
      for (;;) {
        const batch = await reader.next(20_000)
        for (let i = 0; i < batch.count; i++) seen.push(batch.offsets[i] as number)
        if (batch.count === 0) return
      }
    }
    await expect(rest()).rejects.toThrow(OffsetGone)
    for (let i = 1; i < seen.length; i++) expect(seen[i]).toBe((seen[i - 1] as number) + 1)
    await reader.close()
  })

  test('what a transaction left open or aborted is never read, and a claim does not wait for it', async () => {
    const log = open(brokers)
    const topic = await newTopic(log)
    const claim = { group: newName(), topic, partition: 0, changelogTopic: `${topic}.state` }
    const first = await log.claim(claim)
    await first.commit({ changelog: [record('kept')], outbox: [] })
    // A stranger with the same transactional id stands for the owner that died in the middle of a checkpoint.
    const dead = kafka.producer({
      transactionalId: `${claim.group}/${topic}/0`,
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    await dead.connect()
    const aborted = await dead.transaction()
    await aborted.send({ topic: claim.changelogTopic, messages: [{ key: 'k', value: 'aborted', partition: 0 }] })
    await aborted.abort()
    const left = await dead.transaction()
    await left.send({ topic: claim.changelogTopic, messages: [{ key: 'k', value: 'left open', partition: 0 }] })
    await left.send({ topic, messages: [{ key: 'k', value: 'left open', partition: 0 }] })
    await expect(first.commit({ changelog: [record('zombie')], outbox: [] })).rejects.toThrow(OwnerLost)

    const next = await log.claim(claim)
    const restored: string[] = []
    for await (const batch of next.restore()) {
      for (let i = 0; i < batch.count; i++)
        if (!batch.headers[i]?.['reelpulse']) restored.push(new TextDecoder().decode(batch.values[i] as Uint8Array))
    }
    expect(restored).toEqual(['kept'])
    expect(await readSome(log, topic, 0)).toEqual([])
    await expect(left.commit()).rejects.toThrow()
    await dead.disconnect()
    await Promise.all([first.close(), next.close()])
  })

  test('compressed batches of other producers are read', async () => {
    const log = open(brokers)
    const topic = await newTopic(log)
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    const messages = Array.from({ length: 100 }, (_, index) => ({ key: 'k', value: `value ${index}`, headers: { a: ['1', '2'], b: 'x' } }))
    await producer.send({ topic, messages, compression: kafkajs.CompressionTypes.GZIP })
    await producer.disconnect()
    const seen = await readSome(log, topic, 0, 0, 100)
    expect(seen.map(({ value }) => value)).toEqual(messages.map(({ value }) => value))
    expect(seen[0]?.headers).toEqual({ a: '2', b: 'x' })
  })

  test('several readers of one partition each get all of it', async () => {
    const log = open(brokers)
    const topic = await newTopic(log)
    await log.append(
      topic,
      Array.from({ length: 500 }, (_, index) => record(`${index} ${'x'.repeat(1_000)}`)),
    )
    const all = await Promise.all([0, 0, 100].map((from) => readSome(log, topic, 0, from, 500 - from)))
    expect(all.map((seen) => [seen[0]?.offset, seen.length])).toEqual([
      [0, 500],
      [0, 500],
      [100, 400],
    ])
  })

  test('a topic that is deleted does not stop the readers of others', async () => {
    const log = open(brokers)
    const [doomed, healthy] = [await newTopic(log), await newTopic(log)]
    const lost = await log.read(doomed, 0, 0)
    const reader = await log.read(healthy, 0, 0)
    const admin = kafka.admin()
    await admin.connect()
    await admin.deleteTopics({ topics: [doomed] })
    await admin.disconnect()
    expect((await lost.next(1_000)).count).toBe(0)
    await log.append(healthy, [record('still here')])
    expect((await reader.next(20_000)).count).toBe(1)
    await Promise.all([lost.close(), reader.close()])
  })

  test('the offset that an owner reports is committed for lag monitors', async () => {
    const log = open(brokers)
    const topic = await newTopic(log)
    const group = newName()
    const watch = groupWatch()
    await log.join(group, topic, watch.handlers('a'))
    await watch.until(() => watch.complete(1))
    const owner = await log.claim({ group, topic, partition: 0, changelogTopic: `${topic}.state` })
    await owner.reportProgress(42)
    const admin = kafka.admin()
    await admin.connect()
    const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    await admin.disconnect()
    expect(offsets[0]?.partitions[0]).toMatchObject({ partition: 0, offset: '42' })
    await owner.close()
  })

  // Issues #1046, #1097, #1122, #1593, #1616: kafkajs's consumer hangs, spins or keeps partitions it has lost when its group changes.
  test('members that come and go leave every partition with exactly one of those that stay', async () => {
    const topic = await newTopic(open(brokers), 6)
    const group = newName()
    const watch = groupWatch()
    const join = async (name: string) => open(brokers).join(group, topic, watch.handlers(name))
    const stays = await join('stays')
    for (let round = 0; round < 3; round++) {
      const [b, c] = await Promise.all([join('b'), join('c')])
      await watch.until(() => watch.complete(6) && ['stays', 'b', 'c'].every((name) => watch.owners.get(name)?.size === 2))
      await b.close()
      const d = await join('d')
      await Promise.all([c.close(), d.close()])
      await watch.until(() => watch.owners.get('stays')?.size === 6)
    }
    await stays.close()
    expect([...watch.owners.values()].every((owned) => owned.size === 0)).toBe(true)
  })

  test('a member that the coordinator has forgotten gives up its partitions and comes back', async () => {
    const log = open(brokers)
    const topic = await newTopic(log, 2)
    const group = newName()
    const events: string[] = []
    let changed = () => {}
    const handlers = {
      assigned(partition: number) {
        events.push(`+${partition}`)
        changed()
      },
      revoked(partition: number) {
        events.push(`-${partition}`)
        changed()
      },
    }
    const membership = await log.join(group, topic, handlers)
    const admin = kafka.admin()
    await admin.connect()
    const { groups } = await admin.describeGroups([group])
    const memberId = groups[0]?.members[0]?.memberId as string
    await admin.disconnect()
    // Someone else says goodbye in its name, which is what an expired session comes to.
    const client = kafkaClient({ brokers: [brokers] })
    const cluster = client.newCluster()
    cluster.targetTopics.add(topic)
    await cluster.connect()
    await cluster.brokerPool.refreshMetadata([topic])
    const coordinator = await cluster.findGroupCoordinator({ groupId: group, coordinatorType: 0 })
    await coordinator.leaveGroup({ groupId: group, memberId })
    await closeCluster(cluster)
    while (events.length < 6) await new Promise<void>((resolve) => (changed = resolve))
    expect(events).toEqual(['+0', '+1', '-0', '-1', '+0', '+1'])
    await membership.close()
  })

  test('a producer id of ours fences an older one of the same transactional id', async () => {
    const topic = await newTopic(open(brokers))
    const client = kafkaClient({ brokers: [brokers] })
    const cluster = client.newCluster()
    const transactional = { id: newName(), timeoutMs: 10_000 }
    const first = await initProducer(cluster, transactional, topic, { forMs: 30_000 })
    const second = await initProducer(cluster, transactional, topic, { forMs: 30_000 })
    expect(second.producerId).toBe(first.producerId)
    expect(second.producerEpoch).toBe(first.producerEpoch + 1)
    await closeCluster(cluster)
  })

  // Issue #1751.
  test('no timer is set to the past, and none runs while nothing is pending', async () => {
    const warnings: string[] = []
    const note = (warning: Error) => warnings.push(warning.name)
    process.on('warning', note)
    const log = open(brokers)
    const topic = await newTopic(log)
    await log.append(topic, [record('1')])
    await readSome(log, topic, 0, 0, 1)
    const cluster = kafkaClient({ brokers: [brokers] }).newCluster()
    await cluster.connect()
    await cluster.brokerPool.refreshMetadata([topic])
    const queues = Object.values(cluster.brokerPool.brokers).flatMap(({ connectionPool }) =>
      connectionPool.pool.map(
        (connection) => (connection as unknown as { requestQueue: { throttleCheckTimeoutId: unknown } }).requestQueue,
      ),
    )
    expect(queues.map(({ throttleCheckTimeoutId }) => throttleCheckTimeoutId)).toEqual(queues.map(() => null))
    await closeCluster(cluster)
    process.off('warning', note)
    expect(warnings).not.toContain('TimeoutNegativeWarning')
  })
})

describe.skipIf(missing)('the Kafka log over a broker that dies', () => {
  let kafka: RunningKafka
  beforeAll(async () => {
    kafka = await startKafka()
  })
  afterAll(() => kafka?.stop())

  test('appends, reads, owners and members outlive it, and every record is there once', async () => {
    const log = open(kafka.brokers)
    const topic = newName()
    await log.createTopic({ topic, partitions: 2, timestamps: 'append' })
    const group = newName()
    const watch = groupWatch()
    await log.join(group, topic, watch.handlers('a'))
    const owner = await log.claim({ group, topic, partition: 0, changelogTopic: `${topic}.state` })

    let appended = 0
    let stop = false
    let allAppended = false
    const appending = (async () => {
      while (!stop) {
        await log.append(
          topic,
          Array.from({ length: 20 }, (_, index) => record(String(appended + index), { partition: 0 })),
        )
        appended += 20
      }
    })()
    const seen: string[] = []
    const reading = (async () => {
      const reader = await log.read(topic, 0, 0)
      while (!allAppended || seen.length < appended) {
        const batch = await reader.next(500)
        for (let i = 0; i < batch.count; i++) seen.push(new TextDecoder().decode(batch.values[i] as Uint8Array))
      }
      await reader.close()
    })()
    for (let round = 0; round < 2; round++) {
      const before = appended
      while (appended < before + 200) await new Promise((resolve) => setTimeout(resolve, 20))
      await kafka.kill()
      const committing = owner.commit({ changelog: [record(`round ${round}`)], outbox: [] })
      await kafka.restart()
      await committing
    }
    const before = appended
    while (appended < before + 200) await new Promise((resolve) => setTimeout(resolve, 20))
    stop = true
    await appending
    allAppended = true
    await reading
    expect(seen).toEqual(Array.from({ length: appended }, (_, index) => String(index)))
    await watch.until(() => watch.complete(2))
    await owner.close()
    const state = (await readSome(log, `${topic}.state`, 0)).filter(({ headers }) => !headers['reelpulse'])
    expect(state.map(({ value }) => value)).toEqual(['round 0', 'round 1'])
  })

  test('a member that cannot reach its coordinator gives up its partitions when its session is over', async () => {
    const log = open(kafka.brokers, { sessionTimeoutMs: 2_000 })
    const topic = newName()
    await log.createTopic({ topic, partitions: 2, timestamps: 'append' })
    const watch = groupWatch()
    await log.join(newName(), topic, watch.handlers('a'))
    expect(watch.complete(2)).toBe(true)
    await kafka.kill()
    await watch.until(() => watch.owners.get('a')?.size === 0)
    await kafka.restart()
    await watch.until(() => watch.complete(2))
  })

  test('a log can be closed while its broker is away', async () => {
    const log = open(kafka.brokers)
    const topic = newName()
    await log.createTopic({ topic, partitions: 1, timestamps: 'append' })
    await log.join(newName(), topic, { assigned() {}, revoked() {} })
    const reader = await log.read(topic, 0, 0)
    const waiting = reader.next(60_000)
    await kafka.kill()
    await log.close()
    expect((await waiting).count).toBe(0)
    await expect(log.append(topic, [record('1')])).rejects.toThrow()
    await kafka.restart()
  })
})

test.skipIf(missing)(
  'a changelog whose users are written again and again stays as large as its users',
  async () => {
    const brokers = await sharedKafka()
    const log = open(brokers)
    const topic = newName()
    const changelogTopic = `${topic}.state`
    await log.createTopic({ topic, partitions: 1, timestamps: 'append' })
    await log.createTopic({ topic: changelogTopic, partitions: 1, timestamps: 'append', compacted: true })
    const admin = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: changelogTopic }
    const described = await admin.describeConfigs({ resources: [resource], includeSynonyms: false })
    const configs = new Map(described.resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]))
    // A segment that is written to is not compacted: of a gigabyte, as is the default, a restart would read all.
    expect(Number(configs.get('segment.bytes'))).toBeLessThanOrEqual(128 * 1024 * 1024)
    expect(configs.get('min.cleanable.dirty.ratio')).toBe('0.3')
    // As small as a broker lets segments be, so that the test need not write hundreds of megabytes.
    const kept = ['cleanup.policy', 'min.cleanable.dirty.ratio', 'message.timestamp.type', 'max.message.bytes']
    const configEntries = kept.map((name) => ({ name, value: configs.get(name)! }))
    configEntries.push({ name: 'segment.bytes', value: '1048576' })
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
    await admin.disconnect()

    const owner = await log.claim({ group: topic, topic, partition: 0, changelogTopic })
    const users = 1_000
    const checkpoints = 80
    for (let n = 0; n < checkpoints; n++) {
      const value = (user: number) => bytes(`${n}/${user}/${'x'.repeat(200)}`)
      await owner.commit({
        changelog: Array.from({ length: users }, (_, user) => ({ key: bytes(`user/${user}`), value: value(user) })),
        outbox: [],
      })
    }
    await owner.close()
    // One segment that is still written to, and what the ratio lets lie: a few thousand records of the eighty thousand.
    let seen = await readSome(log, changelogTopic, 0)
    while (seen.length > 12 * users) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      seen = await readSome(log, changelogTopic, 0)
    }
    const latest = new Map(seen.map(({ key, value }) => [key, value]))
    for (let user = 0; user < users; user++) expect(latest.get(`user/${user}`)).toMatch(`${checkpoints - 1}/${user}/`)
  },
  120_000,
)

test.skipIf(missing)('a login is taken over SASL, and a wrong one is told', async () => {
  const login = { username: 'reel', password: 'secret' }
  const kafka = await startKafka({ login })
  try {
    const log = open(kafka.brokers, { sasl: { mechanism: 'plain', ...login } })
    const topic = newName()
    await log.createTopic({ topic, partitions: 1, timestamps: 'append' })
    await log.append(topic, [record('1')])
    expect((await readSome(log, topic, 0, 0, 1)).map(({ value }) => value)).toEqual(['1'])
    const stranger = open(kafka.brokers, { sasl: { mechanism: 'plain', username: 'reel', password: 'wrong' } })
    await expect(stranger.describeTopic(topic)).rejects.toThrow(/[Aa]uthentication failed/)
  } finally {
    await Promise.all(opened.splice(0).map((log) => log.close()))
    await kafka.stop()
  }
})

test('brokers that do not answer are named while they are waited for', async () => {
  const said: unknown[] = []
  const log = kafkaLog({ brokers: ['127.0.0.1:1'], log: (level, message, fields) => level === 'warn' && said.push({ message, ...fields }) })
  const asked = log.describeTopic('any').catch((error: Error) => error.message)
  await expect.poll(() => said.length, { timeout: 20_000 }).toBeGreaterThan(0)
  expect(said[0]).toMatchObject({ message: 'still waiting for the brokers', brokers: ['127.0.0.1:1'] })
  await log.close()
  expect(await asked).toContain('ECONNREFUSED')
}, 30_000)

describe('a connection of kafkajs', () => {
  const options = (port: number, requestTimeout: number) => ({
    host: '127.0.0.1',
    port,
    logger: loggers.createLogger({ level: kafkajs.logLevel.NOTHING, logCreator: () => () => {} }),
    socketFactory,
    connectionTimeout: 5_000,
    requestTimeout,
  })
  const frame = (correlationId: number, body: string) => {
    const bytesOf = Buffer.alloc(8 + body.length)
    bytesOf.writeInt32BE(4 + body.length, 0)
    bytesOf.writeInt32BE(correlationId, 4)
    bytesOf.write(body, 8)
    return bytesOf
  }
  const ask = (connection: Connection) =>
    connection.send<{ text: string }>({
      request: {
        apiKey: 18,
        apiVersion: 0,
        apiName: 'Test',
        encode: async () => ({ buf: Buffer.alloc(0), buffer: Buffer.alloc(0), size: () => 0 }),
      },
      response: { decode: async (payload) => ({ text: payload.toString() }), parse: async (data) => data },
    })

  async function served(answer: (socket: Socket, request: number) => void, requestTimeout = 5_000) {
    let requests = 0
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('data', () => answer(socket, requests++))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const connection = new Connection(options((server.address() as AddressInfo).port, requestTimeout))
    return {
      connection,
      sockets,
      async close() {
        await connection.disconnect()
        for (const socket of sockets) socket.destroy()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }

  test('that broke in the middle of a response reads the next response from its start', async () => {
    const { connection, close } = await served((socket, request) => {
      if (request === 0) socket.end(frame(0, 'this half is never followed by the other').subarray(0, 20))
      else socket.write(frame(request, 'whole'))
    })
    await connection.connect()
    await expect(ask(connection)).rejects.toThrow(/Closed connection/)
    await connection.connect()
    expect(await ask(connection)).toMatchObject({ text: 'whole' })
    await close()
  })

  test('that is dead is told to end as often as one likes, and takes no listener for it', async () => {
    const { connection, sockets, close } = await served(() => {})
    await connection.connect()
    await expect.poll(() => sockets.size).toBe(1)
    const { socket } = connection
    const closed = new Promise((resolve) => socket!.once('close', resolve))
    for (const far of sockets) far.destroy()
    await closed
    for (let i = 0; i < 20; i++) await connection.disconnect()
    expect(connection.socket).toBe(socket)
    expect(socket!.listenerCount('connect')).toBe(0)
    await close()
  })

  test('that two want at once is one', async () => {
    const { connection, sockets, close } = await served((socket, request) => socket.write(frame(request, 'here')))
    await Promise.all([connection.connect(), connection.connect()])
    expect(await ask(connection)).toMatchObject({ text: 'here' })
    expect(sockets.size).toBe(1)
    await close()
  })

  test('to a broker that does not answer in time is broken, for all who wait, and made anew', async () => {
    let awake = false
    const { connection, close } = await served((socket) => {
      if (awake) socket.write(frame(2, 'awake'))
    }, 300)
    await connection.connect()
    const asked = await Promise.allSettled([ask(connection), ask(connection)])
    for (const { status, reason } of asked as PromiseRejectedResult[]) {
      expect(status).toBe('rejected')
      expect(reason).toBeInstanceOf(kafkajs.KafkaJSConnectionError)
    }
    expect(connection.isConnected()).toBe(false)
    awake = true
    await connection.connect()
    expect(await ask(connection)).toMatchObject({ text: 'awake' })
    await close()
  })

  test('ends though an answer is still owed', async () => {
    const arrived = Promise.withResolvers<void>()
    const { connection, close } = await served(() => arrived.resolve(), 60_000)
    await connection.connect()
    const asked = ask(connection).catch((error: Error) => error.message)
    await arrived.promise
    await connection.disconnect()
    expect(await asked).toBe('the connection was closed')
    await close()
  })

  test('puts a response together from any pieces, and takes several from one', async () => {
    const big = 'x'.repeat(700_000)
    const { connection, close } = await served((socket, request) => {
      if (request !== 0) return
      const all = Buffer.concat([frame(0, 'first'), frame(1, big), frame(2, '')])
      for (let at = 0; at < 30; at++) socket.write(all.subarray(at, at + 1))
      socket.write(all.subarray(30))
    })
    await connection.connect()
    const answers = await Promise.all([ask(connection), ask(connection), ask(connection)])
    expect(answers.map(({ text }) => text)).toEqual(['first', big, ''])
    await close()
  })
})

test('of wrapped errors the first cause counts', () => {
  const cause = Object.assign(new Error('first'), { type: 'X' })
  expect(originOf(new Error('outer', { cause: new Error('middle', { cause }) })).type).toBe('X')
})
