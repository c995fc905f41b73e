// What all partitions of a process role have come to, put together for people: totals, rates, tiers, the latest changes.
import type { TierChange } from '../../schemas/tables/tier-changes.ts'
import { tiers, type Tier } from '../../schemas/tiers.ts'
import type { PartitionProgress } from '../roles/process/partition-progress.ts'
import type { RestoreProgress } from '../roles/process/restore.ts'

/** An alert's transition, as the views show it. */
export type AlertLine = { at: number; state: string; text: string }

export type Snapshot = {
  events: number
  duplicates: number
  rejected: number
  /** Events accepted per second of wall time since the snapshot before. */
  eventsPerSecond: number
  /** Records in the log that are not processed. */
  lag: number
  /** Clock of the partition that is furthest behind (ms); −Infinity before the first record. */
  clock: number
  users: number
  usersByTier: Readonly<Record<Tier, number>>
  /** Newest first. */
  latestChanges: readonly TierChange[]
  alerts: readonly AlertLine[]
  waiting: boolean
  /** Of the partitions whose state is being read back, together; undefined where none is. */
  restoring: RestoreProgress | undefined
}

const keptChanges = 8
const keptAlerts = 5

export function progressBoard(now: () => number) {
  const partitions = new Map<number, PartitionProgress>()
  let latestChanges: TierChange[] = []
  let alerts: AlertLine[] = []
  let lastAt = now()
  let lastEvents = 0
  let rate = 0

  return {
    report(progress: PartitionProgress): void {
      // The role reuses its object: keep what is needed.
      partitions.set(progress.partition, { ...progress, usersByTier: Array.from(progress.usersByTier) })
      if (progress.tierChanges.length > 0)
        latestChanges = [...progress.tierChanges, ...latestChanges].toSorted((a, b) => b.as_of - a.as_of).slice(0, keptChanges)
    },
    alert(line: AlertLine): void {
      alerts = [line, ...alerts].slice(0, keptAlerts)
    },
    /** Every partition has processed what comes before its offset in `ends`. */
    reached: (ends: readonly number[]) => ends.every((end, partition) => (partitions.get(partition)?.nextOffset ?? 0) >= end),
    snapshot(): Snapshot {
      const all = [...partitions.values()]
      const sum = (of: (p: PartitionProgress) => number) => all.reduce((total, p) => total + of(p), 0)
      const events = sum((p) => p.events)
      const at = now()
      if (at - lastAt >= 900) {
        rate = Math.max(0, ((events - lastEvents) * 1000) / (at - lastAt))
        lastAt = at
        lastEvents = events
      }
      return {
        events,
        duplicates: sum((p) => p.duplicates),
        rejected: sum((p) => p.rejected),
        eventsPerSecond: rate,
        lag: sum((p) => Math.max(0, p.endOffset - p.nextOffset)),
        clock: all.length === 0 ? -Infinity : Math.min(...all.map((p) => p.clock)),
        users: sum((p) => p.users),
        usersByTier: Object.fromEntries(tiers.map((tier, rung) => [tier, sum((p) => p.usersByTier[rung] ?? 0)])) as Record<Tier, number>,
        latestChanges,
        alerts,
        waiting: all.some((p) => p.state === 'waiting_for_store'),
        restoring: restoringOf(all),
      }
    },
  }
}

function restoringOf(all: readonly PartitionProgress[]): RestoreProgress | undefined {
  const restores = all.filter(({ state }) => state === 'restoring').map(({ restore }) => restore)
  if (restores.length === 0) return undefined
  const sum = (of: (restore: RestoreProgress) => number) => restores.reduce((total, restore) => total + of(restore), 0)
  return { records: sum((r) => r.records), ofRecords: sum((r) => r.ofRecords), users: sum((r) => r.users) }
}

export type ProgressBoard = ReturnType<typeof progressBoard>
