// Which of a partition's questions and inserts the store has not taken yet, for how long, and why: what the role says of it.
import type { Clock } from '../../ports/clock.ts'
import type { StoreAway } from '../../ports/store.ts'
import type { PartitionRunOptions } from './partition-options.ts'
import type { Progress } from './partition-progress.ts'
import type { AskHooks } from './present-parts.ts'

type StoreWait = {
  /** True where nothing waited before. `what`: a table, or empty for a query. */
  refused(what: string, error: StoreAway): boolean
  /** True where nothing waits any more. */
  taken(what: string): boolean
  /** The last error of what waits; undefined: nothing waits. */
  error(): StoreAway | undefined
  /** Time waited so far, what waits now included (ms). */
  totalMs(): number
}

function storeWait(clock: Clock): StoreWait {
  const waiting = new Map<string, StoreAway>()
  let since = 0
  let beforeMs = 0
  return {
    refused(what, error) {
      const begins = waiting.size === 0
      if (begins) since = clock.now()
      waiting.set(what, error)
      return begins
    },
    taken(what) {
      if (!waiting.delete(what) || waiting.size > 0) return false
      beforeMs += clock.now() - since
      return true
    },
    error: () => [...waiting.values()].at(-1),
    totalMs: () => beforeMs + (waiting.size > 0 ? clock.now() - since : 0),
  }
}

export type StoreHooks = AskHooks & {
  /** The store took an insert into the table. */
  onTaken(table: string): void
}

/** Puts what the store does not take into the progress, and tells people of it. */
export function storeHooks(
  progress: Progress,
  { clock, report, tell }: Pick<PartitionRunOptions, 'clock' | 'report' | 'tell'>,
): StoreHooks {
  const { partition } = progress
  const wait = storeWait(clock)
  function reportStore(): void {
    progress.storeError = wait.error()
    progress.storeWaitMs = wait.totalMs()
    progress.state = progress.storeError === undefined ? 'running' : 'waiting_for_store'
    report(progress)
  }
  function onTaken(what: string): void {
    if (!wait.taken(what)) return
    tell('info', 'the store answers again', { partition, waited_ms: wait.totalMs() })
    reportStore()
  }
  return {
    clock,
    onRetry(error, attempt, what) {
      wait.refused(what, error)
      if (attempt === 1 || attempt % 10 === 0)
        tell('warn', 'the store does not answer; waiting', { partition, attempt, error: error.message })
      reportStore()
    },
    onAnswered: () => onTaken(''),
    onTaken,
  }
}
