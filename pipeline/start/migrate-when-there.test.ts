import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { StoreAway, StoreRefused, type Store } from '../ports/store.ts'
import { soon } from '../testing/soon.ts'
import { migrateWhenThere } from './migrate-when-there.ts'

/** Only what is called; the others are missing. */
const storeThat = (migrate: Store['migrate']) => ({ migrate }) as Store

test('a store that is not there yet is waited for, and one that refuses is not', async () => {
  let tries = 0
  const late = storeThat(() => (++tries < 3 ? Promise.reject(new StoreAway('connect ECONNREFUSED')) : Promise.resolve()))
  const warned: string[] = []
  const signal = new AbortController().signal
  const logger = { warn: ({ error }: { error?: unknown }) => warned.push(String(error)) } as unknown as Parameters<
    typeof migrateWhenThere
  >[2]
  expect(await migrateWhenThere(late, signal, logger)).toBe(true)
  expect(tries).toBe(3)
  expect(warned).toEqual(['connect ECONNREFUSED'])
  const refusing = storeThat(() => Promise.reject(new StoreRefused('no rights')))
  await expect(migrateWhenThere(refusing, signal, logger)).rejects.toThrow('no rights')
})

test.each(['process', 'start', 'detect'])(
  'reelpulse %s that starts before its store says so, waits, and can be stopped',
  async (role) => {
    const data = mkdtempSync(join(tmpdir(), 'reelpulse-early-'))
    const bin = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
    // Nothing listens on port 9, the one for discarding.
    const child = spawn(process.execPath, [bin, role, '--data', data, '--clickhouse-url', 'http://127.0.0.1:9'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, REELPULSE_PORT: '0' },
    })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    await soon(() => said).toContain('the store does not answer; waiting')
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    rmSync(data, { recursive: true, force: true })
  },
  120_000,
)
