import { expect, test } from 'vitest'
import { cadenceOf } from '../../../operators/detect/cadence.ts'
import { dailyKpis, type DailyKpi } from '../../../operators/kpi/daily-rows.ts'
import { dailyFigures as figuresOfDay, type DailyFigure } from '../../../operators/kpi/daily.ts'
import { naiveDaily } from '../../../operators/naive/kpi-daily.ts'
import { seeded } from '../../../operators/testing/seeded.ts'
import { zone } from '../../../operators/time/zone.ts'
import { eventsTable, type EventRow } from '../../../schemas/tables/events.ts'
import type { Store } from '../../ports/store.ts'
import { embeddedEngine } from '../../testing/embedded-parts.ts'
import { insertRows, madeEvents } from '../../verify/hand-made.ts'
import { dailyFigures, readDailyReached } from './daily-figures.ts'
import { deltaWriter } from './hand-made.ts'

const { newStore } = await embeddedEngine('daily-figures', { fsync: 'nothing' })
const shanghai = zone('Asia/Shanghai')
const latenessMs = 120_000
const dayMs = 86_400_000
const cadence = cadenceOf('day', shanghai)
const closing = { grain: 'day', cadence, latenessMs } as const
/** Midnight in Shanghai, of late, for the tables forget. */
const start = cadence.startOf(Date.now() - 45 * dayMs)
const days = 40

/** Forty days of fifty users, of whom some register, search, follow, buy; a tenth of the events come up to two days late. */
function madeLog(seed: number): EventRow[] {
  const random = seeded(seed)
  const below = (n: number) => Math.floor(random() * n)
  const made = Array.from({ length: 2_000 }, () => {
    const user = below(50)
    const clock = start + below(days * dayMs)
    const behavior = (['play', 'play', 'search', 'follow', 'purchase', 'register'] as const)[below(6)]!
    return {
      user_id: `user ${user}`, clock_at: clock, t: Math.max(start, clock - (below(10) === 0 ? below(2 * dayMs) : 0)), behavior,
      amount_minor: 100 * (1 + below(500)),
    } // prettier-ignore
  })
  return madeEvents(made.toSorted((a, b) => a.clock_at - b.clock_at))
}

async function storeOf(events: readonly EventRow[]): Promise<Store> {
  const store = await newStore()
  await insertRows(store, eventsTable, events)
  // What tells that there are days at all.
  await deltaWriter(store, 1)([
    { partition: 0, blockAt: start + days * dayMs, cells: [{ grain: 'day', bucketAt: start, dimension: 'all', value: '', sums: { events: 1 } }] },
  ]) // prettier-ignore
  return store
}

type Line = {
  name: string; at: number; known: number; numerator: number; denominator: number | null; first_known: number; numerator_first: number
  denominator_first: number | null
} // prettier-ignore

const linesOf = (store: Store) =>
  store.query<Line>(
    `SELECT name, toUnixTimestamp64Milli(bucket_at) AS at, toUnixTimestamp64Milli(known_at) AS known, numerator, denominator,
     toUnixTimestamp64Milli(first_known_at) AS first_known, numerator_first, denominator_first FROM kpi_daily FINAL WHERE name != '' ORDER BY name, at`,
  )

/** What kpi_daily means: day after day, the naive figures of the events known when it closed; what was said first stays beside them. */
function naiveLines(events: readonly EventRow[], untilMs: number): Line[] {
  const lines = new Map<string, Line>()
  for (let end = cadence.endOf(start); end <= untilMs; end = cadence.endOf(end)) {
    const known = events.filter((event) => event.clock_at < end + latenessMs)
    // Somebody's event on the day after, so that the twin takes the day for over.
    const clock = { ...events[0]!, user_id: 'nobody', behavior: 'play' as const, event_at: start - 400 * dayMs, clock_at: end }
    const naive = naiveDaily([...known, clock], shanghai)
    const byDay = new Map<number, Partial<Record<DailyFigure, number | null>>>()
    for (const rows of Object.values(naive)) for (const row of rows) byDay.set(row.day, { ...byDay.get(row.day), ...row })
    for (const [day, figures] of byDay) {
      const at = [...Array(days).keys()].map((i) => start + i * dayMs).find((one) => shanghai.dayOf(one) === day)
      if (at === undefined || at >= end) continue
      for (const { name, numerator, denominator } of dailyKpis) {
        const above = figures[numerator.figure]
        const below = denominator === undefined ? null : figures[denominator.figure]
        if (above === undefined || above === null || below === undefined) continue
        const now = { numerator: above / numerator.per, denominator: below === null ? null : below / denominator!.per }
        const told = lines.get(`${name} ${at}`) ?? {
          first_known: end + latenessMs,
          numerator_first: now.numerator,
          denominator_first: now.denominator,
        }
        const { first_known, numerator_first, denominator_first } = told
        lines.set(`${name} ${at}`, { name, at, known: end + latenessMs, ...now, first_known, numerator_first, denominator_first })
      }
    }
  }
  return [...lines.values()].toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.at - b.at))
}

async function fill(store: Store, clockMs: number): Promise<number> {
  const figures = dailyFigures(store, closing, 'Asia/Shanghai')
  let runs = 1
  while (await figures.advance(clockMs)) runs++
  return runs
}

test.each([1, 2])(
  'every closed day has the figures of the naive twin, as known at the last close and as first known (SEED=%i)',
  async (seed) => {
    const events = madeLog(seed)
    const store = await storeOf(events)
    const untilMs = start + 31 * dayMs
    expect(await fill(store, untilMs + latenessMs)).toBe(31)
    expect(await readDailyReached(store)).toBe(untilMs)
    const lines = await linesOf(store)
    expect(lines).toEqual(naiveLines(events, untilMs))
    // A late purchase changes what is known, and nothing that was said.
    expect(lines.some((line) => line.numerator !== line.numerator_first)).toBe(true)
    expect(new Set(lines.map(({ name }) => name))).toEqual(new Set(dailyKpis.map(({ name }) => name)))
  },
  120_000,
)

test('a day is not computed before it is closed, and a second detector computes nothing twice', async () => {
  const store = await storeOf(madeLog(3))
  const figures = dailyFigures(store, closing, 'Asia/Shanghai')
  expect(await figures.advance(start + dayMs + latenessMs - 1)).toBe(false)
  expect(await readDailyReached(store)).toBeUndefined()
  expect(await figures.advance(start + dayMs + latenessMs)).toBe(false)
  expect(await readDailyReached(store)).toBe(start + dayMs)
  const other = dailyFigures(store, closing, 'Asia/Shanghai')
  const before = await linesOf(store)
  expect(await other.advance(start + dayMs + latenessMs)).toBe(false)
  expect(await linesOf(store)).toEqual(before)
  expect(before.length).toBeGreaterThan(0)
})

test('it does not matter whether days are computed as they close or all at once, when more has come', async () => {
  const events = madeLog(4)
  const slow = await storeOf(events.filter((event) => event.clock_at < start + 2 * dayMs + latenessMs))
  for (let day = 1; day <= 5; day++) {
    if (day === 3) await insertRows(slow, eventsTable, events.filter((event) => event.clock_at >= start + 2 * dayMs + latenessMs)) // prettier-ignore
    await dailyFigures(slow, closing, 'Asia/Shanghai').advance(start + day * dayMs + latenessMs)
  }
  const fast = await storeOf(events)
  await fill(fast, start + 5 * dayMs + latenessMs)
  expect(await linesOf(fast)).toEqual(await linesOf(slow))
})

test('what is far behind begins a month ago', async () => {
  const store = await storeOf(madeLog(5))
  expect(await fill(store, start + 40 * dayMs + latenessMs)).toBe(31)
})

test('every figure of a day is in a KPI that is kept', () => {
  const used = dailyKpis.flatMap(({ numerator, denominator }: DailyKpi) => [
    numerator.figure,
    ...(denominator === undefined ? [] : [denominator.figure]),
  ])
  expect([...new Set(used)].toSorted()).toEqual([...figuresOfDay].toSorted())
})
