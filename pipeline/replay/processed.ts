// How far the process role has come with a topic, by its last checkpoints; and waiting until that is far enough.
import { controlOf } from '../../operators/partition/headers.ts'
import { maxClock } from '../../operators/partition/record.ts'
import type { OperatorSettings } from '../../operators/settings.ts'
import { readCheckpoint } from '../doctor/read-checkpoint.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { recordsIn, ReplayRefused } from './records-in.ts'

export type ProcessedOptions = {
  log: Log
  topic: string
  changelog: string
  settings: Pick<OperatorSettings, 'currency' | 'emitMs'>
  clock: Clock
  /** How long the process role may take to come to the ends that stand now; undefined: it cannot run beside this. */
  waitMs: number | undefined
  onWaiting?: (lag: string) => void
  signal: AbortSignal
}

const betweenLooksMs = 500

/**
 * By partition, the clock once all flushes that were in the topic when this was called are covered by a checkpoint; −Infinity
 * where a partition is empty. With that, table `events` and topic `<topic>.rejected` have all that came of it.
 */
export async function clocksWhenProcessed(options: ProcessedOptions): Promise<number[]> {
  const { log, topic, clock } = options
  const ends = (await log.describeTopic(topic))!.partitions
  const { currency, emitMs } = options.settings
  const clocks = ends.map(() => -Infinity)
  const { waitMs } = options
  const waitUntil = clock.now() + (waitMs ?? 0)
  let behind = ends.map((_, partition) => partition)
  for (let isFirst = true; ; isFirst = false) {
    const still = []
    const lags = []
    for (const partition of behind) {
      const { begin, end } = ends[partition]!
      const changelog = (await log.describeTopic(options.changelog))?.partitions[partition]
      const checkpoint = changelog === undefined ? undefined : await readCheckpoint(log, options.changelog, partition, changelog)
      const was = checkpoint?.settings
      if (was !== undefined && (was.currency !== currency || was.emitMs !== emitMs))
        throw new ReplayRefused(
          `topic ${topic} is processed with --currency ${was.currency} and --emit-s ${was.emitMs / 1000}, and this was given ${currency} and ${emitMs / 1000}: give it the same`,
        )
      const to = checkpoint?.nextOffset ?? begin
      const ticked = await clockOfTicks(log, topic, partition, Math.max(to, begin), end)
      if (ticked !== undefined) {
        clocks[partition] = Math.max(checkpoint?.clock ?? -Infinity, ticked)
        continue
      }
      still.push(partition)
      lags.push(`partition ${partition} is processed to offset ${to} of ${end}`)
    }
    if (still.length === 0) return clocks
    const lag = `${lags.slice(0, 5).join(', ')}${lags.length > 5 ? `, and ${lags.length - 5} more are behind` : ''}`
    if (clock.now() >= waitUntil) {
      const beside = waitMs === undefined ? '' : ', or running beside this with a longer --wait-s'
      throw new ReplayRefused(
        `what lies unprocessed in topic ${topic} may hold the same events (${lag}): let \`reelpulse process\` come to the end first, with \`--until-end\`${beside}`,
      )
    }
    if (isFirst) options.onWaiting?.(lag)
    await clock.sleep(betweenLooksMs, options.signal)
    behind = still
  }
}

/**
 * The clock that [from, to) brings where it holds nothing but control records, such as a tick that the last owner did not live to
 * process, and transaction markers; undefined where there are flushes.
 */
async function clockOfTicks(log: Log, topic: string, partition: number, from: number, to: number): Promise<number | undefined> {
  let clock = -Infinity
  for await (const { count, keys, values, headers, timestampsMs } of recordsIn(log, topic, partition, from, to))
    for (let i = 0; i < count; i++) {
      const control = controlOf(keys[i] ?? null, values[i] ?? null, headers[i])
      if (control === undefined) return undefined
      for (const at of [timestampsMs[i]!, control.clockAt]) if (at <= maxClock) clock = Math.max(clock, at)
    }
  return clock
}
