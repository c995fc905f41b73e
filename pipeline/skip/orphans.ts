// Rows that an owner inserted beyond its partition's last checkpoint: the state that made them went with it.
import { blockTables } from '../../schemas/tables/catalogue.ts'
import type { Store } from '../ports/store.ts'

/** `kpi_deltas` first: its clock row says that a block is whole, and from the first deletion on it is not. */
const tableNames = blockTables.map(({ name }) => name).toSorted((a, b) => Number(b === 'kpi_deltas') - Number(a === 'kpi_deltas'))

const beyond = 'partition = {partition:UInt16} AND first_offset >= {from:Int64}'

export type Orphans = Readonly<Record<string, number>>

/** Rows by table of the partition's blocks that begin at or beyond an offset. */
export async function countOrphans(store: Store, partition: number, from: number): Promise<Orphans> {
  const orphans: Record<string, number> = {}
  for (const table of tableNames) {
    const [found] = await store.query<{ rows: number }>(`SELECT count() AS rows FROM ${table} WHERE ${beyond}`, { partition, from })
    orphans[table] = found!.rows
  }
  return orphans
}

/** Where the partition's first block begins; undefined: it has none. */
export async function firstBlock(store: Store, partition: number): Promise<number | undefined> {
  const least: number[] = []
  for (const table of tableNames) {
    const [found] = await store.query<{ rows: number; least: number }>(
      `SELECT count() AS rows, min(first_offset) AS least FROM ${table} WHERE partition = {partition:UInt16}`,
      { partition },
    )
    if (found!.rows > 0) least.push(found!.least)
  }
  return least.length === 0 ? undefined : Math.min(...least)
}

/** Users who have rows of features among them. */
export async function usersOfOrphans(store: Store, partition: number, from: number): Promise<string[]> {
  const rows = await store.query<{ user_id: string }>(`SELECT DISTINCT user_id FROM user_features WHERE ${beyond} ORDER BY user_id`, {
    partition,
    from,
  })
  return rows.map((row) => row.user_id)
}

/**
 * Takes back what was rolled up of them: the detect role does those buckets anew, from the deltas that are left. Before the deletion, for
 * after it nobody knows which they were; and after it, for detect may have come in between.
 */
async function forgetCells(store: Store, earliest: readonly { grain: string; at: number }[]): Promise<void> {
  for (const { grain, at } of earliest)
    await store.command(
      `ALTER TABLE kpi_cells DELETE WHERE grain = '${grain}' AND bucket_at >= fromUnixTimestamp64Milli({at:Int64}, 'UTC')
         AND NOT (dimension = 'clock' AND bucket_at = fromUnixTimestamp64Milli({at:Int64}, 'UTC')) SETTINGS mutations_sync = 2`,
      { at },
    )
  const days = earliest.filter(({ grain }) => grain === 'day').map(({ at }) => at)
  // What was first said of a day with such events among those known; the others' latest figures are made anew at the next close of a day.
  if (days.length > 0)
    await store.command(
      "ALTER TABLE kpi_daily DELETE WHERE first_known_at > fromUnixTimestamp64Milli({at:Int64}, 'UTC') SETTINGS mutations_sync = 2",
      { at: Math.min(...days) },
    )
}

/** Returns once they are gone. */
export async function deleteOrphans(store: Store, partition: number, from: number): Promise<void> {
  const orphans = await countOrphans(store, partition, from)
  const earliest = await store.query<{ grain: string; at: number }>(
    `SELECT toString(grain) AS grain, toUnixTimestamp64Milli(min(bucket_at)) AS at FROM kpi_deltas
     WHERE dimension != 'clock' AND ${beyond} GROUP BY grain`,
    { partition, from },
  )
  await forgetCells(store, earliest)
  for (const table of tableNames)
    if (orphans[table]! > 0)
      await store.command(`ALTER TABLE ${table} DELETE WHERE ${beyond} SETTINGS mutations_sync = 2`, { partition, from })
  await forgetCells(store, earliest)
}
