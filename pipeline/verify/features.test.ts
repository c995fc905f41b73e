import { afterAll, beforeAll, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import type { EventRow } from '../../schemas/tables/events.ts'
import type { Store } from '../ports/store.ts'
import { affinities, features } from './features.ts'
import { emptyFeatures, fill, madeEvents, openTestStore } from './hand-made.ts'
import { sampleBuckets, settingParams, userParams, type Scope } from './scope.ts'

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000] as const
/** A UTC midnight: an edge of every window's tiles. In Shanghai it is 8:00. */
const midnight = Date.UTC(2026, 2, 10)
/** Midnight in Shanghai, between 10 and 11 March. */
const zoneMidnight = midnight + 16 * hour

let store: Store
beforeAll(async () => {
  store = await openTestStore(tables)
})
afterAll(() => store.close())

const scope: Scope = {
  users: { kind: 'stretch', from: '', to: undefined, share: sampleBuckets },
  cut: [{ partition: 0, lastBlock: 0, clockMs: 0, partitions: 0 }],
  rowsPerUser: Infinity,
}

/** Figures by as_of, at the asked instants. */
async function recomputed(relation: (scope: Scope) => string, events: readonly EventRow[], instants: readonly number[]) {
  const users = new Set(events.map((event) => event.user_id))
  await fill(store, {
    events,
    features: [...users].flatMap((user) => instants.map((at) => emptyFeatures(user, at))),
    clockAt: Math.max(...instants),
  })
  const rows = await store.query<Record<string, unknown> & { user_id: string; as_of_ms: number }>(
    `SELECT * FROM (${relation(scope)}) ORDER BY user_id, as_of_ms`,
    { ...settingParams(defaultSettings), ...userParams(scope.users) },
  )
  return rows
}
const columns = (rows: readonly Record<string, unknown>[], names: readonly string[]) => rows.map((row) => names.map((name) => row[name]))

test('an event leaves each window at the end of its tile and the window, to the millisecond', async () => {
  // One click in the last tiles of 9 March, one in the first of 10 March.
  const events = madeEvents([
    { behavior: 'click', clock_at: midnight - 1 },
    { behavior: 'click', clock_at: midnight },
  ])
  const cases = [
    // as_of, clicks in 1 h, 24 h, 7 d, 30 d
    [midnight, 1, 1, 1, 1],
    [midnight + 1, 2, 2, 2, 2],
    [midnight + hour - 1, 2, 2, 2, 2],
    [midnight + hour, 1, 2, 2, 2],
    [midnight + hour + 5 * minute - 1, 1, 2, 2, 2],
    [midnight + hour + 5 * minute, 0, 2, 2, 2],
    [midnight + day - 1, 0, 2, 2, 2],
    [midnight + day, 0, 1, 2, 2],
    [midnight + 25 * hour - 1, 0, 1, 2, 2],
    [midnight + 25 * hour, 0, 0, 2, 2],
    [midnight + 7 * day - 1, 0, 0, 2, 2],
    [midnight + 7 * day, 0, 0, 1, 2],
    [midnight + 7 * day + 6 * hour - 1, 0, 0, 1, 2],
    [midnight + 7 * day + 6 * hour, 0, 0, 0, 2],
    [midnight + 30 * day - 1, 0, 0, 0, 2],
    [midnight + 30 * day, 0, 0, 0, 1],
    [midnight + 31 * day - 1, 0, 0, 0, 1],
    [midnight + 31 * day, 0, 0, 0, 0],
  ] as const
  const rows = await recomputed(features, events, cases.map(([at]) => at)) // prettier-ignore
  expect(columns(rows, ['as_of_ms', 'clicks_1h', 'clicks_24h', 'clicks_7d', 'clicks_30d'])).toEqual(cases)
})

test('a row holds the events that the clock had brought before it, whenever they happened', async () => {
  const clock = midnight + 12 * hour
  const events = madeEvents([
    { behavior: 'like', clock_at: clock, t: clock - 2 * hour },
    { behavior: 'like', clock_at: clock, t: clock - 55 * minute, sameRecord: true },
    { behavior: 'share', clock_at: clock + second, t: clock - 3 * day },
  ])
  const rows = await recomputed(features, events, [clock + 1, clock + second, clock + second + 1])
  expect(columns(rows, ['likes_1h', 'likes_24h', 'shares_24h', 'shares_7d'])).toEqual([
    [1, 2, 0, 0],
    [1, 2, 0, 0],
    [1, 2, 0, 1],
  ])
})

test('a wrong device clock cancels out, and nothing happens after it was received', async () => {
  const clock = midnight + 12 * hour
  const future = Date.UTC(2100, 0)
  const events = madeEvents([
    // Seven minutes before it was sent, by a clock that is decades ahead.
    { behavior: 'click', clock_at: clock, occurred_at: future - 7 * minute, sent_at: future },
    // Occurred after it was sent: at the instant of arrival.
    { behavior: 'like', clock_at: clock, occurred_at: future, sent_at: clock },
    // Spooled for a day by the collector.
    { behavior: 'share', clock_at: clock, received_at: clock - day },
    // The record's timestamp is behind the clock.
    { behavior: 'comment', clock_at: clock, record_at: clock - 2 * hour },
  ])
  const rows = await recomputed(features, events, [clock + 1, clock + 53 * minute, clock + hour + 5 * minute])
  expect(columns(rows, ['clicks_1h', 'likes_1h', 'shares_1h', 'shares_24h', 'comments_1h', 'comments_24h'])).toEqual([
    [1, 1, 0, 1, 0, 1],
    [1, 1, 0, 1, 0, 1],
    [0, 0, 0, 0, 0, 1],
  ])
  expect(columns(rows.slice(0, 1), ['first_seen_at', 'last_seen_at'])).toEqual([[clock - day, clock]])
})

test('a play is complete from nine tenths on; only plays are watched and only purchases are spent', async () => {
  const at = midnight + hour
  const play = { behavior: 'play', clock_at: at } as const
  const events = madeEvents([
    { ...play, watch_ms: 9_000, duration_ms: 10_000 },
    { ...play, watch_ms: 8_999, duration_ms: 10_000 },
    { ...play, watch_ms: 0, duration_ms: 1 },
    { ...play, watch_ms: 2_147_483_647, duration_ms: 2_147_483_647 },
    { behavior: 'like', clock_at: at, watch_ms: 77, duration_ms: 1, amount_minor: 5 },
    { behavior: 'purchase', clock_at: at, amount_minor: 10_000_000_000, watch_ms: 5 },
    { behavior: 'purchase', clock_at: at, amount_minor: 1 },
  ])
  const rows = await recomputed(features, events, [at + 1])
  expect(columns(rows, ['plays_1h', 'completes_1h', 'watch_ms_1h', 'amount_minor_1h', 'amount_minor', 'purchases'])).toEqual([
    [4, 2, 2_147_501_646, 10_000_000_001, 10_000_000_001, 2],
  ])
})

test('days are those of the zone, and the last one is that of a millisecond before the row', async () => {
  const events = madeEvents([
    { behavior: 'purchase', amount_minor: 19_900, clock_at: zoneMidnight - 1 },
    { behavior: 'purchase', amount_minor: 100, clock_at: zoneMidnight },
  ])
  const names = ['active_days_7d', 'active_days_30d', 'purchase_days_90d', 'purchases_90d', 'amount_minor_90d', 'recency_score']
  const cases = [
    [zoneMidnight, [1, 1, 1, 1, 19_900, 5]],
    [zoneMidnight + 1, [2, 2, 2, 2, 20_000, 5]],
    [zoneMidnight + 6 * day, [2, 2, 2, 2, 20_000, 4]], // the 16th: five days after the 11th
    [zoneMidnight + 6 * day + 1, [1, 2, 2, 2, 20_000, 4]], // the 17th: the 10th is no longer among the last seven
    [zoneMidnight + 7 * day + 1, [0, 2, 2, 2, 20_000, 4]], // the 18th
    [zoneMidnight + 8 * day, [0, 2, 2, 2, 20_000, 4]], // seven days after
    [zoneMidnight + 8 * day + 1, [0, 2, 2, 2, 20_000, 3]],
    [zoneMidnight + 29 * day + 1, [0, 1, 2, 2, 20_000, 2]],
    [zoneMidnight + 89 * day, [0, 0, 2, 2, 20_000, 1]],
    [zoneMidnight + 89 * day + 1, [0, 0, 1, 1, 100, 1]],
    [zoneMidnight + 90 * day + 1, [0, 0, 0, 0, 0, 1]],
  ] as const
  const rows = await recomputed(features, events, cases.map(([at]) => at)) // prettier-ignore
  expect(columns(rows, names)).toEqual(cases.map(([, figures]) => figures))
})

test('RFM scores go by the bounds of the catalogue; without a purchase all are 1', async () => {
  const at = midnight + 12 * hour
  const buys = (count: number, amount: number) =>
    Array.from({ length: count }, () => ({ behavior: 'purchase', amount_minor: amount, clock_at: at, user_id: `bought ${count}` }) as const)
  const events = madeEvents([
    { clock_at: at, user_id: 'bought 0' },
    ...buys(1, 9_999),
    ...buys(2, 5_000),
    ...buys(3, 20_000),
    ...buys(5, 20_000),
    ...buys(10, 20_000),
  ])
  const rows = await recomputed(features, events, [at + 1])
  expect(columns(rows, ['user_id', 'recency_score', 'frequency_score', 'monetary_score'])).toEqual([
    ['bought 0', 1, 1, 1],
    ['bought 1', 5, 1, 1],
    ['bought 10', 5, 5, 5],
    ['bought 2', 5, 2, 2],
    ['bought 3', 5, 3, 3],
    ['bought 5', 5, 4, 4],
  ])
})

test('what a user is on comes from the last event of the log, through the lists; times are the least and greatest', async () => {
  const events = madeEvents([
    { behavior: 'register', clock_at: midnight, t: midnight - hour },
    { behavior: 'register', clock_at: midnight + 2 * hour, t: midnight - 2 * hour },
    { behavior: 'purchase', amount_minor: 5, clock_at: midnight + 3 * hour },
    {
      behavior: 'purchase',
      amount_minor: 6,
      clock_at: midnight + 4 * hour,
      t: midnight - day,
      platform: 'web',
      channel: 'a stranger',
      region: 'CN-11',
      app_version: '0.0.1',
    },
  ])
  const rows = await recomputed(features, events, [midnight + 1, midnight + 5 * hour])
  expect(columns(rows, ['platform', 'channel', 'region', 'app_version'])).toEqual([
    ['ios', 'organic', 'CN-31', '8.0.0'],
    ['web', 'other', 'CN-11', 'other'],
  ])
  expect(columns(rows, ['first_seen_at', 'registered_at', 'last_seen_at', 'last_purchase_at'])).toEqual([
    [midnight - hour, midnight - hour, midnight - hour, null],
    [midnight - day, midnight - 2 * hour, midnight + 3 * hour, midnight + 3 * hour],
  ])
})

test('affinity halves in seven days; categories outside the list count as other, none as nothing', async () => {
  const at = midnight + 20 * day
  const events = madeEvents([
    { behavior: 'share', category: 'music', clock_at: at - 14 * day }, // 4 → 1
    { behavior: 'play', category: 'dance', watch_ms: 5_000, duration_ms: 10_000, clock_at: at - 7 * day }, // ½ → ¼
    { behavior: 'play', category: 'comedy', watch_ms: 0, duration_ms: 10_000, clock_at: at - 7 * day }, // 0: not there
    { behavior: 'like', category: null, clock_at: at - 7 * day },
    { behavior: 'click', category: 'travel', clock_at: at - 7 * day }, // says nothing
    { behavior: 'comment', category: 'a stranger', clock_at: at - 7 * day }, // 3 → 1½
    { behavior: 'play', category: 'another', watch_ms: 30_000, duration_ms: 10_000, clock_at: at - 7 * day }, // 1 → ½
    { behavior: 'like', category: 'food', clock_at: at - 7 * day }, // 2 → 1
    { behavior: 'purchase', amount_minor: 1, category: 'art', clock_at: at - 7 * day }, // 8 → 4
    { behavior: 'follow', category: 'art', clock_at: at, t: at - 14 * day }, // 3 → ¾, not before its clock
  ])
  const rows = await recomputed(affinities, events, [at, at + 1])
  expect(columns(rows.slice(0, 1), ['categories', 'affinities'])).toEqual([
    [
      ['art', 'other', 'food', 'music', 'dance'],
      [4, 2, 1, 1, 0.25],
    ],
  ])
  expect((rows[1]!['affinities'] as number[])[0]).toBeCloseTo(4.75, 6)
})
