// Goes on past a hole in the log: looks for what is lost, and, told to, lets a partition begin again behind it
// (docs/decisions/holes-in-the-log.md).
import { keptState, type KeptState } from '../../operators/partition/kept-state.ts'
import { partitionOperator } from '../../operators/partition/partition.ts'
import { murmur2 } from '../../operators/hash.ts'
import { userStateWriter } from '../../operators/partition/state.ts'
import type { OperatorSettings } from '../../operators/settings.ts'
import { signalOperator } from '../../operators/signals/partition.ts'
import { isSignalsTopic } from '../config/names.ts'
import type { Log, OutRecord, PartitionOwner } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { checkpointRecord, logRecord, mostHoles, userRecord, type CheckpointRecord } from '../roles/process/checkpoint.ts'
import { lastCheckpoint } from '../doctor/read-checkpoint.ts'
import { restorer } from '../roles/process/restore.ts'
import { rowSink } from '../roles/process/rows.ts'
import { countOrphans, deleteOrphans, firstBlock, usersOfOrphans, type Orphans, type TopicKind } from './orphans.ts'

export type SkipPlace = { log: Log; store: Store; topic: string; group: string; changelog: string }

export type Gap = {
  partition: number
  /** Where the partition would have to go on. */
  from: number
  /** Where it can. Records at [from, to) are not processed. */
  to: number
  /** Rows inserted beyond the last checkpoint: they go, since the state that made them is gone. */
  orphans: Orphans
  /** Undefined: the partition's owner died before its first one. */
  checkpoint: CheckpointRecord | undefined
}

/** What was asked for cannot be done, or would do harm: says what instead. */
export class SkipRefused extends Error {
  override name = 'SkipRefused'
}

/**
 * Undefined where the partition can go on from its checkpoint. `to`: begin there, in place of where the log begins. Changes
 * nothing, and takes the partition from nobody.
 */
export async function findGap(place: SkipPlace, partition: number, to?: number): Promise<Gap | undefined> {
  const { log, store, topic } = place
  const where = `${topic}/${partition}`
  const range = (await log.describeTopic(topic))?.partitions[partition]
  if (range === undefined) throw new SkipRefused(`topic ${topic} has no partition ${partition}`)
  const { begin, end } = range
  const checkpoint = await lastCheckpoint(log, place.changelog, partition)
  const kind = kindOf(topic)
  const from = checkpoint?.nextOffset ?? (await firstBlock(store, partition, kind))
  if (from === undefined) {
    if (to !== undefined) throw new SkipRefused(`${where}: nothing of it was processed yet, so there is no place to skip from`)
    return undefined
  }
  if (from > end)
    throw new SkipRefused(
      `${where}: the last checkpoint is at offset ${from}, and the log ends at ${end}: the topic was deleted and made anew, or its end was lost. ` +
        'What it holds now would be taken for what was processed before. Process it anew, with another --group and an empty database (docs/guide/running.md, "Processing a topic anew")',
    )
  if (to !== undefined && (to < begin || to > end))
    throw new SkipRefused(`${where}: --to ${to} is outside the log, which has [${begin}, ${end}]`)
  if (to !== undefined && to < from) throw new SkipRefused(`${where}: --to ${to} is before the last checkpoint, which is at ${from}`)
  const target = to ?? Math.max(begin, from)
  if (target === from) return undefined
  if (checkpoint === undefined && target !== begin)
    throw new SkipRefused(`${where}: it has no checkpoint yet, and begins where its log begins, at ${begin}: leave --to out`)
  return { partition, from, to: target, orphans: await countOrphans(store, partition, from, kind), checkpoint }
}

export type SkipOptions = {
  /** Where the checkpoint does not say with which its state was made. */
  settings: OperatorSettings
  newId(): string
  now(): number
}

/**
 * Does it, as a new owner, so that whoever has the partition is fenced. Killed at any point and begun again with `findGap`, it comes to
 * the same end: until the last step the checkpoint stays where it was.
 */
export async function skip(place: SkipPlace, gap: Gap, options: SkipOptions): Promise<void> {
  const { log, store, topic, group, changelog } = place
  const { partition, from, to } = gap
  const owner = await log.claim({ group, topic, partition, changelogTopic: changelog })
  try {
    const kind = kindOf(topic)
    const count = gap.checkpoint?.partitionCount ?? 1
    const settings = gap.checkpoint?.settings ?? options.settings
    const restored =
      kind === 'signals'
        ? await restoredSignals(owner, partition, count, settings)
        : await restoredOperator(owner, partition, count, settings)
    const { checkpoint } = restored
    if (checkpoint?.nextOffset !== gap.checkpoint?.nextOffset)
      throw new SkipRefused(
        `${topic}/${partition}: its owner made another checkpoint meanwhile. Stop every process of the group, and look again`,
      )

    // The newest row of a user may have taken the place of an older one, and goes now. So each of them gets a row, at the end
    // of the present interval. This comes first: once the rows are deleted, nobody knows whose they were.
    if (checkpoint !== undefined && restored.operator !== undefined) {
      const { operator } = restored
      const writeUser = userStateWriter(operator.state)
      const records: OutRecord[] = []
      for (const userId of await usersOfOrphans(store, partition, from)) {
        const id = new TextEncoder().encode(userId)
        const slot = operator.users.find(id, 0, id.length, murmur2(id))
        if (slot < 0) continue
        operator.state.schedule.arrived(slot, checkpoint.clock)
        records.push(userRecord(id, writeUser(slot)))
      }
      if (records.length > 0) await owner.commit({ changelog: records, outbox: [] })
    }

    await deleteOrphans(store, partition, from, kind)

    // A block behind the hole may have the bounds of one that was deleted, and not its rows: under the old log_id its token
    // would be known, and the block dropped without a word.
    const records: OutRecord[] = [logRecord(options.newId())]
    if (checkpoint !== undefined) {
      const holes = [...(checkpoint.holes ?? []), { from, to, at: options.now() }].slice(-mostHoles)
      records.push(checkpointRecord({ ...checkpoint, nextOffset: to, clean: true, holes }))
    }
    await owner.commit({ changelog: records, outbox: [] })
    await owner.reportProgress(to)
  } finally {
    await owner.close()
  }
}

async function restoredOperator(owner: PartitionOwner, partition: number, partitionCount: number, settings: OperatorSettings) {
  const operator = partitionOperator({
    settings, partition, partitionCount, operators: 'all', sink: rowSink(partitionCount).sink, resolve: () => 'unknown_schema',
  }) // prettier-ignore
  return { operator, checkpoint: await checkpointIn(owner, keptState(operator.state)) }
}

/** Of signals nothing is kept of anybody but the ids, and no row takes another's place. */
async function restoredSignals(owner: PartitionOwner, partition: number, partitionCount: number, settings: OperatorSettings) {
  const nobody = { accepted() {}, rejectedSignal() {}, rejectedRecord() {} }
  const { kept } = signalOperator({ settings, partition, partitionCount, sink: nobody, resolve: () => 'unknown_schema' })
  return { operator: undefined, checkpoint: await checkpointIn(owner, kept) }
}

async function checkpointIn(owner: PartitionOwner, state: KeptState): Promise<CheckpointRecord | undefined> {
  const into = restorer(state)
  for await (const batch of owner.restore()) into.take(batch)
  return into.done().checkpoint
}

const kindOf = (topic: string): TopicKind => (isSignalsTopic(topic) ? 'signals' : 'behavior')
