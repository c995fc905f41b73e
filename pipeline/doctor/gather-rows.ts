// What the newest rows say of themselves. Every query is bounded: by blocks, by offsets, and by time.
import type { QueryParams, Store } from '../ports/store.ts'
import type { ClockRowFacts, CopyFacts, RowFacts, StoreFacts } from './facts.ts'
import { known, type Known } from './finding.ts'

/** Clock rows expire 40 days after their block (schemas/tables/kpi-deltas.ts), not all of them at once. */
export const clockRowsDays = 39
/** Of each partition. */
const mostBlocks = 200_000
/** Of each partition: so many gaps are told one by one. */
const mostGaps = 100
/** Of each partition: rows of blocks in the newest so many offsets. */
const newestOffsets = 100_000

/** By table: what tells two rows of it apart. Clock rows count among `kpi_deltas`. */
const rejected = { rejected_events: 'offset, ifNull(toInt64(ordinal), -1)' } as const
const identities: Readonly<Record<StoreFacts['of'], Readonly<Record<string, string>>>> = {
  behavior: {
    events: 'offset, ordinal',
    ...rejected,
    tier_changes: 'first_offset, user_id, as_of, from, to',
    kpi_deltas: 'first_offset, grain, bucket_at, dimension, value',
  },
  signals: { customer_signals: 'offset', ...rejected, signal_clocks: 'first_offset' },
}

/** Where the row of each block is that says how far it goes. */
const clockRows: Readonly<Record<StoreFacts['of'], string>> = {
  behavior: "kpi_deltas WHERE dimension = 'clock' AND value = '' AND grain = 'minute' AND",
  signals: 'signal_clocks WHERE',
}

/** A query that takes longer throws. */
export const bounded = 'SETTINGS max_execution_time = 30'

export async function gatherRows(store: Store, of: StoreFacts['of']): Promise<RowFacts> {
  const clocks = await known(() => findClocks(store, of))
  const copies: { table: string; found: Known<readonly CopyFacts[]> }[] = []
  for (const [table, identity] of Object.entries(identities[of])) {
    const found = 'unknown' in clocks ? clocks : await known(() => findCopies(store, table, identity, clocks.value))
    copies.push({ table, found })
  }
  return { clocks, copies }
}

async function findClocks(store: Store, of: StoreFacts['of']): Promise<ClockRowFacts[]> {
  return store.query<ClockRowFacts>(
    `
    SELECT partition, count() AS blocks, max(next_offset) AS nextOffset,
      countIf(first_offset > previous) AS gaps,
      groupArrayIf(${mostGaps})(assumeNotNull(previous), first_offset > previous) AS gapsFrom,
      groupArrayIf(${mostGaps})(first_offset, first_offset > previous) AS gapsTo,
      countIf(first_offset < previous) AS overlaps, minIf(first_offset, first_offset < previous) AS overlapAt
    FROM (
      SELECT partition, first_offset, next_offset,
        lagInFrame(toNullable(next_offset), 1, NULL) OVER (PARTITION BY partition ORDER BY first_offset, next_offset ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS previous
      FROM (
        SELECT partition, first_offset, next_offset FROM ${clockRows[of]} block_at > now() - toIntervalDay({days:UInt32})
        ORDER BY partition, first_offset DESC LIMIT {most:UInt32} BY partition))
    GROUP BY partition ORDER BY partition
    ${bounded}`,
    { days: clockRowsDays, most: mostBlocks },
  )
}

async function findCopies(store: Store, table: string, identity: string, clocks: readonly ClockRowFacts[]): Promise<CopyFacts[]> {
  const from = Array.from({ length: 1 + Math.max(-1, ...clocks.map(({ partition }) => partition)) }, () => 0)
  for (const { partition, nextOffset } of clocks) from[partition] = Math.max(0, nextOffset - newestOffsets)
  const params: QueryParams = { days: clockRowsDays, from }
  return store.query<CopyFacts>(
    `
    SELECT partition, count() AS rows, count() - uniqExact(${identity}) AS copies, min(first_offset) AS fromOffset
    FROM ${table}
    WHERE block_at > now() - toIntervalDay({days:UInt32}) AND first_offset >= {from:Array(Int64)}[partition + 1]
    GROUP BY partition ORDER BY partition
    ${bounded}`,
    params,
  )
}
