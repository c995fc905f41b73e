// Nasty logs of customer signals, from the numbers that a property draws: repeats at the borders of forgetting, wrong values, broken bytes.
import { customerSignal, signalKinds, type CustomerSignal } from '../../schemas/customer-signal.ts'
import { maxAmountMinor, maxInstant, maxStringBytes, tooOldMs } from '../../schemas/limits.ts'
import { partitionOf } from '../hash.ts'
import { encodeAs } from './encode-flush.ts'
import { tick, uuidOf, type LogRecord } from './generate.ts'

const utf8 = new TextEncoder()
const hourMs = 3_600_000

/** A signal that counts, with nothing beside what its kind needs. */
export function plainSignal(kind: CustomerSignal['kind'], id: Uint8Array, userId: string | null, at: number): CustomerSignal {
  return {
    signal_id: id,
    kind,
    user_id: userId,
    channel: userId === null || kind === 'cost' ? 'ad' : null,
    occurred_at: at,
    sent_at: at,
    score: kind === 'service_rating' || kind === 'nps_response' ? 4 : null,
    seconds: kind === 'service_reply' ? 90 : null,
    content_id: kind === 'content_report' ? 'video' : null,
    severity: null,
    amount_minor: kind === 'cost' ? 5_000 : null,
    currency: kind === 'cost' ? 'CNY' : null,
  }
}

/** Each step is one record. All keys belong to the partition, but where that is what is wrong. */
export function nastySignals(steps: readonly number[], partition: number, partitionCount: number): LogRecord[] {
  const mine = (name: string) => {
    let key = name
    while (partitionOf(utf8.encode(key), partitionCount) !== partition) key += '+'
    return key
  }
  const users = ['hot', 'é', '', 'cold'].map(mine)
  const channel = mine('ad')
  let at = Date.UTC(2026, 0, 31, 15, 59, 50)
  const sent: { key: Uint8Array; value: Uint8Array }[] = []
  return steps.map((step, offset): LogRecord => {
    let rest = step >>> 0
    const pick = <T>(items: readonly T[]): T => {
      const item = items[rest % items.length]!
      rest = Math.floor(rest / items.length)
      return item
    }
    at += pick([0, 1, 0, 700, 60_000, 0, hourMs, 24 * hourMs, 25 * hourMs - 1, 0, 30 * 24 * hourMs, 744 * hourMs, 745 * hourMs])
    // A late writer's clock.
    const timestampMs = at - pick([0, 0, 0, 0, 90_000])
    const record = (key: Uint8Array | null, value: Uint8Array | null, headers?: LogRecord['headers']): LogRecord => ({
      offset: offset * 2,
      timestampMs,
      key,
      value,
      headers,
    })
    const what = pick(['good', 'again', 'good', 'wrong', 'again', 'good', 'broken', 'tick'] as const)
    if (what === 'tick') return record(null, null, tick(pick([undefined, String(at + 5_000), 'soon', String(at - 1)])))
    if (what === 'again' && sent.length > 0) {
      const { key, value } = sent[sent.length - 1 - (rest % Math.min(sent.length, 7))]!
      return record(key, value)
    }
    const kind = pick(signalKinds)
    const user = pick([...users, null])
    const sentAt = at + pick([0, 3_600_000, -5_000])
    const occurredAt = sentAt - pick([0, 0, 400, tooOldMs - 1_000, tooOldMs, tooOldMs + 1, -9_000])
    const plain = { ...plainSignal(kind, uuidOf(offset), user, occurredAt), sent_at: sentAt }
    const signal: CustomerSignal = user === null ? { ...plain, channel } : plain
    const headers = pick([undefined, { received_at: utf8.encode(String(timestampMs - 2_000)) }, { received_at: utf8.encode('x') }])
    const keyOf = (of: CustomerSignal) => utf8.encode(of.user_id ?? of.channel ?? '?')
    if (what === 'broken') {
      const value = encodeAs(customerSignal, { ...signal, content_id: '~marker~' })
      const key = keyOf(signal)
      const bytes = pick([
        value.slice(0, 0),
        value.with(1, 2),
        value.with(9, value[9]! ^ 1),
        value.slice(0, 10 + (rest % (value.length - 10))),
        Uint8Array.of(...value, 0),
        value.with(Buffer.from(value).indexOf('~marker~'), 0xff),
        // No such kind, and no such branch.
        value.with(26, 10),
        value.with(27, 4),
        null,
      ])
      return record(pick([key, key, null]), bytes)
    }
    if (what === 'wrong') {
      const stranger = (name: string) => {
        let key = name
        while (partitionCount > 1 && partitionOf(utf8.encode(key), partitionCount) === partition) key += "'"
        return key
      }
      const wrong: Partial<CustomerSignal> = pick([
        { score: null },
        { seconds: null },
        { content_id: '' },
        { currency: null },
        { amount_minor: null },
        { score: 0 },
        { score: 5 },
        { score: 6 },
        { score: 11 },
        { score: 2 ** 31 },
        { seconds: -1 },
        { seconds: 2 ** 31 },
        { severity: 'severe' },
        { severity: 'grave' },
        { amount_minor: 0 },
        { amount_minor: maxAmountMinor },
        { amount_minor: maxAmountMinor + 1 },
        { amount_minor: 2 ** 53 },
        { currency: 'USD' },
        { content_id: 'x'.repeat(maxStringBytes) },
        { content_id: 'x'.repeat(maxStringBytes + 1) },
        { occurred_at: maxInstant + 1 },
        { sent_at: -maxInstant - 1 },
        { user_id: stranger('stranger') },
        { user_id: null, channel: null },
        { user_id: null, channel: '' },
      ])
      const whole = { ...signal, ...wrong }
      return record(pick([keyOf(whole), keyOf(whole), keyOf(whole), utf8.encode('another')]), encodeAs(customerSignal, whole), headers)
    }
    const good = { key: keyOf(signal), value: encodeAs(customerSignal, signal) }
    sent.push(good)
    return record(good.key, good.value, headers)
  })
}
