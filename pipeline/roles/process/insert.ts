// Writes a block's parts to the store: each once, in order, for as long as it takes.
import type { Clock } from '../../ports/clock.ts'
import { StoreAway, type Store } from '../../ports/store.ts'
import type { Table } from '../../../schemas/table.ts'
import { kpiDeltasKeptDays } from '../../../schemas/tables/kpi-deltas.ts'
import type { BlockRows } from './block-rows.ts'
import type { OpenBlock } from './work.ts'

export type BlockName = { logId: string; topic: string; partition: number; firstOffset: number; nextOffset: number; blockAt: number }

/** Which parts were there when the owner began: table → `first_offset/part`. */
export type PresentParts = ReadonlyMap<string, ReadonlySet<string>>

export type InsertHooks = {
  clock: Clock
  /** The store is away: told once for each try. `what`: the table; empty: a query. */
  onRetry(error: StoreAway, attempt: number, what: string): void
  onInserted(table: string, rows: number): void
  /** A question was answered. */
  onAnswered(): void
  /**
   * An earlier owner may have sent the same insert, and its acknowledgement cannot be believed: a server that was killed can know a token
   * and not have its part.
   */
  isDoubtful(): boolean
}

/** Blocks after an offset end no earlier than the clock there, and by that the store finds them without reading all that it has. */
export type PartsSince = { partition: number; fromOffset: number; clock: number }

/** On a cluster, whichever replica answers. */
export const presentPartsSql = (table: string) =>
  `SELECT DISTINCT first_offset, part FROM ${table} WHERE partition = {partition:UInt16} AND first_offset >= {from:Int64} ` +
  'AND block_at >= fromUnixTimestamp64Milli({clock:Int64}) SETTINGS select_sequential_consistency = 1'

/** Parts at or after an offset that are there. A part is one insert of one block: there whole, or not at all. */
export async function presentParts(store: Store, tables: readonly string[], since: PartsSince): Promise<PresentParts> {
  const present = new Map<string, Set<string>>()
  const params = { partition: since.partition, from: since.fromOffset, clock: Math.max(0, since.clock) }
  for (const table of tables) {
    const rows = await store.query<{ first_offset: number; part: number }>(presentPartsSql(table), params)
    present.set(table, new Set(rows.map((row) => `${row.first_offset}/${row.part}`)))
  }
  return present
}

/**
 * Whether what was acknowledged must still be there as it was inserted: not where merges replace rows, nor where rows are old enough to
 * be dropped.
 */
export function isLasting(table: Table, blockAt: number, nowMs: number): boolean {
  return table.engine.kind === 'append' && (table.ttl === undefined || blockAt > nowMs - (kpiDeltasKeptDays - 1) * 86_400_000)
}

const backoffMs = (tries: number) => Math.min(10_000, 100 * 2 ** Math.min(tries, 10))
/** Of a part that may not last: how often it is inserted again while it is not seen. */
const insertsAgain = 3

/** Retries what a retry may cure, for ever, with the same bytes; throws what none can cure, or when aborted. Returns how often it tried. */
export async function untilAcknowledged(
  attempt: () => Promise<void>,
  signal: AbortSignal,
  hooks: Pick<InsertHooks, 'clock' | 'onRetry'>,
  what = '',
): Promise<number> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    try {
      await attempt()
      return tries
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
      hooks.onRetry(error, tries, what)
      await hooks.clock.sleep(backoffMs(tries), signal)
    }
  }
}

/**
 * Inserts a block: its tables at the same time, a table's parts one after the other, and the last table after all others: for behaviour
 * `kpi_deltas`, so that its clock row says that everything of the block is there. Where one table is refused for good the others are not tried again: nobody
 * would stop them any more.
 */
export async function insertBlock(
  store: Store,
  tables: OpenBlock,
  name: BlockName,
  present: PresentParts,
  signal: AbortSignal,
  hooks: InsertHooks,
): Promise<void> {
  const last = tables.all.at(-1)!
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
    const key = `${name.firstOffset}/${part.part}`
    if (present.get(table)?.has(key) === true) continue
    const token = `${name.logId}/${name.topic}/${name.partition}/${name.firstOffset}-${name.nextOffset}/${table}/${part.part}`
    const isThere = async () => {
      let found = false
      const look = async () => {
        const since = { partition: name.partition, fromOffset: name.firstOffset, clock: name.blockAt }
        found = (await presentParts(store, [table], since)).get(table)!.has(key)
      }
      await untilAcknowledged(look, signal, hooks)
      hooks.onAnswered()
      return found
    }
    for (let again = 0; ; again++) {
      if (again > 0) await hooks.clock.sleep(backoffMs(again), signal)
      const block = { table, columns, rows: part.bytes, token: again === 0 ? token : `${token}/${again}` }
      const tries = await untilAcknowledged(() => store.insert(block), signal, hooks, table)
      if (tries === 1 && !hooks.isDoubtful()) break
      if (await isThere()) break
      // Where rows may be gone again by themselves this cannot tell; there, one insert more does no harm.
      if (again === insertsAgain && !isLasting(rows.table, name.blockAt, hooks.clock.now())) break
    }
    hooks.onInserted(table, part.rows)
  }
}
