// What each block added to the KPI counts: one row for each (grain, bucket, cell) that it touched, then its clock.
import { enumeration, fieldTable, instant, int64, uint16, uint64, word, type Row } from '../field.ts'
import { table } from '../table.ts'
import { blockFields, byMonth } from './block.ts'

export const grains = ['minute', 'hour', 'day'] as const
export type Grain = (typeof grains)[number]

/** `all` has one cell, of value ''. `clock` rows carry a block's clock, not counts. */
export const cellDimensions = ['all', 'platform', 'channel', 'region', 'app_version', 'category', 'surface', 'tier', 'clock'] as const
export type CellDimension = (typeof cellDimensions)[number]

/**
 * The measures of a cell. The first ones are sums: an hour's is that of its minutes. `late_unmarked` and the distinct ones, where a user
 * (or a session) counts once per bucket and cell, are each grain's own.
 */
export const kpiMeasures = [
  'plays', 'completes', 'watch_ms', 'impressions', 'clicks', 'likes', 'comments', 'shares', 'follows', 'searches',
  'purchases', 'amount_minor', 'registers', 'events', 'fresh_plays', 'first_week_plays', 'first_week_completes', 'rejected',
  'late_unmarked', 'active_users', 'engaged_users', 'buyers', 'sessions',
] as const // prettier-ignore
export const rolledUpMeasures = kpiMeasures.indexOf('late_unmarked')
export type KpiMeasure = (typeof kpiMeasures)[number]

/** By block_at: longer than an event may be late. */
export const kpiDeltasKeptDays = 40

export const kpiDeltasTable = table({
  name: 'kpi_deltas',
  record: fieldTable('KpiDelta', {
    ...blockFields,
    grain: enumeration('Grain', grains),
    bucket_at: instant("The bucket's start; for `clock` the block's clock."),
    dimension: enumeration('CellDimension', cellDimensions),
    value: word(),
    plays: uint64(),
    completes: uint64(),
    watch_ms: uint64(),
    impressions: uint64(),
    clicks: uint64(),
    likes: uint64(),
    comments: uint64(),
    shares: uint64(),
    follows: uint64(),
    searches: uint64(),
    purchases: uint64(),
    amount_minor: uint64(),
    registers: uint64(),
    events: uint64('Accepted events.'),
    fresh_plays: uint64('Plays of content published within 7 days.'),
    first_week_plays: uint64('Plays of users in their first 7 days since registration.'),
    first_week_completes: uint64('The completes among them.'),
    rejected: uint64('Rows of rejected_events, by their clock_at; cell all only.'),
    late_unmarked: uint64('Events that came when the bucket counted nobody any more.'),
    active_users: uint64('Users, each once per bucket and cell.'),
    engaged_users: uint64('Users with a like, comment, share or follow.'),
    buyers: uint64('Users with a purchase.'),
    sessions: uint64('Distinct session ids of users.'),
    next_offset: int64('clock: offset after the block; else 0.'),
    partition_count: uint16('clock: partitions of the topic; else 0.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['dimension', 'value', 'grain', 'bucket_at'],
  partitionBy: byMonth,
  ttl: `toDateTime(block_at) + INTERVAL ${kpiDeltasKeptDays} DAY`,
})
export type KpiDeltaRow = Row<typeof kpiDeltasTable.record>
