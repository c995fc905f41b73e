import { afterAll, beforeAll, expect, test } from 'vitest'
import { catalogue, catalogueNames } from '../../operators/kpi/catalogue.ts'
import { dailyQueries } from '../../operators/kpi/daily.ts'
import { naiveDaily } from '../../operators/naive/kpi-daily.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { zone } from '../../operators/time/zone.ts'
import * as field from '../../schemas/field.ts'
import { encodeRows } from '../../schemas/row-binary.ts'
import { table } from '../../schemas/table.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { eventsTable, type EventRow } from '../../schemas/tables/events.ts'
import type { Store } from '../ports/store.ts'
import { insertRows, madeEvents, openTestStore } from './hand-made.ts'
import { nastyBlocks } from './nasty-blocks.ts'

/** What the queries over signals read, in the form of the contract's second input. */
const signalsTable = table({
  name: 'customer_signals',
  record: field.fieldTable('Signal', {
    kind: field.word(), user_id: field.nullable(field.string()), channel: field.nullable(field.string()),
    score: field.nullable(field.int32()), seconds: field.nullable(field.int32()), severity: field.nullable(field.string()), amount_minor: field.nullable(field.int64()),
  }), // prettier-ignore
  engine: { kind: 'append' },
  orderBy: ['kind'],
  partitionBy: 'tuple()',
})

let store: Store
beforeAll(async () => {
  store = await openTestStore([...tables, signalsTable])
})
afterAll(() => store.close())

async function asked(events: readonly EventRow[], zoneName: string): Promise<Record<string, unknown[]>> {
  await store.command('TRUNCATE TABLE events')
  await insertRows(store, eventsTable, events)
  const found: Record<string, unknown[]> = {}
  for (const { name, figures, sql } of dailyQueries) {
    const rows = await store.query<Record<string, unknown>>(sql, { zone: zoneName })
    found[name] = rows.map((row) => Object.fromEntries(['day', ...figures].map((column) => [column, row[column]])))
  }
  return found
}

test.each([1, 2, 3, 4, 5, 6])('the figures of a day are those of the naive twin on a nasty log (SEED=%i)', async (seed) => {
  const { log, blocks } = nastyBlocks(seed, 300)
  const events = blocks.flatMap((block) => block.events)
  const naive = naiveDaily(events, zone(log.settings.zone))
  expect(naive.months.length).toBeGreaterThan(3)
  expect(await asked(events, log.settings.zone)).toEqual(naive)
})

const day = 86_400_000
/** 9:00 on 1 June 2026 in Shanghai. */
const morning = Date.parse('2026-06-01T09:00:00+08:00')
const shanghai = zone('Asia/Shanghai')

test('lives of a hundred days, with registrations, purchases, searches and days off', async () => {
  let seed = 11
  const below = (n: number) => (seed = (Math.imul(seed, 48_271) >>> 0) % 2_147_483_647) % n
  const made = Array.from({ length: 60 }, (_, user) => {
    const from = below(60)
    return Array.from({ length: 1 + below(40) }, (_, i) => ({
      user_id: `user ${user}`,
      clock_at: morning + (from + (i === 0 ? 0 : below(70))) * day + below(10 * 3_600_000),
      behavior:
        i === 0 && user % 4 > 0 ? ('register' as const) : (['play', 'search', 'follow', 'purchase', 'purchase'] as const)[below(5)]!,
      amount_minor: 100 * (1 + below(500)),
    }))
  }).flat()
  const events = madeEvents(made.toSorted((a, b) => a.clock_at - b.clock_at))
  const naive = naiveDaily(events, shanghai)
  const total = (figure: string, rows: readonly object[]) =>
    rows.reduce((sum: number, row) => sum + ((row as Record<string, number | null>)[figure] ?? 0), 0)
  for (const { name, figures } of dailyQueries) for (const figure of figures) expect(total(figure, naive[name]), figure).toBeGreaterThan(0)
  expect(await asked(events, defaultSettings.zone)).toEqual(naive)
})

test('retention is known once the day is over, by the clock', async () => {
  const events = madeEvents([
    { clock_at: morning, behavior: 'register' },
    { clock_at: morning, behavior: 'register', user_id: 'bob' },
    { clock_at: morning + day, behavior: 'play' },
  ])
  const today = shanghai.dayOf(morning)
  const notYet = Object.fromEntries([2, 3, 4, 5, 6, 7, 14, 21, 30].map((after) => [`retained_d${after}`, null]))
  const cohort = { day: today, registrants: 2, ...notYet, converted_30d: null, spend_minor: 0 }
  expect((await asked(events, 'Asia/Shanghai'))['cohorts']).toEqual([{ ...cohort, retained_d1: null }])
  const later = madeEvents([{ clock_at: morning + 2 * day, behavior: 'play', user_id: 'eve' }]).map((event) => ({ ...event, offset: 9 }))
  expect((await asked([...events, ...later], 'Asia/Shanghai'))['cohorts']).toEqual([{ ...cohort, retained_d1: 1 }])
})

test('what is counted of signals can be asked, and is what the answers say', async () => {
  const none = { user_id: null, channel: null, score: null, seconds: null, severity: null, amount_minor: null }
  const rows = [
    ...[10, 9, 9, 7, 6, 0].map((score) => ({ ...none, kind: 'nps_response', score })),
    ...[5, 4].map((score) => ({ ...none, kind: 'service_rating', score })),
    ...[100, 200, 60].map((seconds) => ({ ...none, kind: 'service_reply', seconds })),
    ...['severe', 'minor', null].map((severity) => ({ ...none, kind: 'content_report', severity })),
    { ...none, kind: 'cost', amount_minor: 700 },
  ]
  await store.insert({
    table: signalsTable.name,
    columns: Object.keys(signalsTable.record.fields),
    rows: encodeRows(signalsTable.record, rows),
    token: 'signals',
  })
  const figures: Record<string, number[]> = {}
  for (const name of catalogueNames) {
    const { numerator, denominator } = catalogue[name]
    for (const term of denominator === null ? [numerator] : [numerator, denominator])
      if ('signals' in term) {
        const [row] = await store.query<{ value: number }>(`SELECT ${term.signals} AS value FROM customer_signals`)
        figures[name] = [...(figures[name] ?? []), row!.value]
      }
  }
  expect(figures).toEqual({
    net_promoter_score: [100, 6], recommendation_rate: [3, 6], severe_violations: [1], service_score: [9, 2], service_response_s: [360, 3],
    complaint_rate: [3], return_on_investment: [700], acquisition_cost: [700],
  }) // prettier-ignore
})
