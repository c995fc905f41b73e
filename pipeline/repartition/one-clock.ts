// Brings partitions to one and the same clock, each with a clean checkpoint there.
import type { PartitionOptions } from '../../operators/partition/partition.ts'
import type { OperatorSettings } from '../../operators/settings.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { lastCheckpoint } from '../doctor/read-checkpoint.ts'
import type { PartitionLimits, BehaviorNames } from '../roles/process/partition-options.ts'
import { runPartition } from '../roles/process/partition-run.ts'
import { moveClock } from '../ticks.ts'

export type Place = {
  log: Log
  store: Store
  topic: string
  names: BehaviorNames
  settings: OperatorSettings
  resolve: PartitionOptions['resolve']
  clock: Clock
  /** Aborted: stop at once; the next run goes on. */
  signal: AbortSignal
  tell(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void
  limits?: PartitionLimits
}

/** Under LogAppendTime the common instant lies so far ahead that the ticks which bring it are appended before it (ms). */
const aheadMs = 10_000
const roundsAtMost = 5
const yearMs = 365 * 86_400_000

/** It cannot be done as things are; says what to do. */
export class RepartitionRefused extends Error {
  override name = 'RepartitionRefused'
}

/**
 * Processes all that partitions [0, count) hold now, as a topic of `count` partitions, up to a tick that brings each to the same
 * clock, which is returned. A record that moves a clock further while this runs asks for another round.
 */
export async function bringToOneClock(place: Place, count: number): Promise<number> {
  const { log, topic, names } = place
  const partitions = Array.from({ length: count }, (_, partition) => partition)
  const clocksOf = async () => {
    const checkpoints = []
    for (const partition of partitions) checkpoints.push(await lastCheckpoint(log, names.changelog, partition))
    return checkpoints.map((checkpoint) => checkpoint?.clock ?? -Infinity)
  }
  let clocks = await clocksOf()
  for (let round = 0; round < roundsAtMost; round++) {
    const { partitions: ranges, timestamps } = (await log.describeTopic(topic))!
    const to = Math.max(Math.max(...clocks) + 1, timestamps === 'append' ? place.clock.now() + aheadMs : 0)
    await moveClock(log, topic, to, { partitions })
    for (const partition of partitions) {
      place.signal.throwIfAborted()
      place.tell('info', 'processing up to the common clock', { partition, clock: new Date(to).toISOString() })
      await runPartition({
        ...place,
        target: { topic, partition, partitionCount: count, timestamps },
        abort: place.signal,
        stop: never,
        until: { offset: ranges[partition]!.end + 1, clock: to },
        // Only a full outbox or much changed state makes one before the end.
        checkpointMs: yearMs,
        blockSpanMs: yearMs,
        report: () => {},
      })
    }
    clocks = await clocksOf()
    if (clocks.every((clock) => clock === clocks[0] && clock >= to)) return clocks[0]!
  }
  throw new RepartitionRefused(
    `the partitions of topic ${topic} do not come to the same clock, since what is written into it moves their clocks: stop its producers, and run this again`,
  )
}

const never = new AbortController().signal
