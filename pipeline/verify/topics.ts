// Which topics a store holds.
import { databaseOf, defaultTopic } from '../config/names.ts'
import type { Store } from '../ports/store.ts'

/** A topic for each database that has a table `events` and a name of ours; a name may stand for others that share its database. */
export async function topicsIn(store: Store): Promise<string[]> {
  const main = databaseOf(defaultTopic)
  const rows = await store.query<{ database: string }>(
    `SELECT DISTINCT database FROM system.tables WHERE name = 'events' AND (database = {main:String} OR startsWith(database, {prefix:String})) ORDER BY database`,
    { main, prefix: `${main}_` },
  )
  return rows.map(({ database }) => (database === main ? defaultTopic : database.slice(main.length + 1)))
}
