// Runs the guide's code: every block that is marked `runnable`, where the page says what is to come of it.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedEngine, type EmbeddedEngine } from '../../pipeline/adapters/embedded-store.ts'
import { kafkaLog } from '../../pipeline/adapters/kafka-log.ts'
import { databaseOf } from '../../pipeline/config/names.ts'
import { prepareStore, processAll } from '../../pipeline/integration/process-harness.ts'
import type { Store } from '../../pipeline/ports/store.ts'
import { missingPython, pythonEnv } from '../../pipeline/testing/python.ts'
import { missingKafka, sharedKafka } from '../../pipeline/testing/shared-kafka.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

type Block = { page: string; language: string; code: string }
const blocks: Block[] = readdirSync(join(root, 'docs/guide'))
  .filter((name) => name.endsWith('.md'))
  .flatMap((page) =>
    [...readFileSync(join(root, 'docs/guide', page), 'utf8').matchAll(/^```(\w+) runnable\n(.*?)^```/gms)].map((match) => ({
      page,
      language: match[1]!,
      code: match[2]!,
    })),
  )
const blocksOf = (language: string, page?: string) =>
  blocks.filter((block) => block.language === language && (page === undefined || block.page === page))

/** Beside the project's folders and packages, so that imports are found as from its root; and a project of one's own with the schema. */
const folder = mkdtempSync(join(tmpdir(), 'reelpulse-guide-'))
const schema = 'BehaviorBatch-9f7fa635b1204fba.avsc'
const fileOf = new Map<Block, string>()
beforeAll(() => {
  for (const name of ['node_modules', 'schemas', 'operators', 'dashboards', 'pipeline', 'package.json'])
    symlinkSync(join(root, name), join(folder, name))
  copyFileSync(join(root, 'schemas/history', schema), join(folder, schema))
  for (const [i, block] of blocks.entries()) {
    const file = join(folder, `${block.page.replace('.md', '')}-${i}.${block.language === 'python' ? 'py' : block.language}`)
    writeFileSync(file, block.code)
    fileOf.set(block, file)
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

const start = (block: Block, env: Record<string, string> = {}) =>
  run(block.language === 'python' ? 'python3' : process.execPath, [fileOf.get(block)!], { cwd: folder, env: { ...process.env, ...env } })

test('every block is of a kind that is run here', () => {
  expect(new Set(blocks.map(({ language }) => language))).toEqual(new Set(['sh', 'ts', 'python', 'sql']))
  expect(blocksOf('python').map(({ page }) => page)).toEqual(['connect-app.md'])
  expect(new Set(blocksOf('sh').map(({ page }) => page))).toEqual(new Set(['five-minutes.md']))
  expect(blocksOf('sql').map(({ page }) => page)).toEqual(['right-once.md'])
})

test('TypeScript passes the project’s own type check', async () => {
  const files = blocksOf('ts').map((block) => fileOf.get(block)!)
  expect(files.length).toBeGreaterThan(4)
  const config = join(folder, 'tsconfig.json')
  const types = [join(root, 'pipeline/adapters/kafka/kafkajs.d.ts')]
  writeFileSync(config, JSON.stringify({ extends: join(root, 'tsconfig.json'), include: [], files: [...files, ...types] }))
  const said = await run(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '-p', config], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  )
  expect(said.stdout).toBe('')
})

describe.each(blocksOf('ts').filter(({ page }) => page !== 'connect-app.md'))('$page', (block) => {
  test('its example does what it asserts', async () => {
    expect(block.code).toContain('assert')
    await start(block)
  })
})

test('five-minutes.md: each command does what the page says', async () => {
  const env = { ...process.env, REELPULSE_DATA: join(folder, 'data'), REELPULSE_PORT: '0', LOG_LEVEL: 'warn' }
  const said: string[] = []
  for (const { code } of blocksOf('sh', 'five-minutes.md')) said.push((await run('sh', ['-ec', code], { cwd: root, env })).stdout)
  const [started = '', peeked = '', verified = ''] = said
  expect(started).toMatch(/^rows: events 19,\d{3}, /m)
  expect(peeked).toMatch(/u10000000[\s\S]*\b(prospect|new|active|paying|loyal)\b/)
  expect(verified).toMatch(/^[1-9]\d* rows compared, 0 differ$/m)
})

const noKafka = await missingKafka()
describe.skipIf(noKafka)(`connect-app.md, with a broker${noKafka === undefined ? '' : ` (${noKafka})`}`, async () => {
  const topic = `guide-${randomUUID().slice(0, 8)}`
  const noPython = await missingPython(['kafka', 'fastavro'])
  let engine: EmbeddedEngine
  let store: Store
  const columns = 'user_id, behavior, watch_ms, amount_minor, query, content_id'

  beforeAll(async () => {
    const brokers = await sharedKafka()
    const log = kafkaLog({ brokers: [brokers] })
    engine = await openEmbeddedEngine({ dataDir: join(folder, 'engine-data'), fsync: 'nothing' })
    store = engine.store(databaseOf(topic))
    try {
      await log.createTopic({ topic, partitions: 4, timestamps: 'append' })
      const env = { KAFKA_BROKERS: brokers, REELPULSE_TOPIC: topic, ...pythonEnv }
      for (const block of blocksOf('ts', 'connect-app.md')) await start(block, env)
      if (noPython === undefined) for (const block of blocksOf('python')) await start(block, env)
      await prepareStore(store)
      await processAll({ topic, members: [{ log, store }] })
    } finally {
      await log.close()
    }
  })
  afterAll(() => engine?.close())

  test('what the TypeScript producer sends is counted, and nothing of it rejected', async () => {
    expect(await store.query(`SELECT ${columns} FROM events WHERE user_id = 'ada' ORDER BY ordinal`)).toEqual([
      { user_id: 'ada', behavior: 'play', watch_ms: 8_000, amount_minor: null, query: null, content_id: 'v1' },
      { user_id: 'ada', behavior: 'purchase', watch_ms: null, amount_minor: 1_200, query: null, content_id: null },
    ])
    expect(await store.query('SELECT reason FROM rejected_events')).toEqual([])
  })

  test.skipIf(noPython)(`what the Python producer sends, too${noPython === undefined ? '' : ` (${noPython})`}`, async () => {
    expect(await store.query(`SELECT ${columns} FROM events WHERE user_id = 'grace' ORDER BY ordinal`)).toEqual([
      { user_id: 'grace', behavior: 'search', watch_ms: null, amount_minor: null, query: 'cats', content_id: null },
      { user_id: 'grace', behavior: 'like', watch_ms: null, amount_minor: null, query: null, content_id: 'v2' },
    ])
  })

  test('right-once.md: no event is there twice', async () => {
    const [row] = await store.query<{ events: number; places: number }>(blocksOf('sql')[0]!.code)
    expect(row?.events).toBeGreaterThan(1)
    expect(row?.places).toBe(row?.events)
  })
})
