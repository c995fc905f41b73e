// The operators as the process role runs them, against their naive twin: block by block, row by row.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { naiveDecode } from '../../../operators/naive/decode.ts'
import { naivePartition, type NaiveBlock } from '../../../operators/naive/partition.ts'
import { defaultSettings, type OperatorSettings } from '../../../operators/settings.ts'
import { partitionLogs, tick } from '../../../operators/testing/generate.ts'
import { nastyLog } from '../../../operators/testing/nasty-log.ts'
import { decodeRows } from '../../../schemas/row-binary.ts'
import { eventsTable } from '../../../schemas/tables/events.ts'
import { kpiDeltasTable } from '../../../schemas/tables/kpi-deltas.ts'
import { rejectedEventsTable } from '../../../schemas/tables/rejected-events.ts'
import { tierChangesTable } from '../../../schemas/tables/tier-changes.ts'
import { userFeaturesTable, type UserFeaturesRow } from '../../../schemas/tables/user-features.ts'
import { blockTables } from './rows.ts'
import { fastBlocks, smallBlocks, type FastBlock, type Limits, type Log } from './run-blocks.ts'

function naiveBlocks(log: Log, limits: Limits = smallBlocks): NaiveBlock[] {
  const { partition, partitionCount } = log
  const firstOffset = log.records[0]?.offset ?? 0
  const twin = naivePartition(log.settings, { partition, partitionCount, logId: 'log', limits, firstOffset, decode: naiveDecode })
  return log.records.flatMap((record) => twin.record(record) ?? [])
}

type Rows = { [column: string]: unknown }[]
/** The columns by which rejected rows are compared: the rest is words, and bytes that stand in the topic. */
const rejectedColumns = [
  'partition',
  'first_offset',
  'block_at',
  'offset',
  'ordinal',
  'record_at',
  'clock_at',
  'reason',
  'user_id',
  'event_id',
  'value_bytes',
]
const only = (rows: Rows, columns: readonly string[]) => rows.map((row) => Object.fromEntries(columns.map((name) => [name, row[name]])))
const without = (rows: Rows, column: string) => rows.map(({ [column]: _, ...rest }) => rest)
const asSet = (rows: Rows) => rows.map((row) => JSON.stringify(row)).toSorted()

/** Every figure exactly; affinities within 1e-9, and the order of categories that differ by less. */
function expectSameFeatures(fast: UserFeaturesRow[], twin: NaiveBlock): void {
  const plain = (rows: readonly UserFeaturesRow[]) => rows.map(({ top_categories: _, top_affinities: __, ...rest }) => rest)
  expect(plain(fast)).toEqual(plain(twin.features))
  for (const [i, row] of fast.entries()) {
    const wanted = twin.features[i]!
    const all = twin.affinities[i]!
    const close = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.abs(b)
    expect(row.top_affinities.length).toBe(wanted.top_affinities.length)
    expect(new Set(row.top_categories).size).toBe(row.top_categories.length)
    for (const [place, category] of row.top_categories.entries()) {
      const value = row.top_affinities[place]!
      if (!close(value, wanted.top_affinities[place]!) || !close(value, all.get(category) ?? NaN)) {
        expect({ place, category, value }).toEqual({ place, category: wanted.top_categories[place], value: wanted.top_affinities[place] })
      }
      // Which of two equals comes first is not left open. Equal for the twin is not enough: it adds in another order, and rounds otherwise.
      if (value === row.top_affinities[place - 1]) expect(category > row.top_categories[place - 1]!).toBe(true)
    }
  }
}

function expectSameBlocks(fast: readonly FastBlock[], twin: readonly NaiveBlock[], limits: Limits): void {
  const ends = ({ firstOffset, nextOffset, blockAt }: FastBlock | NaiveBlock) => ({ firstOffset, nextOffset, blockAt })
  expect(fast.map(ends)).toEqual(twin.map(ends))
  for (const [i, block] of fast.entries()) {
    const wanted = twin[i]!
    const rowsOf = <T extends Parameters<typeof decodeRows>[0]>(table: { name: string; record: T }) =>
      block.parts[table.name]!.flatMap((bytes) => decodeRows(table.record, bytes))
    expect(rowsOf(eventsTable)).toEqual(wanted.events)
    const rejected = rowsOf(rejectedEventsTable)
    expect(only(rejected, rejectedColumns)).toEqual(only(wanted.rejected, rejectedColumns))
    expectSameFeatures(rowsOf(userFeaturesTable) as UserFeaturesRow[], wanted)
    expect(rowsOf(tierChangesTable)).toEqual(wanted.tierChanges)
    const deltas = rowsOf(kpiDeltasTable) as Rows
    expect(without(deltas.slice(-1), 'part')).toEqual(without(wanted.kpiDeltas.slice(-1), 'part'))
    expect(asSet(without(deltas, 'part'))).toEqual(
      asSet(
        without(
          wanted.kpiDeltas.map((row) => orderedAs(deltas[0]!, row)),
          'part',
        ),
      ),
    )
    if (limits.partBytes < 1e9) continue
    // Cut by rows alone, every table's parts are known without its bytes.
    for (const rows of [rejected, deltas])
      expect(rows.map((row) => row['part'])).toEqual(rows.map((_, row) => Math.floor(row / limits.partRows)))
  }
}

const orderedAs = (sample: Rows[number], row: Rows[number]) => Object.fromEntries(Object.keys(sample).map((name) => [name, row[name]]))

function check(log: Log, limits: Limits = smallBlocks): void {
  expectSameBlocks(fastBlocks(log, { limits }), naiveBlocks(log, limits), limits)
}

/** Byte by byte; where they differ, the rows say in what. */
function expectSameBytes(fast: readonly FastBlock[], wanted: readonly FastBlock[]): void {
  const whole = (blocks: readonly FastBlock[]) =>
    blocks.map(({ parts, ...ends }) => ({
      ...ends,
      parts: Object.values(parts).map((part) => part.map((bytes) => bytes.toString('latin1'))),
    }))
  if (JSON.stringify(whole(fast)) === JSON.stringify(whole(wanted))) return
  const rows = ({ parts, ...ends }: FastBlock) => ({
    ...ends,
    rows: blockTables().all.map(({ table }) => parts[table.name]!.map((bytes) => decodeRows(table.record, bytes))),
  })
  expect(fast.map(rows)).toEqual(wanted.map(rows))
  expect(whole(fast)).toEqual(whole(wanted))
}

const runs = (numRuns: number) => ({ numRuns, ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }) })

/** Logs of steps that know what was sent before: lives of many days, repeats at the borders of forgetting. */
const lives = (settings: Partial<OperatorSettings>, steps = 60): fc.Arbitrary<Log> =>
  fc.array(fc.noBias(fc.nat()), { minLength: 1, maxLength: steps, size: 'max' }).map((seeds) => {
    const whole = { ...defaultSettings, ...settings }
    const here = { partition: 1, partitionCount: 3 }
    const records = nastyLog(seeds, { ...here, zone: whole.zone, emitMs: whole.emitMs })
    // A tick in the end brings the rows that are still due, and cuts the last block.
    const restMs = [0, 61_000, 100 * 86_400_000][seeds.length % 3]!
    const timestampMs = Math.max(0, ...records.map((record) => record.timestampMs)) + restMs
    records.push({ offset: (records.at(-1)?.offset ?? -1) + 1, timestampMs, key: null, value: null, headers: tick() })
    const log = { settings: whole, ...here, records }
    return Object.defineProperty(log, fc.toStringMethod, { value: () => `steps ${JSON.stringify(seeds)}`, enumerable: false })
  })

describe('the partition gives the rows of its naive twin', () => {
  test('for any log, in any zone, with any interval', () => {
    fc.assert(
      fc.property(partitionLogs({ maxSteps: 60 }), (log) => check(log)),
      runs(200),
    )
  }, 600_000)

  test('for lives of many days, with the default settings', () => {
    fc.assert(
      fc.property(lives({}), (log) => check(log)),
      runs(100),
    )
  }, 600_000)

  test('for lives of many days, with a row every second, in a zone whose clocks change', () => {
    fc.assert(
      fc.property(lives({ emitMs: 1000, zone: 'America/New_York' }), (log) => check(log)),
      runs(60),
    )
  }, 600_000)

  test('for lives of many days, without decay rows, in a zone whose days may begin at one', () => {
    fc.assert(
      fc.property(lives({ decayRows: false, zone: 'America/Santiago' }), (log) => check(log)),
      runs(60),
    )
  }, 600_000)

  test('where parts are cut by their bytes', () => {
    const limits = { ...smallBlocks, blockEvents: 60, partBytes: 3000 }
    fc.assert(
      fc.property(lives({}, 40), (log) => check(log, limits)),
      runs(30),
    )
  }, 600_000)
})

describe('a log and nothing else decides', () => {
  test('read in other batches, it gives the same bytes', () => {
    fc.assert(
      fc.property(partitionLogs({ maxSteps: 40 }), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (log, sizes) => {
        const cut = fastBlocks(log, { batchRecords: (batch) => sizes[batch % sizes.length]! })
        expectSameBytes(cut, fastBlocks(log, { batchRecords: () => 1e6 }))
      }),
      runs(60),
    )
  }, 600_000)

  const resumed = (log: Log, seed: number) => {
    // Any blocks end with a checkpoint, and any checkpoint may be followed by a new owner.
    const bit = (n: number) => Math.imul(seed ^ (n * 0x9e3779b1), 0x85ebca6b) >>> 29
    const checkpointAfter = (block: number) => bit(block) < 5
    const restartAfter = (block: number) => bit(block + 1000) < 3
    const compactAfter = (block: number) => bit(block + 2000) < 2
    expectSameBytes(fastBlocks(log, { checkpointAfter, restartAfter, compactAfter }), fastBlocks(log))
  }

  test('resumed from what its checkpoints kept, it goes on with the same bytes', () => {
    fc.assert(fc.property(partitionLogs({ maxSteps: 60 }), fc.nat(), resumed), runs(150))
  }, 600_000)

  test('resumed in the middle of long lives, it goes on with the same bytes', () => {
    fc.assert(fc.property(lives({}), fc.nat(), resumed), runs(100))
  }, 600_000)
})
