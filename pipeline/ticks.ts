// Ticks as the writer of a backfill or simulation appends them: they move the clock of every partition.
import type { Log, OutRecord, RecordHeaders } from './ports/log.ts'

const encoder = new TextEncoder()

export type MoveClockOptions = {
  /** Besides the tick's own. */
  headers?: RecordHeaders
  /** Undefined: all. */
  partitions?: readonly number[]
}

/** A tick on every partition that moves its clock. */
export async function moveClock(log: Log, topic: string, toMs: number, options: MoveClockOptions = {}): Promise<void> {
  const headers = { ...options.headers, reelpulse: encoder.encode('tick'), clock_at: encoder.encode(String(toMs)) }
  const partitions = options.partitions ?? [...(await log.describeTopic(topic))!.partitions.keys()]
  await log.append(
    topic,
    partitions.map((partition): OutRecord => ({ key: null, value: null, headers, timestampMs: toMs, partition })),
  )
}
