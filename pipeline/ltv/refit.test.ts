// The refit command and what it reads: SQL over events against histories in memory, stored once, and a file.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { births, customerFigures, type History } from '../../operators/ltv/histories.ts'
import { draw } from '../../operators/testing/draw-customers.ts'
import { zone as zoneNamed } from '../../operators/time/zone.ts'
import { views } from '../../operators/views.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import type { EventRow } from '../../schemas/tables/events.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { exitFinding, exitGood, exitUsage } from '../cli/command.ts'
import type { Store } from '../ports/store.ts'
import { fill, madeEvents } from '../verify/hand-made.ts'
import { cdnowSample, readCdnowSample } from './cdnow-sample.ts'
import { readCustomers } from './customers.ts'

const bin = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
const zone = zoneNamed('Asia/Shanghai')
const hourMs = 3_600_000
const firstDay = Date.UTC(2026, 0, 1) / 86_400_000
const lastDay = firstDay + 69
const asOfMs = zone.startOfDay(lastDay + 1)

/** Of 300 people: some register, some buy, some twice a day, a few before they register; one day is not over yet. */
function madePeople(): { events: EventRow[]; histories: History[] } {
  const random = draw(42)
  const below = (n: number) => Math.floor(random.unit() * n)
  const histories: History[] = []
  const events = Array.from({ length: 300 }, (_, i) => `u${i}`).flatMap((user) => {
    const rate = random.gamma(0.6, 12)
    const registers = random.unit() < 0.9
    const registeredAt = zone.startOfDay(firstDay + below(60)) + below(24) * hourMs
    const purchases = new Map<number, number>()
    const made: { behavior: EventRow['behavior']; clock_at: number; amount_minor: number | null }[] = []
    if (registers) made.push({ behavior: 'register', clock_at: registeredAt, amount_minor: null })
    let at = registeredAt - (random.unit() < 0.05 ? 50 * hourMs : 0)
    for (let n = 0; n < 12; n++) {
      at += random.unit() < 0.2 ? hourMs : Math.round(random.exponential(rate) * 86_400_000)
      if (at > asOfMs + 12 * hourMs) break
      const amount = 100 + below(5) * 1_000
      made.push({ behavior: 'purchase', clock_at: at, amount_minor: amount })
      if (at < asOfMs) purchases.set(zone.dayOf(at), (purchases.get(zone.dayOf(at)) ?? 0) + amount)
    }
    histories.push({ registeredDay: registers ? zone.dayOf(registeredAt) : undefined, purchases })
    return made.map((event) => ({ ...event, user_id: user }))
  })
  const end = { behavior: 'play' as const, clock_at: asOfMs + 13 * hourMs, amount_minor: null, user_id: 'u0' }
  return { events: madeEvents([...events, end].toSorted((one, other) => one.clock_at - other.clock_at)), histories }
}

const { events, histories } = madePeople()
let dataDir: string
let engine: EmbeddedEngine
let store: Store

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-ltv-'))
  engine = await openEmbeddedEngine({ dataDir, fsync: 'nothing' })
  store = engine.store('reelpulse')
  await store.migrate(tables, views)
  await fill(store, { events })
  const alone = engine.store('reelpulse_lone')
  await alone.migrate(tables, views)
  await fill(alone, { events: madeEvents([{ behavior: 'register', clock_at: asOfMs + hourMs }]) })
})
afterAll(async () => {
  await engine?.close()
  rmSync(dataDir, { recursive: true })
})

async function reelpulse(...words: string[]) {
  const child = spawn(process.execPath, [bin, ...words])
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, lines: Buffer.concat(out).toString().trimEnd().split('\n'), err: Buffer.concat(err).toString() }
}

test.each(births)('figures from SQL are those from histories in memory: from %s on', async (birth) => {
  for (const through of [lastDay, lastDay - 30]) {
    const before = histories.map(({ registeredDay, purchases }) => ({
      registeredDay: registeredDay !== undefined && registeredDay <= through ? registeredDay : undefined,
      purchases: new Map([...purchases].filter(([day]) => day <= through)),
    }))
    const expected = customerFigures(before, birth, through)
    expect(expected.groups.length).toBeGreaterThan(50)
    expect(expected.groups.some(({ recency, frequency }) => recency === 0 && frequency > 0)).toBe(birth === 'registration')
    expect(expected.unregistered > 0).toBe(birth === 'registration')
    expect(await readCustomers(store, { birth, asOfMs: zone.startOfDay(through + 1), lastDay: through, zone: zone.name })).toEqual(expected)
  }
})

test('a fit is stored once, whenever and however often it is made, and the view shows it', async () => {
  const first = await reelpulse('refit', '--data', dataDir, '--json')
  expect({ code: first.code, err: first.err }).toEqual({ code: exitGood, err: 'stored in ltv_models and ltv_cohorts\n' })
  const figures = JSON.parse(first.lines.at(-1)!) as {
    model_id: string
    customers: number
    cohorts: object[]
    r: number
    value_minor_each: number
  }
  expect(figures).toMatchObject({ as_of: new Date(asOfMs).toISOString(), birth: 'registration', purchases: 'bg_nbd', converged: true })
  expect(first.lines[0]).toContain(`${figures.customers} customers through 2026-03-11, from their registration on`)

  const again = await reelpulse('refit', '--data', dataDir, '--through', '2026-03-11', '--json')
  expect({ code: again.code, err: again.err }).toEqual({ code: exitGood, err: 'this very fit is stored already\n' })
  expect(JSON.parse(again.lines.at(-1)!)).toEqual({ ...figures, stored: false })

  const models = await store.query<{ id: string; r: number }>('SELECT toString(model_id) AS id, r FROM ltv_models')
  expect(models).toEqual([{ id: figures.model_id, r: figures.r }])
  const seen = await store.query<{ customers: number; value: number; horizon_days: number }>(
    'SELECT sum(ltv.customers) AS customers, sum(value_minor * ltv.customers) / sum(ltv.customers) AS value, any(horizon_days) AS horizon_days FROM ltv',
  )
  expect(seen).toMatchObject([{ customers: figures.customers, horizon_days: 365 }])
  expect(seen[0]!.value).toBeCloseTo(figures.value_minor_each, 6)
  expect(await store.query('SELECT count() AS n FROM ltv_cohorts')).toEqual([{ n: figures.cohorts.length }])
})

test('a later fit stands beside an earlier one, and the view shows the later', async () => {
  const earlier = await reelpulse('refit', '--data', dataDir, '--through', '2026-03-01')
  expect(earlier.code).toBe(exitGood)
  expect(await store.query('SELECT count() AS n, countIf(model_id IN (SELECT model_id FROM ltv)) AS shown FROM ltv_models')).toEqual([
    { n: 2, shown: 1 },
  ])
  expect(await store.query('SELECT DISTINCT toUnixTimestamp64Milli(as_of) AS at FROM ltv')).toEqual([{ at: asOfMs }])
})

test('too few customers: that is said and stored, exit 1', async () => {
  const { code, lines } = await reelpulse('refit', '--data', dataDir, '--topic', 'lone')
  expect(code).toBe(exitFinding)
  expect(lines.join('\n')).toContain('nothing can be predicted, for there are no customers')
  const alone = engine.store('reelpulse_lone')
  expect(await alone.query("SELECT purchases, because != '' AS told FROM ltv_models")).toEqual([{ purchases: 'none', told: 1 }])
})

test.each([
  ['a day that is not over', ['--through', '2026-03-12'], '2026-03-11 is the last day it has'],
  ['no day', ['--through', '2026-02-30'], '--through: got "2026-02-30", wants a day such as 2026-03-31'],
  ['registrations of a file', ['--csv', bin, '--birth', 'registration'], 'a file has no registrations'],
  ['no file', ['--csv', '/nowhere.csv'], '/nowhere.csv is no file'],
  ['a file without the columns', ['--csv', bin], 'the header lacks customer, day, amount'],
])('%s: exit 2, and why', async (_, words, why) => {
  const { code, err } = await reelpulse('refit', '--data', dataDir, ...words)
  expect({ code, err }).toEqual({ code: exitUsage, err: expect.stringContaining(why) })
})

test('a file: bad rows are named and left out, the others count', async () => {
  const file = join(dataDir, 'purchases.csv')
  const good = Array.from({ length: 40 }, (_, i) => `c${i},2026-01-${10 + (i % 9)},10.50\nc${i},2026-02-${10 + (i % 7)},${20 + (i % 5)}`)
  writeFileSync(file, ['customer,day,amount', ...good, 'c1,2026-02-30,5', 'c2,2026-01-05,-3', ',2026-01-05,3'].join('\n'))
  const { code, lines, err } = await reelpulse('refit', '--csv', file, '--json')
  expect(err.match(/line 8\d: .*: left out/g)).toHaveLength(3)
  expect(err).toContain('day "2026-02-30", want one such as 2026-03-31')
  const figures = JSON.parse(lines.at(-1)!) as Record<string, unknown>
  expect(figures).toMatchObject({ customers: 40, repeat_buyers: 40, stored: false })
  // All bought once again and no more: a fit there is, but what it cannot tell is named.
  expect(code).toBe(exitGood)
  expect(figures['at_edge']).toEqual(expect.arrayContaining(['r', 'alpha']))
  expect(lines.join('\n')).toContain('; no best r, alpha')
})

describe.skipIf(cdnowSample === undefined)('the CDNOW sample as a file (REELPULSE_CDNOW_SAMPLE names it)', () => {
  test('comes to the published parameters', async () => {
    const file = join(dataDir, 'cdnow.csv')
    const rows = readCdnowSample(cdnowSample!).map(({ customer, day, amount }) => `${customer},${day},${amount}`)
    writeFileSync(file, ['customer,day,amount', ...rows].join('\n'))
    const { code, lines } = await reelpulse('refit', '--csv', file, '--through', '1997-09-30', '--horizon-days', '273')
    expect(code).toBe(exitGood)
    expect(lines.slice(0, 3)).toEqual([
      '2,357 customers through 1997-09-30, from their first purchase on; 946 of them have bought again',
      'purchases: BG/NBD r 0.243, alpha 4.414 weeks, a 0.793, b 2.426; log-likelihood -9582.4',
      'amounts: Gamma-Gamma p 6.250, q 3.744, gamma 15.444; log-likelihood -8412.4',
    ])
  })
})
