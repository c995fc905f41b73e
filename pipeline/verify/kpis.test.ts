import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { naiveKpiDeltas } from '../../operators/naive/kpi-deltas.ts'
import { cadenceOf } from '../../operators/detect/cadence.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { zone } from '../../operators/time/zone.ts'
import { views } from '../../operators/views.ts'
import type { Table } from '../../schemas/table.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { eventsTable } from '../../schemas/tables/events.ts'
import { kpiDeltasTable, kpiMeasures, type KpiDeltaRow, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../ports/store.ts'
import { rollUp } from '../roles/detect/roll-up.ts'
import { fill, insertRows, lastingTables, madeEvents, openTestStore } from './hand-made.ts'
import { renderReport } from './render.ts'
import { verify } from './verify.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore(lastingTables)
})
afterAll(() => store.close())

const at = Date.UTC(2026, 2, 10, 1)
const events = madeEvents(
  [
    { clock_at: at, behavior: 'session_start', session_id: 's' },
    { clock_at: at + 1, behavior: 'play', watch_ms: 95, duration_ms: 100, session_id: 's', category: 'art', surface: 'feed' },
    { clock_at: at + 2, behavior: 'purchase', amount_minor: 500, user_id: 'bob', surface: 'shop' },
    // Too late for its minute, not for its hour.
    { clock_at: at + 3 * 3_600_000, t: at, behavior: 'like', user_id: 'eve' },
  ],
  { operator_version: 2 },
)
const block = { blockAt: at + 3 * 3_600_000, nextOffset: 4, partitionCount: 1, rejectedAts: [] }
const deltas = naiveKpiDeltas(events, defaultSettings, zone(defaultSettings.zone), block, { counted: new Set(), registeredAt: () => null })
  .filter((row) => row.dimension !== 'clock')
  .map((row): KpiDeltaRow => ({ ...row, partition: 0, first_offset: 0, part: 0, block_at: block.blockAt })) // prettier-ignore

beforeEach(() => fill(store, { events, clockAt: block.blockAt }))

async function compared(rows: readonly KpiDeltaRow[]) {
  await insertRows(store, kpiDeltasTable, rows)
  const report = await verify(store, defaultSettings, { everything: true, users: undefined, rows: 1 })
  return { ...report.kpiCells, report }
}

test('sums that say what the events say do not differ', async () => {
  const { compared: cells, differing, days, report } = await compared(deltas)
  expect({ cells, differing, days }).toEqual({ cells: deltas.length, differing: 0, days: 1 })
  expect(renderReport('reelpulse', report)).toContain(`kpi_deltas     ${deltas.length} cells of 1 days compared, 0 differ`)
  expect(deltas.map((row) => row.late_unmarked)).toContain(1)
})

test.each(kpiMeasures)('a wrong %s is found, and only there', async (measure) => {
  const [wrong, ...others] = deltas
  const { differing, examples, report } = await compared([{ ...wrong!, [measure]: wrong![measure] + 1 }, ...others])
  expect(differing).toBe(1)
  expect(examples[0]![2]).toEqual([[measure, String(wrong![measure] + 1), String(wrong![measure])]])
  expect(report.rowsDiffer).toBeGreaterThan(0)
})

test('a cell that is missing, and one that nothing touched, are found', async () => {
  const [first, ...others] = deltas
  const { differing, examples } = await compared([{ ...first!, value: 'nowhere', dimension: 'region' }, ...others])
  expect(differing).toBe(2)
  const said = examples.flatMap(([, , differences]) => differences.filter(([column]) => column === 'rows'))
  expect(said).toHaveLength(2)
  expect(said).toEqual(expect.arrayContaining([['rows', 'missing', 'there'], ['rows', 'there', 'missing']])) // prettier-ignore
})

test('a delta that is there twice is found', async () => {
  expect((await compared([...deltas, deltas[0]!])).differing).toBe(1)
})

test('cells that are rolled up are held against the deltas, as known at close and since', async () => {
  await store.command('TRUNCATE TABLE kpi_cells')
  await insertRows(store, kpiDeltasTable, deltas)
  for (const grain of ['minute', 'hour'] as const) {
    const cadence = cadenceOf(grain, zone(defaultSettings.zone))
    await rollUp(store, { grain, cadence, latenessMs: 120_000 }).advance(block.blockAt)
  }
  const { rolledUp } = await compared([])
  const closed = deltas.filter((row) => row.grain !== 'day' && row.bucket_at < at + 2 * 3_600_000)
  expect(rolledUp).toEqual({ compared: closed.length, differing: 0, examples: [] })

  await store.command(
    "INSERT INTO kpi_cells SELECT * REPLACE (plays_at_close + 1 AS plays_at_close, known_at + toIntervalSecond(1) AS known_at) FROM kpi_cells WHERE grain = 'hour' AND dimension = 'all'",
  )
  const after = await verify(store, defaultSettings, { everything: true, users: undefined, rows: 1 })
  expect(after.kpiCells.rolledUp.differing).toBe(1)
  expect(after.kpiCells.rolledUp.examples[0]![2]).toEqual([['plays_at_close', '2', '1']])
  expect(renderReport('reelpulse', after)).toContain(`kpi_cells      ${closed.length} cells compared with kpi_deltas, 1 differ`)
  await store.command('TRUNCATE TABLE kpi_cells')
})

test('days on which an older version counted less, or whose deltas have gone, are left out', async () => {
  const older = madeEvents([{ clock_at: at + 1, operator_version: 1 }]).map((event) => ({ ...event, offset: 9 }))
  await insertRows(store, eventsTable, older)
  expect(await compared(deltas)).toMatchObject({ compared: 0, days: 0 })
  await store.command('TRUNCATE TABLE kpi_deltas')
  expect(await compared([])).toMatchObject({ compared: 0, days: 0 })
})

test('an event with another tier than its user had is found', async () => {
  await fill(store, { events: events.map((event) => ({ ...event, tier: 'loyal' as const })), clockAt: block.blockAt })
  const { report } = await compared([])
  expect(report.findings).toContainEqual(expect.objectContaining({ check: 'tiers of events', findings: 4 }))
})

test('a table from before the distinct counts gets their columns, and its rows count nobody', async () => {
  const since = kpiMeasures.slice(kpiMeasures.indexOf('fresh_plays')) as readonly string[]
  const fields = Object.fromEntries(Object.entries(kpiDeltasTable.record.fields).filter(([name]) => !since.includes(name)))
  const { ttl: _, ...lasting } = kpiDeltasTable
  const before: Table = { ...lasting, record: { ...lasting.record, fields } }
  const old = await openTestStore([...lastingTables.filter((table) => table.name !== before.name), before])
  try {
    await insertRows(old, before, deltas as never)
    await old.migrate(tables, views)
    await insertRows(old, kpiDeltasTable, deltas)
    const [row] = await old.query("SELECT sum(events) AS events, sum(active_users) AS active_users FROM kpi_deltas WHERE dimension = 'all'")
    const once = deltas.filter(({ dimension }) => dimension === 'all')
    const total = (measure: KpiMeasure) => once.reduce((sum, one) => sum + one[measure], 0)
    expect(row).toEqual({ events: 2 * total('events'), active_users: total('active_users') })
    expect(await old.query("SELECT buyers, conversion_rate, revenue_per_buyer FROM kpi_day WHERE dimension = 'all'")).toEqual([
      { buyers: 1, conversion_rate: 1 / 3, revenue_per_buyer: 1_000 },
    ])
    expect(await old.query("SELECT dwell_s FROM kpi_day WHERE dimension = 'tier' AND value = 'prospect'")).toEqual([{ dwell_s: 0.19 }])
    expect(await old.query("SELECT dwell_s FROM kpi_day WHERE dimension = 'surface' AND value = 'shop'")).toEqual([{ dwell_s: null }])
  } finally {
    await old.close()
  }
})
