// The baseline of the benchmark of restores, as a process of its own: kafkajs alone reads a changelog from its beginning and counts.
//
//   node pipeline/bench/kafka-restore.ts <brokers> <changelog topic>
import kafkajs from 'kafkajs'

const [brokers = '', topic = ''] = process.argv.slice(2)
const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING })
const admin = kafka.admin()
await admin.connect()
const end = Number((await admin.fetchTopicOffsets(topic))[0]!.high)
await admin.disconnect()
const consumer = kafka.consumer({ groupId: crypto.randomUUID(), maxBytesPerPartition: 4 * 1024 * 1024, maxBytes: 16 * 1024 * 1024 })
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
// What it takes to join the group is not counted.
let startedAt = 0
let before = process.cpuUsage()
consumer.on(consumer.events.GROUP_JOIN, () => {
  startedAt = performance.now()
  before = process.cpuUsage()
})
let records = 0
let bytes = 0
await new Promise<void>((resolve, reject) => {
  const eachBatch = async ({ batch }: kafkajs.EachBatchPayload) => {
    for (const { key, value } of batch.messages) bytes += (key?.length ?? 0) + (value?.length ?? 0)
    records += batch.messages.length
    if (Number(batch.lastOffset()) + 1 >= end) resolve()
  }
  consumer.run({ autoCommit: false, eachBatch }).catch(reject)
})
const wallSeconds = (performance.now() - startedAt) / 1000
const { user, system } = process.cpuUsage(before)
process.stdout.write(`${JSON.stringify({ wallSeconds, cpuSeconds: (user + system) / 1e6, records, bytes })}\n`)
process.exit(0)
