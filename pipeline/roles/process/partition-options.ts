// What an owner of a partition is given.
import type { PartitionOptions } from '../../../operators/partition/partition.ts'
import type { OperatorSettings } from '../../../operators/settings.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log, TimestampType } from '../../ports/log.ts'
import type { Store } from '../../ports/store.ts'
import type { BlockLimits } from './block.ts'
import type { PartLimits } from './block-rows.ts'
import type { OutboxTopics } from './outbox.ts'
import type { PartitionProgress } from './partition-progress.ts'
import type { WorkMaker } from './work.ts'

/** For tests: smaller blocks and parts than the protocol's. */
export type PartitionLimits = { block?: BlockLimits; part?: PartLimits }

export type PartitionTarget = { topic: string; partition: number; partitionCount: number; timestamps: TimestampType }

export type PartitionNames = { group: string; changelog: string; outbox: OutboxTopics }
/** Those of a topic of behaviour. */
export type BehaviorNames = PartitionNames & { outbox: { tierChanges: string } }

export type PartitionRunOptions = {
  log: Log
  store: Store
  target: PartitionTarget
  names: PartitionNames
  settings: OperatorSettings
  blockSpanMs: number
  checkpointMs: number
  resolve: PartitionOptions['resolve']
  /** What is done with the records. Default: behaviour. */
  work?: WorkMaker | undefined
  /** Aborted: stop at once, write nothing more (the partition may have another owner). */
  abort: AbortSignal
  /** Aborted: finish the open block, checkpoint, and return. */
  stop: AbortSignal
  /** Decides when a tick is appended and a checkpoint made, and no figure. */
  clock: Clock
  newId?: () => string
  report(progress: PartitionProgress): void
  /** A line for people: level, message, facts. */
  tell(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void
  limits?: PartitionLimits
  /**
   * For benchmarks: process up to this offset, then act as if a tick stood there at the end of the last interval, and
   * return. Nothing is appended to the topic.
   */
  drainTo?: number | undefined
  /**
   * Return, with a clean checkpoint, at the first block's end that is at or beyond this offset with the clock at or beyond this
   * instant. This owner appends no tick: who asks has appended one that brings the clock there.
   */
  until?: { offset: number; clock: number } | undefined
}
