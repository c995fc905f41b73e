// One step of the benchmark of restores, as a process of its own. The changelog has each user once, and behind that the busy ones once
// more for each of the last checkpoints, as compaction leaves it.
//
//   node pipeline/bench/restore.ts write <brokers> <topic> <embedded log's folder> <users>
//   node pipeline/bench/restore.ts kafka|embedded <brokers> <topic> <embedded log's folder>
import { keptState } from '../../operators/partition/kept-state.ts'
import { defaultSettings, operatorVersion } from '../../operators/settings.ts'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { changelogOf } from '../config/names.ts'
import type { Log, OutRecord, PartitionOwner } from '../ports/log.ts'
import { checkpointWriter, logRecord } from '../roles/process/checkpoint.ts'
import { restorePartition } from '../roles/process/restore.ts'
import { benchOperator } from './operator.ts'
import { usersMonth } from './users.ts'

const [step = '', brokers = '', topic = '', folder = '', users = ''] = process.argv.slice(2)
const group = 'reelpulse'
const claimed = { group, topic, partition: 0, changelogTopic: changelogOf(topic, group) }
/** Checkpoints after the one with every user. */
const tail = 5

const openKafka = () => kafkaLog({ brokers: brokers.split(','), clientId: 'reelpulse-bench' })
const figures = await (step === 'write' ? write(Number(users)) : restore(step === 'kafka' ? openKafka() : await embeddedLog(folder)))
process.stdout.write(`${JSON.stringify(figures)}\n`)
process.exit(0)

async function write(count: number) {
  const logs = [openKafka(), await embeddedLog(folder, { maintainEveryMs: 0 })]
  const owners: PartitionOwner[] = []
  for (const log of logs) {
    await log.createTopic({ topic, partitions: 1, timestamps: 'append' })
    await log.createTopic({ topic: claimed.changelogTopic, partitions: 1, timestamps: 'append', compacted: true, maxMessageBytes: 4 << 20 })
    owners.push(await log.claim(claimed))
  }
  const operator = benchOperator(0, 1)
  const recordsOf = checkpointWriter(keptState(operator.state), [])
  let offset = 0
  const deliver = (key: Uint8Array, at: number, value: Uint8Array) => void operator.apply(offset++, at, key, value, undefined)
  let records = 1
  let bytes = 0
  let userBytes = 0
  const checkpoint = async (before: OutRecord[] = []) => {
    const changelog = [
      ...before,
      ...recordsOf({
        nextOffset: offset,
        clock: operator.clock(),
        operatorVersion,
        partitionCount: 1,
        settings: defaultSettings,
        clean: false,
      }),
    ]
    for (const owner of owners) await owner.commit({ changelog, outbox: [] })
    records += changelog.length
    for (const { key, value } of changelog) bytes += key!.length + (value?.length ?? 0)
    if (before.length > 0) for (const { key, value } of changelog) if (key![0] === 0x75) userBytes += value!.length
  }
  const month = usersMonth(count)
  month.live(deliver)
  await checkpoint([logRecord('00000000-0000-4000-8000-000000000000')])
  for (let i = 0; i < tail; i++) {
    month.busyComeBy(deliver)
    await checkpoint()
  }
  for (const owner of owners) await owner.close()
  for (const log of logs) await log.close()
  return { users: operator.users.count(), records, bytes, bytesPerUser: userBytes / count }
}

/** From the claim until the state is whole. */
async function restore(log: Log) {
  const never = new AbortController().signal
  const operator = benchOperator(0, 1)
  const before = process.cpuUsage()
  const startedAt = performance.now()
  const owner = await log.claim(claimed)
  let records = 0
  const restored = await restorePartition(owner, keptState(operator.state), {
    partition: 0,
    abort: never,
    stop: never,
    clock: systemClock,
    report: (progress) => (records = progress.records),
    tell: () => {},
  })
  const wallSeconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(before)
  return {
    wallSeconds,
    cpuSeconds: (user + system) / 1e6,
    users: restored!.users,
    records,
    rssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  }
}
