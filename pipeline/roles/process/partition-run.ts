// One owner of one partition: claims it, restores its state, and takes its records block by block to the store and the
// changelog, until it is told to stop or another owner takes over.
import { randomUUID } from 'node:crypto'
import { controlOf } from '../../../operators/partition/headers.ts'
import type { PartitionOptions } from '../../../operators/partition/partition.ts'
import { operatorVersion, type OperatorSettings } from '../../../operators/settings.ts'
import type { TierChange } from '../../../schemas/tables/tier-changes.ts'
import type { Clock } from '../../ports/clock.ts'
import { OffsetGone, type Log, type OutRecord, type PartitionOwner, type RecordBatch, type TimestampType } from '../../ports/log.ts'
import type { Store, StoreAway } from '../../ports/store.ts'
import { blockCutter, type BlockLimits } from './block.ts'
import type { PartLimits } from './block-rows.ts'
import { blockWriter } from './block-writer.ts'
import { logRecord } from './checkpoint.ts'
import { checkpointer } from './checkpointer.ts'
import { presentParts, untilAcknowledged, type InsertHooks, type PartsSince, type PresentParts } from './insert.ts'
import type { OutboxTopics } from './outbox.ts'
import { restorePartition, type Restored, type RestoreProgress } from './restore.ts'
import { behaviorWork } from './behavior-work.ts'
import { settingsHindrance } from './settings-kept.ts'
import { storeWait } from './store-wait.ts'
import type { PartitionWork, WorkMaker } from './work.ts'

/** For tests: smaller blocks and parts than the protocol's. */
export type PartitionLimits = { block?: BlockLimits; part?: PartLimits }

export type PartitionTarget = { topic: string; partition: number; partitionCount: number; timestamps: TimestampType }

export type PartitionNames = { group: string; changelog: string; outbox: OutboxTopics }
/** Those of a topic of behaviour. */
export type BehaviorNames = PartitionNames & { outbox: { tierChanges: string } }

export type PartitionRunOptions = {
  log: Log
  store: Store
  target: PartitionTarget
  names: PartitionNames
  settings: OperatorSettings
  blockSpanMs: number
  checkpointMs: number
  resolve: PartitionOptions['resolve']
  /** What is done with the records. Default: behaviour. */
  work?: WorkMaker | undefined
  /** Aborted: stop at once, write nothing more (the partition may have another owner). */
  abort: AbortSignal
  /** Aborted: finish the open block, checkpoint, and return. */
  stop: AbortSignal
  /** Decides when a tick is appended and a checkpoint made, and no figure. */
  clock: Clock
  newId?: () => string
  report(progress: PartitionProgress): void
  /** A line for people: level, message, facts. */
  tell(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void
  limits?: PartitionLimits
  /**
   * For benchmarks: process up to this offset, then act as if a tick stood there at the end of the last interval, and
   * return. Nothing is appended to the topic.
   */
  drainTo?: number | undefined
  /**
   * Return, with a clean checkpoint, at the first block's end that is at or beyond this offset with the clock at or beyond this
   * instant. This owner appends no tick: who asks has appended one that brings the clock there.
   */
  until?: { offset: number; clock: number } | undefined
}

/** Told after each batch and block; counts are since the owner began. */
export type PartitionProgress = {
  partition: number
  state: 'restoring' | 'running' | 'waiting_for_store' | 'finished'
  /** What the store said last, while it is waited for. */
  storeError: StoreAway | undefined
  /** Time waited for the store (ms). */
  storeWaitMs: number
  /** When the insert of a block that is under way began; undefined: none is. */
  insertingSince: number | undefined
  /** Rows and messages made and not yet given away for good (bytes). */
  bufferedBytes: number
  /** Of the restore with which the owner began. */
  restore: RestoreProgress
  /** What lies before it is applied; 0 until the state is restored. */
  nextOffset: number
  endOffset: number
  clock: number
  records: number
  events: number
  duplicates: number
  rejected: number
  blocks: number
  rows: Readonly<Record<string, number>>
  users: number
  /** Users on each rung of the ladder, lowest first. */
  usersByTier: ArrayLike<number>
  /** Tier changes of the block that just ended. */
  tierChanges: readonly TierChange[]
  checkpointAt: number
}

/** A partition that stops until somebody acts. */
export class PartitionStopped extends Error {
  override name = 'PartitionStopped'
}

export async function runPartition(options: PartitionRunOptions): Promise<void> {
  const { log, target, names, abort, stop } = options
  const owner = await log.claim({
    group: names.group,
    topic: target.topic,
    partition: target.partition,
    changelogTopic: names.changelog,
    signal: AbortSignal.any([abort, stop]),
  })
  try {
    // A checkpoint under way ends with the loss of the partition.
    await closedAt(abort, owner, runOwner(options, owner))
  } catch (error) {
    throw error instanceof OffsetGone ? offsetGone(target.topic, error) : error
  } finally {
    await owner.close()
  }
}

/** The work's outcome. Once the signal is aborted the owner is closed, whatever it waits for, and the signal's reason is thrown. */
async function closedAt<T>(signal: AbortSignal, owner: PartitionOwner, work: Promise<T>): Promise<T> {
  const close = () => void owner.close()
  signal.addEventListener('abort', close)
  try {
    return await work
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', close)
  }
}

type Progress = { -readonly [K in keyof PartitionProgress]: PartitionProgress[K] }

async function runOwner(options: PartitionRunOptions, owner: PartitionOwner): Promise<void> {
  const { log, settings, abort, stop, clock, target } = options
  const { topic, partition, partitionCount } = target
  const work = (options.work ?? behaviorWork)({ settings, partition, partitionCount, resolve: options.resolve })
  const progress: Progress = {
    partition, state: 'restoring', storeError: undefined, storeWaitMs: 0, insertingSince: undefined, bufferedBytes: 0, restore: { records: 0, ofRecords: 0, users: 0 }, nextOffset: 0, endOffset: 0, clock: work.clock(),
    records: 0, events: 0, duplicates: 0, rejected: 0, blocks: 0, rows: {}, users: 0, usersByTier: work.usersByTier, tierChanges: [],
    checkpointAt: clock.now(),
  } // prettier-ignore

  const restoring = restorePartition(owner, work.kept, {
    partition, abort, stop, clock,
    tell: options.tell,
    report(restore) {
      progress.restore = restore
      progress.users = restore.users
      options.report(progress)
    },
  }) // prettier-ignore
  // Its broker may be away, and nothing is in flight yet that a stop would have to wait for.
  const restored = await closedAt(AbortSignal.any([abort, stop]), owner, restoring)
  if (restored === undefined) return
  checkRestored(restored, options)
  const logId = restored.logId ?? (options.newId ?? randomUUID)()
  if (restored.logId === undefined) await owner.commit({ changelog: [logRecord(logId)], outbox: [] })
  const firstOffset = restored.checkpoint?.nextOffset ?? (await log.describeTopic(topic))?.partitions[partition]?.begin ?? 0
  progress.nextOffset = firstOffset
  progress.endOffset = firstOffset

  const wait = storeWait(clock)
  function storeAway(error: StoreAway, attempt: number, what: string): void {
    wait.refused(what, error)
    if (attempt === 1 || attempt % 10 === 0)
      options.tell('warn', 'the store does not answer; waiting', { partition, attempt, error: error.message })
    reportStore()
  }
  function storeTook(what: string): void {
    if (!wait.taken(what)) return
    options.tell('info', 'the store answers again', { partition, waited_ms: wait.totalMs() })
    reportStore()
  }
  function reportStore(): void {
    progress.storeError = wait.error()
    progress.storeWaitMs = wait.totalMs()
    progress.state = progress.storeError === undefined ? 'running' : 'waiting_for_store'
    options.report(progress)
  }

  // Without a checkpoint every row there is was inserted beyond it, also before where the log begins now.
  const present = await findPresent(
    options,
    work,
    { partition, fromOffset: restored.checkpoint === undefined ? 0 : firstOffset, clock: work.clock() },
    storeAway,
  )
  if (present === undefined) return
  const lost = firstBlockBefore(present, firstOffset)
  if (lost !== undefined)
    throw new OffsetGone(
      `${topic}/${partition}: a block that began at offset ${lost} was inserted before the first checkpoint, and the log begins at ${firstOffset} now`,
    )
  tellUpgrade(restored, present, options)
  storeTook('')
  await runBlocks({ options, owner, work, restored, logId, firstOffset, present, progress, storeAway, storeTook })
}

/** The last checkpoint's partition count and settings must suit this run. */
function checkRestored({ checkpoint }: Restored, { target, settings }: PartitionRunOptions): void {
  if (checkpoint === undefined) return
  const { topic, partitionCount } = target
  if (checkpoint.partitionCount !== partitionCount)
    throw new PartitionStopped(partitionsChanged(topic, checkpoint.partitionCount, partitionCount))
  const hindrance = checkpoint.settings && settingsHindrance(checkpoint.settings, settings)
  if (hindrance !== undefined) throw new PartitionStopped(hindrance)
}

/** A clean checkpoint is none any more once a later owner of the older version has inserted beyond it, and was killed. */
function tellUpgrade({ checkpoint }: Restored, present: PresentParts, { target, tell }: PartitionRunOptions): void {
  if (checkpoint === undefined || checkpoint.operatorVersion === operatorVersion) return
  const inserted = [...present.values()].some((parts) => parts.size > 0)
  if (!checkpoint.clean || inserted)
    tell('warn', 'an upgrade after an unclean stop: rows of the blocks beyond the checkpoint may be of the older version', {
      partition: target.partition,
      was: checkpoint.operatorVersion,
      is: operatorVersion,
    })
}

export function partitionsChanged(topic: string, was: number, is: number): string {
  const changed = `topic ${topic} had ${was} partitions when it was last processed and has ${is} now: users' states lie in the wrong partitions. `
  return is > was
    ? `${changed}Stop every process of the group, run \`reelpulse repartition --topic ${topic}\`, and start them again`
    : `${changed}A topic cannot lose partitions, so this is another one: give it its old count back, or process it anew (docs/guide/running.md)`
}

/** The log ends before, or begins after, where this owner has to read on. */
const offsetGone = (topic: string, error: OffsetGone) =>
  new OffsetGone(
    `${error.message}. Bring the records back, or run \`reelpulse skip --topic ${topic}\`: it says what is lost, and with --yes goes on without it`,
    { cause: error },
  )

/** The parts that are there already; undefined where the owner was stopped meanwhile: nothing is in flight yet that a stop would wait for. */
async function findPresent(
  { store, abort, stop, clock }: PartitionRunOptions,
  work: PartitionWork,
  since: PartsSince,
  onRetry: InsertHooks['onRetry'],
): Promise<PresentParts | undefined> {
  const tableNames = work.tables().all.map((rows) => rows.table.name)
  let present: PresentParts = new Map()
  const find = async () => {
    present = await presentParts(store, tableNames, since)
  }
  try {
    await untilAcknowledged(find, AbortSignal.any([abort, stop]), { clock, onRetry })
  } catch (error) {
    if (stop.aborted && !abort.aborted) return undefined
    throw error
  }
  return present
}

/** Where a block began that is there in part at least, and that the log can not give again. */
function firstBlockBefore(present: PresentParts, offset: number): number | undefined {
  for (const parts of present.values()) for (const part of parts) if (Number.parseInt(part) < offset) return Number.parseInt(part)
  return undefined
}

type BlocksRun = {
  options: PartitionRunOptions
  owner: PartitionOwner
  work: PartitionWork
  restored: Restored
  logId: string
  firstOffset: number
  present: PresentParts
  progress: Progress
  storeAway: InsertHooks['onRetry']
  storeTook(table: string): void
}

/** The partition's records, block by block, until the owner is stopped. */
async function runBlocks(run: BlocksRun): Promise<void> {
  const { options, owner, work, restored, logId, progress } = run
  const { log, store, target, settings, abort, stop, clock } = options
  const { topic, partition, partitionCount } = target
  let nextOffset = run.firstOffset
  let readTo = nextOffset // beyond nextOffset where transaction markers and aborted records follow
  let lastTickAt = clock.now()
  let tickUnderWay = false

  const inserted: Record<string, number> = {}
  progress.rows = inserted
  progress.state = 'running'
  const cutter = blockCutter(options.limits?.block)
  const blocks = blockWriter({
    store, partition, present: run.present, tables: () => work.tables(options.limits?.part), abort, clock,
    onRetry: run.storeAway,
    onInserted(table, count) {
      inserted[table] = (inserted[table] ?? 0) + count
      run.storeTook(table)
    },
    onAcknowledged: report,
    onAnswered: () => run.storeTook(''),
    isDoubtful: () => !checkpoints.hasKept(),
  }) // prettier-ignore
  const checkpoints = checkpointer({
    owner, work, restored, partitionCount, settings, clock, source: target, topics: options.names.outbox,
    checkpointMs: options.checkpointMs,
    async inserted() {
      await blocks.acknowledged()
      abort.throwIfAborted()
      await blocks.confirm()
    },
  }) // prettier-ignore
  const reader = await log.read(topic, partition, nextOffset)
  let open = blocks.begin(nextOffset)

  function report(): void {
    progress.nextOffset = Math.max(nextOffset, readTo)
    progress.clock = work.clock()
    progress.records = work.counters.records
    progress.events = work.counters.events
    progress.duplicates = work.counters.duplicates
    progress.users = work.keys()
    progress.checkpointAt = checkpoints.lastAt()
    progress.insertingSince = blocks.insertingSince()
    progress.bufferedBytes = blocks.bytes() + checkpoints.waitingBytes()
    options.report(progress)
  }

  function beginBlock(): void {
    cutter.begin(nextOffset)
    open = blocks.begin(nextOffset)
    work.open(open)
  }

  async function endBlock(): Promise<void> {
    work.closeBlock(nextOffset)
    const name = { logId, topic, partition, firstOffset: cutter.firstOffset(), nextOffset, blockAt: work.clock() }
    checkpoints.keep(open.outbox, `${logId}/${topic}/${partition}/${name.firstOffset}`)
    progress.rejected += open.rejected.rows()
    const tierChanges = open.outbox.flatMap((message) => (message.kind === 'tier_change' ? [message.change] : []))
    await blocks.insert(name)
    progress.blocks++
    checkpoints.blockEnded()
    if (checkpoints.isDue() || checkpoints.isFull()) await checkpoints.checkpoint(nextOffset, false)
    beginBlock()
    progress.tierChanges = tierChanges
    report()
    progress.tierChanges = []
  }

  /** Applies a batch; only up to the block's end where the owner is to stop. */
  async function applyBatch({ count, offsets, timestampsMs, keys, values, headers }: RecordBatch): Promise<void> {
    for (let i = 0; i < count; i++) {
      const key = keys[i]!
      const value = values[i]!
      const items = work.apply(offsets[i]!, timestampsMs[i]!, key, value, headers[i])
      nextOffset = offsets[i]! + 1
      const control = controlOf(key, value, headers[i]) !== undefined
      if (cutter.add(items, value === null ? 0 : value.length, control)) {
        await endBlock()
        if (stop.aborted || hasArrived()) return
      }
    }
  }

  function hasArrived(): boolean {
    const { until } = options
    return until !== undefined && nextOffset >= until.offset && work.clock() >= until.clock
  }

  async function tick(): Promise<void> {
    lastTickAt = clock.now()
    const record: OutRecord = { key: null, value: null, partition, headers: { reelpulse: new TextEncoder().encode('tick') } }
    if (target.timestamps === 'create') record.timestampMs = work.clock()
    await log.append(topic, [record])
  }

  /** The wall clock decides when a tick is written; the log decides what it does. */
  async function tickIfDue(stopping: boolean): Promise<void> {
    if (options.until !== undefined) return
    if (stopping) {
      if (cutter.records() === 0 || tickUnderWay) return
      tickUnderWay = true
      return tick()
    }
    if (options.drainTo !== undefined || clock.now() - lastTickAt < options.blockSpanMs) return
    // Under LogAppendTime a tick brings time to a quiet partition, also to one that never had a record; under CreateTime it only cuts a block.
    if (target.timestamps === 'append' || cutter.records() > 0) await tick()
  }

  beginBlock()
  report()
  try {
    for (;;) {
      abort.throwIfAborted()
      blocks.throwIfRefused()
      const stopping = stop.aborted
      if ((stopping || hasArrived()) && cutter.records() === 0) break
      if (options.drainTo !== undefined && readTo >= options.drainTo) {
        work.tick((Math.floor(work.clock() / settings.emitMs) + 1) * settings.emitMs)
        await endBlock()
        break
      }
      const waitMs = stopping ? 20 : Math.max(1, Math.min(200, options.blockSpanMs - (clock.now() - lastTickAt)))
      const batch = await reader.next(waitMs)
      await applyBatch(batch)
      const readBefore = readTo
      readTo = batch.count === 0 || nextOffset > batch.offsets[batch.count - 1]! ? batch.nextOffset : nextOffset
      progress.endOffset = Math.max(batch.endOffset, nextOffset)
      if (readTo > readBefore) report()
      if (readTo >= batch.endOffset) await tickIfDue(stopping)
      if (cutter.records() === 0 && checkpoints.isDue()) await checkpoints.checkpoint(nextOffset, false)
    }
    await blocks.acknowledged()
    if (checkpoints.needsCleanOne()) await checkpoints.checkpoint(nextOffset, true)
    progress.state = 'finished'
    report()
  } finally {
    await blocks.settled()
    await reader.close()
  }
}
