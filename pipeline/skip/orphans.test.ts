import { expect, test } from 'vitest'
import { cadenceOf } from '../../operators/detect/cadence.ts'
import { zone } from '../../operators/time/zone.ts'
import { grains } from '../../schemas/tables/kpi-deltas.ts'
import { deltaWriter, type MadeBlock } from '../roles/detect/hand-made.ts'
import { rollUp } from '../roles/detect/roll-up.ts'
import { deleteOrphans } from './orphans.ts'
import { embeddedEngine } from '../testing/embedded-parts.ts'

const { newStore } = await embeddedEngine('orphans', { fsync: 'nothing' })
test('what was rolled up of rows that are taken back is rolled up anew without them', async () => {
  const store = await newStore()
  const start = (Math.floor(Date.now() / 86_400_000) - 3) * 86_400_000
  const shanghai = zone('Asia/Shanghai')
  // Blocks of ten minutes for two days; each also has an event that is three hours late.
  const blocks = Array.from({ length: 288 }, (_, i): MadeBlock => {
    const [at, lateAt] = [start + i * 600_000, start + Math.max(0, i - 18) * 600_000]
    const cells = grains.flatMap((grain) =>
      [at, lateAt].map((time) => ({
        grain, dimension: 'all', value: '', bucketAt: cadenceOf(grain, shanghai).startOf(time), sums: { events: 1 + i, plays: 1 },
      } as const)),
    ) // prettier-ignore
    return { partition: 0, blockAt: at + 600_000, cells }
  })
  await deltaWriter(store, 1)(blocks)
  const rollAll = async (clockMs: number) => {
    for (const grain of grains) {
      const one = rollUp(store, { grain, cadence: cadenceOf(grain, shanghai), latenessMs: 120_000 })
      while (await one.advance(clockMs));
    }
  }
  const shown = () =>
    Promise.all(grains.map((grain) => store.query(`SELECT bucket_at, events, plays FROM kpi_${grain} ORDER BY bucket_at`)))
  const cells = () =>
    store.query(
      "SELECT grain, bucket_at, events, events_at_close FROM kpi_cells FINAL WHERE dimension != 'clock' ORDER BY grain, bucket_at",
    )
  await rollAll(start + 288 * 600_000)
  const before = await shown()
  await store.command(
    `INSERT INTO kpi_daily (name, bucket_at, known_at, first_known_at)
     SELECT '', fromUnixTimestamp64Milli({start:Int64} + number * 86400000, 'UTC') AS day_at, day_at + toIntervalSecond(120) AS at, at FROM numbers(4)`,
    { start: start - 8 * 3_600_000 },
  )
  // Blocks have ten offsets each: the last hundred go.
  await deleteOrphans(store, 0, 1_880)
  // Their earliest event is of the second day in Shanghai: what was known at the first day's start stays.
  expect((await store.query<{ at: number }>('SELECT toUnixTimestamp64Milli(bucket_at) AS at FROM kpi_daily')).map(({ at }) => at)).toEqual([
    start - 8 * 3_600_000,
  ])
  await rollAll(start + 188 * 600_000)
  const [after, rolled] = [await shown(), await cells()]
  expect(after).not.toEqual(before)
  await store.command('TRUNCATE TABLE kpi_cells')
  expect(await shown()).toEqual(after)
  await rollAll(start + 188 * 600_000)
  expect(rolled).toEqual(await cells())
  expect(rolled.length).toBeGreaterThan(100)
})
