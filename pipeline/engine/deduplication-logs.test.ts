import { appendFileSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openEmbeddedStore } from '../adapters/embedded-store.ts'
import { rowsOf } from '../testing/numbered-rows.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-tokens-'))
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

test('a token whose part is not there does not hold back the retry; one whose part was merged away still does', async () => {
  const open = () => openEmbeddedStore({ dataDir, database: 'reelpulse' })
  const first = await open()
  await first.store.migrate([], [])
  await first.store.command(
    'CREATE TABLE t (i UInt32, j UInt32) ENGINE = MergeTree ORDER BY i SETTINGS non_replicated_deduplication_window = 100',
  )
  const insert = ({ store }: typeof first, i: number) =>
    store.insert({ table: 't', columns: ['i', 'j'], rows: rowsOf(i, 2), token: `insert ${i}` })
  for (const i of [0, 1]) await insert(first, i)
  await first.store.command('OPTIMIZE TABLE t FINAL')
  for (const i of [2, 3]) await insert(first, i)
  await first.close()

  // As it is where the engine ends after it wrote the token, before it named the part; or where a power cut takes the one and not the other.
  const table = realpathSync(join(dataDir, 'engine', 'data', 'reelpulse', 't'))
  rmSync(join(table, 'all_4_4_0'), { recursive: true })
  const list = join(table, 'deduplication_logs', 'deduplication_log_1.txt')
  const before = readFileSync(list, 'utf8').trimEnd().split('\n')
  expect(before).toHaveLength(4)
  // A line that was being written.
  appendFileSync(list, '1\tall_5_5_0\tall_12\0\0')

  const second = await open()
  expect(readFileSync(list, 'utf8')).toBe(before.slice(0, 3).join('\n') + '\n')
  for (const i of [0, 1, 2, 3]) await insert(second, i)
  const rows = await second.store.query('SELECT i, count() AS rows FROM t GROUP BY i ORDER BY i')
  await second.close()
  expect(rows).toEqual([0, 1, 2, 3].map((i) => ({ i, rows: 2 })))
})
