import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tables } from '../../../schemas/tables/catalogue.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../../adapters/embedded-store.ts'
import { fill, madeChange, madeEvents } from '../../verify/hand-made.ts'
import { exitFinding, exitGood, exitUsage } from '../command.ts'

const bin = fileURLToPath(new URL('../bin.js', import.meta.url))
const at = Date.UTC(2026, 2, 10)
let dataDir: string
let engine: EmbeddedEngine

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-verify-'))
  engine = await openEmbeddedEngine({ dataDir })
  for (const [database, changes] of [
    ['reelpulse', [madeChange({ user_id: 'ann', from: 'prospect', to: 'new', as_of: at })]],
    ['reelpulse_shop', []],
  ] as const) {
    const store = engine.store(database)
    await store.migrate(tables, [])
    await fill(store, { events: madeEvents([{ behavior: 'register', clock_at: at }]), changes })
  }
})
afterAll(async () => {
  await engine.close()
  rmSync(dataDir, { recursive: true })
})

async function reelpulse(...words: string[]) {
  const child = spawn(process.execPath, [bin, ...words])
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, lines: Buffer.concat(out).toString().trimEnd().split('\n'), err: Buffer.concat(err).toString() }
}

test('one topic that is right: the last line says so, exit 0', async () => {
  const { code, lines, err } = await reelpulse('verify', '--data', dataDir, '--topic', 'behavior-events')
  expect({ code, last: lines.at(-1), err }).toEqual({ code: exitGood, last: '1 rows compared, 0 differ', err: '' })
})

test('without a topic all are verified and summed up, a difference is shown, exit 1, JSON last under --json', async () => {
  const { code, lines } = await reelpulse('verify', '--data', dataDir, '--json')
  expect(code).toBe(exitFinding)
  expect(lines.at(-2)).toBe('2 rows compared, 1 differ')
  expect(lines.join('\n')).toContain('ann as of 2026-03-10T00:00:00.000Z: from, to stored 0 × prospect, recomputed 1 × new')
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({
    rowsCompared: 2,
    rowsDiffer: 1,
    databases: [
      { database: 'reelpulse', rowsCompared: 1, rowsDiffer: 0 },
      { database: 'reelpulse_shop', rowsCompared: 1, rowsDiffer: 1 },
    ],
  })
})

test.each([
  ['a topic that is not there', ['--topic', 'nowhere'], 'it has behavior-events, shop'],
  ['flags that exclude each other', ['--all', '--users', '3'], '--all and --users exclude each other'],
  ['a wrong number', ['--users', '0'], '--users: got "0", wants at least 1'],
])('%s: exit 2, and why', async (_, words, why) => {
  const { code, err } = await reelpulse('verify', '--data', dataDir, ...words)
  expect(code).toBe(exitUsage)
  expect(err).toContain(why)
})

test('a directory without state is not made', async () => {
  const { code, err } = await reelpulse('verify', '--data', join(dataDir, 'nothing'))
  expect(code).toBe(exitUsage)
  expect(err).toContain('a directory in which Reelpulse has run')
})
