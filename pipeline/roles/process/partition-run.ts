// One owner of one partition: claims it, restores its state, finds out what is there already, and then takes its records on
// (partition-blocks.ts), until it is told to stop or another owner takes over.
import { randomUUID } from 'node:crypto'
import { operatorVersion } from '../../../operators/settings.ts'
import { OffsetGone, type PartitionOwner } from '../../ports/log.ts'
import { behaviorWork } from './behavior-work.ts'
import { logRecord } from './checkpoint.ts'
import { runBlocks } from './partition-blocks.ts'
import type { PartitionRunOptions } from './partition-options.ts'
import { beginningProgress } from './partition-progress.ts'
import { partitionCounts, presentParts, type AskHooks, type PartsSince, type PresentParts } from './present-parts.ts'
import { restorePartition, type Restored } from './restore.ts'
import { settingsHindrance } from './settings-kept.ts'
import { storeHooks } from './store-wait.ts'
import type { PartitionWork } from './work.ts'

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

async function runOwner(options: PartitionRunOptions, owner: PartitionOwner): Promise<void> {
  const { log, settings, abort, stop, clock, target } = options
  const { topic, partition, partitionCount } = target
  const work = (options.work ?? behaviorWork)({ settings, partition, partitionCount, resolve: options.resolve })
  const progress = beginningProgress(partition, work, clock.now())

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

  const hooks = storeHooks(progress, options)
  // Without a checkpoint every row there is was inserted beyond it, also before where the log begins now.
  const from = restored.checkpoint === undefined ? 0 : firstOffset
  const present = await findPresent(options, work, { partition, fromOffset: from, clock: work.clock() }, hooks)
  if (present === undefined) return
  const lost = firstBlockBefore(present, firstOffset)
  if (lost !== undefined)
    throw new OffsetGone(
      `${topic}/${partition}: a block that began at offset ${lost} was inserted before the first checkpoint, and the log begins at ${firstOffset} now`,
    )
  if (restored.checkpoint === undefined && !(await suitsCount(options, present, hooks))) return
  tellUpgrade(restored, present, options)
  await runBlocks({ options, owner, work, restored, logId, firstOffset, present, progress, hooks })
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

/**
 * Where no checkpoint says of how many partitions the topic was, the blocks that are there must: under another count they have other users.
 * False where the owner was stopped meanwhile.
 */
async function suitsCount({ store, target, abort, stop }: PartitionRunOptions, present: PresentParts, hooks: AskHooks): Promise<boolean> {
  const clocks = [...present.keys()].at(-1)!
  if ([...present.values()].every((parts) => parts.size === 0)) return true
  const { topic, partition, partitionCount } = target
  const asked = partitionCounts(store, clocks, partition, AbortSignal.any([abort, stop]), hooks)
  const counts = await unlessStopped(asked, abort, stop)
  const other = counts?.find((count) => count !== partitionCount)
  if (other !== undefined)
    throw new PartitionStopped(
      `${topic}/${partition} has no checkpoint, and rows of when the topic had ${other} partitions; it has ${partitionCount} now: its changelog was deleted, or ` +
        'the topic was given more partitions before the first checkpoint. Process the topic anew, with another --group and an empty database (docs/guide/running.md)',
    )
  return counts !== undefined
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
  { store, abort, stop }: PartitionRunOptions,
  work: PartitionWork,
  since: PartsSince,
  hooks: AskHooks,
): Promise<PresentParts | undefined> {
  const tableNames = work.tables().all.map((rows) => rows.table.name)
  return unlessStopped(presentParts(store, tableNames, since, AbortSignal.any([abort, stop]), hooks), abort, stop)
}

async function unlessStopped<T>(asked: Promise<T>, abort: AbortSignal, stop: AbortSignal): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (stop.aborted && !abort.aborted) return undefined
    throw error
  }
}

/** Where a block began that is there in part at least, and that the log can not give again. */
function firstBlockBefore(present: PresentParts, offset: number): number | undefined {
  for (const parts of present.values()) for (const part of parts) if (Number.parseInt(part) < offset) return Number.parseInt(part)
  return undefined
}
