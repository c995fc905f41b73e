import { afterAll, beforeAll, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import type { EventRow } from '../../schemas/tables/events.ts'
import type { Store } from '../ports/store.ts'
import { fill, madeEvents, openTestStore } from './hand-made.ts'
import { findCut } from './plan.ts'
import { sampleBuckets, settingParams, userParams, type Scope } from './scope.ts'
import { tierChanges, tiersFrom } from './tiers.ts'

const [hour, day] = [3_600_000, 86_400_000] as const
/** 00:00 of a day of 2026 in Shanghai. */
const local = (month: number, date: number) => Date.UTC(2026, month - 1, date) - 8 * hour

let store: Store
beforeAll(async () => {
  store = await openTestStore(tables)
})
afterAll(() => store.close())

async function recomputed(events: readonly EventRow[], clockAt: number, relation = tierChanges) {
  await fill(store, { events, clockAt })
  const users = { kind: 'stretch', from: '', to: undefined, share: sampleBuckets } as const
  const scope: Scope = { users, cut: await findCut(store), rowsPerUser: Infinity }
  return store.query<Record<string, unknown>>(`SELECT * FROM (${relation(scope)}) ORDER BY ALL`, {
    ...settingParams(defaultSettings),
    ...userParams(users),
  })
}
const moves = (rows: readonly Record<string, unknown>[]) => rows.map((row) => [row['from_tier'], row['to_tier'], row['as_of_ms']])

test('a record with register and purchase makes one change', async () => {
  const at = local(3, 10) + hour
  const rows = await recomputed(
    madeEvents([
      { behavior: 'click', clock_at: at - hour },
      { behavior: 'register', clock_at: at },
      { behavior: 'purchase', amount_minor: 19_900, clock_at: at, sameRecord: true },
    ]),
    at + day,
  )
  expect(rows).toEqual([
    {
      user_id: 'ann',
      as_of_ms: at,
      from_tier: 'prospect',
      to_tier: 'paying',
      recency_score: 5,
      frequency_score: 1,
      monetary_score: 2,
    },
  ])
})

test('two records at one clock make two changes', async () => {
  const at = local(3, 10)
  const rows = await recomputed(
    madeEvents([
      { behavior: 'register', clock_at: at },
      { behavior: 'purchase', amount_minor: 1, clock_at: at },
    ]),
    at,
  )
  expect(moves(rows)).toEqual([
    ['new', 'paying', at],
    ['prospect', 'new', at],
  ])
})

test('who is not registered stays prospect, whatever they do', async () => {
  const rows = await recomputed(
    madeEvents([1, 2, 3, 4].map((date) => ({ behavior: 'purchase', amount_minor: 90_000, clock_at: local(3, date) }))),
    local(5, 1),
  )
  expect(rows).toEqual([])
})

test('the third active day of seven promotes, in days of the zone', async () => {
  const rows = await recomputed(
    madeEvents([
      { behavior: 'register', clock_at: local(3, 1) },
      { clock_at: local(3, 7) - 1, t: local(3, 6) },
      { clock_at: local(3, 8) - 1 }, // the 7th: only the 1st, 6th and 7th are active
      { clock_at: local(3, 8) },
    ]),
    local(3, 9),
  )
  expect(moves(rows)).toEqual([
    ['prospect', 'new', local(3, 1)],
    ['new', 'active', local(3, 8) - 1],
  ])
  const later = await recomputed(
    madeEvents([
      { behavior: 'register', clock_at: local(3, 1) },
      { clock_at: local(3, 7) },
      { clock_at: local(3, 8) }, // the 1st is no longer among the last seven
      { clock_at: local(3, 9) },
    ]),
    local(3, 9),
  )
  expect(moves(later)).toEqual([
    ['prospect', 'new', local(3, 1)],
    ['new', 'active', local(3, 9)],
  ])
})

test('a late event counts on the day of its own time', async () => {
  const at = local(3, 20)
  const rows = await recomputed(
    madeEvents([
      { behavior: 'register', clock_at: at },
      { clock_at: at + hour, t: at - day },
      { clock_at: at + 2 * hour, t: at - 2 * day },
    ]),
    at + day,
  )
  expect(moves(rows)).toEqual([
    ['prospect', 'new', at],
    ['new', 'active', at + 2 * hour],
  ])
})

/** Purchases on three days that come to `spend`, and activity on eight days in all. */
const loyalist = (spend: number) =>
  madeEvents([
    { behavior: 'register', clock_at: local(3, 1) },
    ...[2, 3, 4, 5].map((date) => ({ clock_at: local(3, date) })),
    { behavior: 'purchase', amount_minor: 50_000, clock_at: local(3, 6) },
    { behavior: 'purchase', amount_minor: 49_000, clock_at: local(3, 7) },
    { behavior: 'purchase', amount_minor: spend - 99_000, clock_at: local(3, 8) },
  ] as const)

test('loyal needs purchases on three days, spend and activity together', async () => {
  expect(moves(await recomputed(loyalist(100_000), local(3, 9)))).toContainEqual(['paying', 'loyal', local(3, 8)])
  expect(moves(await recomputed(loyalist(99_999), local(3, 9)))).not.toContainEqual(['paying', 'loyal', local(3, 8)])
  const lessActive = loyalist(100_000).filter((event) => event.clock_at !== local(3, 2))
  expect(moves(await recomputed(lessActive, local(3, 9)))).not.toContainEqual(['paying', 'loyal', local(3, 8)])
})

test('only the first of a month demotes, by what holds then; the next record promotes again', async () => {
  const events = madeEvents([
    { behavior: 'register', clock_at: local(3, 1) },
    { behavior: 'purchase', amount_minor: 19_900, clock_at: local(3, 1) + hour }, // no longer among 30 days on 31 March
    { behavior: 'purchase', amount_minor: 19_900, clock_at: local(4, 1) }, // not before the evaluation
  ])
  const rows = await recomputed(events, local(4, 2))
  expect(moves(rows)).toEqual([
    ['prospect', 'new', local(3, 1)],
    ['new', 'paying', local(3, 1) + hour],
    ['new', 'paying', local(4, 1)],
    ['paying', 'new', local(4, 1)],
  ])
  const demotion = rows.find((row) => row['from_tier'] === 'paying')
  expect(demotion).toMatchObject({ recency_score: 2, frequency_score: 1, monetary_score: 2 })
})

test('a purchase among the last thirty days at the evaluation keeps the tier a month more', async () => {
  const events = madeEvents([
    { behavior: 'register', clock_at: local(3, 1) },
    { behavior: 'purchase', amount_minor: 19_900, clock_at: local(3, 2) },
  ])
  const rows = await recomputed(events, local(6, 1))
  expect(moves(rows)).toContainEqual(['paying', 'new', local(5, 1)])
  expect(rows).toHaveLength(3)
})

test('an evaluation is due once the clock reaches it, not before', async () => {
  const events = madeEvents([
    { behavior: 'register', clock_at: local(1, 5) },
    { behavior: 'purchase', amount_minor: 1, clock_at: local(1, 6) },
  ])
  expect(moves(await recomputed(events, local(3, 1) - 1))).not.toContainEqual(['paying', 'new', local(3, 1)])
  expect(moves(await recomputed(events, local(3, 1)))).toContainEqual(['paying', 'new', local(3, 1)])
})

test('a tier holds from its instant on', async () => {
  const events = madeEvents([
    { behavior: 'register', clock_at: local(3, 1) },
    { behavior: 'purchase', amount_minor: 1, clock_at: local(3, 1) },
    { behavior: 'click', clock_at: local(3, 1) + 5 },
  ])
  const rows = await recomputed(events, local(4, 1), tiersFrom)
  expect(rows.map((row) => [row['at_ms'], row['tier']])).toEqual([
    [local(3, 1) + 1, 'paying'],
    [local(3, 1) + 6, 'paying'],
    [local(4, 1), 'new'],
  ])
})
