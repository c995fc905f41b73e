// A partition's records, block by block, to the store and the changelog.
import { controlOf } from '../../../operators/partition/headers.ts'
import type { OutRecord, PartitionOwner, RecordBatch } from '../../ports/log.ts'
import { blockCutter } from './block.ts'
import { blockWriter } from './block-writer.ts'
import { checkpointer } from './checkpointer.ts'
import type { PartitionRunOptions } from './partition-options.ts'
import type { Progress } from './partition-progress.ts'
import type { StoreHooks } from './store-wait.ts'
import type { PresentParts } from './present-parts.ts'
import type { Restored } from './restore.ts'
import type { PartitionWork } from './work.ts'

export type BlocksRun = {
  options: PartitionRunOptions
  owner: PartitionOwner
  work: PartitionWork
  restored: Restored
  logId: string
  firstOffset: number
  present: PresentParts
  progress: Progress
  hooks: StoreHooks
}

/** Until the owner is stopped. */
export async function runBlocks(run: BlocksRun): Promise<void> {
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
    ...run.hooks, store, partition, present: run.present, tables: () => work.tables(options.limits?.part), abort,
    onInserted(table, count) {
      inserted[table] = (inserted[table] ?? 0) + count
      run.hooks.onTaken(table)
    },
    onAcknowledged(facts) {
      progress.acknowledged = facts
      report()
      progress.acknowledged = undefined
    },
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
    const name = { logId, topic, partition, firstOffset: cutter.firstOffset(), nextOffset, blockAt: work.clock(), ownerId: owner.ownerId }
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
