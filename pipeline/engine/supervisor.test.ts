import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { soon } from '../testing/soon.ts'
import { addressPath, readAddress, socketPathOf, spoolDirectoriesOf, type EngineAddress } from './address.ts'
import { EngineFailed, EngineInUse, startEngine, type Engine } from './supervisor.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'reelpulse-supervisor-'))
  cleanups.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function started(dataDir: string): Promise<Engine & { told: string[] }> {
  const told: string[] = []
  const engine = await startEngine({ dataDir, database: 'reelpulse', tell: (_, message) => told.push(message) })
  cleanups.push(() => engine.stop())
  return { ...engine, told }
}

function ask({ socketPath, owner }: EngineAddress, sql: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'X-ClickHouse-User': owner.user, 'X-ClickHouse-Key': owner.password }
    const sent = request({ socketPath, path: '/', method: 'POST', headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text.trim())).on('error', reject)
    })
    sent.on('error', reject).end(sql)
  })
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a supervised engine', () => {
  test('is found in engine.json, by its owner alone', async () => {
    const dataDir = directory()
    const { address } = await started(dataDir)
    expect(readAddress(dataDir)).toEqual(address)
    expect(statSync(addressPath(dataDir)).mode & 0o777).toBe(0o600)
    expect(statSync(address.socketPath).mode & 0o077).toBe(0)
    for (const spool of spoolDirectoriesOf(dataDir)) expect(statSync(spool).mode & 0o077).toBe(0)
    expect(await ask(address, 'SELECT 1')).toBe('1')
  })

  test('keeps its secrets and its rows from one run to the next', async () => {
    const dataDir = directory()
    const first = await started(dataDir)
    await ask(first.address, 'CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a')
    await ask(first.address, 'INSERT INTO t VALUES (7)')
    await first.stop()
    const second = await started(dataDir)
    expect(second.address.owner).toEqual(first.address.owner)
    expect(await ask(first.address, 'SELECT a FROM t')).toBe('7')
  })

  test('leaves no process, socket or spool behind when it is stopped', async () => {
    const dataDir = directory()
    const engine = await started(dataDir)
    const pid = engine.pid()!
    const slow = ask(engine.address, 'SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1')
    await soon(() => ask(engine.address, "SELECT count() FROM system.processes WHERE query LIKE '%sipHash%'")).toBe('2')
    await engine.stop()
    expect(await slow).toMatch(/Code: 394/)
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(engine.address.socketPath)).toBe(false)
    expect(spoolDirectoriesOf(dataDir).filter((path) => existsSync(path))).toEqual([])
    expect(engine.told).toEqual([])
  })

  test('is started again after a crash, at the same address', async () => {
    const engine = await started(directory())
    const first = engine.pid()!
    process.kill(first, 'SIGKILL')
    await soon(() => engine.restarts()).toBe(1)
    expect(await ask(engine.address, 'SELECT 1')).toBe('1')
    expect(engine.pid()).not.toBe(first)
    expect(engine.told[0]).toMatch(/SIGKILL.*starting it again/)
  })

  test('removes what a killed one left in the spool', async () => {
    const dataDir = directory()
    const [spool] = spoolDirectoriesOf(dataDir)
    mkdirSync(spool!, { recursive: true })
    writeFileSync(join(spool!, '1.body'), 'left')
    await started(dataDir)
    expect(existsSync(join(spool!, '1.body'))).toBe(false)
  })

  test('may not be a second one over the same directory: the first is named', async () => {
    const dataDir = directory()
    const engine = await started(dataDir)
    const second = startEngine({ dataDir, database: 'reelpulse' })
    await expect(second).rejects.toBeInstanceOf(EngineInUse)
    await expect(second).rejects.toThrow(`(${engine.pid()})`)
    expect(await ask(engine.address, 'SELECT 1')).toBe('1')
  })

  test('that cannot start says why', async () => {
    const dataDir = directory()
    writeFileSync(join(dataDir, 'engine'), 'no directory')
    await expect(startEngine({ dataDir, database: 'reelpulse' })).rejects.toThrow(/EEXIST|ENOTDIR|not a directory/)
    const other = directory()
    mkdirSync(join(other, 'engine', 'status'), { recursive: true })
    const failed = startEngine({ dataDir: other, database: 'reelpulse' })
    await expect(failed).rejects.toBeInstanceOf(EngineFailed)
    await expect(failed).rejects.toThrow(/^its process ended.*status.*CANNOT_OPEN_FILE/)
  })

  test('does not outlive its parent, however that ends', async () => {
    const dataDir = directory()
    const parent = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import { startEngine } from ${JSON.stringify(fileURLToPath(new URL('supervisor.ts', import.meta.url)))}
       await startEngine({ dataDir: ${JSON.stringify(dataDir)}, database: 'reelpulse' })
       process.stdout.write('up')`,
    ])
    cleanups.push(() => parent.kill('SIGKILL'))
    await new Promise((resolve) => parent.stdout.once('data', resolve))
    const { pid } = JSON.parse(readFileSync(addressPath(dataDir), 'utf8')) as EngineAddress
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await soon(() => isAlive(pid)).toBe(false)
  })

  test('of a directory with a long name has its socket elsewhere, for its owner alone', async () => {
    const dataDir = join(directory(), 'a'.repeat(100))
    mkdirSync(dataDir)
    const path = socketPathOf(dataDir)
    cleanups.push(() => rmSync(join(path, '..'), { recursive: true, force: true }))
    expect(Buffer.byteLength(path)).toBeLessThan(100)
    const { address } = await started(dataDir)
    expect(address.socketPath).toBe(path)
    expect(await ask(address, 'SELECT 1')).toBe('1')
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
  })
})
