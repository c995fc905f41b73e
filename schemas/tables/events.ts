// Every accepted event, once: the table from which everything else can be recomputed.
import { behaviors, platforms } from '../behavior-batch.ts'
import { enumeration, fieldTable, instant, int32, int64, nullable, string, stringMap, uint32, uuid, word, type Row } from '../field.ts'
import { table } from '../table.ts'
import { tiers } from '../tiers.ts'
import { blockFields, byMonth } from './block.ts'

export const eventsTable = table({
  name: 'events',
  record: fieldTable('Event', {
    ...blockFields,
    ordinal: uint32('Place of the event in its flush, from 0.'),
    event_at: instant('Corrected event time (t).'),
    occurred_at: instant('Device clock when the behavior happened.'),
    event_id: uuid(),
    behavior: enumeration('Behavior', behaviors),
    // From here to `experiments` a flush's events are alike: the bytes are encoded once and copied.
    offset: int64('Offset of the flush in its partition.'),
    operator_version: uint32('Version of the operators that made the row.'),
    record_at: instant("The record's timestamp."),
    received_at: instant('When collect received the flush, else record_at.'),
    clock_at: instant("The partition's clock after the record."),
    sent_at: instant('Device clock when the flush left the device.'),
    batch_id: uuid(),
    platform: enumeration('Platform', platforms),
    tier: enumeration('Tier', tiers, "The user's tier before the record."),
    user_id: string(),
    device_id: string(),
    app_version: word(),
    channel: word(),
    region: word(),
    experiments: stringMap(),
    session_id: nullable(string()),
    content_id: nullable(string()),
    creator_id: nullable(string()),
    category: nullable(word()),
    surface: nullable(word()),
    published_at: nullable(instant()),
    watch_ms: nullable(int32()),
    duration_ms: nullable(int32()),
    amount_minor: nullable(int64()),
    currency: nullable(word()),
    query: nullable(string()),
  }),
  engine: { kind: 'append' },
  orderBy: ['user_id', 'event_at'],
  partitionBy: byMonth,
})
export type EventRow = Row<typeof eventsTable.record>
