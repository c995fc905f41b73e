import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rejectReasons, type RejectReason } from '../../schemas/rejects.ts'
import { protocolLimits } from '../naive/blocks.ts'
import { naiveDecode } from '../naive/decode.ts'
import { naiveRowInstants } from '../naive/emission.ts'
import { naivePartition, type NaiveBlock } from '../naive/partition.ts'
import { differences } from './compare.ts'
import { partitionLogs, recordBatch, samplePartitionLog, type PartitionLog } from './generate.ts'

function run(log: PartitionLog, limits = protocolLimits): NaiveBlock[] {
  const { settings, partition, partitionCount } = log
  const twin = naivePartition(settings, {
    partition, partitionCount, logId: 'log', limits, decode: naiveDecode, firstOffset: log.records[0]!.offset,
  }) // prettier-ignore
  return log.records.flatMap((record) => twin.record(record) ?? [])
}

test('generated logs hold everything that can be wrong, and the edges that figures turn on', () => {
  const reasons = new Set<RejectReason>()
  const tierMoves = new Set<string>()
  let [duplicates, emptyFlushes, rows, decayRows, sharedInstants, lateTiles, demotions, fullLists] = [0, 0, 0, 0, 0, 0, 0, 0]
  for (let seed = 1; seed <= 80; seed++) {
    const log = samplePartitionLog(seed, 60)
    const flushed = new Set<string>()
    for (const block of run(log)) {
      for (const row of block.rejected) reasons.add(row.reason)
      for (const change of block.tierChanges) {
        tierMoves.add(`${change.from}-${change.to}`)
        if (change.reason.includes('no longer holds')) demotions++
      }
      duplicates += block.duplicates
      emptyFlushes += block.emptyFlushes
      rows += block.features.length
      for (const event of block.events) {
        if (event.clock_at - event.event_at > 3_900_000) lateTiles++
        flushed.add(`${event.user_id} ${(Math.floor(event.clock_at / log.settings.emitMs) + 1) * log.settings.emitMs}`)
      }
      for (const row of block.features) {
        if (!flushed.has(`${row.user_id} ${row.as_of}`)) decayRows++
        if (row.top_categories.length === 5) fullLists++
      }
      const instants = block.features.map((row) => row.as_of)
      sharedInstants += instants.length - new Set(instants).size
    }
  }
  expect([...reasons].toSorted()).toEqual([...rejectReasons].toSorted())
  expect(tierMoves.size).toBeGreaterThan(8)
  for (const count of [duplicates, emptyFlushes, rows, decayRows, sharedInstants, lateTiles, demotions, fullLists])
    expect(count).toBeGreaterThan(10)
})

test('the same seed tells the same log', () => {
  expect(samplePartitionLog(5, 40)).toEqual(samplePartitionLog(5, 40))
})

test('offsets rise, and a batch holds the records in columns', () => {
  const log = samplePartitionLog(5, 40)
  const batch = recordBatch(0, log.records)
  expect(batch.count).toBe(41)
  for (let i = 1; i < batch.count; i++) expect(batch.offsets[i]!).toBeGreaterThan(batch.offsets[i - 1]!)
})

test('blocks cover the log without gap, and each row names its own', () => {
  const small = { ...protocolLimits, blockEvents: 7, partRows: 3, partBytes: 2_000 }
  fc.assert(
    fc.property(partitionLogs({ maxSteps: 25 }), (log) => {
      let next = log.records[0]!.offset
      for (const block of run(log, small)) {
        expect(block.firstOffset).toBe(next)
        next = block.nextOffset
        for (const rows of [block.events, block.rejected, block.features, block.tierChanges, block.kpiDeltas])
          for (const row of rows) expect([row.first_offset, row.block_at]).toEqual([block.firstOffset, block.blockAt])
        expect(new Set(block.tokens).size).toBe(block.tokens.length)
      }
      expect(next).toBe(log.records.at(-1)!.offset + 1)
    }),
    { numRuns: 40 },
  )
})

test('however a log is cut into blocks, the rows are the same', () => {
  const unplaced = (blocks: NaiveBlock[]) =>
    (['events', 'rejected', 'features', 'tierChanges'] as const).map((table) =>
      blocks.flatMap((block) => block[table].map((row) => ({ ...row, first_offset: 0, part: 0, block_at: 0 }))),
    )
  fc.assert(
    fc.property(partitionLogs({ maxSteps: 25 }), (log) => {
      expect(unplaced(run(log, { ...protocolLimits, blockEvents: 3, blockBytes: 700, partRows: 2 }))).toEqual(unplaced(run(log)))
    }),
    { numRuns: 40 },
  )
})

test('rows come exactly at the instants that flushes and tiles ask for', () => {
  fc.assert(
    fc.property(partitionLogs({ maxSteps: 40 }), (log) => {
      const blocks = run(log)
      const lastClock = blocks.at(-1)!.blockAt
      const events = blocks.flatMap((block) => block.events)
      for (const user of new Set(events.map((event) => event.user_id))) {
        const own = events.filter((event) => event.user_id === user).map((event) => ({ eventAt: event.event_at, clockAt: event.clock_at }))
        const wanted = naiveRowInstants({ id: user, flushClocks: own.map((event) => event.clockAt), events: own }, log.settings)
        const rows = blocks.flatMap((block) => block.features.filter((row) => row.user_id === user).map((row) => row.as_of))
        expect(rows).toEqual(rows.toSorted((a, b) => a - b))
        // Flushes of which nothing was accepted add rows, but only at ends of intervals.
        for (const due of wanted) if (due <= lastClock) expect(rows).toContain(due)
        for (const due of rows) if (!wanted.includes(due)) expect(due % log.settings.emitMs).toBe(0)
        expect(new Set(rows).size).toBe(rows.length)
      }
    }),
    { numRuns: 40 },
  )
})

test('the comparison finds any changed column, and forgives what it should', () => {
  const blocks = run(samplePartitionLog(3, 60))
  const block = blocks.find(
    (candidate) => candidate.features.length > 0 && candidate.tierChanges.length > 0 && candidate.rejected.length > 0,
  )!
  expect(differences(block, block)).toEqual([])
  for (const table of ['events', 'rejected', 'features', 'tierChanges', 'kpiDeltas'] as const) {
    expect(differences({ ...block, [table]: block[table].slice(1) }, block)).not.toEqual([])
    for (const column of Object.keys(block[table][0]!)) {
      const [first, ...rest] = block[table] as unknown as Record<string, unknown>[]
      const value = first![column]
      const changed =
        typeof value === 'number'
          ? value + 1
          : value instanceof Uint8Array
            ? new Uint8Array(17)
            : Array.isArray(value)
              ? [...(value as unknown[]), 'x']
              : `${String(value)}x`
      const found = differences({ ...block, [table]: [{ ...first, [column]: changed }, ...rest] }, block)
      expect(found.length > 0, `${table}.${column}`).toBe(column !== 'detail')
    }
  }
  const closeBy = block.features.map((row) => ({ ...row, top_affinities: row.top_affinities.map((affinity) => affinity * (1 + 1e-12)) }))
  expect(differences({ ...block, features: closeBy }, block)).toEqual([])
})
