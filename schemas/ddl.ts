// Table → ClickHouse DDL: for one server (or the embedded engine), and for a cluster from the same field table.
import type { Field } from './field.ts'
import type { Table } from './table.ts'

export type Column = { readonly name: string; readonly type: string; readonly doc: string | undefined }

/** Blocks whose tokens a table remembers: retries and zombies come within far fewer. */
const dedupWindowBlocks = 10_000
const clusterWindowBlocks = 100_000
const clusterWindowS = 7 * 86_400

export const quoteName = (name: string) => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
export const quoteText = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** The ClickHouse type of a field. Codes of an enumeration are the places of its symbols, from 0. */
export function columnType(field: Field): string {
  const { kind } = field
  switch (kind.of) {
    case 'string':
      return kind.lowCardinality ? 'LowCardinality(String)' : 'String'
    case 'bytes':
      return 'String'
    case 'uuid':
      return 'UUID'
    case 'enumeration':
      return `Enum8(${kind.symbols.map((symbol, code) => `${quoteText(symbol)} = ${code}`).join(', ')})`
    case 'instant':
      return "DateTime64(3, 'UTC')"
    case 'integer':
      return `${kind.signed ? '' : 'U'}Int${kind.bits}`
    case 'float64':
      return 'Float64'
    case 'map':
      return 'Map(LowCardinality(String), String)'
    case 'list':
      return `Array(${columnType(kind.item)})`
    case 'nullable':
      return kind.inner.kind.of === 'string' && kind.inner.kind.lowCardinality
        ? 'LowCardinality(Nullable(String))'
        : `Nullable(${columnType(kind.inner)})`
    case 'record':
      return `Tuple(${Object.entries(kind.record.fields)
        .map(([name, inner]) => `${quoteName(name)} ${columnType(inner)}`)
        .join(', ')})`
  }
}

export function columnsOf(table: Table): Column[] {
  return Object.entries(table.record.fields).map(([name, field]) => ({ name, type: columnType(field), doc: field.doc }))
}

const columnClause = ({ name, type, doc }: Column) => `${quoteName(name)} ${type}${doc === undefined ? '' : ` COMMENT ${quoteText(doc)}`}`

function body(table: Table): string {
  return [
    `PARTITION BY ${table.partitionBy}`,
    `ORDER BY (${table.orderBy.map(quoteName).join(', ')})`,
    ...(table.ttl === undefined ? [] : [`TTL ${table.ttl}`]),
  ].join('\n')
}

/** CREATE TABLE for one server. `settings` are added to the table's own (fsync for the embedded engine). */
export function createTable(database: string, table: Table, settings: Readonly<Record<string, string | number>> = {}): string {
  const engine = table.engine.kind === 'append' ? 'MergeTree' : `ReplacingMergeTree(${quoteName(table.engine.version)})`
  const all = { non_replicated_deduplication_window: dedupWindowBlocks, ...settings }
  return `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.${quoteName(table.name)} (
  ${columnsOf(table).map(columnClause).join(',\n  ')}
) ENGINE = ${engine}
${body(table)}
SETTINGS ${Object.entries(all)
    .map(([name, value]) => `${name} = ${typeof value === 'number' ? value : quoteText(value)}`)
    .join(', ')}`
}

/**
 * The two tables of a cluster: `<name>_local`, replicated, and `<name>`, distributed over the shards. Rows of one user lie
 * on one shard where the table knows users, else rows of one partition. Rows that replace each other lie together.
 */
export function createClusterTables(database: string, table: Table, cluster: string): string[] {
  const path = `'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'`
  const engine =
    table.engine.kind === 'append'
      ? `ReplicatedMergeTree(${path})`
      : `ReplicatedReplacingMergeTree(${path}, ${quoteName(table.engine.version)})`
  const fields = Object.keys(table.record.fields)
  const apart = table.engine.kind === 'latest' ? `cityHash64(${table.partitionBy})` : 'rand()'
  const shardBy = fields.includes('user_id') ? 'cityHash64(user_id)' : fields.includes('partition') ? 'partition' : apart
  const local = `${table.name}_local`
  return [
    `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.${quoteName(local)} ON CLUSTER ${quoteName(cluster)} (
  ${columnsOf(table).map(columnClause).join(',\n  ')}
) ENGINE = ${engine}
${body(table)}
SETTINGS replicated_deduplication_window = ${clusterWindowBlocks}, replicated_deduplication_window_seconds = ${clusterWindowS}`,
    `CREATE TABLE IF NOT EXISTS ${quoteName(database)}.${quoteName(table.name)} ON CLUSTER ${quoteName(cluster)}
AS ${quoteName(database)}.${quoteName(local)}
ENGINE = Distributed(${quoteName(cluster)}, ${quoteName(database)}, ${quoteName(local)}, ${shardBy})`,
  ]
}

/** ALTERs that bring an existing table to its form: columns that are missing. A column of another type is an error of the caller's to report. */
export function addColumns(database: string, table: Table, missing: readonly Column[]): string[] {
  return missing.map(
    (column) => `ALTER TABLE ${quoteName(database)}.${quoteName(table.name)} ADD COLUMN IF NOT EXISTS ${columnClause(column)}`,
  )
}
