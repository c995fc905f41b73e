// A frozen golden: what the operators of this version make of one simulated log, byte for byte. A difference means that
// figures of a log that somebody has already processed would change: raise `operatorVersion`, and write the golden anew
// (GOLDEN=write).
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { partitionOf } from '../../../operators/hash.ts'
import { defaultSettings, operatorVersion } from '../../../operators/settings.ts'
import { tick, type LogRecord } from '../../../operators/testing/generate.ts'
import { traffic } from '../../traffic/generator/traffic.ts'
import { blockTables } from './rows.ts'
import { fastBlocks, type FastBlock, type FastOptions } from './run-blocks.ts'

const file = new URL('golden.json', import.meta.url)
const partition = 1
const partitionCount = 2
const limits = { blockEvents: 500, blockBytes: 1_000_000, partRows: 2_000, partBytes: 1e9 }

/** One of two partitions; 40 days from before a month's end, with retries, late flushes, wrong clocks and faults. */
function records(): LogRecord[] {
  const fromMs = Date.UTC(2026, 8, 20)
  const simulated = traffic({ seed: 7, fromMs, eventsPerSecond: 0.003, events: 10_000, users: 300, faults: 0.02 })
  const all: LogRecord[] = []
  const add = (record: Omit<LogRecord, 'offset'>) => all.push({ offset: all.length, ...record })
  while (!simulated.done())
    for (const { key, value, timestampMs } of simulated.next(Infinity, 500)) {
      const here = key === null ? 0 : partitionOf(key, partitionCount)
      if (here === partition) add({ timestampMs, key: key!.slice(), value: value?.slice() ?? null, headers: undefined })
      if (all.length % 200 === 199) add({ timestampMs, key: null, value: null, headers: tick() })
    }
  add({ timestampMs: all.at(-1)!.timestampMs + 86_400_000, key: null, value: null, headers: tick() })
  return all
}

const log = { settings: defaultSettings, partition, partitionCount, records: records() }
const run = (options: FastOptions = {}) => summary(fastBlocks(log, { limits, batchRecords: () => 1_000, ...options }))

function summary(blocks: readonly FastBlock[]) {
  const tables = Object.fromEntries(
    blockTables().all.map(({ table }) => {
      const parts = blocks.flatMap((block) => block.parts[table.name]!)
      const digest = createHash('sha256')
      for (const part of parts) digest.update(part)
      return [table.name, { parts: parts.length, bytes: parts.reduce((sum, part) => sum + part.length, 0), sha256: digest.digest('hex') }]
    }),
  )
  return { operatorVersion, records: log.records.length, blocks: blocks.length, tables }
}

if (process.env['GOLDEN'] === 'write') writeFileSync(file, `${JSON.stringify(run(), null, 2)}\n`)
const golden = JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof summary>

test('the log gives the frozen rows', () => {
  expect(golden.tables['events']!.bytes).toBeGreaterThan(500_000)
  expect(golden.tables['tier_changes']!.bytes).toBeGreaterThan(1_000)
  expect(run()).toEqual(golden)
})

test.each([1, 7, 97])('read %d records at a time, it gives the frozen rows', (size) => {
  expect(run({ batchRecords: () => size })).toEqual(golden)
})

test('resumed halfway from what its checkpoints kept, it gives the frozen rows', () => {
  const half = Math.floor(golden.blocks / 2)
  expect(run({ checkpointAfter: (block) => block % 3 === 0 || block === half, restartAfter: (block) => block === half })).toEqual(golden)
})

test('resumed after every block, it gives the frozen rows', () => {
  expect(run({ checkpointAfter: () => true, restartAfter: () => true })).toEqual(golden)
})
