// One owner of one partition: claims it, restores its state, and takes its records block by block to the store and the
// changelog, until it is told to stop or another owner takes over.
import { randomUUID } from 'node:crypto'
import { controlOf } from '../../../operators/partition/headers.ts'
import { lastingHours, partitionOperator, recentHours, type PartitionOptions } from '../../../operators/partition/partition.ts'
import { putIds, takeNewIds, userStateReader, userStateWriter } from '../../../operators/partition/state.ts'
import { operatorVersion, type OperatorSettings } from '../../../operators/settings.ts'
import type { TierChange } from '../../../schemas/tables/tier-changes.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log, OutRecord, TimestampType } from '../../ports/log.ts'
import type { Store } from '../../ports/store.ts'
import { blockCutter, type BlockLimits } from './block.ts'
import type { PartLimits } from './block-rows.ts'
import {
  checkpointRecord,
  idsRecord,
  logRecord,
  readChangelog,
  tombstone,
  userIdOf,
  userRecord,
  type Changelog,
  type IdsKey,
} from './checkpoint.ts'
import { insertBlock, presentParts, untilAcknowledged, type PresentParts } from './insert.ts'
import { outboxBytes, outboxRecord, type OutboxMessage, type OutboxTopics } from './outbox.ts'
import { blockTables, rowSink, type BlockTables } from './rows.ts'

/** Changed state, or messages waiting, that force a checkpoint (bytes). */
const checkpointBytes = 32 * 1024 * 1024
/** What a changed user's state is taken to weigh before it is written (bytes). */
const userStateBytes = 600
const idBytes = 8

/** For tests: smaller blocks and parts than the protocol's. */
export type PartitionLimits = { block?: BlockLimits; part?: PartLimits }

export type PartitionTarget = { topic: string; partition: number; partitionCount: number; timestamps: TimestampType }

export type PartitionNames = { group: string; changelog: string; outbox: OutboxTopics }

export type PartitionRunOptions = {
  log: Log
  store: Store
  target: PartitionTarget
  names: PartitionNames
  settings: OperatorSettings
  blockSpanMs: number
  checkpointMs: number
  resolve: PartitionOptions['resolve']
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
}

/** Told after each batch and block; counts are since the owner began. */
export type PartitionProgress = {
  partition: number
  state: 'restoring' | 'running' | 'waiting for the store' | 'stopped'
  /** What lies before it is applied. */
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
  const { log, store, target, names, settings, abort, stop, clock } = options
  const { topic, partition, partitionCount } = target
  const owner = await log.claim({ group: names.group, topic, partition, changelogTopic: names.changelog })
  try {
    const changelog = await readChangelog(owner.restore())
    checkPartitionCount(changelog, target)
    const { checkpoint: last } = changelog
    if (last !== undefined && last.operatorVersion !== operatorVersion && !last.clean)
      options.tell('warn', 'an upgrade after an unclean stop: rows of the blocks beyond the checkpoint may be of the older version', {
        partition,
        was: last.operatorVersion,
        is: operatorVersion,
      })
    const logId = changelog.logId ?? (options.newId ?? randomUUID)()
    if (changelog.logId === undefined) await owner.commit({ changelog: [logRecord(logId)], outbox: [] })

    const rows = rowSink(partitionCount)
    const operator = partitionOperator({ settings, partition, partitionCount, operators: 'all', sink: rows.sink, resolve: options.resolve })
    rows.bind(operator)
    let idKeys = restore(operator, changelog)
    const writeUser = userStateWriter(operator.state)

    let nextOffset = changelog.checkpoint?.nextOffset ?? (await log.describeTopic(topic))?.partitions[partition]?.begin ?? 0
    let lastCheckpointAt = clock.now()
    const inserted: Record<string, number> = {}
    const progress: { -readonly [K in keyof PartitionProgress]: PartitionProgress[K] } = {
      partition, state: 'running', nextOffset, endOffset: nextOffset, clock: operator.clock(), records: 0, events: 0, duplicates: 0,
      rejected: 0, blocks: 0, rows: inserted, users: operator.users.count(), usersByTier: operator.usersByRung, tierChanges: [], checkpointAt: lastCheckpointAt,
    } // prettier-ignore

    function storeAway(error: Error, attempt: number): void {
      progress.state = 'waiting for the store'
      if (attempt === 1 || attempt % 10 === 0)
        options.tell('warn', 'the store does not answer; waiting', { partition, attempt, error: error.message })
      options.report(progress)
    }

    const retries = { clock, onRetry: storeAway }
    let present: PresentParts = new Map()
    try {
      await untilAcknowledged(
        async () => {
          present = await presentParts(store, tableNames, partition, nextOffset)
        },
        AbortSignal.any([abort, stop]),
        retries,
      )
    } catch (error) {
      // Nothing is in flight yet that a stop would have to wait for.
      if (stop.aborted && !abort.aborted) return
      throw error
    }
    progress.state = 'running'
    const reader = await log.read(topic, partition, nextOffset)

    const cutter = blockCutter(options.limits?.block)
    let open: BlockTables = blockTables(options.limits?.part)
    let spare: BlockTables = blockTables(options.limits?.part)
    let inserting: Promise<void> = Promise.resolve()
    let insertError: Error | undefined
    let outbox: { message: OutboxMessage; id: string }[] = []
    let outboxSize = 0
    let lastTickAt = clock.now()
    let checkpointedEvents = 0
    let isClean = changelog.checkpoint?.clean === true
    let dirty = false // something was applied since the last checkpoint
    let tickUnderWay = false
    let readTo = nextOffset // beyond nextOffset where transaction markers and aborted records follow

    function report(): void {
      progress.nextOffset = Math.max(nextOffset, readTo)
      progress.clock = operator.clock()
      progress.records = operator.counters.records
      progress.events = operator.counters.events
      progress.duplicates = operator.counters.duplicates
      progress.users = operator.users.count()
      options.report(progress)
    }

    function beginBlock(): void {
      cutter.begin(nextOffset)
      for (const table of open.all) table.reset(partition, nextOffset)
      open.outbox = []
      rows.open(open)
    }

    /** Waits for the block before; its error is this partition's. */
    async function acknowledged(): Promise<void> {
      await inserting
      if (insertError !== undefined) throw insertError
    }

    async function endBlock(): Promise<void> {
      rows.closeBlock(nextOffset)
      const name = { logId, topic, partition, firstOffset: cutter.firstOffset(), nextOffset, blockAt: operator.clock() }
      open.outbox.forEach((message, i) => {
        outbox.push({ message, id: `${logId}/${topic}/${partition}/${name.firstOffset}/${i}` })
        outboxSize += outboxBytes(message)
      })
      progress.rejected += open.rejected.rows()
      progress.tierChanges = open.outbox.flatMap((message) => (message.kind === 'tier_change' ? [message.change] : []))
      await acknowledged()
      const full = open
      open = spare
      spare = full
      inserting = insertBlock(store, full, name, present, abort, {
        ...retries,
        onInserted(table, count) {
          inserted[table] = (inserted[table] ?? 0) + count
          progress.state = 'running'
        },
      }).catch((error: unknown) => {
        insertError = error instanceof Error ? error : new Error(String(error))
      })
      progress.blocks++
      dirty = true
      const due = clock.now() - lastCheckpointAt >= options.checkpointMs
      const changedBytes = operator.state.changed().length * userStateBytes + (operator.counters.events - checkpointedEvents) * idBytes
      if (due || outboxSize >= checkpointBytes || changedBytes >= checkpointBytes) await checkpoint()
      beginBlock()
      report()
      progress.tierChanges = []
    }

    /** At a block's end, all its inserts acknowledged. */
    async function checkpoint(clean = false): Promise<void> {
      await acknowledged()
      abort.throwIfAborted()
      const records: OutRecord[] = []
      for (const slot of operator.state.changed()) records.push(userRecord(operator.users.id(slot), writeUser(slot)))
      for (const [n, generation] of takeNewIds(operator.state).entries()) {
        const { record, at } = idsRecord(generation, nextOffset, n)
        records.push(record)
        idKeys.push(at)
      }
      const hour = Math.floor(operator.clock() / 3_600_000)
      for (const { key } of idKeys.filter((at) => isExpired(at, hour))) records.push(tombstone(key))
      idKeys = idKeys.filter((at) => !isExpired(at, hour))
      records.push(checkpointRecord({ nextOffset, clock: operator.clock(), operatorVersion, partitionCount, clean }))
      await owner.commit({ changelog: records, outbox: outboxByTopic(outbox, names.outbox, target) })
      await owner.reportProgress(nextOffset)
      operator.state.clearChanged()
      outbox = []
      outboxSize = 0
      dirty = false
      isClean = clean
      lastCheckpointAt = clock.now()
      checkpointedEvents = operator.counters.events
      progress.checkpointAt = lastCheckpointAt
    }

    async function tick(): Promise<void> {
      lastTickAt = clock.now()
      const record: OutRecord = { key: null, value: null, partition, headers: { reelpulse: new TextEncoder().encode('tick') } }
      if (target.timestamps === 'create') record.timestampMs = operator.clock()
      await log.append(topic, [record])
    }

    beginBlock()
    report()
    try {
      for (;;) {
        abort.throwIfAborted()
        const stopping = stop.aborted
        if (stopping && cutter.records() === 0) break
        if (options.drainTo !== undefined && readTo >= options.drainTo) {
          operator.tick((Math.floor(operator.clock() / settings.emitMs) + 1) * settings.emitMs)
          await endBlock()
          break
        }
        const waitMs = stopping ? 20 : Math.max(1, Math.min(200, options.blockSpanMs - (clock.now() - lastTickAt)))
        const batch = await reader.next(waitMs)
        const { count, offsets, timestampsMs, keys, values, headers } = batch
        for (let i = 0; i < count; i++) {
          const key = keys[i]!
          const value = values[i]!
          const items = operator.apply(offsets[i]!, timestampsMs[i]!, key, value, headers[i])
          nextOffset = offsets[i]! + 1
          const control = controlOf(key, value, headers[i]) !== undefined
          if (cutter.add(items, value === null ? 0 : value.length, control)) {
            await endBlock()
            if (stop.aborted) break
          }
        }
        const readBefore = readTo
        readTo = count === 0 || nextOffset > offsets[count - 1]! ? batch.nextOffset : nextOffset
        progress.endOffset = Math.max(batch.endOffset, nextOffset)
        const atEnd = readTo >= batch.endOffset
        if (readTo > readBefore) report()
        // The wall clock decides when a tick is written; the log decides what it does.
        if (stopping) {
          if (atEnd && cutter.records() > 0 && !tickUnderWay) {
            tickUnderWay = true
            await tick()
          }
        } else if (
          options.drainTo === undefined &&
          atEnd &&
          operator.clock() > -Infinity &&
          clock.now() - lastTickAt >= options.blockSpanMs &&
          worthATick()
        )
          await tick()
        if (dirty && cutter.records() === 0 && clock.now() - lastCheckpointAt >= options.checkpointMs) await checkpoint()
      }
      await acknowledged()
      if (dirty || (!isClean && operator.clock() > -Infinity)) await checkpoint(true)
      progress.state = 'stopped'
      report()
    } finally {
      await inserting
      await reader.close()
    }

    /** Under LogAppendTime a tick brings time to a quiet partition; under CreateTime it only cuts a block. */
    function worthATick(): boolean {
      return target.timestamps === 'append' || cutter.records() > 0
    }
  } finally {
    await owner.close()
  }
}

const tableNames = blockTables().all.map((rows) => rows.table.name)

/** An hour after the operators forgot them. */
const isExpired = (key: IdsKey, hour: number) => hour - key.hour > (key.lasting ? lastingHours : recentHours) + 1

function checkPartitionCount(changelog: Changelog, { topic, partitionCount }: PartitionTarget): void {
  const was = changelog.checkpoint?.partitionCount
  if (was !== undefined && was !== partitionCount) throw new PartitionStopped(partitionsChanged(topic, was, partitionCount))
}

export const partitionsChanged = (topic: string, was: number, is: number) =>
  `topic ${topic} had ${was} partitions when it was last processed and has ${is} now: users' states lie in the wrong partitions. ` +
  'Go back to the old count: this version cannot move them.'

/** Puts the changelog's state into the operators; the keys of the ids that are still kept. */
function restore(operator: ReturnType<typeof partitionOperator>, changelog: Changelog): IdsKey[] {
  if (changelog.checkpoint === undefined) return []
  const { state } = operator
  state.clock = changelog.checkpoint.clock
  const reader = userStateReader(state)
  for (const [id, value] of changelog.users) reader.put(userIdOf(id), value)
  for (const { at, ids } of changelog.ids) putIds(state, { hour: at.hour, lasting: at.lasting, ids })
  reader.done()
  return changelog.ids.map(({ at }) => at)
}

function outboxByTopic(outbox: { message: OutboxMessage; id: string }[], topics: OutboxTopics, source: PartitionTarget) {
  const tierChanges: OutRecord[] = []
  const rejected: OutRecord[] = []
  for (const { message, id } of outbox) (message.kind === 'tier_change' ? tierChanges : rejected).push(outboxRecord(message, id, source))
  return [
    { topic: topics.tierChanges, records: tierChanges },
    { topic: topics.rejected, records: rejected },
  ].filter(({ records }) => records.length > 0)
}
