// Records and events that were not counted, and why. The bytes are in topic `behavior-events.rejected`.
import { bytes, enumeration, fieldTable, instant, int64, nullable, string, uint32, uuid, type Row } from '../field.ts'
import { rejectReasons } from '../rejects.ts'
import { table } from '../table.ts'
import { blockFields, byMonth } from './block.ts'

export const rejectedEventsTable = table({
  name: 'rejected_events',
  record: fieldTable('RejectedEvent', {
    ...blockFields,
    offset: int64(),
    ordinal: nullable(uint32('Place of the event in its flush; null where the whole record was rejected.')),
    record_at: instant(),
    clock_at: instant(),
    reason: enumeration('RejectReason', rejectReasons),
    detail: string('What was wrong, and where.'),
    user_id: nullable(string('The key, where it is valid UTF-8.')),
    event_id: nullable(uuid()),
    value_bytes: uint32('Length of the record value.'),
    value_head: bytes('The first 64 bytes of the record value.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['reason', 'block_at'],
  partitionBy: byMonth,
})
export type RejectedEventRow = Row<typeof rejectedEventsTable.record>
