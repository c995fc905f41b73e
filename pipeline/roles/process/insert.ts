// Writes a block's parts to the store: each once, in order, for as long as it takes.
import type { Store } from '../../ports/store.ts'
import type { Table } from '../../../schemas/table.ts'
import { kpiDeltasKeptDays } from '../../../schemas/tables/kpi-deltas.ts'
import type { BlockRows } from './block-rows.ts'
import { partKey, presentParts, type AskHooks, type PresentParts } from './present-parts.ts'
import { backoffMs, untilAcknowledged } from './until-acknowledged.ts'
import type { OpenBlock } from './work.ts'

export type BlockName = {
  logId: string
  topic: string
  partition: number
  firstOffset: number
  nextOffset: number
  blockAt: number
  /** Who inserts it. */
  ownerId: string
}

export type InsertHooks = AskHooks & {
  onInserted(table: string, rows: number): void
  /**
   * An earlier owner may have sent the same insert, and its acknowledgement cannot be believed: a server that was killed can know a token
   * and not have its part.
   */
  isDoubtful(): boolean
}

/**
 * Whether what was acknowledged must still be there as it was inserted: not where merges replace rows, nor where rows are old enough to
 * be dropped.
 */
export function isLasting(table: Table, blockAt: number, nowMs: number): boolean {
  return table.engine.kind === 'append' && (table.ttl === undefined || blockAt > nowMs - (kpiDeltasKeptDays - 1) * 86_400_000)
}

/** Of a part that may not last: how often it is inserted again while it is not seen. */
const insertsAgain = 3

/**
 * Inserts a block: its tables at the same time, a table's parts one after the other, and the last table after all others: of behaviour
 * that is `kpi_deltas`, so that its clock row says that everything of the block is there. Where one table is refused for good the others
 * are not tried again: nobody would stop them any more.
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
  const table = rows.table.name
  const columns = Object.keys(rows.table.record.fields)
  for (const part of rows.finish(name.blockAt)) {
    const key = partKey(name.firstOffset, part.part)
    if (present.get(table)?.has(key) === true) continue
    // Where merges replace rows nobody can ask later whether a part is there; but there the same rows twice do no harm. So the token is the
    // owner's own: no acknowledgement is one of another's insert, in which the server died (docs/decisions/lost-acknowledgements.md).
    const isOwn = rows.table.engine.kind !== 'append'
    const whose = isOwn ? `/${name.ownerId}` : ''
    const token = `${name.logId}/${name.topic}/${name.partition}/${name.firstOffset}-${name.nextOffset}/${table}/${part.part}${whose}`
    const since = { partition: name.partition, fromOffset: name.firstOffset, clock: name.blockAt }
    const isThere = async () => (await presentParts(store, [table], since, signal, hooks)).get(table)!.has(key)
    for (let again = 0; ; again++) {
      if (again > 0) await hooks.clock.sleep(backoffMs(again), signal)
      const block = { table, columns, rows: part.bytes, token: again === 0 ? token : `${token}/${again}` }
      const tries = await untilAcknowledged(() => store.insert(block), signal, hooks, table)
      if (tries === 1 && (isOwn || !hooks.isDoubtful())) break
      if (await isThere()) break
      // Where rows may be gone again by themselves this cannot tell; there, one insert more does no harm.
      if (again === insertsAgain && !isLasting(rows.table, name.blockAt, hooks.clock.now())) break
    }
    hooks.onInserted(table, part.rows)
  }
}
