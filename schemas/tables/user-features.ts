// Rolling features, lifetime and tier of a user at an instant. The latest row of a user stays.
import { platforms } from '../behavior-batch.ts'
import {
  enumeration,
  fieldTable,
  float64,
  instant,
  list,
  nullable,
  string,
  uint32,
  uint64,
  uint8,
  word,
  type Field,
  type Row,
} from '../field.ts'
import { featureNames } from '../measures.ts'
import { table } from '../table.ts'
import { tiers } from '../tiers.ts'
import { blockFields, byMonth } from './block.ts'

type FeatureFields = Record<(typeof featureNames)[number], Field<number>>
// Counts fit 32 bits; milliseconds and amounts do not.
const featureFields = Object.fromEntries(
  featureNames.map((name) => [name, /^(watch_ms|amount_minor)/.test(name) ? uint64() : uint32()]),
) as FeatureFields

export const userFeaturesTable = table({
  name: 'user_features',
  record: fieldTable('UserFeatures', {
    ...blockFields,
    as_of: instant('The row holds exactly the accepted events with clock_at before this.'),
    operator_version: uint32(),
    user_id: string(),
    ...featureFields,
    tier: enumeration('Tier', tiers),
    platform: enumeration('Platform', platforms, 'Of the last accepted event, as are channel, region and app_version.'),
    channel: word(),
    region: word(),
    app_version: word(),
    first_seen_at: instant('Least corrected time of an accepted event.'),
    registered_at: nullable(instant()),
    last_seen_at: instant(),
    last_purchase_at: nullable(instant()),
    purchases: uint32('Since the first event.'),
    amount_minor: uint64('Since the first event.'),
    active_days_7d: uint8('Zone days with an accepted event, of the last 7.'),
    active_days_30d: uint8('Zone days with an accepted event, of the last 30.'),
    purchase_days_90d: uint8('Zone days with a purchase, of the last 90.'),
    purchases_90d: uint32(),
    amount_minor_90d: uint64(),
    recency_score: uint8('RFM, 1 to 5 (operators/tiers/rfm.ts).'),
    frequency_score: uint8(),
    monetary_score: uint8(),
    top_categories: list(word(), 'At most five, by affinity.'),
    top_affinities: list(float64(), 'Affinity of each of top_categories at as_of.'),
  }),
  engine: { kind: 'latest', version: 'as_of' },
  orderBy: ['user_id'],
  partitionBy: byMonth,
})
export type UserFeaturesRow = Row<typeof userFeaturesTable.record>
