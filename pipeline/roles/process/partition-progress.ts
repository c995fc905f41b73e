// How far an owner is, and what it waits for: what it reports while it works.
import type { TierChange } from '../../../schemas/tables/tier-changes.ts'
import type { StoreAway } from '../../ports/store.ts'
import type { BlockFacts } from './block-facts.ts'
import type { RestoreProgress } from './restore.ts'
import type { PartitionWork } from './work.ts'

/** Told after each batch and block; counts are since the owner began. */
export type PartitionProgress = {
  partition: number
  state: 'restoring' | 'running' | 'waiting_for_store' | 'finished'
  /** What the store said last, while it is waited for. */
  storeError: StoreAway | undefined
  /** Time waited for the store (ms). */
  storeWaitMs: number
  /** When the insert of a block that is under way began; undefined: none is. */
  insertingSince: number | undefined
  /** Rows and messages made and not yet given away for good (bytes). */
  bufferedBytes: number
  /** Of the restore with which the owner began. */
  restore: RestoreProgress
  /** What lies before it is applied; 0 until the state is restored. */
  nextOffset: number
  endOffset: number
  clock: number
  records: number
  events: number
  duplicates: number
  rejected: number
  blocks: number
  rows: Readonly<Record<string, number>>
  users: number
  /** Users on each rung of the ladder, lowest first. */
  usersByTier: ArrayLike<number>
  /** Tier changes of the block that just ended. */
  tierChanges: readonly TierChange[]
  checkpointAt: number
  /** The block that the store has just acknowledged. Borrowed: valid during the call. */
  acknowledged?: BlockFacts | undefined
}

export type Progress = { -readonly [K in keyof PartitionProgress]: PartitionProgress[K] }

/** Of an owner that begins to restore its state. */
export function beginningProgress(partition: number, work: PartitionWork, now: number): Progress {
  return {
    partition, state: 'restoring', storeError: undefined, storeWaitMs: 0, insertingSince: undefined, bufferedBytes: 0, restore: { records: 0, ofRecords: 0, users: 0 }, nextOffset: 0, endOffset: 0, clock: work.clock(),
    records: 0, events: 0, duplicates: 0, rejected: 0, blocks: 0, rows: {}, users: 0, usersByTier: work.usersByTier, tierChanges: [],
    checkpointAt: now,
  } // prettier-ignore
}
