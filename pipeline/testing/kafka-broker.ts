// A real Kafka broker for tests: Maven's jars on the machine's JVM, or a container where there is Docker but no JVM.

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { answers, formatNode, freePorts, jarsFolder, kafkaProcess, kafkaVersion, quickProperties, resolveJars } from './kafka-jvm.ts'

export type RunningKafka = {
  /** `host:port`, the same over a restart. */
  brokers: string
  /** Ends the broker and removes its files. */
  stop(): Promise<void>
  /** Ends it as a power cut would; its files stay. */
  kill(): Promise<void>
  /** Kills it if it runs, and starts it on the same files and port. Resolves once it answers. */
  restart(): Promise<void>
}

export type KafkaOptions = {
  /** Lets in only who logs in so, over SASL PLAIN. */
  login?: { username: string; password: string }
}

export type KafkaBackend = { name: 'jvm' | 'docker'; start: (options?: KafkaOptions) => Promise<RunningKafka> } | { missing: string }

const run = promisify(execFile)

const works = (command: string, args: string[]): Promise<boolean> =>
  run(command, args, { timeout: 30_000 }).then(
    () => true,
    () => false,
  )

/** Which broker this machine can have. With REELPULSE_REQUIRE_BACKENDS=1 having none is an error, not a reason to skip. */
export async function kafkaBackend(): Promise<KafkaBackend> {
  const [java, mvn] = await Promise.all([works('java', ['-version']), works('mvn', ['--version'])])
  if (java && (mvn || existsSync(jarsFolder()))) return { name: 'jvm', start: startOnJvm }
  if (await works('docker', ['info'])) return { name: 'docker', start: startInDocker }
  const missing = 'a Kafka broker needs java and mvn, or docker'
  if (process.env['REELPULSE_REQUIRE_BACKENDS'] === '1') throw new Error(`${missing}; REELPULSE_REQUIRE_BACKENDS=1 allows no skip`)
  return { missing }
}

/** Starts a broker that nobody else uses. Tests that neither kill nor reconfigure it share one: see shared-kafka.ts. */
export async function startKafka(options: KafkaOptions = {}): Promise<RunningKafka> {
  const backend = await kafkaBackend()
  if ('missing' in backend) throw new Error(backend.missing)
  return backend.start(options)
}

/** One node. */
const serverProperties = (
  folder: string,
  port: number,
  controllerPort: number,
  { login }: KafkaOptions,
) => `${login ? loginProperties(login) : ''}
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
listener.security.protocol.map=PLAINTEXT:${login ? 'SASL_PLAINTEXT' : 'PLAINTEXT'},CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=${folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
${quickProperties}`

const loginProperties = ({ username, password }: NonNullable<KafkaOptions['login']>) => `
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username="${username}" password="${password}" user_${username}="${password}";
`

/** The node's own settings, from its folder and ports. */
export type NodeProperties = (folder: string, port: number, controllerPort: number) => string

const startOnJvm = (options: KafkaOptions = {}): Promise<RunningKafka> =>
  startNodeOnJvm((folder, port, controllerPort) => serverProperties(folder, port, controllerPort, options))

/** One node on this machine's JVM, with settings of the caller's. */
export async function startNodeOnJvm(properties: NodeProperties): Promise<RunningKafka> {
  const files = { jars: await resolveJars(), folder: mkdtempSync(join(tmpdir(), 'reelpulse-kafka-')) }
  const config = join(files.folder, 'server.properties')
  const [port, controllerPort] = (await freePorts(2)) as [number, number]
  const broker = kafkaProcess(files, config, port, 512)
  const stop = async () => {
    await broker.kill()
    // The keeper has seen the broker end, but Windows and network file systems may still hold files for a moment.
    rmSync(files.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
  try {
    await formatNode(files, config, properties(files.folder, port, controllerPort))
    await broker.start()
  } catch (error) {
    await stop()
    throw error
  }
  return { brokers: `127.0.0.1:${port}`, stop, kill: broker.kill, restart: () => broker.kill().then(broker.start) }
}

async function startInDocker(options: KafkaOptions = {}): Promise<RunningKafka> {
  const { GenericContainer } = await import('testcontainers')
  // Clients are told the advertised port, so it must be known before the broker starts, and stay over a restart.
  const ports = await freePorts(1)
  const port = ports[0] as number
  const settings = serverProperties('/tmp/reelpulse', 9092, 9093, options)
    .replaceAll('\\\n', '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const)
    .map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`, value] as const)
  const environment = {
    ...Object.fromEntries(settings),
    KAFKA_LISTENERS: 'PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093',
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
    KAFKA_HEAP_OPTS: '-Xmx512m',
  }
  const container = await new GenericContainer(`apache/kafka:${kafkaVersion}`)
    .withExposedPorts({ container: 9092, host: port })
    .withEnvironment(environment)
    .start()
  const kill = async () => {
    await run('docker', ['kill', container.getId()]).catch(() => {}) // not running: as wanted
  }
  const restart = async () => {
    await kill()
    await run('docker', ['start', container.getId()])
    await answers(port, () => {})
  }
  await answers(port, () => {})
  const stop = async () => {
    await container.stop()
  }
  return { brokers: `127.0.0.1:${port}`, stop, kill, restart }
}
