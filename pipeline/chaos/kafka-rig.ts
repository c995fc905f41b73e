// The pipeline on servers: a real broker, an engine behind HTTP as a ClickHouse server would be, and two members of one group.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { clickhouseStore } from '../adapters/clickhouse-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { changelogOf, databaseOf, defaultTopic } from '../config/names.ts'
import { startEngine } from '../engine/supervisor.ts'
import { kafkaBackend, type RunningKafka } from '../testing/kafka-broker.ts'
import { sessionTimeoutMs } from './plan.ts'
import { program, youngest } from './program.ts'
import { blockSpanS, checkpointS, coveredOffsets, emitS, type PartHandle, type Rig } from './rig.ts'

const bin = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
const topic = defaultTopic
const partitions = 4

/** There is no broker for this machine; the message says what is missing. */
export class NoBroker extends Error {
  override name = 'NoBroker'
}

export async function kafkaRig(directory: string): Promise<Rig> {
  const backend = await kafkaBackend()
  if ('missing' in backend) throw new NoBroker(`${backend.missing}; --embedded needs neither`)
  const kafka: RunningKafka = await backend.start()
  // This process is the engine's supervisor: no member's death is the engine's.
  const engine = await startEngine({ dataDir: directory, database: 'reelpulse', port: 0 })
  const { owner, port } = engine.address
  const url = `http://127.0.0.1:${port}`
  const log = kafkaLog({ brokers: [kafka.brokers], clientId: 'reelpulse-chaos' })
  await log.createTopic({ topic, partitions, timestamps: 'append' })
  const look = () => clickhouseStore({ url, ...owner, database: databaseOf(topic) })
  const environment = {
    REELPULSE_DATA: directory,
    REELPULSE_TOPIC: topic,
    REELPULSE_EMIT_S: String(emitS),
    KAFKA_BROKERS: kafka.brokers,
    CLICKHOUSE_URL: url,
    CLICKHOUSE_USER: owner.user,
    CLICKHOUSE_PASSWORD: owner.password,
  }

  const member = (name: string) =>
    program({
      name,
      words: [bin, 'process', `--block-span-s=${blockSpanS}`, `--checkpoint-s=${checkpointS}`],
      env: {
        ...environment,
        REELPULSE_PORT: '0',
        KAFKA_SESSION_TIMEOUT_S: String(sessionTimeoutMs / 1000),
        KAFKA_CLIENT_ID: name.replace(' ', '-'),
      },
      logFile: join(directory, `${name.replace(' ', '-')}.log`),
    })
  const members = [member('member 1'), member('member 2')] as const

  let killed: number | undefined
  const enginePart: PartHandle = {
    async signal(name) {
      killed = engine.pid()
      process.kill(killed!, name)
    },
    /** Its supervisor starts it. */
    async start() {
      const store = look()
      while (engine.pid() === killed || !(await store.ping())) await sleep(50)
      await store.close()
    },
  }
  // It is only ever killed.
  const brokerPart: PartHandle = { signal: kafka.kill, start: kafka.restart }
  await Promise.all(members.map((one) => one.start()))
  await Promise.all(members.map((one) => one.ready()))

  return {
    parts: { 'member 1': members[0], 'member 2': members[1], engine: enginePart, broker: brokerPart },
    topic,
    changelog: changelogOf(topic),
    append: (records) => log.append(topic, records),
    async endsOf(name) {
      return (await log.describeTopic(name))?.partitions.map(({ end }) => end) ?? []
    },
    covered: () => coveredOffsets(log, changelogOf(topic)),
    started: () => youngest(members).ready(),
    look,
    async stopPrograms() {
      const ends = await Promise.all(members.map((one) => one.end()))
      return ends.filter((wrong) => wrong !== undefined)
    },
    async settle() {
      return { store: look(), log }
    },
    environment: () => environment,
    complaints: () => members.flatMap((one) => one.complaints()),
    sessionsLost: () => members.reduce((sum, one) => sum + one.sessionsLost(), 0),
    async close() {
      await Promise.all(members.map((one) => one.signal('SIGKILL')))
      await log.close()
      await engine.stop()
      await kafka.stop()
    },
  }
}
