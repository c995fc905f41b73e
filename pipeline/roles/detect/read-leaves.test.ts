import { afterAll, beforeAll, expect, test } from 'vitest'
import { windowsOf, type Windows } from '../../../operators/attribution/windows.ts'
import { catalogue, catalogueNames } from '../../../operators/kpi/catalogue.ts'
import { kpiOfEvents, type KpiOfEvents } from '../../../operators/kpi/event-sql.ts'
import { bucketStart, kpiMeasuresOf } from '../../../operators/naive/kpi-deltas.ts'
import { randomOf } from '../../../operators/testing/planted-leaves.ts'
import { zone as zoneNamed } from '../../../operators/time/zone.ts'
import { defaultSettings } from '../../../operators/settings.ts'
import { behaviors } from '../../../schemas/behavior-batch.ts'
import { eventsTable, type EventRow } from '../../../schemas/tables/events.ts'
import type { KpiMeasure } from '../../../schemas/tables/kpi-deltas.ts'
import { insertRows, lastingTables, madeEvents, openTestStore } from '../../verify/hand-made.ts'
import { deltaWriter } from './hand-made.ts'
import {
  leafDimensions,
  leavesSql,
  paramsOf,
  readLeaves,
  type LeafDimension,
  type LeavesAnswer,
  type LeavesQuestion,
} from './read-leaves.ts'

const minute = 60_000
const start = Date.UTC(2026, 2, 1, 0, 0)
const at = (m: number) => start + m * minute
let store: Awaited<ReturnType<typeof openTestStore>>
let events: EventRow[]

/** `o'hare` is listed, `nowhere` and '' are not; `other` is a value of its own, and the one that all unlisted ones count as. */
const channels = ['ad', "o'hare", 'x"); DROP TABLE events; --', 'other', 'nowhere', '']
const categories = ['music', '', 'other', '{values_channel:Array(String)}', 'strange', null]
const listed: Readonly<Record<LeafDimension, readonly string[]>> = {
  platform: ['ios', 'android'],
  channel: channels.slice(0, 3),
  region: ['CN-11', 'CN-12'],
  app_version: ['8.0.0'],
  category: ['music', '{values_channel:Array(String)}'],
  surface: ['feed'],
}
const windows: Windows = windowsOf('firing', 'minute', at(60), at(62))
const knownAt = at(64)

beforeAll(async () => {
  store = await openTestStore(lastingTables)
  const random = randomOf(11)
  const any = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!
  events = madeEvents(
    Array.from({ length: 4_000 }, (_, i): Partial<EventRow> & { clock_at: number; t: number } => {
      const t = at(-2) + Math.floor(random() * 66 * minute)
      const behavior = any([...behaviors, 'play', 'play', 'purchase'] as const)
      return {
        t, behavior, clock_at: t + Math.floor(random() ** 8 * 8 * minute), user_id: `user ${Math.floor(random() * 60)}`, session_id: any(['a', 'b', null]),
        platform: any(['ios', 'android'] as const), channel: any(channels), region: any(['CN-11', 'CN-12']), app_version: any(['8.0.0', '9.9.9']),
        category: any(categories), surface: any(['feed', null, 'elsewhere']), content_id: `c${i}`,
        published_at: any([t - 3 * 86_400_000, t - 9 * 86_400_000, null]),
        ...(behavior === 'play' ? { watch_ms: Math.floor(random() * 20_000), duration_ms: 10_000 } : {}),
        ...(behavior === 'purchase' ? { amount_minor: 1 + Math.floor(random() * 10_000_000) } : {}),
      }
    }),
  ) // prettier-ignore
  await insertRows(store, eventsTable, events)
  const cells = leafDimensions.flatMap((dimension) =>
    listed[dimension].map((value) => ({ dimension, value, bucketAt: at(30), sums: { plays: 1 } })),
  )
  await deltaWriter(store, 1)([{ partition: 0, blockAt: at(31), cells }])
}, 60_000)
afterAll(() => store.close())

const cell = { dimension: 'channel', value: 'ad' } as const
const question = (kpi: KpiOfEvents): LeavesQuestion => ({
  kpi,
  grain: 'minute',
  windows,
  zone: defaultSettings.zone,
  knownAt,
  cell,
  limitMs: 20_000,
})

function counted(answer: LeavesAnswer) {
  if (answer.kind !== 'counted') throw new Error('too many')
  return answer
}

/** By leaf in words and window: numerator and denominator. */
function rowsIn(answer: LeavesAnswer): Map<string, [number, number]> {
  const { counted: got } = counted(answer)
  return new Map(
    [...got.leaf].map((leaf, i) => {
      let rest = leaf
      const values = got.values.map((all) => {
        const value = all[rest % all.length]!
        rest = Math.floor(rest / all.length)
        return value
      })
      return [JSON.stringify([values, got.window[i]]), [got.numerator[i]!, got.denominator?.[i] ?? 0]]
    }),
  )
}

function leafOf(event: EventRow): string[] {
  return leafDimensions.map((name) => {
    const value = event[name]
    return value === null ? '' : listed[name].includes(value) ? value : 'other'
  })
}

/** What each event adds, one by one. */
function naiveRows(measures: readonly [readonly KpiMeasure[], readonly KpiMeasure[]], kpi: KpiOfEvents): Map<string, [number, number]> {
  const zone = zoneNamed(defaultSettings.zone)
  const rows = new Map<string, [number, number]>()
  const seen = new Set<string>()
  const registeredAt = Map.groupBy(
    events.filter(({ behavior, clock_at: clock }) => behavior === 'register' && clock < knownAt),
    ({ user_id: user }) => user,
  )
  for (const event of events) {
    const piece = bucketStart(zone, 'minute', event.event_at)
    const k = Math.floor((at(62) - 1 - event.event_at) / (2 * minute))
    if (k < 0 || k > windows.before || event.clock_at >= knownAt || piece < at(0)) continue
    if (kpi.behaviors !== undefined && !kpi.behaviors.includes(event.behavior)) continue
    const key = JSON.stringify([leafOf(event), k])
    const row = rows.get(key) ?? [0, 0]
    rows.set(key, row)
    const once = (name: string, who: string) => (seen.has(`${key} ${name} ${who}`) ? 0 : (seen.add(`${key} ${name} ${who}`), 1))
    const first = Math.min(...(registeredAt.get(event.user_id) ?? []).map(({ event_at: t }) => t))
    const days = Number.isFinite(first) ? zone.dayOf(event.event_at) - zone.dayOf(first) : -1
    const isFirstWeek = event.behavior === 'play' && days >= 0 && days <= 6
    const sums = kpiMeasuresOf(event)
    for (const [side, of] of measures.entries())
      for (const measure of of) {
        if (measure === 'active_users') row[side]! += once(`${side} ${measure}`, event.user_id)
        else if (measure === 'buyers') row[side]! += event.behavior === 'purchase' ? once(`${side} ${measure}`, event.user_id) : 0
        else if (measure === 'engaged_users')
          row[side]! += ['like', 'comment', 'share', 'follow'].includes(event.behavior) ? once(`${side} ${measure}`, event.user_id) : 0
        else if (measure === 'sessions')
          row[side]! += event.session_id === null ? 0 : once(`${side} ${measure}`, `${event.user_id}/${event.session_id}`)
        else if (measure === 'first_week_plays') row[side]! += isFirstWeek ? 1 : 0
        else if (measure === 'first_week_completes') row[side]! += isFirstWeek ? sums.completes! : 0
        else row[side]! += sums[measure] ?? 0
      }
  }
  return rows
}

const explained = catalogueNames.flatMap((name) => {
  const kpi = kpiOfEvents(name)
  return kpi === undefined ? [] : [[name, kpi] as const]
})

test('every KPI of counted events is explained, but those of what was rejected or late', () => {
  const ofMeasures = catalogueNames.filter((name) => {
    const { numerator, denominator } = catalogue[name]
    return 'measures' in numerator && (denominator === null || 'measures' in denominator)
  })
  const left = ofMeasures.filter((name) => kpiOfEvents(name) === undefined)
  expect(left.toSorted()).toEqual(['late_event_share', 'rejected_share'])
  expect(explained.length).toBeGreaterThan(12)
  expect(kpiOfEvents('no_data')).toBeUndefined()
  expect(kpiOfEvents('toString')).toBeUndefined()
})

test.each(explained)('%s of each leaf and window is what its events come to one by one', async (name, kpi) => {
  const { numerator, denominator } = catalogue[name]
  const of = (term: typeof denominator) => (term !== null && 'measures' in term ? term.measures : [])
  const naive = naiveRows([of(numerator), of(denominator)], kpi)
  expect(naive.size).toBeGreaterThan(100)
  expect(rowsIn(await readLeaves(store, question(kpi)))).toEqual(naive)
})

test('a sum of amounts is counted in what one event weighs', async () => {
  const amounts = events
    .filter(({ event_at: t, clock_at: clock, behavior }) => behavior === 'purchase' && t >= at(0) && t < at(62) && clock < knownAt)
    .map(({ amount_minor: amount }) => amount!)
  const { scale } = counted(await readLeaves(store, question(kpiOfEvents('revenue')!)))
  expect(scale).toBeCloseTo(amounts.reduce((sum, x) => sum + x * x, 0) / amounts.reduce((sum, x) => sum + x, 0), 3)
  expect(counted(await readLeaves(store, question(kpiOfEvents('registrations')!))).scale).toBe(1)
})

test('where leaves are too many less is compared with, then dimensions are left out, but not that of the alert', async () => {
  const kpi = kpiOfEvents('completion_rate')!
  const all = counted(await readLeaves(store, question(kpi)))
  const some = counted(await readLeaves(store, question(kpi), all.counted.leaf.length - 1))
  expect(some.leftOut).toEqual([])
  expect(some.counted.before).toBe(4)
  const fewer = counted(await readLeaves(store, question(kpi), some.counted.leaf.length - 1))
  expect(fewer.leftOut).toEqual(['platform'])
  const another = { ...question(kpi), cell: { dimension: 'platform', value: 'ios' } } as const
  expect(counted(await readLeaves(store, another, some.counted.leaf.length - 1)).leftOut).toEqual(['channel'])
  expect(await readLeaves(store, question(kpi), 5)).toEqual({ kind: 'too_many' })
})

test('months of blocks that end before the windows are not read', async () => {
  const february = madeEvents([{ clock_at: Date.UTC(2026, 1, 10) }])
  await insertRows(store, eventsTable, february)
  const kpi = kpiOfEvents('completion_rate')!
  const known = Object.fromEntries(leafDimensions.map((name) => [name, ['', 'other']])) as unknown as Record<LeafDimension, string[]>
  const plan = await store.query<{ explain: string }>(
    `EXPLAIN indexes = 1 ${leavesSql(kpi, leafDimensions, 20_000)}`,
    paramsOf(question(kpi), known, leafDimensions, 10),
  )
  const lines = plan.map(({ explain }) => explain.trim())
  expect(lines).toContain('Min-Max')
  expect(lines.filter((line) => line.startsWith('Parts: ') && line.includes('/'))[0]).toBe('Parts: 1/3')
})
