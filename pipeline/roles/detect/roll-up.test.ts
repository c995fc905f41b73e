import { expect, test } from 'vitest'
import { cadenceOf } from '../../../operators/detect/cadence.ts'
import { seeded } from '../../../operators/testing/seeded.ts'
import { zone } from '../../../operators/time/zone.ts'
import { grains, kpiMeasures, type Grain, type KpiMeasure } from '../../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../../ports/store.ts'
import { readBuckets } from './closed-buckets.ts'
import { deltaWriter, type MadeBlock, type MadeCell } from './hand-made.ts'
import { readRolledUp, rollUp } from './roll-up.ts'
import { embeddedEngine } from '../../testing/embedded-parts.ts'

const { newStore } = await embeddedEngine('roll-up', { fsync: 'nothing' })
const shanghai = zone('Asia/Shanghai')
const latenessMs = 120_000
const minuteMs = 60_000
const hourMs = 3_600_000
// Of late, for the tables forget. In Shanghai it is eight in the morning.
const start = (Math.floor(Date.now() / 86_400_000) - 3) * 86_400_000

const closings = Object.fromEntries(grains.map((grain) => [grain, { grain, cadence: cadenceOf(grain, shanghai), latenessMs }])) as Record<
  Grain,
  { grain: Grain; cadence: ReturnType<typeof cadenceOf>; latenessMs: number }
>

/** Blocks of two partitions over 30 hours, of uneven length, some of whose events are late by minutes to a day. */
function madeBlocks(seed: number): MadeBlock[] {
  const random = seeded(seed)
  const below = (n: number) => Math.floor(random() * n)
  const blocks: MadeBlock[] = []
  for (const partition of [0, 1])
    for (let clock = start; clock < start + 30 * hourMs;) {
      const before = clock
      clock += [20_000, minuteMs, 7 * minuteMs, 3 * hourMs][below(4)]!
      const cells = new Map<string, MadeCell>()
      for (let events = below(12); events > 0; events--) {
        const late = [0, 0, 0, 3 * minuteMs, 2 * hourMs, 26 * hourMs][below(6)]!
        const at = Math.max(start, before + below(clock - before) - late)
        for (const grain of grains)
          for (const [dimension, value] of [
            ['all', ''],
            ['channel', ['ad', 'kol'][below(2)]!],
          ] as const) {
            const bucketAt = closings[grain].cadence.startOf(at)
            const key = [grain, bucketAt, dimension, value].join(' ')
            const { sums } = cells.get(key) ?? { sums: { events: 0, plays: 0 } }
            cells.set(key, { grain, bucketAt, dimension, value, sums: { events: sums.events! + 1, plays: sums.plays! + below(3) } })
          }
      }
      blocks.push({ partition, blockAt: clock, cells: [...cells.values()] })
    }
  return blocks.toSorted((a, b) => a.blockAt - b.blockAt)
}

const leastClock = (blocks: readonly MadeBlock[]) =>
  Math.min(
    ...[0, 1].map((partition) => Math.max(0, ...blocks.filter((block) => block.partition === partition).map(({ blockAt }) => blockAt))),
  )

type Line = { grain: string; at: number; cell: string; events: number; plays: number; events_at_close: number; plays_at_close: number }

/** What kpi_cells means: sums of the blocks before whose end the partition's clock had not yet closed the bucket, and of all of `until`. */
function naiveCells(blocks: readonly MadeBlock[], grain: Grain, knownMs: number): Line[] {
  const { cadence } = closings[grain]
  const lines = new Map<string, Line>()
  const clocks = new Map<number, number>()
  for (const { partition, blockAt, cells } of blocks) {
    const before = clocks.get(partition) ?? 0
    clocks.set(partition, blockAt)
    for (const { grain: of, bucketAt, dimension, value, sums } of cells) {
      const closesAt = cadence.endOf(bucketAt) + latenessMs
      if (of !== grain || closesAt > knownMs || before >= knownMs) continue
      const key = `${bucketAt} ${dimension} ${value}`
      const line = lines.get(key) ?? {
        grain,
        at: bucketAt,
        cell: `${dimension}:${value}`,
        events: 0,
        plays: 0,
        events_at_close: 0,
        plays_at_close: 0,
      }
      lines.set(key, line)
      line.events += sums.events!
      line.plays += sums.plays!
      if (before >= closesAt) continue
      line.events_at_close += sums.events!
      line.plays_at_close += sums.plays!
    }
  }
  return inOrder([...lines.values()])
}

const inOrder = (lines: readonly Line[]) => lines.toSorted((a, b) => a.at - b.at || (a.cell < b.cell ? -1 : 1))

async function storedCells(store: Store, grain: Grain): Promise<Line[]> {
  return inOrder(
    await store.query<Line>(
      `SELECT toString(grain) AS grain, toUnixTimestamp64Milli(bucket_at) AS at, concat(toString(dimension), ':', value) AS cell,
         events, plays, events_at_close, plays_at_close
       FROM kpi_cells FINAL WHERE dimension != 'clock' AND grain = '${grain}'`,
    ),
  )
}

async function rollAll(store: Store, clockMs: number): Promise<void> {
  for (const grain of grains) {
    const one = rollUp(store, closings[grain])
    while (await one.advance(clockMs));
  }
}

async function checked(store: Store, blocks: readonly MadeBlock[]): Promise<void> {
  for (const grain of grains) {
    const rolled = await readRolledUp(store, grain)
    expect(await storedCells(store, grain)).toEqual(naiveCells(blocks, grain, rolled!.knownMs))
  }
}

test.each([1, 2, 3])(
  'what is rolled up is what the blocks say, all at once, bit by bit, and by two who do not know of each other (SEED=%i)',
  async (seed) => {
    const blocks = madeBlocks(seed)
    const [atOnce, stepwise] = [await newStore(), await newStore()]
    await deltaWriter(atOnce, 2)(blocks)
    await rollAll(atOnce, leastClock(blocks))
    await checked(atOnce, blocks)
    expect((await storedCells(atOnce, 'day')).some((line) => line.events > line.events_at_close)).toBe(true)

    const write = deltaWriter(stepwise, 2)
    const random = seeded(seed)
    const some = grains.flatMap((grain) => [rollUp(stepwise, closings[grain]), rollUp(stepwise, closings[grain])])
    for (let from = 0; from < blocks.length;) {
      const to = from + 1 + Math.floor(random() * 60)
      await write(blocks.slice(from, to))
      from = to
      const clockMs = leastClock(blocks.slice(0, to))
      // One of the two may be behind the other, or at the same place at the same time.
      await Promise.all(some.filter(() => random() < 0.6).map((one) => one.advance(clockMs - Math.floor(random() * 2) * 10 * minuteMs)))
    }
    await rollAll(stepwise, leastClock(blocks))
    for (const grain of grains) expect(await storedCells(stepwise, grain)).toEqual(await storedCells(atOnce, grain))
  },
)

/** Of each bucket and cell: what the view says, and what all deltas come to. */
async function expectWholeViews(store: Store): Promise<void> {
  const sums = (of: string, where: string) =>
    store.query(`SELECT toUnixTimestamp64Milli(bucket_at) AS at, dimension, value, sum(events) AS events, sum(plays) AS plays FROM ${of} WHERE ${where}
      GROUP BY at, dimension, value ORDER BY at, dimension, value`)
  for (const grain of grains)
    expect(await sums(`kpi_${grain}`, 'true')).toEqual(await sums('kpi_deltas', `grain = '${grain}' AND dimension != 'clock'`))
}

test.each([4, 5])('views say what all deltas come to, however far each grain is rolled up (SEED=%i)', async (seed) => {
  const store = await newStore()
  const blocks = madeBlocks(seed)
  const write = deltaWriter(store, 2)
  const random = seeded(seed)
  for (let from = 0; from < blocks.length;) {
    const to = from + 4 + Math.floor(random() * 16)
    await write(blocks.slice(from, to))
    from = to
    for (const grain of grains) if (random() < 0.7) await rollUp(store, closings[grain]).advance(leastClock(blocks.slice(0, to)))
    await expectWholeViews(store)
  }
  expect(await store.query(`SELECT 1 AS late FROM kpi_cells WHERE events > events_at_close LIMIT 1`)).toEqual([{ late: 1 }])
  // All is known; then the borders go back, as while somebody adds to cells, and after reelpulse skip.
  await rollAll(store, Math.max(...blocks.map(({ blockAt }) => blockAt)) + hourMs)
  await store.command(
    `ALTER TABLE kpi_cells DELETE WHERE dimension = 'clock' AND bucket_at > fromUnixTimestamp64Milli({at:Int64}, 'UTC') SETTINGS mutations_sync = 2`,
    { at: start + 20 * hourMs },
  )
  const reach = "SELECT max(bucket_at), max(known_at) FROM kpi_cells WHERE dimension = 'clock' AND grain = 'minute'"
  const beyond = await store.query(`WITH (${reach}) AS reach SELECT 1 AS beyond FROM kpi_cells FINAL
    WHERE dimension != 'clock' AND grain = 'minute' AND bucket_at < reach.1 AND known_at > reach.2 LIMIT 1`)
  expect(beyond).toEqual([{ beyond: 1 }])
  await expectWholeViews(store)
})

test('a restart goes on where the last insert ended, and the same insert twice is one', async () => {
  const store = await newStore()
  const blocks = madeBlocks(4)
  await deltaWriter(store, 2)(blocks)
  const commands: string[] = []
  const listening: Store = { ...store, command: (sql, params) => (commands.push(sql), store.command(sql, params)) }
  for (const hours of [1, 5, 11, 30]) await rollAll(listening, start + hours * hourMs)
  await checked(store, blocks)
  const rows = async () => (await store.query<{ n: number }>('SELECT count() AS n FROM kpi_cells'))[0]!.n
  const before = await rows()
  for (const command of commands) await store.command(command)
  expect(await rows()).toBe(before)
  // What a merge throws away is never the better row.
  await store.command('OPTIMIZE TABLE kpi_cells FINAL')
  await checked(store, blocks)
})

test('an insert is one part, whatever it holds: rows and how far they reach are there together', async () => {
  const store = await newStore()
  const values = Array.from({ length: 60 }, (_, i) => `v${i}`)
  const cells = (minute: number) =>
    values.map((value): MadeCell => ({ dimension: 'region', value, bucketAt: start + minute * minuteMs, sums: { events: 1 } }))
  await deltaWriter(
    store,
    1,
  )(Array.from({ length: 1_440 }, (_, minute) => ({ partition: 0, blockAt: start + (minute + 1) * minuteMs, cells: cells(minute) })))
  await store.command('SYSTEM STOP MERGES kpi_cells')
  await rollUp(store, closings.minute).advance(start + 1_440 * minuteMs)
  const parts = await store.query<{ rows: number }>(
    `SELECT toUInt32(rows) AS rows FROM system.parts WHERE database = currentDatabase() AND table = 'kpi_cells' AND active`,
  )
  expect(parts).toEqual([{ rows: 60 * 1_438 + 1 }])
})

test('what was known at close is read from what is rolled up as it is from deltas, and still is when those have gone', async () => {
  const store = await newStore()
  const blocks = madeBlocks(5)
  await deltaWriter(store, 2)(blocks)
  const spans = new Map<Grain, { fromMs: number; toMs: number }>()
  const sorted = (buckets: Awaited<ReturnType<typeof readBuckets>>) =>
    [...buckets]
      .toSorted(([a], [b]) => a - b)
      .map(([at, cells]) => [at, cells.toSorted((a, b) => (`${a.dimension}${a.value}` < `${b.dimension}${b.value}` ? -1 : 1))])
  await rollAll(store, leastClock(blocks))
  for (const grain of grains)
    spans.set(grain, { fromMs: closings[grain].cadence.startOf(start), toMs: (await readRolledUp(store, grain))!.untilMs })
  const span = (grain: Grain) => spans.get(grain)!
  const fromDeltas = new Map<Grain, unknown>()
  for (const grain of grains) fromDeltas.set(grain, sorted(await readBuckets(store, closings[grain], { ...span(grain), rolledMs: 0 })))
  for (const grain of grains) expect(fromDeltas.get(grain)).not.toEqual([])
  for (const grain of grains)
    for (const rolledMs of [start + 7 * hourMs, span(grain).toMs])
      expect(sorted(await readBuckets(store, closings[grain], { ...span(grain), rolledMs }))).toEqual(fromDeltas.get(grain))
  await store.command('TRUNCATE TABLE kpi_deltas')
  for (const grain of grains)
    expect(sorted(await readBuckets(store, closings[grain], { ...span(grain), rolledMs: span(grain).toMs }))).toEqual(fromDeltas.get(grain))
})

const sumsOf = (measures: readonly KpiMeasure[]) => measures.join(', ')

test.each(grains)('the view of %ss is the same whether deltas serve it, or cells and deltas on either side of a border', async (grain) => {
  const store = await newStore()
  const blocks = madeBlocks(6)
  await deltaWriter(store, 2)(blocks)
  const clockMs = leastClock(blocks)
  const shown = () =>
    store.query<{ at: number; events: number; open: number }>(
      `SELECT toUnixTimestamp64Milli(bucket_at) AS at, toString(dimension) AS dimension, value, ${sumsOf(kpiMeasures)}, open FROM kpi_${grain} ORDER BY at, dimension, value`,
    )
  const byDeltas = await shown()
  expect(new Set(byDeltas.map(({ open }) => open))).toEqual(new Set([0, 1]))
  const one = rollUp(store, closings[grain])
  let borders = 0
  for (let at = start; at <= clockMs; at += 5 * hourMs) {
    await one.advance(at)
    if ((await readRolledUp(store, grain)) !== undefined) borders++
    expect(await shown()).toEqual(byDeltas)
  }
  expect(borders).toBeGreaterThan(3)
  while (await one.advance(clockMs));
  expect(await shown()).toEqual(byDeltas)
})

test('a view over thirty days of one cell reads little of the tables: EXPLAIN says which granules', async () => {
  const store = await newStore()
  const days = 30
  const from = start - (days - 3) * 86_400_000
  const { cadence } = closings.minute
  const [first, last] = [cadence.startOf(from), cadence.startOf(from + days * 86_400_000)]
  await store.command(
    `INSERT INTO kpi_cells (grain, bucket_at, dimension, value, known_at, plays, completes)
     SELECT 'minute', fromUnixTimestamp64Milli(toInt64(${first}) + intDiv(number, 20) * 60000, 'UTC') AS at, 'region', concat('v', toString(number % 20)), at, 100, 50
     FROM numbers(${days * 1_440 * 20})`,
  )
  await store.command(
    `INSERT INTO kpi_cells (grain, bucket_at, dimension, known_at) SELECT 'minute', fromUnixTimestamp64Milli(toInt64(${last}), 'UTC') AS at, 'clock', at`,
  )
  const query = `SELECT count() AS n, sum(completes) / sum(plays) AS rate FROM kpi_minute
    WHERE dimension = 'region' AND value = 'v7' AND bucket_at >= fromUnixTimestamp64Milli(toInt64(${first}), 'UTC')`
  expect(await store.query(query)).toEqual([{ n: days * 1_440, rate: 0.5 }])
  const plan = (await store.query<{ explain: string }>(`EXPLAIN indexes = 1 ${query}`)).map(({ explain }) => explain).join('\n')
  const cells = plan.slice(plan.indexOf('kpi_cells'))
  const byKey = /PrimaryKey[^]*?Granules: (\d+)\/(\d+)/.exec(cells)
  const [read, all] = [Number(byKey?.[1]), Number(byKey?.[2])]
  expect(all).toBeGreaterThan(80)
  expect(read).toBeLessThan(all / 10)
})
