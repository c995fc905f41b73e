// What each block added to the KPI counts: one row for each (grain, bucket, cell) that it touched, then its clock.
import { enumeration, fieldTable, instant, int64, uint16, uint64, word, type Row } from '../field.ts'
import { table } from '../table.ts'
import { blockFields, byMonth } from './block.ts'

export const grains = ['minute', 'hour', 'day'] as const
export type Grain = (typeof grains)[number]

/** `all` has one cell, of value ''. `clock` rows carry a block's clock, not counts. */
export const cellDimensions = ['all', 'platform', 'channel', 'region', 'app_version', 'category', 'surface', 'tier', 'clock'] as const
export type CellDimension = (typeof cellDimensions)[number]

/** The additive measures of a cell; issue 3 adds the distinct ones (active_users, buyers, sessions). */
export const kpiMeasures = [
  'plays', 'completes', 'watch_ms', 'impressions', 'clicks', 'likes', 'comments', 'shares', 'follows', 'searches',
  'purchases', 'amount_minor', 'registers', 'events',
] as const // prettier-ignore
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
    events: uint64(),
    next_offset: int64('clock: offset after the block; else 0.'),
    partition_count: uint16('clock: partitions of the topic; else 0.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['dimension', 'value', 'grain', 'bucket_at'],
  partitionBy: byMonth,
  ttl: `toDateTime(block_at) + INTERVAL ${kpiDeltasKeptDays} DAY`,
})
export type KpiDeltaRow = Row<typeof kpiDeltasTable.record>
