// Writes a block's parts to the store: each once, in order, for as long as it takes.
import type { Clock } from '../../ports/clock.ts'
import { StoreAway, type Store } from '../../ports/store.ts'
import type { BlockRows } from './block-rows.ts'
import type { BlockTables } from './rows.ts'

export type BlockName = { logId: string; topic: string; partition: number; firstOffset: number; nextOffset: number; blockAt: number }

/** Which parts were there when the owner began: table → `first_offset/part`. */
export type PresentParts = ReadonlyMap<string, ReadonlySet<string>>

export type InsertHooks = {
  clock: Clock
  /** The store is away: told once for each try. `what`: the table; empty: a query. */
  onRetry(error: StoreAway, attempt: number, what: string): void
  onInserted(table: string, rows: number): void
}

export const presentPartsSql = (table: string) =>
  `SELECT DISTINCT first_offset, part FROM ${table} WHERE partition = {partition:UInt16} AND first_offset >= {from:Int64}`

/** Parts at or after an offset that an earlier owner inserted. A part is one insert of one block: there whole, or not at all. */
export async function presentParts(store: Store, tables: readonly string[], partition: number, fromOffset: number): Promise<PresentParts> {
  const present = new Map<string, Set<string>>()
  for (const table of tables) {
    const rows = await store.query<{ first_offset: number; part: number }>(presentPartsSql(table), { partition, from: fromOffset })
    present.set(table, new Set(rows.map((row) => `${row.first_offset}/${row.part}`)))
  }
  return present
}

const capMs = 10_000

/** Retries what a retry may cure, for ever, with the same bytes; throws what none can cure, or when aborted. */
export async function untilAcknowledged(
  attempt: () => Promise<void>,
  signal: AbortSignal,
  hooks: Pick<InsertHooks, 'clock' | 'onRetry'>,
  what = '',
): Promise<void> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
      hooks.onRetry(error, tries, what)
      await hooks.clock.sleep(Math.min(capMs, 100 * 2 ** Math.min(tries, 10)), signal)
    }
  }
}

/**
 * Inserts a block: its tables at the same time, a table's parts one after the other, and `kpi_deltas` last of all, so that
 * its clock row says that everything of the block is there. Where one table is refused for good the others are not tried again: nobody
 * would stop them any more.
 */
export async function insertBlock(
  store: Store,
  tables: BlockTables,
  name: BlockName,
  present: PresentParts,
  signal: AbortSignal,
  hooks: InsertHooks,
): Promise<void> {
  const last = tables.kpiDeltas
  const refused = new AbortController()
  const stop = AbortSignal.any([signal, refused.signal])
  try {
    await Promise.all(tables.all.filter((rows) => rows !== last).map((rows) => insertTable(store, rows, name, present, stop, hooks)))
    await insertTable(store, last, name, present, stop, hooks)
  } catch (error) {
    refused.abort()
    throw error
  }
}

async function insertTable(
  store: Store,
  rows: BlockRows,
  name: BlockName,
  present: PresentParts,
  signal: AbortSignal,
  hooks: InsertHooks,
): Promise<void> {
  // prettier-ignore
  const table = rows.table.name
  const columns = Object.keys(rows.table.record.fields)
  for (const part of rows.finish(name.blockAt)) {
    if (present.get(table)?.has(`${name.firstOffset}/${part.part}`) === true) continue
    const token = `${name.logId}/${name.topic}/${name.partition}/${name.firstOffset}-${name.nextOffset}/${table}/${part.part}`
    await untilAcknowledged(() => store.insert({ table, columns, rows: part.bytes, token }), signal, hooks, table)
    hooks.onInserted(table, part.rows)
  }
}
