// The state of each partition that the role has: what /readyz and the metrics say of it.
import type { Clock } from '../../ports/clock.ts'
import type { PartitionProgress } from './partition-progress.ts'
import type { RestoreProgress } from './restore.ts'

/**
 * restoring: its owner is made, and its state read from the changelog. waiting_for_store: its rows are not taken, or not answered for.
 * retrying: its owner failed, and another is about to be made. stopped: until somebody acts.
 */
export const partitionStates = ['restoring', 'running', 'waiting_for_store', 'retrying', 'stopped'] as const
export type PartitionState = (typeof partitionStates)[number]

export type PartitionStatus = { partition: number; state: PartitionState; since: number; error?: string; restore?: RestoreProgress }

/** An insert without an answer for so long is waited for, whatever comes of it (ms). */
const slowInsertMs = 10_000

export type PartitionStatuses = {
  tell(partition: number, state: PartitionState, error?: string): void
  /** What its owner says. */
  report(progress: PartitionProgress): void
  /** It is no longer ours. */
  forget(partition: number): void
  /** In the partitions' order. */
  all(): PartitionStatus[]
}

export function partitionStatuses(clock: Clock): PartitionStatuses {
  const statuses = new Map<number, PartitionStatus & { insertingSince?: number | undefined }>()

  function tell(partition: number, state: PartitionState, error?: string): void {
    const since = statuses.get(partition)?.state === state ? statuses.get(partition)!.since : clock.now()
    statuses.set(partition, { partition, state, since, ...(error === undefined ? {} : { error }) })
  }

  return {
    tell,
    report({ partition, state, storeError, insertingSince, restore }) {
      // Who failed and begins anew has not recovered before it runs.
      if (state === 'finished' || (state === 'restoring' && statuses.get(partition)?.state === 'retrying')) return
      tell(partition, state, storeError?.message)
      const told = statuses.get(partition)!
      told.insertingSince = insertingSince
      if (state === 'restoring') told.restore = restore
    },
    forget: (partition) => void statuses.delete(partition),
    all() {
      const now = clock.now()
      return [...statuses.values()]
        .toSorted((a, b) => a.partition - b.partition)
        .map(({ insertingSince, ...status }) =>
          status.state === 'running' && insertingSince !== undefined && now - insertingSince >= slowInsertMs
            ? {
                ...status,
                state: 'waiting_for_store',
                since: insertingSince,
                error: `an insert has had no answer for ${Math.round((now - insertingSince) / 1000)} s`,
              }
            : status,
        )
    },
  }
}
