import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writersTable } from '../../schemas/tables/writers.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { WrongSetting } from '../config/value.ts'
import { asWriter, beWriter } from './be-writer.ts'

const dir = mkdtempSync(join(tmpdir(), 'reelpulse-writer-'))
let engine: EmbeddedEngine
beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir: dir })
})
afterAll(async () => {
  await engine?.close()
  rmSync(dir, { recursive: true, force: true })
})

const refusal = (work: Promise<void>) =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof WrongSetting ? error.problems[0] : error),
  )

test("a database's first writer may come again, a second group and a topic of another name may not", async () => {
  const store = engine.store('one_writer')
  await store.migrate([writersTable], [])
  await beWriter(store, 'a-b', 'reelpulse')
  await beWriter(store, 'a-b', 'reelpulse')
  expect(await refusal(beWriter(store, 'a-b', 'other'))).toMatchObject({
    where: '--group or REELPULSE_GROUP',
    got: 'other',
    wants: expect.stringMatching(/^reelpulse, the group that writes this database/) as string,
  })
  expect(await refusal(beWriter(store, 'a.b', 'reelpulse'))).toMatchObject({
    got: 'a.b',
    wants: expect.stringContaining('topic a-b') as string,
  })
  // Who mends what the writer left is told the same.
  await asWriter(store, 'a-b', 'reelpulse')
  expect(await refusal(asWriter(store, 'a-b', 'other'))).toMatchObject({ got: 'other', where: '--group or REELPULSE_GROUP' })
  expect(await refusal(asWriter(store, 'a.b', 'reelpulse'))).toMatchObject({ got: 'a.b' })
  // Dropped, it is anybody's.
  await store.command('DROP TABLE writers')
  await asWriter(store, 'a.b', 'other')
  await store.migrate([writersTable], [])
  await asWriter(store, 'a-b', 'reelpulse')
  await beWriter(store, 'a.b', 'other')
})
