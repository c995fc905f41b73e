// A stretch of a partition, in batches.
import type { Log, RecordBatch } from '../ports/log.ts'

/** It cannot be done, or not now; the message says why, and what to do. */
export class ReplayRefused extends Error {
  override name = 'ReplayRefused'
}

/** How long committed records that should be there may take to come. */
const patienceMs = 10_000
/** Of one wait: transaction markers alone wake no reader, and it tells of them only then. */
const waitMs = 500

/**
 * The committed records of [from, to), which must be in the log. A batch is borrowed until the next one. Throws where they
 * do not come: an open transaction hides what follows it.
 */
export async function* recordsIn(log: Log, topic: string, partition: number, from: number, to: number): AsyncGenerator<RecordBatch> {
  if (from >= to) return
  const reader = await log.read(topic, partition, from)
  try {
    for (let next = from, idleMs = 0; next < to;) {
      const batch = await reader.next(waitMs)
      idleMs = batch.nextOffset > next ? 0 : idleMs + waitMs
      if (idleMs >= patienceMs)
        throw new ReplayRefused(
          `${topic}/${partition}: nothing comes from offset ${next} on, though the log goes to ${to}: a transaction may be open there; try again in a minute`,
        )
      next = batch.nextOffset
      while (batch.count > 0 && batch.offsets[batch.count - 1]! >= to) batch.count--
      if (batch.count > 0) yield batch
    }
  } finally {
    await reader.close()
  }
}
