// The last checkpoint of a partition, read from its changelog without taking the partition from its owner.
import type { Log, RecordBatch } from '../../ports/log.ts'
import { readChangelog, type CheckpointRecord } from './checkpoint.ts'

const firstLook = 1_000
const waitMs = 500

/** A checkpoint is the last record of its transaction, so only owners' records follow the newest, and a short look at the end finds it. */
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
    for (let next = from; next < to;) {
      const batch = await reader.next(waitMs)
      // Nothing came: only transaction markers, or records of a transaction that is still open, are left.
      if (batch.count === 0) return
      next = batch.nextOffset
      yield batch
    }
  } finally {
    await reader.close()
  }
}
