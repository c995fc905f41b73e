// What the store knows of one user: the latest features row, the changes of tier, the last events.
import { StoreRefused, type Store } from '../ports/store.ts'

/** A row as the store gives it: column name to value; instants as `YYYY-MM-DD hh:mm:ss.mmm` in UTC. */
export type StoredRow = Readonly<Record<string, unknown>>

export type UserRecord = {
  user_id: string
  /** null: no row yet, for a row comes at the end of the interval of the user's first flush. */
  features: StoredRow | null
  /** Oldest first. */
  tier_changes: StoredRow[]
  /** Newest first. */
  events: StoredRow[]
}

/** Undefined where the store has nothing of the user, or of the topic. */
export async function lookUpUser(store: Store, userId: string, lastEvents: number): Promise<UserRecord | undefined> {
  try {
    return await lookUp(store, userId, lastEvents)
  } catch (error) {
    if (error instanceof StoreRefused && /UNKNOWN_(TABLE|DATABASE)/.test(error.message)) return undefined
    throw error
  }
}

async function lookUp(store: Store, userId: string, lastEvents: number): Promise<UserRecord | undefined> {
  const [features, changes, events] = await Promise.all([
    store.query<StoredRow>('SELECT * FROM user_features WHERE user_id = {user:String} ORDER BY as_of DESC LIMIT 1', { user: userId }),
    store.query<StoredRow>('SELECT * FROM tier_changes WHERE user_id = {user:String} ORDER BY as_of, first_offset, part', { user: userId }),
    store.query<StoredRow>(
      'SELECT * FROM events WHERE user_id = {user:String} ORDER BY event_at DESC, offset DESC, ordinal DESC LIMIT {count:UInt32}',
      { user: userId, count: lastEvents },
    ),
  ])
  if (features.length === 0 && changes.length === 0 && events.length === 0) return undefined
  return { user_id: userId, features: features[0] ?? null, tier_changes: changes, events }
}
