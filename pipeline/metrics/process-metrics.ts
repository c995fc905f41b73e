// The process role in Prometheus's words. Fed once a batch, insert and checkpoint; what can be looked up is looked up when somebody asks.
// A further role gets a file of its own beside this one, with a function of the same form.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { rejectReasons } from '../../schemas/rejects.ts'
import type { Log } from '../ports/log.ts'
import { StoreAway, type Store } from '../ports/store.ts'
import type { BlockFacts } from '../roles/process/block-facts.ts'
import type { PartitionProgress } from '../roles/process/partition-progress.ts'
import { partitionStates, type PartitionStatus } from '../roles/process/partition-status.ts'

export type ProcessMetricsOptions = {
  registry: Registry
  now(): number
  /** Of the partitions that this process has; empty before it has any. */
  status(): readonly PartitionStatus[]
  /** By partition: the offset that the topic's next record will get, as far as known. */
  ends(): readonly number[]
  /** Whether the topic's time is the brokers', so that the wall clock can be compared with it. */
  isLive(): boolean
  /** Of every name: a program that has two such roles tells them apart by it. */
  prefix?: string
}

export type ProcessMetrics = {
  report(progress: PartitionProgress): void
  /** The same store, its inserts measured. */
  store(store: Store): Store
  /** The same log, checkpoints measured. */
  log(log: Log): Log
}

/** What counts from 0 again with each owner. */
const counted = ['records', 'events', 'duplicates', 'rejected', 'blocks'] as const
type Counted = (typeof counted)[number] | 'storeWaitMs'

/** Of one partition, since this process began. */
type Totals = {
  before: Record<Counted, number>
  last: Record<Counted, number>
  rowsBefore: Record<string, number>
  rows: Record<string, number>
  nextOffset: number
  clock: number
  users: number
  bufferedBytes: number
  checkpointAt: number
  restored: number
  toRestore: number
}

const zeros = (): Record<Counted, number> => ({ records: 0, events: 0, duplicates: 0, rejected: 0, blocks: 0, storeWaitMs: 0 })

export function processMetrics({ registry, now, status, ends, isLive, prefix = 'reelpulse_' }: ProcessMetricsOptions): ProcessMetrics {
  const partitions = new Map<number, Totals>()
  const registers = [registry]

  for (const [key, help] of [
    ['records', 'Records of the topic that were processed, again after a new owner began.'],
    ['events', 'Events accepted.'],
    ['duplicates', 'Events that had been accepted before.'],
    ['rejected', 'Records and events set aside.'],
    ['blocks', 'Blocks made.'],
    ['storeWaitMs', 'Time in which the store did not take rows.'],
  ] as const) {
    const isTime = key === 'storeWaitMs'
    registry.registerMetric(
      new Counter({
        name: isTime ? `${prefix}store_wait_seconds_total` : `${prefix}${key}_total`,
        help,
        labelNames: ['partition'],
        registers: [],
        collect() {
          this.reset()
          for (const [partition, { before, last }] of partitions) this.inc({ partition }, (before[key] + last[key]) / (isTime ? 1_000 : 1))
        },
      }),
    )
  }
  registry.registerMetric(
    new Counter({
      name: `${prefix}inserted_rows_total`,
      help: 'Rows that the store acknowledged.',
      labelNames: ['table'],
      registers: [],
      collect() {
        this.reset()
        for (const { rowsBefore, rows } of partitions.values())
          for (const each of [rowsBefore, rows]) for (const [table, count] of Object.entries(each)) this.inc({ table }, count)
      },
    }),
  )

  const insertSeconds = new Histogram({
    name: `${prefix}insert_seconds`,
    help: 'Time until the store acknowledged an insert, by table.',
    labelNames: ['table'],
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 120],
    registers,
  })
  const insertRetries = new Counter({
    name: `${prefix}insert_retries_total`,
    help: "Inserts that the store did not take and that are sent again, by ClickHouse's name of the error, or CONNECTION_REFUSED, CONNECTION_BROKEN, NO_ANSWER, NOT_CLICKHOUSE.",
    labelNames: ['table', 'reason'],
    registers,
  })
  const insertedBytes = new Counter({
    name: `${prefix}inserted_bytes_total`,
    help: 'Bytes of the inserts that the store acknowledged.',
    labelNames: ['table'],
    registers,
  })
  const freshnessSeconds = new Histogram({
    name: `${prefix}freshness_seconds`,
    help: "From an event's corrected time to its row being readable in the store, over a sample of flushes. Only of topics that the brokers stamp.",
    buckets: [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 900, 3_600, 86_400],
    registers,
  })
  const blockEvents = new Histogram({
    name: `${prefix}block_events`,
    help: 'Accepted events in a block that the store has.',
    buckets: [0, 1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000],
    registers,
  })
  const blockBytes = new Histogram({
    name: `${prefix}block_bytes`,
    help: "A block's rows, of all tables (RowBinary).",
    buckets: [1e3, 1e4, 1e5, 1e6, 1e7, 3e7, 1e8],
    registers,
  })
  const blockInsertSeconds = new Histogram({
    name: `${prefix}block_insert_seconds`,
    help: 'From the beginning of the first insert of a block to the acknowledgement of its last, waiting for the store included.',
    buckets: [0.03, 0.1, 0.3, 1, 3, 10, 30, 120, 600],
    registers,
  })
  const rejectedByReason = new Counter({
    name: `${prefix}rejected_by_reason_total`,
    help: 'Records and events set aside, by reason (docs/guide/replay.md), in blocks that the store has.',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of rejectReasons) rejectedByReason.inc({ reason }, 0)

  const checkpointSeconds = new Histogram({
    name: `${prefix}checkpoint_seconds`,
    help: "Time that a checkpoint's transaction took.",
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    registers,
  })
  const checkpointBytes = new Counter({
    name: `${prefix}checkpoint_bytes_total`,
    help: 'Keys and values that checkpoints wrote: state to the changelog, messages to other topics.',
    labelNames: ['partition'],
    registers,
  })

  /** A gauge of each partition that this process has now; undefined: not known. */
  function gauge(name: string, help: string, read: (partition: number, totals: Totals | undefined) => number | undefined): void {
    registry.registerMetric(
      new Gauge({
        name: `${prefix}${name}`,
        help,
        labelNames: ['partition'],
        registers: [],
        collect() {
          this.reset()
          for (const { partition } of status()) {
            const value = read(partition, partitions.get(partition))
            if (value !== undefined) this.set({ partition }, value)
          }
        },
      }),
    )
  }
  const behind = (partition: number, of: Totals | undefined): number | undefined => {
    const end = ends()[partition]
    return of === undefined || end === undefined ? undefined : Math.max(0, end - of.nextOffset)
  }
  gauge('lag_records', 'Records in the log that are not processed (transaction markers count).', behind)
  gauge(
    'lag_seconds',
    "Wall clock less the partition's, where records wait; 0 where none does. Only of topics that the brokers stamp.",
    (partition, of) =>
      !isLive() || of === undefined || !Number.isFinite(of.clock)
        ? undefined
        : behind(partition, of) === 0
          ? 0
          : Math.max(0, (now() - of.clock) / 1_000),
  )
  gauge(
    'watermark_delay_seconds',
    "Wall clock less the partition's, whether records wait or not: buckets close by so much later. Only of topics that the brokers stamp.",
    (_, of) => (!isLive() || of === undefined || !Number.isFinite(of.clock) ? undefined : Math.max(0, (now() - of.clock) / 1_000)),
  )
  gauge('buffered_bytes', 'Rows not acknowledged and messages not written yet.', (_, of) => of?.bufferedBytes)
  gauge('users', 'Users in memory.', (_, of) => of?.users)
  gauge('checkpoint_age_seconds', 'Time since the last checkpoint, or since the owner began.', (_, of) =>
    of === undefined ? undefined : (now() - of.checkpointAt) / 1_000,
  )
  gauge('restored_records', 'Changelog records read by the present owner at its start.', (_, of) => of?.restored)
  gauge('restore_records', 'Changelog records that the present owner had to read at its start.', (_, of) => of?.toRestore)
  registry.registerMetric(
    new Gauge({
      name: `${prefix}partition_state`,
      help: `1 for the state that the partition is in: ${partitionStates.join(', ')}.`,
      labelNames: ['partition', 'state'],
      registers: [],
      collect() {
        this.reset()
        for (const { partition, state } of status())
          for (const each of partitionStates) this.set({ partition, state: each }, each === state ? 1 : 0)
      },
    }),
  )

  function observeBlock({ events, bytes, eventAts, rejected, insertMs }: BlockFacts): void {
    blockEvents.observe(events)
    blockBytes.observe(bytes)
    blockInsertSeconds.observe(insertMs / 1_000)
    for (const [reason, count] of rejected) rejectedByReason.inc({ reason }, count)
    if (isLive()) for (const at of eventAts) freshnessSeconds.observe(Math.max(0, now() - at) / 1_000)
  }

  return {
    report(progress) {
      let of = partitions.get(progress.partition)
      if (of === undefined) {
        of = {
          before: zeros(),
          last: zeros(),
          rowsBefore: {},
          rows: {},
          nextOffset: 0,
          clock: -Infinity,
          users: 0,
          bufferedBytes: 0,
          checkpointAt: 0,
          restored: 0,
          toRestore: 0,
        }
        partitions.set(progress.partition, of)
      }
      // A new owner counts from 0.
      if (progress.blocks < of.last.blocks || progress.records < of.last.records || progress.storeWaitMs < of.last.storeWaitMs) {
        for (const key of Object.keys(of.before) as Counted[]) of.before[key] += of.last[key]
        for (const [table, count] of Object.entries(of.rows)) of.rowsBefore[table] = (of.rowsBefore[table] ?? 0) + count
      }
      for (const key of counted) of.last[key] = progress[key]
      of.last.storeWaitMs = progress.storeWaitMs
      of.rows = progress.rows
      of.restored = progress.restore.records
      of.toRestore = progress.restore.ofRecords
      if (progress.state !== 'restoring') {
        of.nextOffset = progress.nextOffset
        of.clock = progress.clock
      }
      of.users = progress.users
      of.bufferedBytes = progress.bufferedBytes
      of.checkpointAt = progress.checkpointAt
      if (progress.acknowledged !== undefined) observeBlock(progress.acknowledged)
    },

    store: (store) => ({
      ...store,
      async insert(block) {
        const from = performance.now()
        try {
          await store.insert(block)
        } catch (error) {
          if (error instanceof StoreAway) insertRetries.inc({ table: block.table, reason: error.reason })
          throw error
        }
        insertSeconds.observe({ table: block.table }, (performance.now() - from) / 1_000)
        insertedBytes.inc({ table: block.table }, block.rows.length)
      },
    }),

    log: (log) => ({
      ...log,
      async claim(options) {
        const { partition } = options
        const owner = await log.claim(options)
        return {
          ...owner,
          async commit(checkpoint) {
            const from = performance.now()
            await owner.commit(checkpoint)
            checkpointSeconds.observe((performance.now() - from) / 1_000)
            let bytes = 0
            for (const { key, value } of checkpoint.changelog) bytes += (key?.length ?? 0) + (value?.length ?? 0)
            for (const { records } of checkpoint.outbox)
              for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0)
            checkpointBytes.inc({ partition }, bytes)
          },
        }
      },
    }),
  }
}
