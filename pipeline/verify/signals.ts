// Whether `customer_signals` can be trusted: nothing is derived from it, so each row is looked at by itself and beside its neighbours.
import { maxAmountMinor, tooOldMs } from '../../schemas/limits.ts'
import { lastingHours } from '../../operators/partition/partition.ts'
import { ms } from './facts.ts'
import type { Store } from '../ports/store.ts'

export type SignalsReport = { signals: number; findings: number; examples: string[] }

const examples = 20
const corrected = `least(${ms('received_at')}, ${ms('record_at')}) - greatest(0, ${ms('sent_at')} - ${ms('occurred_at')})`

/** Conditions that no row may meet, and in what words. `_before` columns are those of the record before, of the partition or of the id. */
const wrong = [
  ['offset = offset_before', 'it is there twice'],
  [`${ms('event_at')} != ${corrected}`, 'event_at is not min(received_at, record_at) − max(0, sent_at − occurred_at)'],
  ['clock_at < record_at', 'clock_at is before record_at'],
  [`clock_at > block_at`, "clock_at is after the block's end"],
  ['clock_at < clock_before', 'the clock is earlier than at an offset before'],
  [`${ms('clock_at')} - ${ms('event_at')} > ${tooOldMs}`, 'was too old'],
  [
    `id_offset_before >= 0 AND intDiv(${ms('clock_at')}, 3600000) - intDiv(${ms('id_clock_before')}, 3600000) <= ${lastingHours}`,
    'its id was accepted in the 31 days before',
  ],
  ["kind = 'service_rating' AND NOT ifNull(score BETWEEN 1 AND 5, 0)", 'a rating without a score from 1 to 5'],
  ["kind = 'nps_response' AND NOT ifNull(score BETWEEN 0 AND 10, 0)", 'a response without a score from 0 to 10'],
  ["kind = 'service_reply' AND NOT ifNull(seconds >= 0, 0)", 'a reply without seconds'],
  [
    "kind = 'content_report' AND (ifNull(content_id, '') = '' OR ifNull(severity, 'minor') NOT IN ('minor', 'severe'))",
    'a report of nothing, or of an unknown severity',
  ],
  [
    `kind = 'cost' AND (NOT ifNull(amount_minor BETWEEN 1 AND ${maxAmountMinor}, 0) OR ifNull(currency, '') != {currency:String} OR ifNull(channel, '') = '')`,
    'a cost without a channel and an amount in the configured currency',
  ],
] as const

export async function verifySignals(store: Store, currency: string): Promise<SignalsReport> {
  const why = `multiIf(${wrong.map(([condition, words]) => `${condition}, '${words.replaceAll("'", "\\'")}'`).join(', ')}, '')`
  const before = (of: string, otherwise: string, window: string) =>
    `lagInFrame(${of}, 1, ${otherwise}) OVER (PARTITION BY ${window} ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`
  const epoch = "toDateTime64(0, 3, 'UTC')"
  const byId = 'partition, ifNull(user_id, channel), signal_id'
  const [row] = await store.query<SignalsReport>(
    `SELECT count() AS signals, countIf(why != '') AS findings, groupArrayIf(${examples})(line, why != '') AS examples
     FROM (
       SELECT ${why} AS why, concat('partition ', toString(partition), ' offset ', toString(offset), ': ', why) AS line
       FROM (
         SELECT *,
           ${before('offset', '-1', 'partition')} AS offset_before, ${before('clock_at', epoch, 'partition')} AS clock_before,
           ${before('offset', '-1', byId)} AS id_offset_before, ${before('clock_at', epoch, byId)} AS id_clock_before
         FROM customer_signals
       )
     )`,
    { currency },
  )
  return row ?? { signals: 0, findings: 0, examples: [] }
}

export function renderSignals(database: string, { signals, findings: count, examples: lines }: SignalsReport): string {
  return [
    `${database}: customer signals`,
    ...lines.map((line) => `  ${line}`),
    `  customer_signals  ${signals} rows, ${count === 0 ? 'each once and as it should be' : `${count} wrong`}`,
  ].join('\n')
}
