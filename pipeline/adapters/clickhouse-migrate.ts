// Brings a database to the form that this program knows: what is missing is added, what differs is refused, nothing is dropped.
import { addColumns, columnsOf, createTable, quoteName, type Column } from '../../schemas/ddl.ts'
import type { Table } from '../../schemas/table.ts'
import { StoreRefused, type QueryParams } from '../ports/store.ts'
import { columnDiffers, engineOf, schemaVersion, sortedBy } from './clickhouse-form.ts'

export type Migrator = {
  database: string
  /** Runs where the database need not exist. */
  outside(sql: string): Promise<void>
  command(sql: string): Promise<void>
  query<T>(sql: string, params?: QueryParams): Promise<T[]>
}

export async function migrate(
  store: Migrator,
  tables: readonly Table[],
  views: readonly { name: string; select: string }[],
): Promise<void> {
  const database = quoteName(store.database)
  await store.outside(`CREATE DATABASE IF NOT EXISTS ${database} ENGINE = Atomic`)
  await checkVersion(store, database)
  const there = await formOf(store)
  for (const table of tables) {
    const found = there.get(table.name)
    if (found === undefined) {
      await store.command(createTable(store.database, table))
      continue
    }
    checkKind(store, table, found)
    await bringColumns(store, table, found)
  }
  for (const { name, select } of views) await store.command(`CREATE OR REPLACE VIEW ${database}.${quoteName(name)} AS ${select}`)
  await store.command(
    `INSERT INTO ${database}.schema_version (version) SELECT ${schemaVersion} WHERE ${schemaVersion} > (SELECT max(version) FROM ${database}.schema_version)`,
  )
}

async function checkVersion(store: Migrator, database: string): Promise<void> {
  await store.command(
    `CREATE TABLE IF NOT EXISTS ${database}.schema_version (version UInt32, migrated_at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY version`,
  )
  const [found] = await store.query<{ version: number }>(`SELECT max(version) AS version FROM ${database}.schema_version`)
  if (found !== undefined && found.version > schemaVersion)
    throw new StoreRefused(
      `database ${store.database} has schema version ${found.version}, this program knows ${schemaVersion}: run the newer program, or name another database`,
    )
}

type Found = { readonly engine: string; readonly sortingKey: string; readonly types: ReadonlyMap<string, string> }

/** Every table of the database, asked for at once. */
async function formOf(store: Migrator): Promise<Map<string, Found>> {
  const params = { database: store.database }
  const tables = await store.query<{ name: string; engine: string; sorting_key: string }>(
    'SELECT name, engine, sorting_key FROM system.tables WHERE database = {database:String}',
    params,
  )
  const columns = await store.query<{ table: string; name: string; type: string }>(
    'SELECT table, name, type FROM system.columns WHERE database = {database:String}',
    params,
  )
  const byTable = Map.groupBy(columns, ({ table }) => table)
  return new Map(
    tables.map(({ name, engine, sorting_key: sortingKey }) => [
      name,
      { engine, sortingKey, types: new Map((byTable.get(name) ?? []).map((column) => [column.name, column.type])) },
    ]),
  )
}

function checkKind(store: Migrator, table: Table, found: Found): void {
  // A cluster's tables were made by its own DDL; their columns are still checked.
  if (found.engine === 'Distributed') return
  const wanted = engineOf(table)
  const plain = found.engine.replace(/^(Replicated|Shared)/, '')
  if (plain !== wanted) throw differs(store, table, `is of engine ${found.engine}, not ${wanted}`)
  const key = table.orderBy.join(', ')
  if (sortedBy(found.sortingKey) !== key) throw differs(store, table, `is ordered by (${found.sortingKey}), not (${key})`)
}

async function bringColumns(store: Migrator, table: Table, { types }: Found): Promise<void> {
  const missing: Column[] = []
  for (const column of columnsOf(table)) {
    const type = types.get(column.name)
    const how = type === undefined ? 'missing' : columnDiffers(type, column.type)
    if (how === 'missing') missing.push(column)
    else if (how === 'extend')
      await store.command(
        `ALTER TABLE ${quoteName(store.database)}.${quoteName(table.name)} MODIFY COLUMN ${quoteName(column.name)} ${column.type}`,
      )
    else if (how === 'wrong') throw differs(store, table, `has column ${column.name} of type ${type}, not ${column.type}`)
  }
  for (const alter of addColumns(store.database, table, missing)) await store.command(alter)
}

function differs(store: Migrator, table: Table, how: string): StoreRefused {
  return new StoreRefused(`table ${store.database}.${table.name} ${how}: rename it, or name another database`)
}
