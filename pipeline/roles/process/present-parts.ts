// Which parts the store has: what a new owner asks before its first insert, and who doubts an acknowledgement.
import type { Store } from '../../ports/store.ts'
import { untilAcknowledged, type RetryHooks } from './until-acknowledged.ts'

/** Table → `first_offset/part`. */
export type PresentParts = ReadonlyMap<string, ReadonlySet<string>>

export const partKey = (firstOffset: number, part: number): string => `${firstOffset}/${part}`

/** Blocks after an offset end no earlier than the clock there, and by that the store finds them without reading all that it has. */
export type PartsSince = { partition: number; fromOffset: number; clock: number }

export type AskHooks = RetryHooks & {
  /** A question was answered. */
  onAnswered(): void
}

/** All tables in one question. On a cluster, whichever replica answers. */
export const presentPartsSql = (tables: readonly string[]): string =>
  tables
    .map(
      (table) =>
        `SELECT DISTINCT '${table}' AS name, first_offset, part FROM ${table} WHERE partition = {partition:UInt16} AND ` +
        'first_offset >= {from:Int64} AND block_at >= fromUnixTimestamp64Milli({clock:Int64}) SETTINGS select_sequential_consistency = 1',
    )
    .join('\nUNION ALL\n')

/** The clocks that a partition's blocks end with say how many partitions the topic had. */
export const partitionCountsSql = (clocks: string): string =>
  `SELECT DISTINCT partition_count FROM ${clocks} WHERE partition = {partition:UInt16} AND partition_count > 0 SETTINGS select_sequential_consistency = 1`

export type PartRow = { name: string; first_offset: number; part: number }

/**
 * Parts at or after an offset that are there, asked for as long as it takes; throws where the store refuses, or when aborted. A part is
 * one insert of one block: there whole, or not at all.
 */
export async function presentParts(
  store: Store,
  tables: readonly string[],
  since: PartsSince,
  signal: AbortSignal,
  hooks: AskHooks,
): Promise<PresentParts> {
  const present = new Map(tables.map((table) => [table, new Set<string>()]))
  const params = { partition: since.partition, from: since.fromOffset, clock: Math.max(0, since.clock) }
  const ask = async (): Promise<void> => {
    const rows = await store.query<PartRow>(presentPartsSql(tables), params)
    for (const row of rows) present.get(row.name)!.add(partKey(row.first_offset, row.part))
  }
  if (tables.length > 0) await untilAcknowledged(ask, signal, hooks)
  hooks.onAnswered()
  return present
}

/** How many partitions the topic had when blocks of this one were inserted, asked for as long as it takes. `clocks`: the table that they end with. */
export async function partitionCounts(
  store: Store,
  clocks: string,
  partition: number,
  signal: AbortSignal,
  hooks: RetryHooks,
): Promise<number[]> {
  let rows: { partition_count: number }[] = []
  const ask = async (): Promise<void> => void (rows = await store.query(partitionCountsSql(clocks), { partition }))
  await untilAcknowledged(ask, signal, hooks)
  return rows.map((row) => row.partition_count)
}
