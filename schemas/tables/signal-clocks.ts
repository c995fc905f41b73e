// How far each partition of customer signals has come: one row a block, inserted when all else of it is there. It says which hours and days
// are closed (pipeline/roles/detect/signal-figures.ts), as the clock rows of kpi_deltas do for behaviour.
import { fieldTable, int64, uint16, type Row } from '../field.ts'
import { table } from '../table.ts'
import { blockFields, byMonth } from './block.ts'

export const signalClocksTable = table({
  name: 'signal_clocks',
  record: fieldTable('SignalClock', {
    ...blockFields,
    next_offset: int64('Offset after the block.'),
    partition_count: uint16('Partitions of the topic.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['block_at', 'partition'],
  partitionBy: byMonth,
})
export type SignalClockRow = Row<typeof signalClocksTable.record>
