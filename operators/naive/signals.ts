// Naive twin of operators/signals: a partition of customer signals, with everything that was accepted looked through each time.
import { customerSignal, type CustomerSignal } from '../../schemas/customer-signal.ts'
import { maxAmountMinor, maxInstant, maxStringBytes, tooOldMs } from '../../schemas/limits.ts'
import type { RejectReason } from '../../schemas/rejects.ts'
import { murmur2 } from '../hash.ts'
import { naiveCorrectedTime, naiveInstantHeader, naiveReceivedAt } from './corrected-time.ts'
import { naiveDecodeAs } from './decode.ts'
import type { NaiveRecord } from './partition.ts'

export type NaiveSignals = {
  accepted: (CustomerSignal & { offset: number; record_at: number; received_at: number; clock_at: number; event_at: number })[]
  /** `ordinal` null: the whole record. */
  rejected: { offset: number; ordinal: number | null; clock_at: number; reason: RejectReason; signalId: Uint8Array | null }[]
  duplicates: number
}

const bytesOf = (text: string) => new TextEncoder().encode(text)
const hoursKept = 31 * 24

export function naiveSignals(
  records: readonly NaiveRecord[],
  { partition, partitionCount, currency }: { partition: number; partitionCount: number; currency: string },
): NaiveSignals {
  const out: NaiveSignals = { accepted: [], rejected: [], duplicates: 0 }
  let clock = -Infinity
  for (const record of records) {
    const { offset, timestampMs, key, value, headers } = record
    clock = Math.max(clock, timestampMs)
    const isTick = key === null && value === null && Buffer.from(headers?.['reelpulse'] ?? []).toString() === 'tick'
    if (isTick) {
      clock = Math.max(clock, naiveInstantHeader(headers?.['clock_at']) ?? -Infinity)
      continue
    }
    const reject = (reason: RejectReason, signalId: Uint8Array | null = null) =>
      out.rejected.push({ offset, ordinal: signalId === null ? null : 0, clock_at: clock, reason, signalId })
    if (value === null) {
      reject('null_value')
      continue
    }
    if (key === null) {
      reject('null_key')
      continue
    }
    const signal = naiveDecodeAs(customerSignal, value)
    if (typeof signal === 'string') {
      reject(signal)
      continue
    }
    const named = signal.user_id ?? signal.channel
    if (named === null || Buffer.compare(bytesOf(named), key) !== 0) {
      reject('key_mismatch')
      continue
    }
    if ((murmur2(key, 0, key.length) & 0x7fffffff) % partitionCount !== partition) {
      reject('wrong_partition')
      continue
    }
    const receivedAt = naiveReceivedAt(headers?.['received_at'], timestampMs)
    const eventAt = naiveCorrectedTime({ receivedAt, recordAt: timestampMs, sentAt: signal.sent_at, occurredAt: signal.occurred_at })
    const reason = judge(signal, currency) ?? (eventAt < clock - tooOldMs ? 'too_old' : undefined)
    if (reason !== undefined) {
      reject(reason, signal.signal_id)
      continue
    }
    const hour = (at: number) => Math.floor(at / 3_600_000)
    const isKnown = out.accepted.some(
      (other) =>
        (other.user_id ?? other.channel) === named &&
        Buffer.compare(other.signal_id, signal.signal_id) === 0 &&
        hour(clock) - hour(other.clock_at) <= hoursKept,
    )
    if (isKnown) out.duplicates++
    else out.accepted.push({ ...signal, offset, record_at: timestampMs, received_at: receivedAt, clock_at: clock, event_at: eventAt })
  }
  return out
}

function judge(signal: CustomerSignal, currency: string): RejectReason | undefined {
  const { kind, score, seconds, amount_minor: amount } = signal
  const needs: Record<CustomerSignal['kind'], readonly (keyof CustomerSignal)[]> = {
    service_rating: ['score'],
    service_reply: ['seconds'],
    nps_response: ['score'],
    content_report: ['content_id'],
    cost: ['channel', 'amount_minor', 'currency'],
  }
  if (needs[kind].some((name) => signal[name] === null || signal[name] === '')) return 'missing_field'
  const texts = [signal.user_id, signal.channel, signal.content_id, signal.severity, signal.currency]
  if (texts.some((text) => text !== null && bytesOf(text).length > maxStringBytes)) return 'field_too_long'
  const within = (value: number | null, least: number, most: number) => value === null || (value >= least && value <= most)
  const good = [
    within(signal.occurred_at, -maxInstant, maxInstant),
    within(signal.sent_at, -maxInstant, maxInstant),
    within(score, -(2 ** 31), 2 ** 31 - 1),
    kind !== 'service_rating' || within(score, 1, 5),
    kind !== 'nps_response' || within(score, 0, 10),
    within(seconds, 0, 2 ** 31 - 1),
    kind !== 'content_report' || signal.severity === null || ['minor', 'severe'].includes(signal.severity),
    kind === 'cost' ? within(amount, 1, maxAmountMinor) : within(amount, -(2 ** 53 - 1), 2 ** 53 - 1),
  ]
  if (good.includes(false)) return 'out_of_range'
  return kind === 'cost' && signal.currency !== currency ? 'currency' : undefined
}
