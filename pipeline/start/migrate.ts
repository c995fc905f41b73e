// Brings the tables to their form before a role starts, for as long as the store takes to be there: it and the program may start at the same time.
import { tables } from '../../schemas/tables/catalogue.ts'
import { views } from '../../operators/views.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import { untilAcknowledged } from '../roles/process/insert.ts'

/** False where `signal` is aborted before the store answers. Throws StoreRefused where waiting does not help. */
export async function migrateOnceThere(store: Store, clock: Clock, signal: AbortSignal, warn: (error: Error) => void): Promise<boolean> {
  try {
    await untilAcknowledged(() => store.migrate(tables, views), signal, {
      clock,
      onRetry: (error, attempt) => {
        if (attempt === 1 || attempt % 10 === 0) warn(error)
      },
    })
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
