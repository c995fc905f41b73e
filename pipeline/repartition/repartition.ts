// Moves users' states to where they belong once a topic has more partitions (docs/decisions/repartition.md).
import type { Log, PartitionOwner } from '../ports/log.ts'
import { checkpointRecord, readChangelog, type CheckpointRecord, type ChangelogHead } from '../roles/process/checkpoint.ts'
import { lastCheckpoint } from '../doctor/read-checkpoint.ts'
import { partitionsChanged } from '../roles/process/partition-run.ts'
import { moveClock } from '../ticks.ts'
import { forgetLeft, moveLeaving } from './move.ts'
import { bringToOneClock, RepartitionRefused, type Place } from './one-clock.ts'

export type Repartitioned = {
  /** Partitions at the last checkpoints, and now. The same where nothing was to be done. */
  from: number
  to: number
  /** Users who moved, in this run. */
  users: number
  /** Records in table `rejected_events` that came to a partition that is not their key's. */
  wrongPartition: number
}

/** Killed at any point and begun again, it comes to the same end. Until it has, `process` refuses to start. */
export async function repartition(place: Place): Promise<Repartitioned> {
  const { log, store, topic, names } = place
  const count = (await log.describeTopic(topic))?.partitions.length
  if (count === undefined) throw new RepartitionRefused(`topic ${topic} does not exist`)
  const result: Repartitioned = { from: count, to: count, users: 0, wrongPartition: 0 }
  const changelog = (await log.describeTopic(names.changelog))?.partitions.length
  if (changelog !== undefined && changelog > count) throw new RepartitionRefused(partitionsChanged(topic, changelog, count))
  await raise(log, names.changelog, count)
  await raise(log, names.outbox.rejected, count)
  for (let first = true; ; first = false) {
    const checkpoints: (CheckpointRecord | undefined)[] = []
    for (let partition = 0; partition < (changelog === undefined ? 0 : count); partition++)
      checkpoints.push(await lastCheckpoint(log, names.changelog, partition))
    const counts = checkpoints.flatMap((checkpoint) => checkpoint?.partitionCount ?? [])
    const from = Math.min(count, ...counts)
    // An earlier run that came so far that some partitions have their new checkpoint is finished as it was begun.
    const begun = Math.max(from, ...counts)
    if (first) result.from = from
    if (begun > from) await finish(place, from, begun)
    else if (from < count) result.users += await move(place, from, count)
    if (begun > from && begun < count) continue
    break
  }
  await tidy(place, count)
  const [rejected] = await store.query<{ records: number }>(
    "SELECT count() AS records FROM rejected_events WHERE reason = 'wrong_partition' AND ordinal IS NULL",
  )
  result.wrongPartition = rejected!.records
  return result
}

async function move(place: Place, from: number, to: number): Promise<number> {
  const { topic } = place
  const clock = await bringToOneClock(place, from)
  let users = 0
  await asOwners(place, to, async (owners) => {
    const heads: ChangelogHead[] = []
    for (let partition = 0; partition < from; partition++) {
      place.signal.throwIfAborted()
      const moved = await moveLeaving(owners, partition, from, to, ({ checkpoint }) => {
        if (checkpoint?.clock !== clock || checkpoint.partitionCount !== from)
          throw new RepartitionRefused(
            `partition ${partition} of topic ${topic} was taken by a process meanwhile: stop every process of the group, and run this again`,
          )
      })
      heads.push(moved.head)
      users += moved.users
      place.tell('info', 'users moved', { partition, users: moved.users })
    }
    await commitCounts(place, owners, heads.map(({ checkpoint }) => checkpoint), from, to) // prettier-ignore
  })
  return users
}

/** Every user is where they belong; some partitions have no checkpoint that says so. */
async function finish(place: Place, from: number, to: number): Promise<void> {
  await asOwners(place, to, async (owners) => {
    const checkpoints: (CheckpointRecord | undefined)[] = []
    for (const owner of owners) checkpoints.push((await readChangelog(owner.restore())).checkpoint)
    await commitCounts(place, owners, checkpoints, from, to)
  })
}

/**
 * From its first commit on there is no way back, since nobody may process under the old count. New partitions come first: so as long as
 * an old one has its old checkpoint, the work is seen to be unfinished.
 */
async function commitCounts(
  { log, topic }: Place,
  owners: readonly PartitionOwner[],
  checkpoints: readonly (CheckpointRecord | undefined)[],
  from: number,
  to: number,
): Promise<void> {
  const { partitions } = (await log.describeTopic(topic))!
  const first = checkpoints[0]!
  // Under CreateTime nobody else would bring new partitions time, and no bucket of KPIs would close before a record comes.
  await moveClock(log, topic, first.clock, { partitions: Array.from({ length: to - from }, (_, i) => from + i) })
  const commit = async (partition: number, checkpoint: CheckpointRecord) =>
    owners[partition]!.commit({ changelog: [checkpointRecord({ ...checkpoint, partitionCount: to })], outbox: [] })
  for (let partition = from; partition < to; partition++) {
    if (checkpoints[partition]?.partitionCount === to) continue
    await commit(partition, { ...first, nextOffset: partitions[partition]!.begin, clean: true, holes: undefined })
  }
  for (let partition = 0; partition < from; partition++)
    if (checkpoints[partition]!.partitionCount !== to) await commit(partition, checkpoints[partition]!)
}

/** Forgets who left; then, last of all, topic tier-changes gets its partitions, and `process` starts again. */
async function tidy(place: Place, count: number): Promise<void> {
  const { log, names } = place
  const raised = [names.changelog, names.outbox.rejected, names.outbox.tierChanges]
  const counts = []
  for (const topic of raised) counts.push((await log.describeTopic(topic))?.partitions.length)
  if (counts.every((found) => found === undefined || found === count)) return
  if (counts[0] !== undefined)
    for (let partition = 0; partition < counts[0]; partition++) {
      place.signal.throwIfAborted()
      await asOwner(place, partition, (owner) => forgetLeft(owner, partition, count))
    }
  for (const topic of raised) await raise(log, topic, count)
}

/** A topic that is not there yet is created with its partitions by `process`. */
async function raise(log: Log, topic: string, count: number): Promise<void> {
  if ((await log.describeTopic(topic)) !== undefined) await log.addPartitions(topic, count)
}

async function asOwner<T>({ log, topic, names }: Place, partition: number, work: (owner: PartitionOwner) => Promise<T>): Promise<T> {
  const owner = await log.claim({ group: names.group, topic, partition, changelogTopic: names.changelog })
  try {
    return await work(owner)
  } finally {
    await owner.close()
  }
}

/** As the owner of every partition at once: nobody else's checkpoint can come between. */
async function asOwners(place: Place, count: number, work: (owners: readonly PartitionOwner[]) => Promise<void>): Promise<void> {
  const next = (owners: readonly PartitionOwner[]): Promise<void> =>
    owners.length === count ? work(owners) : asOwner(place, owners.length, (owner) => next([...owners, owner]))
  await next([])
}
