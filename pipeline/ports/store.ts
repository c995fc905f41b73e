// The port behind which tables lie: a ClickHouse server, or the embedded engine. One contract suite
// (pipeline/testing/store-contract.ts) runs on every engine.
import type { Table } from '../../schemas/table.ts'

export type InsertBlock = {
  table: string
  /** Column names, in the order of the row's values. */
  columns: readonly string[]
  /** RowBinary rows. Not changed by the store; a retry sends the same bytes. */
  rows: Uint8Array
  /** The same token twice leaves one copy. */
  token: string
}

export type QueryParams = Readonly<Record<string, string | number | boolean | readonly string[] | readonly number[]>>

export type Store = {
  /** Creates the database, and tables and views that are missing; adds missing columns. Throws where a table cannot be brought to its form. */
  migrate(tables: readonly Table[], views: readonly { name: string; select: string }[]): Promise<void>
  /** One insert as one block, async_insert=0. Resolves once acknowledged; throws StoreRefused where no retry can help, StoreAway where one may. */
  insert(block: InsertBlock): Promise<void>
  /** `{name:Type}` in the SQL is bound from `params`. 64-bit integers come as numbers where they fit, else as strings. */
  query<T>(sql: string, params?: QueryParams): Promise<T[]>
  /** For statements without a result. */
  command(sql: string, params?: QueryParams): Promise<void>
  /** Whether it answers a query, rights included, within seconds. Never throws. */
  ping(): Promise<boolean>
  close(): Promise<void>
}

/** Schema, type, syntax, rights: the same bytes will be refused again. */
export class StoreRefused extends Error {
  override name = 'StoreRefused'
}

/** Connection, time-out, overload, disk full: try again. */
export class StoreAway extends Error {
  override name = 'StoreAway'
  /** What kind it is, in a word of a small vocabulary: the store's own name of it, such as TOO_MANY_PARTS, or one of ours (clickhouse-errors.ts). */
  readonly reason: string

  constructor(message: string, options: ErrorOptions & { reason?: string } = {}) {
    super(message, options)
    this.reason = options.reason ?? 'UNKNOWN'
  }
}
