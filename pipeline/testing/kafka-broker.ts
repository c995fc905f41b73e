// A real Kafka broker for tests: Maven's jars on the machine's JVM, or a container where there is Docker but no JVM.

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'

export const kafkaVersion = '4.1.1'

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

const jarsFolder = () => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'reelpulse', 'kafka', kafkaVersion)

async function resolveJars(): Promise<string> {
  const folder = jarsFolder()
  if (existsSync(folder)) return folder
  mkdirSync(dirname(folder), { recursive: true })
  // Beside its destination, so that the rename that publishes it is atomic.
  const work = mkdtempSync(`${folder}-`)
  try {
    writeFileSync(
      join(work, 'pom.xml'),
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>reelpulse</groupId><artifactId>test-broker</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency>
</dependencies></project>
`,
    )
    const jars = join(work, 'jars')
    const args = [
      '-q',
      '-B',
      '-f',
      join(work, 'pom.xml'),
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${jars}`,
    ]
    await run('mvn', args, { timeout: 300_000 })
    try {
      renameSync(jars, folder)
    } catch (error) {
      if (!existsSync(folder)) throw error // else another run was quicker
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return folder
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return address.port
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** One node; small, so that it starts quickly; group and cleaner delays short, so that tests need not wait. */
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
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.backoff.ms=500
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=500
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
`

const loginProperties = ({ username, password }: NonNullable<KafkaOptions['login']>) => `
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username="${username}" password="${password}" user_${username}="${password}";
`

const log4j = `
Configuration:
  status: error
  Appenders:
    Console:
      name: STDOUT
      target: SYSTEM_OUT
      PatternLayout: { pattern: "%d %p %c %m%n" }
  Loggers:
    Root: { level: warn, AppenderRef: { ref: STDOUT } }
`

const javaOptions = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true']

// The broker must not outlive us, however we end: the pipe on its keeper's stdin closes with our process.
const keeper = 'exec 3<&0; "$@" </dev/null & pid=$!; (cat <&3 >/dev/null; kill -KILL $pid 2>/dev/null) & wait $pid'

async function startOnJvm(options: KafkaOptions = {}): Promise<RunningKafka> {
  const jars = await resolveJars()
  const folder = mkdtempSync(join(tmpdir(), 'reelpulse-kafka-'))
  const java = (main: string, args: string[]) => [
    ...javaOptions,
    `-Dlog4j2.configurationFile=${join(folder, 'log4j2.yaml')}`,
    '-cp',
    [join(jars, '*')].join(delimiter),
    main,
    ...args,
  ]
  const config = join(folder, 'server.properties')
  const ports = await freePorts(2)
  const [port, controllerPort] = ports as [number, number]
  writeFileSync(config, serverProperties(folder, port, controllerPort, options))
  writeFileSync(join(folder, 'log4j2.yaml'), log4j)
  let child: ChildProcess | undefined
  let output = ''

  const launch = async () => {
    output = ''
    const started = spawn('sh', ['-c', keeper, 'sh', 'java', ...java('kafka.Kafka', [config])], { stdio: ['pipe', 'pipe', 'pipe'] })
    child = started
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-20_000)
    }
    started.stdout.on('data', keep)
    started.stderr.on('data', keep)
    started.stdin.on('error', () => {})
    started.once('exit', () => started.stdin.destroy())
    await answers(port, () => {
      if (started.exitCode !== null) throw new Error(`Kafka ended at its start with code ${started.exitCode}:\n${output}`)
    })
  }
  const kill = async () => {
    const running = child
    child = undefined
    if (!running || running.exitCode !== null) return
    const ended = new Promise((resolve) => running.once('exit', resolve))
    running.stdin?.destroy()
    await ended
  }
  const stop = async () => {
    await kill()
    // The keeper has seen the broker end, but Windows and network file systems may still hold files for a moment.
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }

  try {
    // As Kafka's own ids, without a dash in front that would read as an option.
    const id = `A${Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
      .toString('base64url')
      .slice(1)}`
    await run('java', java('kafka.tools.StorageTool', ['format', '--cluster-id', id, '--config', config]), { timeout: 120_000 })
    await launch()
  } catch (error) {
    await stop()
    throw error
  }
  return { brokers: `127.0.0.1:${port}`, stop, kill, restart: () => kill().then(launch) }
}

/** Resolves once a Kafka broker answers an ApiVersions request there; a port that merely listens is not enough. */
async function answers(port: number, check: () => void): Promise<void> {
  const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255])
  const deadline = Date.now() + 120_000
  for (;;) {
    check()
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(request))
      const done = (value: boolean) => {
        socket.destroy()
        resolve(value)
      }
      socket.once('data', () => done(true))
      socket.once('error', () => done(false))
      socket.once('close', () => done(false))
      socket.setTimeout(5_000, () => done(false))
    })
    if (answered) return
    if (Date.now() > deadline) throw new Error(`Kafka did not answer on port ${port} within two minutes`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function startInDocker(options: KafkaOptions = {}): Promise<RunningKafka> {
  const { GenericContainer } = await import('testcontainers')
  // Clients are told the advertised port, so it must be known before the broker starts, and stay over a restart.
  const ports = await freePorts(1)
  const port = ports[0] as number
  const settings = serverProperties('/tmp/reelpulse', 9092, 9093, options)
    .replaceAll('\\\n', '')
    .trim()
    .split('\n')
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
