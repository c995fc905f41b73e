import { afterAll, beforeAll, expect, test } from 'vitest'
import { naiveDecode } from '../../operators/naive/decode.ts'
import { naivePartition, type NaiveBlock } from '../../operators/naive/partition.ts'
import { samplePartitionLog, type PartitionLog } from '../../operators/testing/generate.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { eventsTable } from '../../schemas/tables/events.ts'
import { kpiDeltasTable } from '../../schemas/tables/kpi-deltas.ts'
import { tierChangesTable } from '../../schemas/tables/tier-changes.ts'
import { userFeaturesTable } from '../../schemas/tables/user-features.ts'
import type { Store } from '../ports/store.ts'
import { insertRows, openTestStore } from './hand-made.ts'
import { renderReport } from './render.ts'
import { verify } from './verify.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore(tables)
})
afterAll(() => store.close())

/** The tables of a partition's log, by the naive twins. */
function blocksOf(log: PartitionLog): NaiveBlock[] {
  const { partition, partitionCount } = log
  const limits = { blockEvents: 40, blockBytes: 2 ** 26, partRows: 100_000, partBytes: 2 ** 26 }
  const firstOffset = log.records[0]?.offset ?? 0
  const naive = naivePartition(log.settings, { partition, partitionCount, logId: 'log', limits, firstOffset, decode: naiveDecode })
  return log.records.flatMap((record) => naive.record(record) ?? [])
}

const steps = 150
const seeds = process.env['SEED'] === undefined ? [1, 2, 3, 4, 5] : [Number(process.env['SEED'])]

test.each(seeds)('what the naive twins make of a nasty log is what SQL makes of its events (SEED=%i)', async (seed) => {
  const log = samplePartitionLog(seed, steps)
  const blocks = blocksOf(log)
  const features = blocks.flatMap((block) => block.features)
  const changes = blocks.flatMap((block) => block.tierChanges)
  const together = [
    [eventsTable, blocks.flatMap((block) => block.events)],
    [userFeaturesTable, features],
    [tierChangesTable, changes],
    [kpiDeltasTable, blocks.flatMap((block) => block.kpiDeltas).filter((row) => row.dimension === 'clock')],
  ] as const
  for (const [table, rows] of together) {
    await store.command(`TRUNCATE TABLE ${table.name}`)
    await insertRows(store, table, rows as never)
  }
  const report = await verify(store, log.settings, { everything: true, users: undefined, rows: 1 })
  expect(report.rowsDiffer, renderReport(`seed ${seed}, ${log.settings.zone}`, report)).toBe(0)
  expect(report.rowsCompared).toBe(features.length + changes.length)
})
