// What the log says of the topic and of what is made of it. Only reads: nothing is claimed, joined or appended.
import { changelogOf, isSignalsTopic, rejectedTopicOf, tierChangesTopicOf } from '../config/names.ts'
import type { Log, TopicDescription } from '../ports/log.ts'
import type { LogFacts, PartitionFacts } from './facts.ts'
import { known } from './finding.ts'
import { readCheckpoint } from './read-checkpoint.ts'

/** Partitions that are looked into at once. */
const atOnce = 8
/** How far before a partition's end its newest record may lie: markers, ticks and aborted records come after it. */
const newestWithin = 100
const waitMs = 1_000

export async function gatherLog(log: Log, place: Pick<LogFacts, 'kind' | 'where'>, topic: string, group: string): Promise<LogFacts> {
  const names: LogFacts['names'] = {
    input: topic,
    changelog: changelogOf(topic, group),
    ...(isSignalsTopic(topic) ? {} : { tierChanges: tierChangesTopicOf(topic) }),
    rejected: rejectedTopicOf(topic),
  }
  // In turn: the first that does not answer is enough.
  const topics = {
    input: await log.describeTopic(names.input),
    changelog: await log.describeTopic(names.changelog),
    tierChanges: names.tierChanges === undefined ? undefined : await log.describeTopic(names.tierChanges),
    rejected: await log.describeTopic(names.rejected),
  }
  return {
    ...place,
    names,
    topics,
    cluster: await known(() => log.describeCluster?.()),
    partitions: await gatherPartitions(log, topics.input, topics.changelog),
  }
}

async function gatherPartitions(
  log: Log,
  input: TopicDescription | undefined,
  changelog: TopicDescription | undefined,
): Promise<PartitionFacts[]> {
  const waiting = [...(input?.partitions ?? []).entries()]
  const found: PartitionFacts[] = []
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [partition, ends] = next
      const state = changelog?.partitions[partition]
      found.push({
        partition,
        ...ends,
        checkpoint: await known(() => (state === undefined ? undefined : readCheckpoint(log, changelog!.topic, partition, state))),
        newestAt: await known(() => (input!.timestamps === 'append' ? newestTimestamp(log, input!.topic, partition, ends) : undefined)),
      })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return found.toSorted((a, b) => a.partition - b.partition)
}

async function newestTimestamp(
  log: Log,
  topic: string,
  partition: number,
  { begin, end }: { begin: number; end: number },
): Promise<number | undefined> {
  const from = Math.max(begin, end - newestWithin)
  if (from >= end) return undefined
  const reader = await log.read(topic, partition, from)
  let newest: number | undefined
  try {
    for (let next = from; next < end;) {
      const batch = await reader.next(waitMs)
      if (batch.count === 0) break
      newest = batch.timestampsMs[batch.count - 1]
      next = batch.nextOffset
    }
  } finally {
    await reader.close()
  }
  return newest
}
