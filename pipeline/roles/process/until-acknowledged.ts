// Retries: what the store does not take now, it may take later.
import type { Clock } from '../../ports/clock.ts'
import { StoreAway } from '../../ports/store.ts'

export type RetryHooks = {
  clock: Clock
  /** The store is away: told once for each try. `what`: the table; empty: a query. */
  onRetry(error: StoreAway, attempt: number, what: string): void
}

export const backoffMs = (tries: number) => Math.min(10_000, 100 * 2 ** Math.min(tries, 10))

/** Retries what a retry may cure, for ever, with the same bytes; throws what none can cure, or when aborted. Returns how often it tried. */
export async function untilAcknowledged(attempt: () => Promise<void>, signal: AbortSignal, hooks: RetryHooks, what = ''): Promise<number> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    try {
      await attempt()
      return tries
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
      hooks.onRetry(error, tries, what)
      await hooks.clock.sleep(backoffMs(tries), signal)
    }
  }
}
