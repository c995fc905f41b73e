// One run of the benchmark's other figures, as a process of its own: the shipped process role, every operator, blocks and
// checkpoints on, over a topic of a real broker; into a store that takes rows and forgets them, or into the embedded engine.
//
// With `on` or `off` it measures checkpoints as they are in steady state: the wall clock of a run that drains a backlog would make too few, so
// the role's clock is the log's time, and blocks end as ticks would end them. `off` makes none at all.
//
//   node pipeline/bench/process.ts <brokers> <topic> null|engine <data dir> [on|off <events per second>]
import { systemClock } from '../adapters/system-clock.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { views } from '../../operators/views.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { openEmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { QueryParams, Store } from '../ports/store.ts'
import { isUserRecord } from '../roles/process/checkpoint.ts'
import { protocolLimits } from '../roles/process/block.ts'
import { partHead, type PartHead } from '../roles/process/block-rows.ts'
import { startProcess } from '../roles/process/process.ts'
import type { PartitionProgress } from '../roles/process/partition-progress.ts'
import { cpuSecondsOf } from '../start/process-cpu.ts'
import { presentPartsSql } from '../roles/process/present-parts.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'

const [brokers = '', topic = '', into = 'null', dataDir = '', steady, rate] = process.argv.slice(2)

const log = kafkaLog({ brokers: brokers.split(','), clientId: 'reelpulse-bench' })
const description = await log.describeTopic(topic)
if (description === undefined) throw new Error(`topic ${topic} does not exist at ${brokers}`)

const taken = new Map<string, PartHead[]>()
/** Takes rows, and remembers nothing of them but which parts they were. */
const nullStore: Store = {
  migrate: () => Promise.resolve(),
  async insert({ table, rows }) {
    taken.set(table, [...(taken.get(table) ?? []).slice(-1_000), partHead(rows)])
  },
  query<T>(sql: string, params: QueryParams = {}): Promise<T[]> {
    const names = [...sql.matchAll(/FROM (\w+)/g)].map(([, name]) => name!)
    if (sql !== presentPartsSql(names)) throw new Error(`the null store does not know: ${sql}`)
    const from = params['from'] as number
    const present = names.flatMap((name) =>
      (taken.get(name) ?? [])
        .filter((part) => part.partition === params['partition'] && part.firstOffset >= from)
        .map(({ firstOffset, part }) => ({ name, first_offset: firstOffset, part })),
    )
    return Promise.resolve(present as T[])
  },
  command: () => Promise.resolve(),
  ping: () => Promise.resolve(true),
  close: () => Promise.resolve(),
}

const engine = into === 'engine' ? await openEmbeddedEngine({ dataDir }) : undefined
const store = engine === undefined ? nullStore : engine.store('reelpulse_bench')
if (engine !== undefined) await store.migrate(tables, views)

function engineCpuSeconds(): number {
  const pid = engine?.pid()
  return pid === undefined ? 0 : (cpuSecondsOf(pid) ?? 0)
}

const before = process.cpuUsage()
const engineBefore = engineCpuSeconds()
const startedAt = performance.now()
const progress = new Map<number, PartitionProgress>()
const blockSpanMs = 5_000
let logClock = 0
const logTime: Clock = { now: () => logClock, sleep: systemClock.sleep }
const blockEvents = (Number(rate) / description.partitions.length) * (blockSpanMs / 1000)
let checkpoints = 0
let usersKept = 0
/** The log, with what checkpoints write counted. */
const counted: Log = {
  ...log,
  async claim(options) {
    const owner = await log.claim(options)
    const { commit } = owner
    owner.commit = (checkpoint) => {
      usersKept += checkpoint.changelog.filter(isUserRecord).length
      return commit(checkpoint)
    }
    return owner
  },
}
const group = `bench-${process.pid}-${Date.now()}`
const role = await startProcess({
  clock: steady === undefined ? systemClock : logTime,
  log: counted,
  store,
  topic,
  names: namesOf(topic, group),
  settings: defaultSettings,
  blockSpanMs,
  checkpointMs: steady === 'off' ? Infinity : 10_000,
  ...(steady === undefined ? {} : { limits: { block: { events: blockEvents, bytes: protocolLimits.bytes } } }),
  resolve: knownFlushes(),
  onProgress(of) {
    if (of.clock > logClock) logClock = of.clock
    const before = progress.get(of.partition)
    if (before !== undefined && of.checkpointAt !== before.checkpointAt) checkpoints++
    progress.set(of.partition, { ...of, rows: { ...of.rows } })
  },
  tell: (level, message, facts) => level !== 'info' && process.stderr.write(`${message} ${JSON.stringify(facts)}\n`),
  drainTo: description.partitions.map(({ end }) => end),
})
while (progress.size < description.partitions.length) await new Promise((resolve) => setTimeout(resolve, 20))
await role.drained()
const wallSeconds = (performance.now() - startedAt) / 1000
const used = process.cpuUsage(before)
const engineUsed = engineCpuSeconds() - engineBefore
const stopped = role.status().filter(({ state }) => state === 'stopped')
await role.stop()
const rows: Record<string, number> = {}
for (const of of progress.values()) for (const [table, count] of Object.entries(of.rows)) rows[table] = (rows[table] ?? 0) + count
const total = (of: 'events' | 'duplicates' | 'rejected') => [...progress.values()].reduce((sum, p) => sum + p[of], 0)
process.stdout.write(
  `${JSON.stringify({
    cpuSeconds: (used.user + used.system) / 1e6,
    engineCpuSeconds: engineUsed,
    wallSeconds,
    rssMb: Math.round(process.resourceUsage().maxRSS / 1024),
    events: total('events') + total('duplicates') + total('rejected'),
    rows,
    checkpoints,
    usersKept,
    stopped,
    operators: [
      'decoding',
      'validation',
      'duplicates',
      'windows',
      'emission',
      'lifetime',
      'affinity',
      'tiers',
      'kpi deltas',
      'blocks',
      'checkpoints',
    ],
  })}\n`,
)
await store.close()
await engine?.close()
await log.close()
process.exit(stopped.length === 0 ? 0 : 1)
