// One run of the benchmark's first figure, as a process of its own: a topic read through the Kafka adapter, decoding,
// validation, duplicates, windows and emission, and the rows summed up.
//
//   node pipeline/bench/rolling.ts <brokers> <topic> [<sums file>]
import { writeFileSync } from 'node:fs'
import { partitionOperator, type PartitionOperator } from '../../operators/partition/partition.ts'
import { featureCount } from '../../operators/rolling/window.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import { flushResolver } from '../adapters/avro-resolver.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { schemaHistory } from '../config/schema-history.ts'

const [brokers = '', topic = '', sumsFile] = process.argv.slice(2)
const emitMs = 1_000

const log = kafkaLog({ brokers: brokers.split(','), clientId: 'reelpulse-bench' })
const description = await log.describeTopic(topic)
if (description === undefined) throw new Error(`topic ${topic} does not exist at ${brokers}`)
const ends = description.partitions.map(({ end }) => end)

const resolve = flushResolver(schemaHistory(behaviorBatch))
const sums = new Float64Array(featureCount)
let rows = 0
let asOfS = 0
let rejected = 0

function operatorOf(partition: number): PartitionOperator {
  const operator = partitionOperator({
    settings: { ...defaultSettings, emitMs, decayRows: false },
    partition,
    partitionCount: ends.length,
    operators: 'rolling',
    resolve,
    sink: {
      accepted() {},
      tierChanged() {},
      rejectedEvent() {
        rejected++
      },
      rejectedRecord() {
        rejected++
      },
      features(slot, asOf) {
        const row = operator.windows.sums(slot)
        for (let m = 0; m < featureCount; m++) sums[m]! += row[m]!
        rows++
        asOfS += asOf / 1000
      },
    },
  })
  return operator
}

async function drain(partition: number): Promise<PartitionOperator> {
  const end = ends[partition]!
  const operator = operatorOf(partition)
  const reader = await log.read(topic, partition, description!.partitions[partition]!.begin)
  for (let next = 0; next < end;) {
    const { count, offsets, timestampsMs, keys, values, headers, endOffset } = await reader.next(1_000)
    for (let i = 0; i < count && offsets[i]! < end; i++) operator.apply(offsets[i]!, timestampsMs[i]!, keys[i]!, values[i]!, headers[i])
    next = count > 0 ? offsets[count - 1]! + 1 : endOffset
  }
  await reader.close()
  // As one tick at the end of the last interval would, applied here: nothing is appended to the topic.
  if (Number.isFinite(operator.clock())) operator.tick((Math.floor(operator.clock() / emitMs) + 1) * emitMs)
  return operator
}

const operators = await Promise.all(ends.map((_, partition) => drain(partition)))
await log.close()

for (const sum of sums) if (!Number.isSafeInteger(sum)) throw new Error(`a sum of ${sum} is not exact`)
const check = `CHECK ${JSON.stringify({ rows: String(rows), asof: String(BigInt(asOfS) * 1000n), sums: Array.from(sums, String) })}\n`
if (sumsFile !== undefined) writeFileSync(sumsFile, check)

const { user, system } = process.cpuUsage()
const total = (of: 'events' | 'duplicates' | 'flushes') => operators.reduce((sum, operator) => sum + operator.counters[of], 0)
process.stdout.write(
  `${JSON.stringify({
    cpuSeconds: (user + system) / 1e6,
    wallSeconds: process.uptime(),
    rssMb: Math.round(process.resourceUsage().maxRSS / 1024),
    events: total('events') + total('duplicates') + rejected,
    rows: { features: rows },
    operators: ['decoding', 'validation', 'duplicates', 'windows', 'emission'],
  })}\n`,
)
process.exit(0)
