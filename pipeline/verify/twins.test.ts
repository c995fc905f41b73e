import { afterAll, beforeAll, expect, test } from 'vitest'
import { cadenceOf } from '../../operators/detect/cadence.ts'
import { zone } from '../../operators/time/zone.ts'
import { eventsTable } from '../../schemas/tables/events.ts'
import { grains, kpiDeltasTable } from '../../schemas/tables/kpi-deltas.ts'
import { rejectedEventsTable } from '../../schemas/tables/rejected-events.ts'
import { tierChangesTable } from '../../schemas/tables/tier-changes.ts'
import { userFeaturesTable } from '../../schemas/tables/user-features.ts'
import type { Store } from '../ports/store.ts'
import { rollUp } from '../roles/detect/roll-up.ts'
import { insertRows, lastingTables, openTestStore } from './hand-made.ts'
import { nastyBlocks } from './nasty-blocks.ts'
import { renderReport } from './render.ts'
import { verify } from './verify.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore(lastingTables)
})
afterAll(() => store.close())

const steps = 150
/** Of minutes a day each: as far as so many go. */
const rollUps = 5
const seeds = process.env['SEED'] === undefined ? [1, 2, 3, 4, 5] : [Number(process.env['SEED'])]

test.each(seeds)('what the naive twins make of a nasty log is what SQL makes of its events (SEED=%i)', async (seed) => {
  const { log, blocks } = nastyBlocks(seed, steps)
  const features = blocks.flatMap((block) => block.features)
  const changes = blocks.flatMap((block) => block.tierChanges)
  const deltas = blocks.flatMap((block) => block.kpiDeltas)
  const together = [
    [eventsTable, blocks.flatMap((block) => block.events)],
    [userFeaturesTable, features],
    [tierChangesTable, changes],
    [rejectedEventsTable, blocks.flatMap((block) => block.rejected)],
    [kpiDeltasTable, deltas],
  ] as const
  for (const [table, rows] of together) {
    await store.command(`TRUNCATE TABLE ${table.name}`)
    await insertRows(store, table, rows as never)
  }
  await store.command('TRUNCATE TABLE kpi_cells')
  const clockMs = Math.max(...deltas.map((row) => row.block_at))
  for (const grain of grains) {
    const one = rollUp(store, { grain, cadence: cadenceOf(grain, zone(log.settings.zone)), latenessMs: 120_000 })
    for (let i = 0; i < rollUps && (await one.advance(clockMs)); i++);
  }
  const report = await verify(store, log.settings, { everything: true, users: undefined, rows: 1 })
  expect(report.rowsDiffer, renderReport(`seed ${seed}, ${log.settings.zone}`, report)).toBe(0)
  const cells = new Set(deltas.flatMap((row) => row.dimension === 'clock' ? [] : [JSON.stringify([row.grain, row.bucket_at, row.dimension, row.value])])) // prettier-ignore
  expect(report.kpiCells.daysLeftOut).toBe(0)
  expect(report.kpiCells.compared).toBe(cells.size)
  expect(report.kpiCells.rolledUp.compared).toBeGreaterThan(cells.size / 3)
  expect(report.rowsCompared).toBe(features.length + changes.length + cells.size + report.kpiCells.rolledUp.compared)
})
