import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { featureNames } from '../../schemas/measures.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { eventsTable, type EventRow } from '../../schemas/tables/events.ts'
import type { TierChangeRow } from '../../schemas/tables/tier-changes.ts'
import type { UserFeaturesRow } from '../../schemas/tables/user-features.ts'
import type { Store } from '../ports/store.ts'
import { compareFeatures, type Comparison } from './compare.ts'
import { anyId, clockRow, emptyFeatures, fill, insertRows, madeChange, madeEvents, openTestStore, type Made } from './hand-made.ts'
import { findCut } from './plan.ts'
import { lastLine, renderReport } from './render.ts'
import { sampleBuckets, settingParams, userParams, type Scope } from './scope.ts'
import { verify } from './verify.ts'

const [second, hour, day] = [1_000, 3_600_000, 86_400_000] as const
/** 8:00 in Shanghai, on an edge of every window's tiles. */
const midnight = Date.UTC(2026, 2, 10)

let store: Store
beforeAll(async () => {
  store = await openTestStore(tables)
})
afterAll(() => store.close())

// Hand-made rows stand without their KPI sums; those are compared by twins.test.ts and kpis.test.ts.
const everything = { everything: true, users: undefined, rows: 1, kpis: false } as const
const check = () => verify(store, defaultSettings, everything)

/** A life of one record: a user registers, plays, likes and buys at 9:00 and is looked at three seconds later. */
const at = midnight + hour
const events = (user: string): EventRow[] =>
  madeEvents(
    [
      { behavior: 'register', clock_at: at, t: at - 2 * second },
      { behavior: 'play', clock_at: at, t: at - second, watch_ms: 9_500, duration_ms: 10_000, category: 'music', sameRecord: true },
      { behavior: 'like', clock_at: at, category: 'music', sameRecord: true },
      { behavior: 'purchase', clock_at: at, amount_minor: 19_900, category: 'food', sameRecord: true },
    ],
    { user_id: user },
  )
const asOf = at + 3 * second
const halved = (age: number) => 2 ** (-age / (7 * day))
const row = (user: string): UserFeaturesRow => {
  const once = { registers: 1, plays: 1, likes: 1, purchases: 1, completes: 1, watch_ms: 9_500, amount_minor: 19_900 }
  const sums = Object.fromEntries(featureNames.map((name) => [name, once[name.slice(0, name.lastIndexOf('_')) as keyof typeof once] ?? 0]))
  return {
    ...emptyFeatures(user, asOf),
    ...sums,
    tier: 'paying',
    platform: 'ios',
    channel: 'organic',
    region: 'CN-31',
    app_version: '8.0.0',
    first_seen_at: at - 2 * second,
    registered_at: at - 2 * second,
    last_seen_at: at,
    last_purchase_at: at,
    purchases: 1,
    amount_minor: 19_900,
    active_days_7d: 1,
    active_days_30d: 1,
    purchase_days_90d: 1,
    purchases_90d: 1,
    amount_minor_90d: 19_900,
    recency_score: 5,
    frequency_score: 1,
    monetary_score: 2,
    top_categories: ['food', 'music'],
    top_affinities: [8 * halved(3 * second), 2 * halved(3 * second) + 0.95 * halved(4 * second)],
  }
}
const change = (user: string): TierChangeRow =>
  madeChange({ user_id: user, from: 'prospect', to: 'paying', as_of: at, recency_score: 5, frequency_score: 1, monetary_score: 2 })

const life = (user = 'ann'): Made => ({ events: events(user), features: [row(user)], changes: [change(user)], clockAt: asOf })

test('rows that say what the events say do not differ', async () => {
  await fill(store, life())
  const report = await check()
  expect(report).toMatchObject({ rowsCompared: 2, rowsDiffer: 0, findings: [], sampled: false, users: 1, events: 4, openRows: 0 })
  expect(renderReport('reelpulse', report)).toContain('each once')
  expect(lastLine(report.rowsCompared, report.rowsDiffer)).toBe('2 rows compared, 0 differ')
})

/** Every column but those that place a row (block, user, instant), with a value a little wrong. */
const wrongColumns = Object.keys(row('')).filter(
  (column) => !['partition', 'first_offset', 'part', 'block_at', 'as_of', 'operator_version', 'user_id'].includes(column),
) as (keyof UserFeaturesRow)[]
const wrong: Partial<UserFeaturesRow> = {
  tier: 'loyal',
  platform: 'web',
  channel: 'other',
  region: 'CN-32',
  app_version: '8.0.1',
  top_categories: ['music', 'food'],
  top_affinities: [8 * halved(3 * second) * (1 + 2e-9), 2 * halved(3 * second) + 0.95 * halved(4 * second)],
}

test('a wrong value is found in every column, and only there', async () => {
  const users = wrongColumns.map((column) => `wrong ${column}`)
  await fill(store, {
    events: users.flatMap((user, i) => events(user).map((event) => ({ ...event, offset: i }))),
    features: wrongColumns.map((column, i) => {
      const right = row(users[i]!)
      return { ...right, [column]: wrong[column] ?? Number(right[column] ?? 0) + 1 }
    }),
    changes: users.map(change),
    clockAt: asOf,
  })
  const scope: Scope = {
    users: { kind: 'stretch', from: '', to: undefined, share: sampleBuckets },
    cut: await findCut(store),
    rowsPerUser: Infinity,
  }
  const params = { ...settingParams(defaultSettings), ...userParams(scope.users) }
  const [comparison] = await store.query<Comparison>(compareFeatures(scope, 1_000), params)
  expect(comparison).toMatchObject({ compared: wrongColumns.length, differing: wrongColumns.length })
  const found = Object.fromEntries(comparison!.examples.map(([user, , differences]) => [user, differences.map(([column]) => column)]))
  const affinity = 'top_categories, top_affinities'
  expect(found).toEqual(Object.fromEntries(wrongColumns.map((column, i) => [users[i], [column.startsWith('top_') ? affinity : column]])))
  const report = await check()
  expect(report.rowsDiffer).toBe(wrongColumns.length)
  expect(report.findings).toEqual([])
})

test('top categories: their order, their number and their values', async () => {
  const liked = (category: string, t: number) => ({ behavior: 'like', category, clock_at: at, t, sameRecord: true }) as const
  const seven = (user: string) =>
    madeEvents(
      [
        { clock_at: at },
        ...['pets', 'art', 'food', 'news', 'film', 'cars'].map((category) => liked(category, at)),
        liked('home', at - second),
      ],
      { user_id: user },
    )
  const near = 2 * halved(3 * second)
  const right = ['art', 'cars', 'film', 'food', 'news']
  const cases: [user: string, categories: string[], affinities: number[], isRight: boolean][] = [
    ['in order of name where they are equal', right, [near, near, near, near, near], true],
    ['within a billionth', right, [near, near, near, near, near * (1 - 5e-10)], true],
    ['out of order', ['cars', 'art', 'film', 'food', 'news'], [near, near, near, near, near], false],
    ['one twice', ['art', 'art', 'film', 'food', 'news'], [near, near, near, near, near], false],
    ['one that is not there', ['art', 'cars', 'film', 'food', 'dance'], [near, near, near, near, near], false],
    [
      'a smaller one instead of a greater',
      ['art', 'cars', 'film', 'food', 'home'],
      [near, near, near, near, 2 * halved(4 * second)],
      false,
    ],
    ['too few', right.slice(0, 4), [near, near, near, near], false],
    ['too many', [...right, 'pets'], [near, near, near, near, near, near], false],
    ['more names than values', right, [near, near, near, near], false],
    ['none', [], [], false],
  ]
  await fill(store, {
    events: cases.flatMap(([user], i) => seven(user).map((event) => ({ ...event, offset: i }))),
    features: cases.map(([user, top_categories, top_affinities]) => ({
      ...emptyFeatures(user, asOf), platform: 'ios', channel: 'organic', region: 'CN-31', app_version: '8.0.0',
      likes_1h: 7, likes_24h: 7, likes_7d: 7, likes_30d: 7, session_starts_1h: 1, session_starts_24h: 1, session_starts_7d: 1, session_starts_30d: 1,
      first_seen_at: at - second, last_seen_at: at, active_days_7d: 1, active_days_30d: 1, recency_score: 1, frequency_score: 1, monetary_score: 1,
      top_categories, top_affinities,
    })),
    clockAt: asOf,
  }) // prettier-ignore
  const { featureRows } = await check()
  expect(featureRows.compared).toBe(cases.length)
  const found = featureRows.examples.map(([user]) => user).toSorted()
  expect(found).toEqual(cases.filter(([, , , isRight]) => !isRight).map(([user]) => user).toSorted()) // prettier-ignore
})

test('a change of tier that is missing, doubled, surplus or wrong in any column is found', async () => {
  type Case = [user: string, changes: (right: TierChangeRow) => TierChangeRow[], compared: number, differ: number]
  const cases: Case[] = [
    ['missing', () => [], 1, 1],
    ['twice', (right) => [right, right], 1, 1],
    ['not due', (right) => [right, { ...right, from: 'paying', to: 'new' }], 2, 1],
    ['of another user', (right) => [{ ...right, user_id: 'bob' }], 2, 2],
    ['from another tier', (right) => [{ ...right, from: 'new' }], 2, 2],
    ['to another tier', (right) => [{ ...right, to: 'loyal' }], 2, 2],
    ['as of another instant', (right) => [{ ...right, as_of: at + 1 }], 2, 2],
    ['another recency', (right) => [{ ...right, recency_score: 4 }], 1, 1],
    ['another frequency', (right) => [{ ...right, frequency_score: 2 }], 1, 1],
    ['another spend', (right) => [{ ...right, monetary_score: 1 }], 1, 1],
    ['right', (right) => [right], 1, 0],
  ]
  await fill(store, {
    events: cases.flatMap(([user], i) => events(user).map((event) => ({ ...event, offset: i }))),
    features: cases.map(([user]) => row(user)),
    changes: cases.flatMap(([user, changes]) => changes(change(user))),
    clockAt: asOf,
  })
  const { tierChangeRows } = await check()
  const sum = (of: (one: Case) => number) => cases.reduce((total, one) => total + of(one), 0)
  expect(tierChangeRows).toMatchObject({ compared: sum(([, , compared]) => compared), differing: sum(([, , , differ]) => differ) })
  const found = new Set(tierChangeRows.examples.map(([user]) => (user === 'bob' ? 'of another user' : user)))
  expect(found).toEqual(new Set(cases.filter(([, , , differ]) => differ > 0).map(([user]) => user)))
})

describe('events', () => {
  const [register, play, like, purchase] = events('ann') as [EventRow, EventRow, EventRow, EventRow]
  const moved = (event: EventRow, by: Partial<EventRow>) => ({ ...event, ...by })
  test.each<[string, EventRow[], string]>([
    ['one row twice', [register, play, like, purchase, like], 'events twice'],
    ['an event id twice', [register, play, like, purchase, moved(like, { ordinal: 9 })], 'event ids twice'],
    ['a time that is not the corrected one', [register, moved(play, { event_at: at }), like, purchase], 'events'],
    ['a clock before the record', [register, play, like, moved(purchase, { record_at: at + 1, received_at: at })], 'events'],
    ['two clocks in one record', [register, play, like, moved(purchase, { clock_at: at + 1 })], 'clocks'],
    ['two users in one record', [register, play, like, moved(purchase, { user_id: 'bob' })], 'clocks'],
    ['a clock that falls', [register, play, like, moved(purchase, { offset: 1, clock_at: at - 1, record_at: at - 1, received_at: at - 1, event_at: at - 1 })], 'clocks'], // prettier-ignore
    [
      'one that was too old',
      [moved(register, { event_at: at - 30 * day - 1, occurred_at: at - 30 * day - 1 }), play, like, purchase],
      'events',
    ],
    ['a play without its length', [register, moved(play, { duration_ms: null }), like, purchase], 'events'],
    ['a purchase in another currency', [register, play, like, moved(purchase, { currency: 'USD' })], 'events'],
    ['a purchase of too much', [register, play, like, moved(purchase, { amount_minor: 1e10 + 1 })], 'events'],
    ['a like of nothing', [register, play, moved(like, { content_id: '' }), purchase], 'events'],
  ])('%s: found', async (_, changed, name) => {
    await fill(store, { ...life(), events: changed })
    const report = await check()
    expect(report.findings.map((finding) => finding.check)).toContain(name)
    expect(report.rowsDiffer).toBeGreaterThan(0)
    expect(renderReport('reelpulse', report)).toContain(`${name}: 1 found`)
  })

  test('an event less makes its rows differ', async () => {
    await fill(store, { ...life(), events: [register, play, purchase] })
    const report = await check()
    expect(report.featureRows).toMatchObject({ compared: 1, differing: 1 })
    expect(report.featureRows.examples[0]?.[2].map(([column]) => column)).toEqual([
      'likes_1h', 'likes_24h', 'likes_7d', 'likes_30d', 'top_categories, top_affinities',
    ]) // prettier-ignore
    expect(renderReport('reelpulse', report)).toContain('likes_1h stored 1, recomputed 0')
  })

  test('an id may come again once its time is over: 25 hours, 745 after a purchase', async () => {
    const id = anyId()
    const again = (behavior: EventRow['behavior'], hours: number, of: EventRow['behavior'] = 'like') =>
      madeEvents(
        [
          { behavior, clock_at: at, event_id: id, amount_minor: 1, currency: 'CNY' },
          { behavior: of, clock_at: at + hours * hour, event_id: id },
        ],
        { user_id: 'ann' },
      )
    const found = async (made: EventRow[]) => {
      await fill(store, { events: made })
      return (await check()).findings.some((finding) => finding.check === 'event ids twice')
    }
    expect(await found(again('like', 24))).toBe(true)
    expect(await found(again('like', 25))).toBe(false)
    expect(await found(again('purchase', 744))).toBe(true)
    expect(await found(again('purchase', 745))).toBe(false)
    expect(await found(again('register', 25))).toBe(true)
  })
})

describe('user_features', () => {
  test('a row of a user without events differs', async () => {
    await fill(store, { ...life(), features: [row('ann'), row('bob')] })
    const report = await check()
    expect(report.featureRows).toMatchObject({ compared: 2, differing: 1 })
    expect(report.featureRows.examples[0]?.[0]).toBe('bob')
  })

  test('a row twice is found', async () => {
    await fill(store, { ...life(), features: [row('ann'), row('ann')] })
    expect((await check()).findings).toMatchObject([{ check: 'user_features twice', findings: 1 }])
  })

  test('a row ahead of the clock is found', async () => {
    await fill(store, { ...life(), clockAt: asOf - 1 })
    expect((await check()).findings).toMatchObject([{ check: 'rows before their time', findings: 1 }])
  })

  test('a user without a row, once the interval has ended, is found', async () => {
    // The interval of 9:00:00 ends at 9:00:05.
    await fill(store, { ...life(), features: [], clockAt: at + 5 * second - 1 })
    expect((await check()).findings).toEqual([])
    await fill(store, { ...life(), features: [], clockAt: at + 5 * second })
    expect((await check()).findings).toMatchObject([{ check: 'user_features missing', findings: 1 }])
  })

  test('a row that is missing when a tile leaves a window is found', async () => {
    // The tiles of 8:55 leave the hour at 10:00, and up to 59 seconds later their row is due.
    await fill(store, { ...life(), clockAt: midnight + 2 * hour - 1 })
    expect((await check()).findings).toEqual([])
    await fill(store, { ...life(), clockAt: midnight + 2 * hour + 60 * second })
    expect((await check()).findings).toMatchObject([{ check: 'user_features missing', findings: 1 }])
    const without = await verify(store, { ...defaultSettings, decayRows: false }, everything)
    expect(without.findings).toEqual([])
  })
})

test('a block that is still being inserted is left out', async () => {
  await fill(store, life())
  const open = events('bob').map((event) => ({ ...event, offset: 7, first_offset: 7, block_at: Date.now() }))
  await insertRows(store, eventsTable, open)
  expect(await check()).toMatchObject({ rowsCompared: 2, rowsDiffer: 0, events: 4, openRows: 4 })
})

test('a block whose clock row has expired is looked at', async () => {
  await fill(store, life())
  await store.command('TRUNCATE TABLE kpi_deltas')
  const later = events('bob').map((event) => ({ ...event, offset: 7, first_offset: 7, block_at: asOf }))
  await insertRows(store, eventsTable, later)
  expect(await check()).toMatchObject({ events: 8, openRows: 0 })
})

test('a sample holds the hottest users, the newest rows and the latest arrivals', async () => {
  const hotId = `h'o\\t\n\t"{x:String}😀`
  const users = Array.from({ length: 3_000 }, (_, i) => `user ${i}`)
  const made = users.flatMap((user, i) => events(user).map((event) => ({ ...event, offset: i })))
  const hot = madeEvents(Array.from({ length: 100 }, (_, i) => ({ clock_at: at + i })), { user_id: hotId }) // prettier-ignore
  const late = madeEvents([{ clock_at: at + 200, t: at - 20 * day }], { user_id: 'late' })
  const newest = madeEvents([{ clock_at: at + 201 }], { user_id: 'newest' })
  const moved = [...hot, ...late, ...newest].map((event, i) => ({ ...event, offset: 5_000 + i }))
  await fill(store, {
    events: [...made, ...moved],
    features: [...users.map(row), emptyFeatures(hotId, asOf), emptyFeatures('late', asOf), emptyFeatures('newest', asOf + second)],
    changes: users.map(change),
    clockAt: asOf + second,
  })
  const report = await verify(store, defaultSettings, { everything: false, users: 100, rows: 1, kpis: false })
  expect(report.sampled).toBe(true)
  expect(report.featureRows.differing).toBe(3)
  expect(report.featureRows.examples.map(([user]) => user).toSorted()).toEqual([hotId, 'late', 'newest'])
  expect(report.featureRows.compared).toBeGreaterThan(60)
  expect(report.featureRows.compared).toBeLessThan(300)
})

test('a store without events has nothing to compare', async () => {
  await fill(store, { clockAt: at })
  expect(await check()).toMatchObject({ rowsCompared: 0, rowsDiffer: 0, users: 0 })
})

test('two partitions have their own clocks', async () => {
  await fill(store, life())
  const bob = events('bob').map((event) => ({ ...event, partition: 3, clock_at: at - day, record_at: at - day, received_at: at - day, event_at: event.event_at - day, occurred_at: event.occurred_at - day, sent_at: at - day, block_at: at - day })) // prettier-ignore
  await insertRows(store, eventsTable, bob)
  await insertRows(store, (await import('../../schemas/tables/kpi-deltas.ts')).kpiDeltasTable, [clockRow(at - day, 0, 3)])
  const cut = await findCut(store)
  // The clock rows may have expired by now, and with them how many partitions there are.
  expect(cut).toMatchObject([
    { partition: 0, lastBlock: 0, clockMs: asOf },
    { partition: 3, lastBlock: 0, clockMs: at - day },
  ])
  // Bob's change is missing; his row is not due yet by his own partition's clock.
  expect(await check()).toMatchObject({ rowsCompared: 3, rowsDiffer: 1, findings: [] })
})
