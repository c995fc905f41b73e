import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { externalSort } from './external-sort.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'reelpulse-sort-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Times that often coincide, and bytes of which some are longer than a buffer of the spool. */
const rows = fc
  .array(
    fc.record({
      atMs: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.maxSafeNat()),
      raw: fc.oneof(
        { weight: 50, arbitrary: fc.uint8Array({ maxLength: 40 }) },
        { weight: 1, arbitrary: fc.constant(new Uint8Array(300_000).fill(7)) },
      ),
    }),
    { maxLength: 300 },
  )
  .map((all) => all.map(({ atMs, raw }, i) => ({ atMs, line: i + 1, raw: Buffer.from(raw) })))

const copied = (all: Iterable<{ atMs: number; line: number; raw: Buffer }>) =>
  Array.from(all, ({ atMs, line, raw }) => [atMs, line, raw.toString('hex')])

test('sorting on disk gives what sorting in memory gives, and leaves no file', () => {
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 2, max: 5 }), (all, memoryBytes, fanIn) => {
      const sort = externalSort({ directory, memoryBytes, fanIn })
      for (const row of all) sort.add(row)
      expect(copied(sort.sorted())).toEqual(copied(all.toSorted((a, b) => a.atMs - b.atMs || a.line - b.line)))
      expect(readdirSync(directory)).toEqual([])
    }),
    { numRuns: 100 },
  )
})

test('runs are merged once there are too many to be read at once', () => {
  const sort = externalSort({ directory, memoryBytes: 100, fanIn: 3 })
  for (let i = 0; i < 1_000; i++) sort.add({ atMs: (i * 7_919) % 1_009, line: i, raw: Buffer.from(`row ${i}`) })
  expect(sort.runsWritten()).toBeGreaterThan(300)
  expect(readdirSync(directory).length).toBeLessThanOrEqual(3)
  expect([...sort.sorted()].map(({ atMs }) => atMs)).toEqual(
    Array.from({ length: 1_000 }, (_, i) => (i * 7_919) % 1_009).toSorted((a, b) => a - b),
  )
})

test('whoever stops reading leaves no open file behind', () => {
  const sort = externalSort({ directory, memoryBytes: 100 })
  for (let i = 0; i < 50; i++) sort.add({ atMs: i, line: i, raw: Buffer.from('x') })
  for (const { atMs } of sort.sorted()) if (atMs === 20) break
  expect(readdirSync(directory)).toEqual([])
})
