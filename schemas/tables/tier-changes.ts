// Every change of a user's tier: a table and the messages of topic `tier-changes`.
import { enumeration, fieldTable, instant, string, uint32, uint8, type Row } from '../field.ts'
import { table } from '../table.ts'
import { tiers } from '../tiers.ts'
import { blockFields, byMonth } from './block.ts'

const change = {
  user_id: string(),
  from: enumeration('Tier', tiers),
  to: enumeration('Tier', tiers),
  as_of: instant("A promotion: the clock at the record. A demotion: the evaluation's instant."),
  reason: string('The rule and the figures that decided.'),
  recency_score: uint8('RFM, 1 to 5.'),
  frequency_score: uint8(),
  monetary_score: uint8(),
} as const

export const tierChangesTable = table({
  name: 'tier_changes',
  record: fieldTable('TierChangeRow', { ...blockFields, operator_version: uint32(), ...change }),
  engine: { kind: 'append' },
  orderBy: ['user_id', 'as_of'],
  partitionBy: byMonth,
})
export type TierChangeRow = Row<typeof tierChangesTable.record>

/** Avro, key user_id. */
export const tierChangeMessage = fieldTable('TierChange', change)
export type TierChange = Row<typeof tierChangeMessage>
