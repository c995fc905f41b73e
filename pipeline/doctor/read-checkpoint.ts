// The last checkpoint of a changelog partition, found from the partition's end: the state before it need not be read.
import type { Log } from '../ports/log.ts'
import { checkpointRecord } from '../roles/process/checkpoint.ts'
import type { FoundCheckpoint } from './facts.ts'

/** A checkpoint is its transaction's last record, so a short look at the end finds it, unless a long transaction was left open. */
const looks = [1_000, 30_000, Infinity] as const
const waitMs = 2_000

const { key: checkpointKey } = checkpointRecord({
  nextOffset: 0,
  clock: 0,
  operatorVersion: 0,
  partitionCount: 0,
  settings: undefined,
  clean: true,
})

/** Undefined: there is none. [begin, end): where the changelog partition is. */
export async function readCheckpoint(
  log: Pick<Log, 'read'>,
  topic: string,
  partition: number,
  { begin, end }: { begin: number; end: number },
): Promise<FoundCheckpoint | undefined> {
  let lookedFrom = end
  for (const length of looks) {
    const from = Math.max(begin, end - length)
    const found = await lastIn(log, topic, partition, from, lookedFrom)
    if (found !== undefined) return found
    if (from === begin) return undefined
    lookedFrom = from
  }
  return undefined
}

async function lastIn(
  log: Pick<Log, 'read'>,
  topic: string,
  partition: number,
  from: number,
  to: number,
): Promise<FoundCheckpoint | undefined> {
  const reader = await log.read(topic, partition, from)
  let found: FoundCheckpoint | undefined
  try {
    for (let next = from; next < to;) {
      const batch = await reader.next(waitMs)
      for (let i = 0; i < batch.count; i++) {
        const [key, value] = [batch.keys[i], batch.values[i]]
        if (!key || !value || Buffer.compare(key, checkpointKey!) !== 0) continue
        found = { ...JSON.parse(new TextDecoder().decode(value)), writtenAt: batch.timestampsMs[i] as number }
      }
      // Nothing came: only transaction markers, or records of a transaction that is still open, are left.
      if (batch.count === 0) break
      next = batch.nextOffset
    }
  } finally {
    await reader.close()
  }
  return found
}

/** The same of a changelog that need not be there. Takes the partition from nobody. */
export async function lastCheckpoint(
  log: Pick<Log, 'read' | 'describeTopic'>,
  changelog: string,
  partition: number,
): Promise<FoundCheckpoint | undefined> {
  const range = (await log.describeTopic(changelog))?.partitions[partition]
  return range === undefined ? undefined : readCheckpoint(log, changelog, partition, range)
}
