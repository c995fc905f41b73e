import { describe, expect, test } from 'vitest'
import type { Behavior } from '../../schemas/behavior-batch.ts'
import { zone } from '../time/zone.ts'
import type { AcceptedEvent } from './accepted.ts'
import { naiveAffinity, naiveTopCategories } from './affinity.ts'
import { naiveLifetime } from './lifetime.ts'
import { naiveRfm, naiveTierFacts, naiveTierHistory, rungAfterRecord, rungAtEvaluation, tierOf } from './tier.ts'

const shanghai = zone('Asia/Shanghai')
const dayMs = 86_400_000
/** A time of June 2026 in Shanghai. */
const at = (text: string) => Date.parse(`2026-06-${text}+08:00`)

let offset = 0
const event = (behavior: Behavior, eventAt: number, changes: Partial<AcceptedEvent> = {}): AcceptedEvent => ({
  offset: offset++,
  ordinal: 0,
  clockAt: eventAt,
  eventAt,
  day: shanghai.dayOf(eventAt),
  eventId: '',
  behavior,
  category: null,
  watchMs: null,
  durationMs: null,
  amountMinor: behavior === 'purchase' ? 19_900 : null,
  platform: 'ios',
  channel: 'ad',
  region: 'CN-31',
  appVersion: '8.0.0',
  ...changes,
})

describe('lifetime', () => {
  test('first, last, registered and last purchase are min and max of t, in whatever order events come', () => {
    const events = [
      event('like', at('10T12:00:00')),
      event('register', at('12T12:00:00')),
      event('purchase', at('09T12:00:00'), { clockAt: at('12T12:00:00') }),
      event('register', at('11T12:00:00'), { clockAt: at('13T12:00:00') }),
      event('purchase', at('08T12:00:00'), { clockAt: at('13T12:00:00'), amountMinor: 5 }),
    ]
    expect(naiveLifetime(events, shanghai, at('14T00:00:00'))).toMatchObject({
      first_seen_at: at('08T12:00:00'),
      registered_at: at('11T12:00:00'),
      last_seen_at: at('12T12:00:00'),
      last_purchase_at: at('09T12:00:00'),
      purchases: 2,
      amount_minor: 19_905,
    })
    expect(naiveLifetime(events.slice(0, 1), shanghai, at('14T00:00:00'))).toMatchObject({ registered_at: null, last_purchase_at: null })
  })

  test('platform, channel, region and app_version are of the last accepted event in the log, not in time', () => {
    const late = event('like', at('01T00:00:00'), { clockAt: at('10T12:00:01'), platform: 'web', region: 'other' })
    const events = [event('like', at('10T12:00:00')), late]
    expect(naiveLifetime(events, shanghai, at('11T00:00:00'))).toMatchObject({ platform: 'web', channel: 'ad', region: 'other' })
  })

  test('"the last n days at A" are the day of A − 1 ms and the n − 1 before', () => {
    const events = Array.from({ length: 40 }, (_, i) => event('like', at('01T00:00:00') - 10 * dayMs + i * dayMs))
    // The midnight that begins the 15th: its day is the 14th still.
    expect(naiveLifetime(events, shanghai, at('15T00:00:00'))).toMatchObject({ active_days_7d: 7, active_days_30d: 24 })
    const [one] = [event('like', at('08T00:00:00'))]
    expect(naiveLifetime([one], shanghai, at('15T00:00:00'))).toMatchObject({ active_days_7d: 1 })
    expect(naiveLifetime([one], shanghai, at('15T00:00:00') + 1)).toMatchObject({ active_days_7d: 0, active_days_30d: 1 })
  })

  test('days are of the zone', () => {
    // Half past seven in the evening of the 14th UTC is the 15th in Shanghai.
    const events = [event('like', at('14T23:59:59.999')), event('like', at('15T00:00:00')), event('like', at('15T07:00:00'))]
    expect(naiveLifetime(events, shanghai, at('15T12:00:00'))).toMatchObject({ active_days_7d: 2 })
  })

  test('a day, its purchases and their amount are kept for 90 days', () => {
    const events = [
      event('purchase', at('15T10:00:00') - 89 * dayMs),
      event('purchase', at('15T10:00:00') - 89 * dayMs, { amountMinor: 1 }),
      event('purchase', at('15T10:00:00') - 90 * dayMs),
      event('purchase', at('15T09:00:00')),
    ]
    expect(naiveLifetime(events, shanghai, at('15T12:00:00'))).toMatchObject({
      purchases: 4,
      amount_minor: 59_701,
      purchase_days_90d: 2,
      purchases_90d: 3,
      amount_minor_90d: 39_801,
    })
  })
})

describe('category affinity', () => {
  const t = at('15T12:00:00')
  const of = (events: AcceptedEvent[], asOf: number) => naiveTopCategories(naiveAffinity(events, asOf))

  test('weights: play by the share watched, like 2, comment 3, share 4, follow 3, purchase 8, the rest nothing', () => {
    const one = (behavior: Behavior, changes: Partial<AcceptedEvent> = {}) =>
      naiveAffinity([event(behavior, t, { category: 'art', ...changes })], t + 1).get('art')! * 2 ** (1 / (7 * dayMs))
    expect(one('like')).toBeCloseTo(2, 12)
    expect(one('comment')).toBeCloseTo(3, 12)
    expect(one('share')).toBeCloseTo(4, 12)
    expect(one('follow')).toBeCloseTo(3, 12)
    expect(one('purchase')).toBeCloseTo(8, 12)
    expect(one('play', { watchMs: 250, durationMs: 1_000 })).toBeCloseTo(0.25, 12)
    expect(one('play', { watchMs: 2_500, durationMs: 1_000 })).toBeCloseTo(1, 12)
    expect(one('click')).toBe(0)
    expect(one('session_start')).toBe(0)
  })

  test('halves in 7 days, and adds up', () => {
    const events = [event('like', t, { category: 'art' }), event('share', t + 7 * dayMs, { category: 'art' })]
    expect(of(events, t + 14 * dayMs)).toEqual([{ category: 'art', affinity: 2 / 4 + 4 / 2 }])
  })

  test('a category of no weight is not in the row, nor is a null one', () => {
    const events = [
      event('click', t, { category: 'art' }),
      event('play', t, { category: 'cars', watchMs: 0, durationMs: 9 }),
      event('like', t),
    ]
    expect(of(events, t + 1)).toEqual([])
  })

  test('the top five, ties by category name', () => {
    const likes = (category: string, count: number) => Array.from({ length: count }, () => event('like', t, { category }))
    const events = [likes('f', 1), likes('e', 1), likes('d', 1), likes('c', 1), likes('b', 1), likes('a', 1), likes('z', 2)].flat()
    expect(of(events, t + 1).map(({ category }) => category)).toEqual(['z', 'a', 'b', 'c', 'd'])
  })
})

describe('tiers', () => {
  const register = event('register', at('01T10:00:00'))
  const tiersOf = (events: AcceptedEvent[], until: number) =>
    naiveTierHistory(events, shanghai, until).map(({ asOf, from, to }) => [
      tierOf(from),
      tierOf(to),
      new Date(asOf + 8 * 3_600_000).toISOString().slice(0, 10),
    ])

  test('active on a day = at least one accepted event with t on it', () => {
    const events = [register, event('like', at('01T23:59:59.999')), event('like', at('02T00:00:00')), event('like', at('07T12:00:00'))]
    expect(naiveTierFacts(events, shanghai, at('07T12:00:01'))).toMatchObject({ activeDays7: 3, activeDays30: 3 })
    expect(naiveTierFacts(events, shanghai, at('08T00:00:01'))).toMatchObject({ activeDays7: 2, activeDays30: 3 })
  })

  test('a promotion is immediate, and each rung is reached by its rule', () => {
    const events = [
      register,
      event('like', at('02T10:00:00')),
      event('like', at('03T10:00:00')),
      event('purchase', at('04T10:00:00'), { amountMinor: 60_000 }),
      event('purchase', at('05T10:00:00'), { amountMinor: 30_000 }),
      event('purchase', at('06T10:00:00'), { amountMinor: 10_000 }),
      event('like', at('07T10:00:00')),
      event('like', at('08T10:00:00')),
    ]
    expect(tiersOf(events, at('09T00:00:00'))).toEqual([
      ['prospect', 'new', '2026-06-01'],
      ['new', 'active', '2026-06-03'],
      ['active', 'paying', '2026-06-04'],
      ['paying', 'loyal', '2026-06-08'],
    ])
  })

  test('a promotion is immediate, only the monthly evaluation demotes', () => {
    const events = [register, event('like', at('02T10:00:00')), event('like', at('03T10:00:00')), event('like', at('25T10:00:00'))]
    expect(tiersOf(events, at('30T23:59:59'))).toEqual([
      ['prospect', 'new', '2026-06-01'],
      ['new', 'active', '2026-06-03'],
    ])
    expect(tiersOf(events, at('30T00:00:00') + dayMs).at(-1)).toEqual(['active', 'new', '2026-07-01'])
  })

  test('a user can rise again after an evaluation', () => {
    const late = [1, 2, 3].map((day) => event('like', at('30T12:00:00') + day * dayMs))
    const events = [register, event('like', at('02T10:00:00')), event('like', at('03T10:00:00')), ...late]
    expect(tiersOf(events, at('30T00:00:00') + 9 * dayMs).slice(2)).toEqual([
      ['active', 'new', '2026-07-01'],
      ['new', 'active', '2026-07-03'],
    ])
  })

  test('the evaluation is by events with clock_at before it', () => {
    const midnight = at('30T00:00:00') + dayMs
    const events = [register, event('purchase', at('29T10:00:00'), { clockAt: midnight })]
    expect(rungAtEvaluation(events, shanghai, midnight)).toBe(1)
    expect(rungAtEvaluation([register, event('purchase', at('29T10:00:00'), { clockAt: midnight - 1 })], shanghai, midnight)).toBe(3)
  })

  test('a record cannot demote', () => {
    expect(rungAfterRecord(4, [register], shanghai, register.clockAt)).toBe(4)
  })

  test('purchases before registration count once registered', () => {
    const events = [event('purchase', at('01T09:00:00')), event('register', at('01T10:00:00'))]
    expect(tiersOf(events.slice(0, 1), at('02T00:00:00'))).toEqual([])
    expect(tiersOf(events, at('02T00:00:00'))).toEqual([['prospect', 'paying', '2026-06-01']])
  })

  test('RFM: days since the last purchase, purchases and spend in 90 days', () => {
    const asOf = at('15T12:00:00')
    expect(naiveRfm([register], shanghai, asOf)).toEqual({ recency_score: 1, frequency_score: 1, monetary_score: 1 })
    const bought = [event('purchase', at('11T23:59:59')), event('purchase', at('12T00:00:00'))]
    expect(naiveRfm(bought, shanghai, asOf)).toEqual({ recency_score: 5, frequency_score: 2, monetary_score: 2 })
    expect(naiveRfm(bought.slice(0, 1), shanghai, asOf)).toEqual({ recency_score: 4, frequency_score: 1, monetary_score: 2 })
    // At the very midnight, the last day is the one that ends.
    expect(naiveRfm(bought.slice(0, 1), shanghai, at('15T00:00:00'))).toMatchObject({ recency_score: 5 })
    expect(naiveRfm(bought, shanghai, asOf + 90 * dayMs)).toEqual({ recency_score: 1, frequency_score: 1, monetary_score: 1 })
  })
})
