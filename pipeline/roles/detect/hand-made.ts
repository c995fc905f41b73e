// For tests: kpi_deltas as blocks of the process role would have left them, from sums that a test says.
import { encodeRows } from '../../../schemas/row-binary.ts'
import {
  kpiDeltasTable,
  kpiMeasures,
  type CellDimension,
  type Grain,
  type KpiDeltaRow,
  type KpiMeasure,
} from '../../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../../ports/store.ts'

export const bucketMs = 60_000

export type MadeCell = {
  dimension: CellDimension
  value: string
  bucketAt: number
  grain?: Grain
  sums: Partial<Record<KpiMeasure, number>>
}
export type MadeBlock = { partition: number; blockAt: number; cells: readonly MadeCell[] }

/** Inserts blocks, each after the last of its partition. */
export function deltaWriter(store: Store, partitions: number) {
  const offsets = new Map<number, number>()
  const none = Object.fromEntries(kpiMeasures.map((measure) => [measure, 0])) as Record<KpiMeasure, number>

  return async (blocks: readonly MadeBlock[]): Promise<void> => {
    const rows = blocks.flatMap(({ partition, blockAt, cells }): KpiDeltaRow[] => {
      const firstOffset = offsets.get(partition) ?? 0
      offsets.set(partition, firstOffset + 10)
      const block = { partition, first_offset: firstOffset, part: 0, block_at: blockAt, ...none }
      return [
        ...cells.map(({ dimension, value, bucketAt, grain = 'minute', sums }) => ({
          ...block, grain, bucket_at: bucketAt, dimension, value, ...sums, next_offset: 0, partition_count: 0,
        })), // prettier-ignore
        {
          ...block,
          grain: 'minute',
          bucket_at: blockAt,
          dimension: 'clock',
          value: '',
          next_offset: firstOffset + 10,
          partition_count: partitions,
        },
      ]
    })
    await store.insert({
      table: kpiDeltasTable.name,
      columns: Object.keys(kpiDeltasTable.record.fields),
      rows: encodeRows(kpiDeltasTable.record, rows),
      token: `made/${[...offsets].join('/')}`,
    })
  }
}
