// Rejected records sent again, on the embedded log and engine.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { embeddedLog, type EmbeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { event, flush, good, idsOf, learned, userOf, world } from './hand-made.ts'

const dir = mkdtempSync(join(tmpdir(), 'reelpulse-replay-'))
let engine: EmbeddedEngine
let log: EmbeddedLog

beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir: join(dir, 'data') })
  log = await embeddedLog(join(dir, 'log'))
})
afterAll(async () => {
  await log.close()
  await engine.close()
  rmSync(dir, { recursive: true, force: true })
})

async function begun(topic: string) {
  const one = world(log, engine.store(topic.replaceAll('-', '_')), topic)
  await one.begin()
  return one
}

test('flushes of a schema that becomes known count once, with the times at which they happened', async () => {
  const topic = await begun('unknown-schema')
  const known = flush(userOf(0), [event()])
  const unknowns = [0, 1, 0, 1].map((partition, n) => flush(userOf(partition, n), [event(), event()]))
  await topic.send(known)
  await topic.sendUnknown(...unknowns)
  await topic.send(flush(userOf(1), []))
  await topic.process()
  expect(await topic.stored()).toEqual(idsOf(known))

  const figures = await topic.replay()
  expect(figures).toMatchObject({ records: 4, flushesAppended: 4, eventsAppended: 8, stillRejected: {} })
  await topic.process({ resolve: learned })
  expect(await topic.stored()).toEqual(idsOf(known, ...unknowns))
  expect(await topic.verify()).toEqual(good)
}, 120_000)
