// What follows from a field table (DDL, rows to RowBinary, rows from it), held against the engine itself.
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anyRow } from '../../schemas/arbitrary.ts'
import { columnsOf, quoteName } from '../../schemas/ddl.ts'
import { everyKindTable } from '../../schemas/every-kind.ts'
import { decodeRows, encodeRows } from '../../schemas/row-binary.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from './embedded-store.ts'

const seed = Number(process.env['SEED'] ?? 20_260_301)
const database = 'every_kind'
const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-kinds-'))
let engine: EmbeddedEngine
beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir })
})
afterAll(async () => {
  await engine?.close()
  rmSync(dataDir, { recursive: true })
})

/** The answer's own bytes: the Store gives rows. */
function answerTo(sql: string): Promise<Buffer> {
  const { user, password } = engine.owner()
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        socketPath: engine.url().slice('unix:'.length),
        path: `/?database=${database}`,
        method: 'POST',
        headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
      },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => resolve(Buffer.concat(chunks)))
      },
    )
    asked.on('error', reject)
    asked.end(sql)
  })
}

test(`rows of every kind of column come back from the engine as they went in (seed ${seed})`, async () => {
  const { record } = everyKindTable
  const store = engine.store(database)
  await store.migrate([everyKindTable], [])
  // What it made is what the field table says, or this would throw.
  await store.migrate([everyKindTable], [])
  const startMs = Date.parse('2026-03-01T00:00Z')
  // One block is one month here, as it is of every table.
  const rows = fc
    .sample(anyRow(record), { numRuns: 300, seed })
    .map((row, id) => ({ ...row, id, at: startMs + (Math.abs(row.at) % (28 * 86_400_000)) }))
  const columns = columnsOf(everyKindTable).map(({ name }) => name)
  await store.insert({ table: 'every_kind', columns, rows: encodeRows(record, rows), token: 'kinds' })
  const back = await answerTo(`SELECT ${columns.map(quoteName).join(', ')} FROM every_kind ORDER BY id FORMAT RowBinary`)
  expect(decodeRows(record, back)).toEqual(rows)
})
