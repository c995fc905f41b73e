// What reading Kafka costs through our adapter and through kafkajs's own consumer: `node pipeline/bench/kafka-log.ts [messages] [--json]`.
// Messages of 1 KB, a process for each reading, on a test broker, or with --brokers <host:port> on another.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import type { OutRecord } from '../ports/log.ts'
import { startKafka } from '../testing/kafka-broker.ts'

const option = (name: string) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const reading = option('read')

/** Loaded only where it is measured: the adapter mends kafkajs as it loads. */
const openLog = async (brokers: string) => (await import('../adapters/kafka-log.ts')).kafkaLog({ brokers: [brokers] })

if (reading)
  console.log(JSON.stringify(await (reading === 'ours' ? readOurs : readKafkajs)(option('brokers') as string, option('topic') as string)))
else await compare(Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 200_000))

async function compare(messages: number): Promise<void> {
  const started = option('brokers') === undefined ? await startKafka() : undefined
  const brokers = option('brokers') ?? (started?.brokers as string)
  const log = await openLog(brokers)
  const figures: Record<string, unknown> = { messages }
  try {
    for (const partitions of [1, 4]) {
      const topic = `bench-log-${partitions}-${crypto.randomUUID().slice(0, 8)}`
      await log.createTopic({ topic, partitions, timestamps: 'append' })
      const value = Uint8Array.from({ length: 1_000 }, (_, index) => (index * 7919) & 255)
      const run = (from: number): OutRecord[] =>
        Array.from({ length: 2_000 }, (_, index) => ({ key: Buffer.from(`user-${from + index}`), value }))
      const cpu = process.cpuUsage()
      for (let done = 0; done < messages; done += 2_000) await log.append(topic, run(done))
      figures[`append_${partitions}_partitions_cpu_us`] = perMessage(cpu, messages)
      for (const name of ['ours', 'kafkajs', 'ours', 'kafkajs', 'ours', 'kafkajs']) {
        const child = spawnSync(
          process.execPath,
          ['--no-warnings', fileURLToPath(import.meta.url), '--read', name, '--brokers', brokers, '--topic', topic],
          {
            encoding: 'utf8',
          },
        )
        if (child.status !== 0) throw new Error(child.stderr)
        const { count, cpu_us: cpuUs } = JSON.parse(child.stdout.trim().split('\n').at(-1) as string) as { count: number; cpu_us: number }
        if (count !== messages) throw new Error(`${name} read ${count} of ${messages}`)
        const key = `read_${partitions}_partitions_${name}_cpu_us`
        figures[key] = [...((figures[key] as number[] | undefined) ?? []), cpuUs]
      }
    }
  } finally {
    await log.close()
    await started?.stop()
  }
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures))
  else for (const name in figures) console.log(`${name.padEnd(38)} ${String(figures[name])}`)
}

function perMessage(since: NodeJS.CpuUsage, count: number): number {
  const { user, system } = process.cpuUsage(since)
  return Math.round(((user + system) / count) * 100) / 100
}

async function readOurs(brokers: string, topic: string) {
  const log = await openLog(brokers)
  const ends = (await log.describeTopic(topic))?.partitions.map(({ end }) => end) ?? []
  const cpu = process.cpuUsage()
  let count = 0
  let bytes = 0
  await Promise.all(
    ends.map(async (end, partition) => {
      const reader = await log.read(topic, partition, 0)
      for (let next = 0; next < end;) {
        const batch = await reader.next(1_000)
        for (let i = 0; i < batch.count; i++) bytes += batch.values[i]?.length ?? 0
        count += batch.count
        if (batch.count > 0) next = (batch.offsets[batch.count - 1] as number) + 1
      }
      await reader.close()
    }),
  )
  const cpuUs = perMessage(cpu, count)
  await log.close()
  return { count, bytes, cpu_us: cpuUs }
}

async function readKafkajs(brokers: string, topic: string) {
  const kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]))
  await admin.disconnect()
  const consumer = kafka.consumer({ groupId: crypto.randomUUID(), maxBytesPerPartition: 4 * 1024 * 1024, maxBytes: 16 * 1024 * 1024 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const cpu = process.cpuUsage()
  let count = 0
  let bytes = 0
  await new Promise<void>((resolve, reject) => {
    const eachBatch = async ({ batch }: kafkajs.EachBatchPayload) => {
      for (const message of batch.messages) bytes += message.value?.length ?? 0
      count += batch.messages.length
      if (Number(batch.lastOffset()) + 1 >= (ends.get(batch.partition) ?? 0)) ends.delete(batch.partition)
      if (ends.size === 0) resolve()
    }
    consumer.run({ autoCommit: false, eachBatch }).catch(reject)
  })
  const cpuUs = perMessage(cpu, count)
  await consumer.disconnect()
  return { count, bytes, cpu_us: cpuUs }
}
