// What the store says of itself and of the topic's tables. Only reads; what cannot be read is told apart from what is not there.
import { views } from '../../operators/views.ts'
import { quoteName } from '../../schemas/ddl.ts'
import { StoreAway, type Store } from '../ports/store.ts'
import type { StoreFacts, TableFacts } from './facts.ts'
import { known } from './finding.ts'
import { bounded, gatherRows } from './gather-rows.ts'

const systemDatabases = ['system', 'INFORMATION_SCHEMA', 'information_schema']
const settingNames = [
  'fsync_after_insert',
  'fsync_part_directory',
  'non_replicated_deduplication_window',
  'replicated_deduplication_window',
  'parts_to_delay_insert',
  'parts_to_throw_insert',
]
const mostTables = 10_000
const createChars = 2_000

/** Throws StoreAway where the store does not answer. `server` may be asked where the database is not there. */
export async function gatherStore(
  server: Store,
  store: Store,
  place: Pick<StoreFacts, 'kind' | 'where' | 'topic' | 'database' | 'of'>,
  now: () => number,
): Promise<StoreFacts> {
  const { database } = place
  const askedAt = now()
  const [self] = await server.query<{ version: string; nowMs: number }>(
    'SELECT version() AS version, toUnixTimestamp64Milli(now64(3)) AS nowMs',
  )
  const answeredAt = now()
  if (self === undefined) throw new StoreAway('the store answers with nothing')
  return {
    ...place,
    version: self.version,
    clock: { atLeastMs: self.nowMs - answeredAt, atMostMs: self.nowMs - askedAt },
    tables: await known(() =>
      server.query<TableFacts>(
        `SELECT database, name, toString(uuid) AS uuid, engine, engine_full AS engineFull, sorting_key AS sortingKey, partition_key AS partitionKey,
          arrayMap((d, t) -> concat(d, '.', t), dependencies_database, dependencies_table) AS dependants,
          if(engine = 'MaterializedView', substring(create_table_query, 1, {chars:UInt32}), '') AS create
        FROM system.tables WHERE database NOT IN {system:Array(String)} ORDER BY database != {database:String}, database, name LIMIT {most:UInt32} ${bounded}`,
        { chars: createChars, system: systemDatabases, database, most: mostTables },
      ),
    ),
    columns: await known(() =>
      server.query(`SELECT table, name, type FROM system.columns WHERE database = {database:String} ${bounded}`, { database }),
    ),
    schemaVersion: await known(async () => {
      const [found] = await store.query<{ version: number }>(`SELECT max(version) AS version FROM schema_version ${bounded}`)
      return found!.version
    }),
    views: place.of === 'signals' ? [] : await gatherViews(store),
    defaults: await known(async () => {
      const rows = await server.query<{ name: string; value: string }>(
        `SELECT name, value FROM system.merge_tree_settings WHERE name IN {names:Array(String)}`,
        { names: settingNames },
      )
      return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
    }),
    parts: await known(() =>
      server.query(
        `SELECT table, partition, count() AS parts FROM system.parts WHERE active AND database = {database:String}
        GROUP BY table, partition ORDER BY parts DESC LIMIT 1 BY table ${bounded}`,
        { database },
      ),
    ),
    disks: await known(async () => {
      const rows = await server.query<{
        name: string
        freeBytes: number | string
        totalBytes: number | string
        readOnly: number
        broken: number
      }>(`SELECT name, free_space AS freeBytes, total_space AS totalBytes, is_read_only AS readOnly, is_broken AS broken FROM system.disks`)
      // An object store says that it has no end.
      return rows.map(({ name, freeBytes, totalBytes, readOnly, broken }) => ({
        name,
        freeBytes: Number(freeBytes),
        totalBytes: Number(totalBytes),
        readOnly: readOnly === 1,
        broken: broken === 1,
      }))
    }),
    mutations: await known(() =>
      server.query(
        `SELECT table, mutation_id AS id, 1000 * dateDiff('second', create_time, now()) AS ageMs, latest_fail_reason AS failure
        FROM system.mutations WHERE database = {database:String} AND NOT is_done ORDER BY create_time LIMIT 20 ${bounded}`,
        { database },
      ),
    ),
    grants: await known(async () => (await server.query<Record<string, string>>('SHOW GRANTS')).flatMap((row) => Object.values(row))),
    rows: await gatherRows(store, place.of),
  }
}

async function gatherViews(store: Store): Promise<StoreFacts['views']> {
  const found: { name: string; error: string | undefined }[] = []
  for (const { name } of views) {
    const answer = await known(() => store.query(`SELECT * FROM ${quoteName(name)} LIMIT 0 ${bounded}`))
    found.push({ name, error: 'unknown' in answer ? answer.unknown : undefined })
  }
  return found
}
