// Three Kafka brokers and a controller for tests: everything on three replicas, of which two must have a record before it is acknowledged.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { kafkaBackend } from './kafka-broker.ts'
import { formatNode, freePorts, kafkaId, kafkaProcess, quickProperties, resolveJars, type KafkaProcess } from './kafka-jvm.ts'

export type KafkaCluster = {
  /** `host:port` of each broker; the same over restarts. */
  brokers: string[]
  /** 1, 2, 3. */
  ids: number[]
  kill(id: number): Promise<void>
  start(id: number): Promise<void>
  /** The broker hangs: its connections stay open, and nothing is answered. */
  pause(id: number): void
  resume(id: number): void
  /** Asked of the brokers that answer; undefined while there is none. */
  leaderOf(topic: string, partition: number): Promise<number | undefined>
  /** Resolves once every replica of the topic is in sync. */
  inSync(topic: string): Promise<void>
  /** Ends all and removes their files. */
  stop(): Promise<void>
}

/** What is missing on this machine, or undefined where a cluster can be had. Starts nothing. */
export async function missingCluster(): Promise<string | undefined> {
  const backend = await kafkaBackend()
  if ('missing' in backend) return backend.missing
  return backend.name === 'jvm' ? undefined : 'a cluster of Kafka brokers needs java and mvn'
}

const controllerId = 4
const ids = [1, 2, 3]

const properties = (id: number, folder: string, port: number, controllerPort: number) => `node.id=${id}
log.dirs=${folder}/${id}
controller.quorum.voters=${controllerId}@127.0.0.1:${controllerPort}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
${
  id === controllerId
    ? `process.roles=controller
listeners=CONTROLLER://127.0.0.1:${port}`
    : `process.roles=broker
listeners=PLAINTEXT://127.0.0.1:${port}
inter.broker.listener.name=PLAINTEXT
replica.lag.time.max.ms=3000`
}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
${quickProperties}`

export async function startKafkaCluster(): Promise<KafkaCluster> {
  const files = { jars: await resolveJars(), folder: mkdtempSync(join(tmpdir(), 'reelpulse-kafka-')) }
  const [controllerPort, ...ports] = (await freePorts(4)) as [number, ...number[]]
  const portOf = (id: number) => (id === controllerId ? controllerPort : (ports[id - 1] as number))
  const configOf = (id: number) => join(files.folder, `${id}.properties`)
  const node = (id: number) => kafkaProcess(files, configOf(id), portOf(id), 256)
  const controller = node(controllerId)
  const nodes = new Map<number, KafkaProcess>(ids.map((id) => [id, node(id)]))
  const of = (id: number) => nodes.get(id) as KafkaProcess
  const running = new Set<number>()
  const brokers = ids.map((id) => `127.0.0.1:${portOf(id)}`)

  const start = async (id: number) => {
    await of(id).start()
    running.add(id)
  }
  const kill = async (id: number) => {
    running.delete(id)
    await of(id).kill()
  }
  const stop = async () => {
    await Promise.all([controller, ...nodes.values()].map((process) => process.kill()))
    rmSync(files.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }

  async function partitionsOf(topic: string) {
    const answering = ids.filter((id) => running.has(id)).map((id) => `127.0.0.1:${portOf(id)}`)
    const admin = new kafkajs.Kafka({ brokers: answering, logLevel: kafkajs.logLevel.NOTHING }).admin()
    try {
      await admin.connect()
      return (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions ?? []
    } finally {
      await admin.disconnect()
    }
  }

  try {
    const config = (id: number) => properties(id, files.folder, portOf(id), controllerPort)
    await formatNode(files, configOf(controllerId), config(controllerId))
    // Preparing a directory takes a JVM some seconds; the others' differ in two lines.
    for (const id of ids) prepareLike(join(files.folder, String(controllerId)), join(files.folder, String(id)), id)
    for (const id of ids) writeFileSync(configOf(id), config(id))
    await Promise.all([controller.start(), ...ids.map(start)])
  } catch (error) {
    await stop()
    throw error
  }
  return {
    brokers,
    ids,
    kill,
    start,
    pause(id) {
      running.delete(id)
      of(id).pause()
    },
    resume(id) {
      running.add(id)
      of(id).resume()
    },
    async leaderOf(topic, partition) {
      const leader = (await partitionsOf(topic)).find(({ partitionId }) => partitionId === partition)?.leader ?? -1
      return leader < 0 ? undefined : leader
    },
    async inSync(topic) {
      for (;;) {
        const found = await partitionsOf(topic)
        if (found.length > 0 && found.every(({ isr }) => isr.length === ids.length)) return
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    },
    stop,
  }
}

function prepareLike(from: string, to: string, id: number): void {
  mkdirSync(to)
  const bootstrap = join(from, 'bootstrap.checkpoint')
  if (existsSync(bootstrap)) cpSync(bootstrap, join(to, 'bootstrap.checkpoint'))
  const meta = readFileSync(join(from, 'meta.properties'), 'utf8')
  writeFileSync(
    join(to, 'meta.properties'),
    meta.replace(/^node\.id=.*$/m, `node.id=${id}`).replace(/^directory\.id=.*$/m, `directory.id=${kafkaId()}`),
  )
}
