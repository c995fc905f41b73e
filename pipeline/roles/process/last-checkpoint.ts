// The last checkpoint of a partition, read from its changelog without taking the partition from its owner.
import type { Log, RecordBatch } from '../../ports/log.ts'
import { readChangelog, type CheckpointRecord } from './checkpoint.ts'

const firstLook = 1_000
const waitMs = 200
const triesAtMost = 20

/**
 * A checkpoint is the last record of its transaction, so mostly only owners' records follow the newest, and a short look at the end
 * finds it; behind what an interrupted `repartition` moved in, a longer one. Of a transaction that is still open nothing is seen.
 */
export async function lastCheckpoint(log: Log, changelog: string, partition: number): Promise<CheckpointRecord | undefined> {
  const range = (await log.describeTopic(changelog))?.partitions[partition]
  if (range === undefined) return undefined
  for (let look = firstLook; ; look *= 8) {
    const from = Math.max(range.begin, range.end - look)
    const { checkpoint } = await readChangelog(batches(log, changelog, partition, from, range.end))
    if (checkpoint !== undefined || from === range.begin) return checkpoint
  }
}

async function* batches(log: Log, topic: string, partition: number, from: number, to: number): AsyncGenerator<RecordBatch> {
  const reader = await log.read(topic, partition, from)
  try {
    for (let next = from, tries = 0; next < to && tries < triesAtMost; tries++) {
      const batch = await reader.next(waitMs)
      if (batch.nextOffset > next) tries = 0
      next = batch.nextOffset
      yield batch
    }
  } finally {
    await reader.close()
  }
}
