// Whether anything has come into the store, and how far log time has got there: one cheap question that spares the others.
import type { Table } from '../../../schemas/table.ts'
import type { Store } from '../../ports/store.ts'

export type Pulse = {
  /** Rows of each table: another number whenever one has come. */
  rows: Readonly<Record<string, number>>
  /** Log time (ms) of the partition that is furthest, and of the one that is least far; 0: nothing is processed yet. */
  clockAt: number
  leastClockAt: number
}

/** Counts of rows come from the parts' own notes, and so do the borders of what is partitioned by: nothing is read for them. */
export function pulseSql(tables: readonly Pick<Table, 'name'>[]): string {
  return `SELECT ${tables.map(({ name }) => `(SELECT count() FROM ${name}) AS ${name}`).join(', ')},
  toUnixTimestamp64Milli(clocks.latest) AS clock_at, toUnixTimestamp64Milli(clocks.least) AS least_clock_at
FROM (
  SELECT max(at) AS latest, min(at) AS least FROM (
    SELECT partition, max(block_at) AS at FROM kpi_deltas
    WHERE dimension = 'clock' AND value = '' AND grain = 'minute' AND bucket_at >= (SELECT max(block_at) FROM kpi_deltas) - INTERVAL 1 DAY
    GROUP BY partition
  )
) AS clocks`
}

export async function readPulse(store: Store, sql: string): Promise<Pulse> {
  const { clock_at: clockAt, least_clock_at: leastClockAt, ...counts } = (await store.query<Record<string, number>>(sql))[0]!
  return { rows: counts, clockAt: clockAt!, leastClockAt: leastClockAt! }
}

/** Changes whenever a row has come into one of these tables. */
export const versionOf = ({ rows }: Pulse, tables: readonly string[]): string => tables.map((name) => rows[name] ?? 0).join(' ')

/** The tables that the views of a question read. */
export function tablesOf(
  sql: string,
  views: readonly { name: string; select: string }[],
  tables: readonly Pick<Table, 'name'>[],
): string[] {
  const named = <T extends { name: string }>(text: string, of: readonly T[]): T[] =>
    of.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(text))
  const read = named(sql, views)
  return named([sql, ...read.map(({ select }) => select)].join('\n'), tables).map(({ name }) => name)
}
