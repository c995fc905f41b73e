// Which of a partition's questions and inserts the store has not taken yet, for how long, and why: what the role says of it.
import type { Clock } from '../../ports/clock.ts'
import type { StoreAway } from '../../ports/store.ts'

export type StoreWait = {
  /** True where nothing waited before. `what`: a table, or empty for a query. */
  refused(what: string, error: StoreAway): boolean
  /** True where nothing waits any more. */
  taken(what: string): boolean
  /** The last error of what waits; undefined: nothing waits. */
  error(): StoreAway | undefined
  /** Time waited so far, what waits now included (ms). */
  totalMs(): number
}

export function storeWait(clock: Clock): StoreWait {
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
