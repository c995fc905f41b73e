// The doctor on a real broker: a live topic that is processed, and topics as somebody else may have made them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { changelogOf, databaseOf, defaultTopic, rejectedTopicOf, tierChangesTopicOf } from '../config/names.ts'
import { views } from '../../operators/views.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { processAll } from '../integration/process-harness.ts'
import type { Log, TopicSpec } from '../ports/log.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { checkTimestamps } from './check-topics.ts'
import { gather, judge } from './doctor.ts'
import type { Facts } from './facts.ts'

const missing = await missingKafka()

describe.skipIf(missing)('the doctor on a Kafka broker', () => {
  const dir = mkdtempSync(join(tmpdir(), 'reelpulse-doctor-'))
  let broker: string
  let log: Log
  let engine: EmbeddedEngine
  beforeAll(async () => {
    broker = await sharedKafka()
    log = kafkaLog({ brokers: [broker], sessionTimeoutMs: 6_000 })
    engine = await openEmbeddedEngine({ dataDir: dir })
  }, 120_000)
  afterAll(async () => {
    await log.close()
    await engine.close()
    rmSync(dir, { recursive: true, force: true })
  })

  const look = (topic: string): Promise<Facts> =>
    gather({
      data: { dir },
      log: {
        brokers: [broker],
        clientId: 'doctor',
        ssl: false,
        saslMechanism: undefined,
        saslUsername: undefined,
        saslPassword: undefined,
        sessionTimeoutS: 30,
      },
      store: { url: undefined, user: 'default', password: '' },
      topic: { topic, group: 'reelpulse' },
      process: { blockSpanS: 5, checkpointS: 10 },
    })
  const newTopic = async (spec: Partial<TopicSpec> = {}) => {
    const topic = `doctor-${crypto.randomUUID().slice(0, 8)}`
    await log.createTopic({ topic, partitions: 2, timestamps: 'append', ...spec })
    return topic
  }
  const complaints = async (topic: string) =>
    judge(await look(topic))
      .filter(({ area, level }) => (area === 'log' || area === 'partitions') && (level === 'problem' || level === 'warning'))
      .map(({ level, check, of, fix }) => ({ level, check, of, fix }))
  const alter = (topic: string, config: string) =>
    `kafka-configs.sh --bootstrap-server ${broker} --alter --entity-type topics --entity-name ${topic} --add-config ${config}`

  test('a live topic that is processed is well, and the log is as it was', async () => {
    const topic = await newTopic()
    const store = engine.store(databaseOf(topic))
    await store.migrate(tables, views)
    const flush = (partition: number) => ({ key: Buffer.from('u'), value: Buffer.from('no flush'), partition })
    await log.append(topic, [flush(0), flush(1)])
    await processAll({ topic, members: [{ log, store }] })
    const ends = async () => Promise.all([topic, changelogOf(topic), rejectedTopicOf(topic)].map((name) => log.describeTopic(name)))
    const before = await ends()
    const facts = await look(topic)
    expect(facts.log).toMatchObject({
      state: 'found',
      facts: {
        partitions: [0, 1].map((partition) => ({
          partition,
          checkpoint: { value: { partitionCount: 2, clean: true, clock: expect.any(Number), nextOffset: expect.any(Number) } },
          newestAt: { value: expect.any(Number) },
        })),
        cluster: { value: { brokers: 1, transactionTimeoutMs: 60_000 } },
      },
    })
    // Tables on this machine, and a log elsewhere, are told apart.
    expect(judge(facts).filter(({ level }) => level !== 'ok')).toMatchObject([{ check: 'settings', level: 'warning' }])
    expect(await ends()).toEqual(before)
  }, 120_000)

  test('retention that is too short is found', async () => {
    const topic = await newTopic({ retentionMs: 3_600_000 })
    expect(await complaints(topic)).toEqual([{ level: 'problem', check: 'retention', of: topic, fix: alter(topic, 'retention.ms=-1') }])
    const kept = await newTopic({ retentionMs: 48 * 3_600_000 })
    expect(await complaints(kept)).toEqual([])
  }, 60_000)

  test('CreateTime is found: on the live topic, and on what process wants otherwise', async () => {
    const topic = await newTopic({ timestamps: 'create' })
    const tierChanges = tierChangesTopicOf(topic)
    await log.createTopic({ topic: tierChanges, partitions: 2, timestamps: 'append', maxMessageBytes: 5_000_000 })
    const facts = await look(topic)
    const fix = alter(tierChanges, 'message.timestamp.type=CreateTime')
    expect(judge(facts).filter(({ level }) => level === 'problem')).toMatchObject([{ check: 'timestamps', of: tierChanges, fix }])
    // The broker is shared: the live topic's name is not for a test to take.
    if (facts.log.state !== 'found') throw new Error('the log was not found')
    const live = { ...facts.log.facts, names: { ...facts.log.facts.names, input: defaultTopic } }
    expect(checkTimestamps(live, live.topics.input!)[0]).toMatchObject({
      level: 'problem',
      fix: alter(defaultTopic, 'message.timestamp.type=LogAppendTime'),
    })
  }, 60_000)

  test('a changelog that is not compacted, and small messages, are found', async () => {
    const topic = await newTopic()
    const changelog = changelogOf(topic)
    await log.createTopic({ topic: changelog, partitions: 2, timestamps: 'append' })
    const told = await complaints(topic)
    expect(told).toContainEqual({ level: 'problem', check: 'compaction', of: changelog, fix: alter(changelog, 'cleanup.policy=compact') })
    expect(told).toContainEqual({
      level: 'problem',
      check: 'message size',
      of: changelog,
      fix: alter(changelog, 'max.message.bytes=4194816'),
    })
  }, 60_000)
})
