// How far the process role has come with a topic, by its last checkpoints; and waiting until that is far enough.
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { readChangelog, type CheckpointRecord } from '../roles/process/checkpoint.ts'
import { recordsIn, ReplayRefused } from './records-in.ts'

export type ProcessedOptions = {
  log: Log
  topic: string
  changelog: string
  clock: Clock
  /** How long the process role may take to come to the ends that stand now. */
  waitMs: number
  onWaiting?: (lag: string) => void
  signal: AbortSignal
}

const betweenLooksMs = 500
const firstLook = 200

/**
 * By partition, the clock at a checkpoint that covers all that was in the topic when this was called; −Infinity where a
 * partition is empty. With the checkpoint, table `events` and topic `<topic>.rejected` have all that came of it.
 */
export async function clocksWhenProcessed(options: ProcessedOptions): Promise<number[]> {
  const { log, topic, clock } = options
  const ends = (await log.describeTopic(topic))!.partitions
  const clocks = ends.map(() => -Infinity)
  const waitUntil = clock.now() + options.waitMs
  let behind = ends.map((_, partition) => partition)
  for (let isFirst = true; ; isFirst = false) {
    const still = []
    const lags = []
    for (const partition of behind) {
      const { begin, end } = ends[partition]!
      const checkpoint = await lastCheckpoint(log, options.changelog, partition)
      if (checkpoint !== undefined) clocks[partition] = checkpoint.clock
      const to = checkpoint?.nextOffset ?? begin
      if (to >= end || (await isEmpty(log, topic, partition, Math.max(to, begin), end))) continue
      still.push(partition)
      lags.push(`partition ${partition} is processed to offset ${to} of ${end}`)
    }
    if (still.length === 0) return clocks
    const lag = `${lags.slice(0, 5).join(', ')}${lags.length > 5 ? `, and ${lags.length - 5} more are behind` : ''}`
    if (clock.now() >= waitUntil)
      throw new ReplayRefused(
        `what lies unprocessed in topic ${topic} may hold the same events (${lag}): let \`reelpulse process\` come to the end first, with \`--until-end\`, or running beside this with a longer --wait-s`,
      )
    if (isFirst) options.onWaiting?.(lag)
    await clock.sleep(betweenLooksMs, options.signal)
    behind = still
  }
}

/** A checkpoint is the last record of its transaction, so only owners' records follow the newest. */
async function lastCheckpoint(log: Log, changelog: string, partition: number): Promise<CheckpointRecord | undefined> {
  const range = (await log.describeTopic(changelog))?.partitions[partition]
  if (range === undefined) return undefined
  for (let look = firstLook; ; look *= 8) {
    const from = Math.max(range.begin, range.end - look)
    const { checkpoint } = await readChangelog(recordsIn(log, changelog, partition, from, range.end))
    if (checkpoint !== undefined || from === range.begin) return checkpoint
  }
}

/** Whether [from, to) has no committed records: transaction markers take offsets too. */
async function isEmpty(log: Log, topic: string, partition: number, from: number, to: number): Promise<boolean> {
  if (from >= to) return true
  const reader = await log.read(topic, partition, from)
  try {
    const { count, nextOffset, offsets } = await reader.next(betweenLooksMs)
    return count === 0 ? nextOffset >= to : offsets[0]! >= to
  } finally {
    await reader.close()
  }
}
