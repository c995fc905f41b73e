// An engine whose parent is gone ends, whatever it is doing: else it would keep the directory from the next one.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openEmbeddedEngine } from '../adapters/embedded-store.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { credentialsOf, socketPathOf, spoolDirectoriesOf } from './address.ts'
import type { EngineStart, ToEngine } from './protocol.ts'

test('an engine whose parent goes while it opens the directory ends at once, and the next one can open it', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-orphan-'))
  const before = await openEmbeddedEngine({ dataDir })
  await before.store('orphan').migrate(tables, [])
  await before.close()
  const directory = join(dataDir, 'engine')
  const status = join(directory, 'status')
  const options: EngineStart = {
    directory,
    database: 'reelpulse',
    socketPath: socketPathOf(dataDir),
    port: undefined,
    host: '127.0.0.1',
    readerDatabases: undefined,
    spoolDirectories: spoolDirectoriesOf(dataDir),
    maxBodyBytes: 1_000_000,
    fsync: 'all',
    ...credentialsOf(undefined),
  }
  for (const laterMs of [0, 20, 40]) {
    rmSync(status, { force: true })
    const child = spawn(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url))], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
    child.send({ say: 'start', options } satisfies ToEngine)
    // It writes this file as the first thing when it opens the directory.
    while (!existsSync(status)) await sleep(1)
    await sleep(laterMs)
    child.disconnect()
    try {
      // 0: it had opened it, and ended in order. What it must not do is crash, or hang, in the middle.
      expect(['SIGKILL', 0]).toContain(await ended)
    } finally {
      child.kill('SIGKILL')
    }
  }
  const after = await openEmbeddedEngine({ dataDir })
  expect(await after.store('orphan').query('SELECT count() AS n FROM events')).toEqual([{ n: 0 }])
  await after.close()
  rmSync(dataDir, { recursive: true, force: true })
}, 240_000)
