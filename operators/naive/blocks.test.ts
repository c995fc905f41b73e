import { expect, test } from 'vitest'
import { encodeRows } from '../../schemas/row-binary.ts'
import { blockTables } from '../../schemas/tables/catalogue.ts'
import { defaultSettings } from '../settings.ts'
import { samplePartitionLog } from '../testing/generate.ts'
import { insertToken, naiveBlocks, naiveParts, protocolLimits, rowBinaryBytes, type BlockLimits } from './blocks.ts'
import { naiveDecode } from './decode.ts'
import { naivePartition } from './partition.ts'

const limits: BlockLimits = { blockEvents: 10, blockBytes: 1_000, partRows: 3, partBytes: 100 }
const flush = (offset: number, events: number, bytes = 1) => ({ offset, events, bytes, control: false })
const control = (offset: number) => ({ offset, events: 0, bytes: 0, control: true })
const cut = (records: Parameters<typeof naiveBlocks>[0], first = 0) =>
  naiveBlocks(records, limits, first).map(({ firstOffset, nextOffset }) => `${firstOffset}-${nextOffset}`)

test('a block ends after a tick', () => {
  expect(cut([flush(0, 1), control(1), control(2), flush(3, 1)])).toEqual(['0-2', '2-3'])
})

test('a block ends with the record that brings it to the limit of events', () => {
  expect(cut([flush(0, 9), flush(1, 1), flush(2, 9), flush(3, 5), flush(4, 10), flush(5, 9)])).toEqual(['0-2', '2-4', '4-5'])
})

test('a block ends with the record that brings it to the limit of bytes', () => {
  expect(cut([flush(0, 0, 999), flush(1, 0, 1), flush(2, 0, 5_000), flush(3, 0, 999)])).toEqual(['0-2', '2-3'])
})

test("first_offset is the previous block's next_offset, whatever gaps the log has", () => {
  expect(cut([flush(5, 1), control(9), flush(12, 1), control(20)], 3)).toEqual(['3-10', '10-21'])
})

test('parts are cut in row order at the limit of rows', () => {
  expect(naiveParts([1, 2, 3, 4, 5, 6, 7], () => 1, limits)).toEqual([[1, 2, 3], [4, 5, 6], [7]])
})

test('a part ends before the row that would pass the limit of bytes', () => {
  expect(naiveParts([60, 40, 1, 99, 1], (row) => row, limits)).toEqual([[60, 40], [1, 99], [1]])
  expect(naiveParts([], () => 1, limits)).toEqual([])
})

test('a row larger than a part is a part of its own', () => {
  expect(naiveParts([1, 500, 1], (row) => row, limits)).toEqual([[1], [500], [1]])
})

test('a token names the log, the block, the table and the part', () => {
  const block = { logId: 'id', topic: 'behavior-events', partition: 2, firstOffset: 5, nextOffset: 9 }
  expect(insertToken(block, 'events', 1)).toBe('id/behavior-events/2/5-9/events/1')
})

test('the length of a row is that of its RowBinary', () => {
  const log = samplePartitionLog(3, 60)
  const partition = naivePartition(defaultSettings, { ...log, logId: 'id', limits: protocolLimits, decode: naiveDecode })
  const seen = new Set<string>()
  for (const record of log.records) {
    const block = partition.record(record)
    if (block === undefined) continue
    const rows = [block.events, block.rejected, block.features, block.tierChanges, block.kpiDeltas]
    for (const [i, table] of blockTables.entries()) {
      for (const row of rows[i]!.slice(0, 20)) {
        seen.add(table.name)
        expect(rowBinaryBytes(table, row)).toBe(encodeRows(table.record as never, [row] as never).length)
      }
    }
  }
  expect([...seen].toSorted()).toEqual(blockTables.map((table) => table.name).toSorted())
})
