// Every accepted customer signal, once. In the database of its topic, beside `rejected_events`.
import { signalKinds } from '../customer-signal.ts'
import { enumeration, fieldTable, instant, int32, int64, nullable, string, uint32, uuid, word, type Row } from '../field.ts'
import { table } from '../table.ts'
import { blockFields, byMonth } from './block.ts'

export const customerSignalsTable = table({
  name: 'customer_signals',
  record: fieldTable('CustomerSignalRow', {
    ...blockFields,
    offset: int64('Offset of the signal in its partition.'),
    operator_version: uint32('Version of the operators that made the row.'),
    record_at: instant("The record's timestamp."),
    received_at: instant('When it was received, else record_at.'),
    clock_at: instant("The partition's clock after the record."),
    event_at: instant('Corrected time (t).'),
    occurred_at: instant(),
    sent_at: instant(),
    signal_id: uuid(),
    kind: enumeration('SignalKind', signalKinds),
    user_id: nullable(string()),
    channel: nullable(word()),
    score: nullable(int32()),
    seconds: nullable(int32()),
    content_id: nullable(string()),
    severity: nullable(word()),
    amount_minor: nullable(int64()),
    currency: nullable(word()),
  }),
  engine: { kind: 'append' },
  orderBy: ['kind', 'event_at'],
  partitionBy: byMonth,
})
export type CustomerSignalRow = Row<typeof customerSignalsTable.record>
