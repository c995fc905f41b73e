// Is a decodable signal one to count?
import { severities, signalKinds } from '../../schemas/customer-signal.ts'
import { maxAmountMinor, maxInstant, maxStringBytes } from '../../schemas/limits.ts'
import type { EventReject } from '../../schemas/rejects.ts'
import type { Signal, Stretch } from './reader.ts'

const text = (value: string) => new TextEncoder().encode(value)
const severityBytes = severities.map(text)
const codeOf = (kind: (typeof signalKinds)[number]) => signalKinds.indexOf(kind)
const [RATING, REPLY, NPS, REPORT, COST] = [
  codeOf('service_rating'),
  codeOf('service_reply'),
  codeOf('nps_response'),
  codeOf('content_report'),
  codeOf('cost'),
]

/**
 * Why a signal is not counted, in the order in which events are judged; undefined: it is. `too_old` is judged apart, with the corrected
 * time. An empty string is missing.
 */
export function signalJudge(currency: string): (value: Uint8Array, signal: Signal) => EventReject | undefined {
  const ours = text(currency)
  const same = (value: Uint8Array, { from, length }: Stretch, as: Uint8Array) =>
    length === as.length && as.every((byte, i) => value[from + i] === byte)
  const missing = (stretch: Stretch | null) => stretch === null || stretch.length === 0
  const outside = (instant: number) => Math.abs(instant) > maxInstant
  const tooLong = (stretch: Stretch | null) => stretch !== null && stretch.length > maxStringBytes

  return (value, signal) => {
    const { kind, userId, channel, occurredAt, sentAt, score, seconds, contentId, severity, amountMinor, currency: unit } = signal
    if ((kind === RATING || kind === NPS) && score === null) return 'missing_field'
    if (kind === REPLY && seconds === null) return 'missing_field'
    if (kind === REPORT && missing(contentId)) return 'missing_field'
    if (kind === COST && (missing(channel) || amountMinor === null || missing(unit))) return 'missing_field'
    if ([userId, channel, contentId, severity, unit].some(tooLong)) return 'field_too_long'
    if (outside(occurredAt) || outside(sentAt)) return 'out_of_range'
    if (score !== null && (score < -(2 ** 31) || score >= 2 ** 31)) return 'out_of_range'
    if (kind === RATING && (score! < 1 || score! > 5)) return 'out_of_range'
    if (kind === NPS && (score! < 0 || score! > 10)) return 'out_of_range'
    if (seconds !== null && (seconds < 0 || seconds >= 2 ** 31)) return 'out_of_range'
    if (kind === REPORT && severity !== null && !severityBytes.some((word) => same(value, severity, word))) return 'out_of_range'
    if (amountMinor !== null) {
      if (kind === COST ? amountMinor <= 0 || amountMinor > maxAmountMinor : Math.abs(amountMinor) >= 2 ** 53) return 'out_of_range'
    }
    if (kind === COST && !same(value, unit!, ours)) return 'currency'
    return undefined
  }
}
