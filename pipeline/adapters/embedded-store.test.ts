import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { StoreAway } from '../ports/store.ts'
import { clickhouseStore } from './clickhouse-store.ts'
import { openEmbeddedEngine, openEmbeddedStore } from './embedded-store.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'reelpulse-embedded-'))
  cleanups.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('several databases share one engine, and do not mix', async () => {
  const engine = await openEmbeddedEngine({ dataDir: directory() })
  cleanups.push(() => engine.close())
  const [one, two] = [engine.store('one'), engine.store('two')]
  for (const [store, value] of [
    [one, 1],
    [two, 2],
  ] as const) {
    await store.migrate([], [])
    await store.command('CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a')
    await store.command(`INSERT INTO t VALUES (${value})`)
  }
  expect(await Promise.all([one.query('SELECT a FROM t'), two.query('SELECT a FROM t')])).toEqual([[{ a: 1 }], [{ a: 2 }]])
})

test('a directory opened twice has one engine, until both have closed it', async () => {
  const dataDir = directory()
  const first = await openEmbeddedStore({ dataDir, database: 'reelpulse' })
  const second = await openEmbeddedStore({ dataDir, database: 'reelpulse' })
  cleanups.push(
    () => first.close(),
    () => second.close(),
  )
  expect(second.pid()).toBe(first.pid())
  await first.close()
  expect(await second.store.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
})

test('its reader may read, not write', async () => {
  const engine = await openEmbeddedEngine({ dataDir: directory(), port: 0 })
  cleanups.push(() => engine.close())
  const { user, password } = engine.reader()
  for (const url of [engine.url(), engine.httpUrl()!]) {
    const store = clickhouseStore({ url, user, password, database: 'reelpulse' })
    expect(await store.query('SELECT {a:UInt8} AS a', { a: 1 })).toEqual([{ a: 1 }])
    await expect(store.command('CREATE TABLE t (a Int8) ENGINE = Memory')).rejects.toThrow(/readonly/)
    await store.close()
  }
})

test('a second process uses the engine of the first, and takes over when the first is gone', async () => {
  const dataDir = directory()
  const module = fileURLToPath(new URL('embedded-store.ts', import.meta.url))
  const first = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { openEmbeddedStore } from ${JSON.stringify(module)}
     const { store, pid } = await openEmbeddedStore({ dataDir: ${JSON.stringify(dataDir)}, database: 'reelpulse' })
     await store.command('CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a')
     await store.command('INSERT INTO t VALUES (1)')
     process.stdout.write(String(pid()))`,
  ])
  cleanups.push(() => first.kill('SIGKILL'))
  const pid = await new Promise<number>((resolve) => first.stdout.once('data', (text) => resolve(Number(text))))
  const second = await openEmbeddedStore({ dataDir, database: 'reelpulse' })
  cleanups.push(() => second.close())
  expect(second.pid()).toBe(pid)
  expect(second.isSupervisor()).toBe(false)
  expect(await second.store.query('SELECT a FROM t')).toEqual([{ a: 1 }])

  first.kill('SIGKILL')
  await new Promise((resolve) => first.once('exit', resolve))
  for (;;) {
    try {
      await second.store.command('INSERT INTO t VALUES (2)')
      if (second.isSupervisor()) break
    } catch (error) {
      expect(error).toBeInstanceOf(StoreAway)
    }
    await pause(20)
  }
  expect(await second.store.query('SELECT min(a) AS first, max(a) AS last FROM t')).toEqual([{ first: 1, last: 2 }])
})
