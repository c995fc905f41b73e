// `reelpulse process` as it is run, and `reelpulse start` where it does the same.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openEmbeddedEngine } from '../../adapters/embedded-store.ts'
import { exitGood } from '../../cli/command.ts'
import { soon } from '../../testing/soon.ts'
import { storeFaults } from '../../testing/store-faults.ts'

const bin = fileURLToPath(new URL('../../cli/bin.js', import.meta.url))

test('it makes the live topic where that is missing, says over HTTP that it is ready, runs until told to stop, and ends well', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'reelpulse-process-'))
  const env = { ...process.env, KAFKA_BROKERS: '', CLICKHOUSE_URL: '' }
  const child = spawn(process.execPath, [bin, 'process', '--data', directory, '--port', '0', '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    const ended = once(child, 'close')
    const out: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    const said: string[] = []
    for await (const line of createInterface({ input: child.stderr })) {
      said.push(line)
      if (line.includes('"processing"')) {
        const { url } = JSON.parse(said[0]!) as { url: string }
        const ready = async () => (await fetch(`${url}/readyz`)).json() as Promise<{ ready: boolean; parts: unknown[] }>
        await soon(async () => (await ready()).parts.length).toBe(4)
        await soon(async () => (await ready()).ready).toBe(true)
        expect((await fetch(`${url}/healthz`)).status).toBe(200)
        child.kill('SIGTERM')
      }
    }
    const [code] = (await ended) as [number | null]
    expect([code, said]).toEqual([exitGood, [expect.stringContaining('"url"'), expect.stringContaining('"topic":"behavior-events"')]])
    expect(JSON.parse(Buffer.concat(out).toString().trim().split('\n').at(-1)!)).toMatchObject({ events: 0, rows: { events: 0 } })
  } finally {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
})

test.each(['process', 'start'])(
  '%s that is started while the store is away says so, waits, and begins by itself',
  async (command) => {
    const directory = mkdtempSync(join(tmpdir(), 'reelpulse-process-'))
    const engine = await openEmbeddedEngine({ dataDir: join(directory, 'store') })
    const faults = await storeFaults(() => ({ socketPath: engine.url().slice('unix:'.length) }))
    faults.begin({ kind: 'refuse' })
    const { user, password } = engine.owner()
    const env = { ...process.env, KAFKA_BROKERS: '', CLICKHOUSE_URL: faults.url, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password }
    const child = spawn(process.execPath, [bin, command, '--data', directory, '--port', '0'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    try {
      const ended = once(child, 'close')
      const lines = createInterface({ input: child.stderr })[Symbol.asyncIterator]()
      const { url } = JSON.parse(((await lines.next()) as { value: string }).value) as { url: string }
      const readyz = async () => (await fetch(`${url}/readyz`)).json() as Promise<Record<string, unknown>>
      await soon(readyz).toMatchObject({
        ready: false,
        parts: [{ role: 'process', state: 'starting' }],
        neighbours: [
          { name: 'log', answers: true },
          { name: 'store', answers: false },
        ],
      })
      await faults.end()
      const running = { role: 'process', state: 'running' }
      await soon(readyz).toMatchObject({
        ready: true,
        parts: [
          ...Array.from({ length: 4 }, () => running),
          ...(command === 'start' ? ['detect', 'signals'].map((role) => ({ role, state: 'running' })) : []),
        ],
      })
      child.kill('SIGTERM')
      expect((await ended)[0]).toBe(exitGood)
    } finally {
      child.kill('SIGKILL')
      await faults.close()
      await engine.close()
      rmSync(directory, { recursive: true, force: true })
    }
  },
  120_000,
)
