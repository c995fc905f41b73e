// What the store knows of one user from customer signals.
import { StoreRefused, type Store } from '../ports/store.ts'
import type { StoredRow } from './look-up.ts'

export type SignalsRecord = {
  user_id: string
  /** Newest first. */
  signals: StoredRow[]
}

/** Undefined where the store has nothing of the user, or of the topic. `userId`: or the channel of those that name no user. */
export async function lookUpSignals(store: Store, userId: string, last: number): Promise<SignalsRecord | undefined> {
  try {
    const signals = await store.query<StoredRow>(
      `SELECT * FROM customer_signals WHERE ifNull(user_id, ifNull(toString(channel), '')) = {user:String}
       ORDER BY event_at DESC, partition, offset DESC LIMIT {count:UInt32}`,
      { user: userId, count: Math.max(1, last) },
    )
    return signals.length === 0 ? undefined : { user_id: userId, signals: signals.slice(0, last) }
  } catch (error) {
    if (error instanceof StoreRefused && /UNKNOWN_(TABLE|DATABASE)/.test(error.message)) return undefined
    throw error
  }
}
