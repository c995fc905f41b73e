// Who writes a database: one topic, read by one group. A second would double every row, or mix two topics' users.
import { fieldTable, instant, string, type Row } from '../field.ts'
import { table } from '../table.ts'

export const writersTable = table({
  name: 'writers',
  record: fieldTable('Writer', {
    topic: string('Input topic whose rows are here.'),
    consumer_group: string('The group that processes it.'),
    since: instant('When its first process began.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['since'],
  partitionBy: 'tuple()',
})
export type WriterRow = Row<typeof writersTable.record>
