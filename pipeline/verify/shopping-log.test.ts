import { afterAll, beforeAll, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { behaviors } from '../../schemas/behavior-batch.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import type { EventRow } from '../../schemas/tables/events.ts'
import type { Store } from '../ports/store.ts'
import { fill, insertRows, madeEvents, openTestStore } from './hand-made.ts'
import { findCut } from './plan.ts'
import { sampleBuckets, settingParams, userParams, type Scope } from './scope.ts'
import { madeShoppingLog, readShoppingLog, realShoppingLog, type ShoppingLogRow } from './shopping-log-sample.ts'
import { shoppingLogTable, shoppingLogTierChanges } from './shopping-log.sql.ts'
import { tierChanges } from './tiers.ts'

const priceMinor = 19_900

let store: Store
beforeAll(async () => {
  store = await openTestStore([...tables, shoppingLogTable])
})
afterAll(() => store.close())

async function fromRows(rows: readonly ShoppingLogRow[]): Promise<Record<string, unknown>[]> {
  await store.command(`TRUNCATE TABLE ${shoppingLogTable.name}`)
  await insertRows(store, shoppingLogTable, rows)
  return store.query(shoppingLogTierChanges(shoppingLogTable.name), { zone: defaultSettings.zone, price_minor: priceMinor })
}

/** The events that the rows stand for, as `import` maps them: one record for all of a user's rows of one second. */
function eventsOf(rows: readonly ShoppingLogRow[]): EventRow[] {
  const seen = new Set<number>()
  let last = ''
  return madeEvents(
    rows
      .toSorted((a, b) => a.at_s - b.at_s || a.user - b.user)
      .flatMap(({ user, item, behavior, at_s: at }) => {
        const named = { pv: ['impression', 'click'], cart: ['like'], fav: ['like'], buy: ['purchase'] }[behavior]!
        const all = seen.has(user) ? named : ['register', ...named]
        seen.add(user)
        return all.map((name) => {
          const record = `${user} ${at}`
          const sameRecord = record === last
          last = record
          return {
            behavior: behaviors.find((one) => one === name)!,
            clock_at: at * 1000,
            user_id: String(user),
            content_id: String(item),
            amount_minor: name === 'purchase' ? priceMinor : null,
            sameRecord,
          }
        })
      }),
  )
}

async function fromEvents(rows: readonly ShoppingLogRow[]): Promise<Record<string, unknown>[]> {
  await fill(store, { events: eventsOf(rows) })
  const users = { kind: 'stretch', from: '', to: undefined, share: sampleBuckets } as const
  const scope: Scope = { users, cut: await findCut(store), rowsPerUser: Infinity }
  return store.query(`SELECT user_id, from_tier, to_tier, as_of_ms FROM (${tierChanges(scope)}) ORDER BY user_id, as_of_ms, from_tier`, {
    ...settingParams(defaultSettings),
    ...userParams(users),
  })
}

test('the first row registers, a purchase pays, the third day makes active', async () => {
  const day = 86_400
  const start = Date.UTC(2017, 10, 24, 16) / 1000 // midnight in Shanghai
  const row = (user: number, at: number, behavior = 'pv') => ({ user, item: 1, category: 1, behavior, at_s: start + at })
  const rows = [
    row(2, 5 * day), row(2, 0), row(2, 4 * day), // not in order
    row(1, 100, 'buy'), row(1, 100),
    row(3, 10), row(3, 20, 'cart'), row(3, 30, 'buy'),
  ] // prettier-ignore
  expect(await fromRows(rows)).toEqual([
    { user_id: '1', from_tier: 'prospect', to_tier: 'paying', as_of_ms: (start + 100) * 1000 },
    { user_id: '2', from_tier: 'prospect', to_tier: 'new', as_of_ms: start * 1000 },
    { user_id: '2', from_tier: 'new', to_tier: 'active', as_of_ms: (start + 5 * day) * 1000 },
    { user_id: '3', from_tier: 'prospect', to_tier: 'new', as_of_ms: (start + 10) * 1000 },
    { user_id: '3', from_tier: 'new', to_tier: 'paying', as_of_ms: (start + 30) * 1000 },
  ])
})

test('rows and the events that they stand for give the same tier changes, demotions among them', async () => {
  let seed = 7
  const random = () => ((seed = (Math.imul(seed, 48_271) >>> 0) % 2_147_483_647) - 1) / 2_147_483_646
  const rows = madeShoppingLog(random, 40, 30, Date.UTC(2017, 10, 20) / 1000, 80)
  const expected = await fromRows(rows)
  expect(expected.length).toBeGreaterThan(80)
  expect(expected.some((change) => change['from_tier'] === 'active' && change['to_tier'] === 'new')).toBe(true)
  expect(await fromEvents(rows)).toEqual(expected)
})

test.skipIf(realShoppingLog === undefined)(
  'the real shopping log: the same from its rows and from its events (REELPULSE_SHOPPING_LOG names the file)',
  async () => {
    const rows = readShoppingLog(realShoppingLog!)
    const expected = await fromRows(rows)
    expect(expected).toHaveLength(269)
    expect(eventsOf(rows)).toHaveLength(19_160)
    expect(await fromEvents(rows)).toEqual(expected)
  },
)
