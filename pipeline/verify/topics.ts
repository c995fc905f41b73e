// Which topics a store holds.
import { databaseOf, defaultTopic } from '../config/names.ts'
import type { Store } from '../ports/store.ts'

/** A topic for each database that has the table and a name of ours: `events` for behaviour, `customer_signals` for signals; a name may stand for others that share its database. */
export async function topicsIn(store: Store, table: 'events' | 'customer_signals' = 'events'): Promise<string[]> {
  const main = databaseOf(defaultTopic)
  const rows = await store.query<{ database: string }>(
    `SELECT DISTINCT database FROM system.tables WHERE name = {table:String} AND (database = {main:String} OR startsWith(database, {prefix:String})) ORDER BY database`,
    { main, prefix: `${main}_`, table },
  )
  return rows.map(({ database }) => (database === main ? defaultTopic : database.slice(main.length + 1)))
}
