import { expect, test } from 'vitest'
import { grains } from '../../schemas/tables/kpi-deltas.ts'
import { deltaWriter } from '../roles/detect/hand-made.ts'
import { embeddedEngine } from '../testing/embedded-parts.ts'

const { newStore } = await embeddedEngine('open-buckets', { fsync: 'nothing' })
const hourMs = 3_600_000

test('a KPI view says which buckets are still open', async () => {
  const store = await newStore()
  const start = (Math.floor(Date.now() / hourMs) - 3) * hourMs
  const sums = { plays: 100, completes: 40 }
  await deltaWriter(
    store,
    1,
  )(
    Array.from({ length: 60 }, (_, minute) => ({
      partition: 0,
      blockAt: start + (minute + 1) * 60_000,
      cells: grains.map((grain) => ({
        grain, dimension: 'all' as const, value: '', sums, bucketAt: grain === 'minute' ? start + minute * 60_000 : start,
      })), // prettier-ignore
    })),
  )
  // The clock is at the end of minute 59; with two minutes of lateness the last two are open.
  const rows = await store.query<{ open: number }>("SELECT open FROM kpi_minute WHERE dimension = 'all' ORDER BY bucket_at")
  expect(rows.map((row) => row.open)).toEqual([...Array.from({ length: 58 }, () => 0), 1, 1])
  for (const name of ['kpi_hour', 'kpi_day'])
    expect(await store.query(`SELECT plays, completion_rate, open FROM ${name} WHERE dimension = 'all'`)).toEqual([
      { plays: 6_000, completion_rate: 0.4, open: 1 },
    ])
})
