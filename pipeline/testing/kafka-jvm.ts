// Kafka's processes on this machine's JVM, for tests: its jars from Maven, and one process that can be killed, paused and started again.

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'

export const kafkaVersion = '4.1.1'

const run = promisify(execFile)

export const jarsFolder = () => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'reelpulse', 'kafka', kafkaVersion)

export async function resolveJars(): Promise<string> {
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

export async function freePorts(count: number): Promise<number[]> {
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

/** What every node of a test has: small, so that it starts quickly; group and cleaner delays short, so that tests need not wait. */
export const quickProperties = `
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
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
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

const javaOptions = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true']

// The process must not outlive us, however we end: the pipe on its keeper's stdin closes with our process.
const keeper = 'exec 3<&0; "$@" </dev/null & pid=$!; echo "pid $pid"; (cat <&3 >/dev/null; kill -KILL $pid 2>/dev/null) & wait $pid'

export type KafkaProcess = {
  /** Resolves once it answers. */
  start(): Promise<void>
  /** Ends it as a power cut would; its files stay. */
  kill(): Promise<void>
  /** It hangs: its connections stay open, and nothing is answered. */
  pause(): void
  resume(): void
}

export type KafkaFiles = { jars: string; folder: string }

const java = ({ jars, folder }: KafkaFiles, heapMb: number, main: string, args: string[]) => [
  `-Xmx${heapMb}m`,
  ...javaOptions,
  `-Dlog4j2.configurationFile=${join(folder, 'log4j2.yaml')}`,
  '-cp',
  [join(jars, '*')].join(delimiter),
  main,
  ...args,
]

/** Writes what a node needs to know, and prepares its data directory. */
export async function formatNode(files: KafkaFiles, config: string, properties: string): Promise<void> {
  writeFileSync(config, properties)
  writeFileSync(join(files.folder, 'log4j2.yaml'), log4j)
  await run('java', java(files, 256, 'kafka.tools.StorageTool', ['format', '--cluster-id', kafkaId(), '--config', config]), {
    timeout: 120_000,
  })
}

/** As Kafka's own ids, without a dash in front that would read as an option. */
export const kafkaId = (): string =>
  `A${Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
    .toString('base64url')
    .slice(1)}`

/** A node whose data directory is prepared; it answers on `port` once it has started. */
export function kafkaProcess(files: KafkaFiles, config: string, port: number, heapMb: number): KafkaProcess {
  let child: ChildProcess | undefined
  let output = ''
  let pid = 0

  const signal = (name: NodeJS.Signals) => {
    if (child === undefined || pid === 0) throw new Error('the Kafka process does not run')
    process.kill(pid, name)
  }
  return {
    async start() {
      output = ''
      pid = 0
      const started = spawn('sh', ['-c', keeper, 'sh', 'java', ...java(files, heapMb, 'kafka.Kafka', [config])], {
        stdio: ['pipe', 'pipe', 'pipe'],
      })
      child = started
      const keep = (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-20_000)
        pid ||= Number(/^pid (\d+)$/m.exec(output)?.[1] ?? 0)
      }
      started.stdout.on('data', keep)
      started.stderr.on('data', keep)
      started.stdin.on('error', () => {})
      started.once('exit', () => started.stdin.destroy())
      await answers(port, () => {
        if (started.exitCode !== null) throw new Error(`Kafka ended at its start with code ${started.exitCode}:\n${output}`)
      })
    },
    async kill() {
      const running = child
      child = undefined
      if (!running || running.exitCode !== null) return
      const ended = new Promise((resolve) => running.once('exit', resolve))
      running.stdin?.destroy()
      await ended
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
  }
}

/** Resolves once a Kafka node answers an ApiVersions request there; a port that merely listens is not enough. */
export async function answers(port: number, check: () => void): Promise<void> {
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
