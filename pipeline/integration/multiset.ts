// A table's rows as a multiset, for tests that compare what two runs inserted.
import { blockTables } from '../../schemas/tables/catalogue.ts'
import { kpiMeasures, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../ports/store.ts'

/** What may differ between two logs of the same records: where a record lies, and how the log was cut. */
const placed = ['offset', 'first_offset', 'part', 'block_at']
/** … and of another number of partitions. */
export const placedElsewhere = [...placed, 'partition']

/** Each row as one number with its copies, in order; without the columns that say where it lay. FINAL: as if it were merged. */
export async function multiset(store: Store, table: string, modifier: '' | 'FINAL' = '', without = placed): Promise<string[]> {
  const fields = Object.keys(blockTables.find(({ name }) => name === table)!.record.fields).filter((name) => !without.includes(name))
  const rows = await store.query<{ row: string; copies: number }>(
    `SELECT toString(cityHash64(tuple(${fields.map((name) => `toString(${name})`).join(', ')}))) AS row, count() AS copies FROM ${table} ${modifier} GROUP BY row ORDER BY row`,
  )
  return rows.map(({ row, copies }) => `${row} ${copies}`)
}

/** What each KPI cell came to, whatever blocks it came in; cells that came to nothing are left out. */
export async function kpiSums(store: Store, measures: readonly KpiMeasure[] = kpiMeasures): Promise<string[]> {
  const sums = measures.map((measure) => `sum(${measure}) AS ${measure}_sum`)
  const rows = await store.query<Record<string, unknown>>(
    `SELECT grain, bucket_at, dimension, value, ${sums.join(', ')} FROM kpi_deltas WHERE dimension != 'clock'
     GROUP BY grain, bucket_at, dimension, value HAVING ${measures.map((measure) => `${measure}_sum`).join(' + ')} > 0 ORDER BY grain, bucket_at, dimension, value`,
  )
  return rows.map((row) => JSON.stringify(row))
}
