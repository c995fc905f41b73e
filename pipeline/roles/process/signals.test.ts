// Customer signals as the process role runs them: against the naive twin, and resumed anywhere.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { naiveSignals } from '../../../operators/naive/signals.ts'
import { defaultSettings } from '../../../operators/settings.ts'
import { tick, uuidOf } from '../../../operators/testing/generate.ts'
import { nastySignals, plainSignal } from '../../../operators/testing/nasty-signals.ts'
import { encodeAs } from '../../../operators/testing/encode-flush.ts'
import { customerSignal, signalKinds } from '../../../schemas/customer-signal.ts'
import { rejectReasons } from '../../../schemas/rejects.ts'
import { decodeRows } from '../../../schemas/row-binary.ts'
import { signalBlockTables } from '../../../schemas/tables/catalogue.ts'
import { customerSignalsTable } from '../../../schemas/tables/customer-signals.ts'
import { rejectedEventsTable } from '../../../schemas/tables/rejected-events.ts'
import { signalClocksTable } from '../../../schemas/tables/signal-clocks.ts'
import { fastBlocks, smallBlocks, type FastBlock, type FastOptions, type Log } from './run-blocks.ts'
import { signalBlock, signalWork } from './signal-work.ts'

const here = { partition: 1, partitionCount: 3 }
const logs = (steps: number): fc.Arbitrary<Log> =>
  fc.array(fc.noBias(fc.nat({ max: 2 ** 32 - 1 })), { minLength: 1, maxLength: steps, size: 'max' }).map((seeds) => {
    const records = nastySignals(seeds, here.partition, here.partitionCount)
    const last = records.at(-1)!
    // Cuts the last block.
    records.push({ offset: last.offset + 2, timestampMs: last.timestampMs, key: null, value: null, headers: tick() })
    return { settings: defaultSettings, ...here, records }
  })
const runs = (numRuns: number) => ({ numRuns, ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }) })
const blocksOf = (log: Log, options: FastOptions = {}) => fastBlocks(log, { ...options, work: signalWork })
const rowsOf = <T extends Parameters<typeof decodeRows>[0]>(blocks: readonly FastBlock[], table: { name: string; record: T }) =>
  blocks.flatMap((block) => block.parts[table.name]!.flatMap((bytes) => decodeRows(table.record, bytes)))
const hex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('hex'))

test('tables are those of the catalogue, in its order', () => {
  expect(signalBlock().all.map(({ table }) => table)).toEqual(signalBlockTables)
})

test('the logs hold what they are to hold: every reason to reject, duplicates, ids that were forgotten, every kind', () => {
  const seen = new Set<string>()
  let [duplicates, again] = [0, 0]
  for (const log of fc.sample(logs(60), { numRuns: 200, seed: 1 })) {
    const twin = naiveSignals(log.records, { ...here, currency: 'CNY' })
    for (const { reason } of twin.rejected) seen.add(reason)
    for (const { kind } of twin.accepted) seen.add(kind)
    duplicates += twin.duplicates
    again += twin.accepted.length - new Set(twin.accepted.map(({ signal_id }) => hex(signal_id))).size
  }
  const { too_many_events: _, flush_field_too_long: __, ...reasons } = Object.fromEntries(rejectReasons.map((reason) => [reason, true]))
  expect([...seen].toSorted()).toEqual([...Object.keys(reasons), ...signalKinds].toSorted())
  expect(duplicates).toBeGreaterThan(100)
  expect(again).toBeGreaterThan(20)
})

test('any log gives the rows of the naive twin', () => {
  fc.assert(
    fc.property(logs(60), (log) => {
      const blocks = blocksOf(log)
      const twin = naiveSignals(log.records, { ...here, currency: 'CNY' })
      const signals = rowsOf(blocks, customerSignalsTable)
      expect(
        signals.map(({ partition: _, first_offset: __, part: ___, block_at: ____, operator_version: _____, ...row }) => ({
          ...row,
          signal_id: hex(row.signal_id),
        })),
      ).toEqual(twin.accepted.map((row) => ({ ...row, signal_id: hex(row.signal_id) })))
      const rejected = rowsOf(blocks, rejectedEventsTable)
      expect(
        rejected.map(({ offset, ordinal, clock_at, reason, event_id }) => ({ offset, ordinal, clock_at, reason, signalId: hex(event_id) })),
      ).toEqual(twin.rejected.map((row) => ({ ...row, signalId: hex(row.signalId) })))
      // Each rejected record is put aside, with its bytes.
      const aside = blocks.flatMap(({ outbox }) => outbox.flatMap((message) => (message.kind === 'rejected' ? [message] : [])))
      expect(aside.map(({ offset }) => offset)).toEqual(twin.rejected.map(({ offset }) => offset))
      const byOffset = new Map(log.records.map((record) => [record.offset, record]))
      for (const { offset, key, value } of aside)
        expect({ key, value }).toEqual({ key: byOffset.get(offset)!.key, value: byOffset.get(offset)!.value })
      expect(rowsOf(blocks, signalClocksTable)).toEqual(
        blocks.map(({ firstOffset, nextOffset, blockAt }) => ({
          partition: here.partition, first_offset: firstOffset, part: 0, block_at: blockAt, next_offset: nextOffset, partition_count: 3,
        })), // prettier-ignore
      )
      for (const row of [...signals, ...rejected]) {
        const block = blocks.find(({ firstOffset }) => firstOffset === row.first_offset)!
        expect(row.block_at).toBe(block.blockAt)
        expect(row.offset >= block.firstOffset && row.offset < block.nextOffset).toBe(true)
      }
    }),
    runs(150),
  )
})

test('read in other batches, and resumed from what its checkpoints kept, it goes on with the same bytes', () => {
  const whole = (blocks: readonly FastBlock[]) =>
    JSON.stringify(blocks.map(({ parts, outbox, ...ends }) => [ends, Object.values(parts).map((of) => of.map(hex)), outbox]))
  fc.assert(
    fc.property(logs(50), fc.nat(), fc.nat({ max: 6 }), (log, pattern, batch) => {
      const limits = { ...smallBlocks, blockEvents: 4, partRows: 2 }
      const wanted = whole(blocksOf(log, { limits }))
      const kept = (block: number) => ((pattern >> (block % 20)) & 1) === 1
      const resumed = blocksOf(log, {
        limits,
        batchRecords: () => 1 + batch,
        checkpointAfter: kept,
        restartAfter: (block) => block % 2 === 0,
        compactAfter: (block) => block % 3 === 0,
      })
      expect(whole(resumed)).toBe(wanted)
    }),
    runs(150),
  )
})

test.each([
  ['through the 744th hour after its own', 744 * 3_600_000, 1],
  ['in the 745th no more', 745 * 3_600_000, 2],
])('a signal sent twice counts once, %s, also where another owner goes on', (_, laterMs, rows) => {
  const at = Date.UTC(2026, 3, 1, 0, 30)
  const signal = { ...plainSignal('nps_response', uuidOf(7), null, at), channel: 'ad' }
  const log: Log = {
    settings: defaultSettings,
    partition: 0,
    partitionCount: 1,
    records: [at, at, at + laterMs, at + laterMs].map((timestampMs, offset) =>
      offset % 2 === 1
        ? { offset, timestampMs, key: null, value: null, headers: tick() }
        : {
            offset,
            timestampMs,
            key: new TextEncoder().encode('ad'),
            value: encodeAs(customerSignal, { ...signal, occurred_at: timestampMs, sent_at: timestampMs }),
            headers: undefined,
          },
    ),
  }
  for (const resumes of [false, true])
    expect(rowsOf(blocksOf(log, { checkpointAfter: () => resumes, restartAfter: () => resumes }), customerSignalsTable)).toHaveLength(rows)
})
