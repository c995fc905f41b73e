import { expect, test } from 'vitest'
import { featureNames } from '../../schemas/measures.ts'
import { renderUser } from './render.ts'

const features = {
  ...Object.fromEntries(featureNames.map((name) => [name, 0])),
  plays_1h: 3,
  plays_24h: 12,
  watch_ms_30d: 1_234_567,
  as_of: '2026-03-01 15:59:55.000',
  operator_version: 1,
  user_id: 'u1',
  tier: 'paying',
  platform: 'ios',
  channel: 'organic',
  region: 'CN-31',
  app_version: '8.5.0',
  first_seen_at: '2026-02-01 00:00:00.000',
  registered_at: null,
  last_seen_at: '2026-03-01 15:59:50.123',
  last_purchase_at: '2026-02-28 16:00:00.000',
  purchases: 2,
  amount_minor: 39_800,
  active_days_7d: 4,
  active_days_30d: 9,
  purchase_days_90d: 1,
  purchases_90d: 2,
  amount_minor_90d: 39_800,
  recency_score: 5,
  frequency_score: 2,
  monetary_score: 2,
  top_categories: ['food', 'music'],
  top_affinities: [8.25, 1],
}

test('a user is shown with instants in the zone, amounts in the currency, and windows side by side', () => {
  const shown = renderUser(
    {
      user_id: 'u1',
      features,
      tier_changes: [{ as_of: '2026-02-28 16:00:00.001', from: 'new', to: 'paying', reason: '1 purchases in the last 30 days (needs 1)' }],
      events: [
        { event_at: '2026-03-01 15:59:50.123', behavior: 'play', content_id: 'c1', category: 'food', watch_ms: 900, duration_ms: 1000, amount_minor: null },
        { event_at: '2026-02-28 16:00:00.000', behavior: 'purchase', content_id: null, watch_ms: null, duration_ms: null, amount_minor: 19_900, currency: 'CNY' },
      ], // prettier-ignore
    },
    { zone: 'Asia/Shanghai', currency: 'CNY' },
  )
  expect(shown).toMatchInlineSnapshot(`
    "user u1   (times in Asia/Shanghai)

      tier          paying   RFM 5-2-2
      as of         2026-03-01 23:59:55   operator version 1
      last seen on  ios · 8.5.0 · organic · CN-31
      first seen    2026-02-01 08:00:00
      registered    –
      last seen     2026-03-01 23:59:50
      last purchase 2026-03-01 00:00:00
      purchases     2, CNY 398.00; in 90 days 2 on 1 days, CNY 398.00
      active days   4 of 7, 9 of 30
      categories    food 8.25, music 1.00

    rolling windows
                1h  24h  7d      30d
      plays      3   12   0        0
      watch_ms   0    0   0  1234567

    tier changes
      2026-03-01 00:00:00  new → paying  1 purchases in the last 30 days (needs 1)

    last events
      2026-03-01 23:59:50  play      watched 900 of 1000 ms · c1 · food
      2026-03-01 00:00:00  purchase  CNY 199.00"
  `)
})

test('a user without a row, in a currency without minor units, is shown too', () => {
  const events = [{ event_at: '2026-02-28 16:00:00.000', behavior: 'purchase', watch_ms: null, amount_minor: 500, currency: 'JPY' }]
  const shown = renderUser({ user_id: 'u2', features: null, tier_changes: [], events }, { zone: 'UTC', currency: 'JPY' })
  expect(shown).toContain('No features row yet')
  expect(shown).toContain('tier changes: none')
  expect(shown).toContain('JPY 500')
})
