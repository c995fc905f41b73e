// Keeps one engine running over a data directory: starts its process, says when it is ready, starts it again when it dies, stops it cleanly.
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeDurableDirectory } from '../durable-directory.ts'
import { credentialsOf, readAddress, socketPathOf, spoolDirectoriesOf, writeAddress, type EngineAddress } from './address.ts'
import type { EngineStart, FromEngine, Fsync, ToEngine } from './protocol.ts'

export type EngineOptions = {
  /** The directory that holds engine/ and engine.json. */
  dataDir: string
  database: string
  /** Listen on this port of `host` too; 0: on any free one. */
  port?: number
  /** Default 127.0.0.1. On any but a loopback address only the reader is let in. */
  host?: string
  /** The databases that the reader may read, the first where a request names none. Default: every topic's. */
  readerDatabases?: readonly string[]
  /** Default `all`: an acknowledged insert outlives a power cut. */
  fsync?: Fsync
  /** Default 256 MiB. */
  maxBodyBytes?: number
  /** What happens to the engine, in a sentence. */
  tell?: (level: 'info' | 'warn', message: string) => void
}

export type Engine = {
  address: EngineAddress
  /** Of the present process; another after a crash. */
  pid(): number | undefined
  /** How often it was started again. */
  restarts(): number
  stop(): Promise<void>
}

/** Another process has the directory: look for its address in engine.json. */
export class EngineInUse extends Error {
  override name = 'EngineInUse'
}

/** The engine cannot be started here; the message says why, in its own words. */
export class EngineFailed extends Error {
  override name = 'EngineFailed'
}

const readyWithinMs = 60_000
const stopWithinMs = 20_000
const firstDelayMs = 100
const longestDelayMs = 10_000
/** After so long a run a crash counts as the first again. */
const steadyAfterMs = 10_000

/** Resolves once the engine answers. Throws EngineInUse or EngineFailed. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const dataDir = resolve(options.dataDir)
  const directory = join(dataDir, 'engine')
  makeDurableDirectory(directory, 0o700)
  const tell = options.tell ?? (() => {})
  const previous = readAddress(dataDir)
  const start: EngineStart = {
    directory,
    database: options.database,
    socketPath: socketPathOf(dataDir),
    port: options.port,
    host: options.host ?? '127.0.0.1',
    readerDatabases: options.readerDatabases,
    spoolDirectories: spoolDirectoriesOf(dataDir),
    maxBodyBytes: options.maxBodyBytes ?? 256 * 1024 * 1024,
    fsync: options.fsync ?? 'all',
    ...credentialsOf(previous),
  }
  let child: Child
  let stopping = false
  let restarts = 0
  let failures = 0
  let restarting: Promise<void> | undefined
  const wake = new AbortController()

  /** Leaves no process behind where it throws. */
  const begin = async (): Promise<EngineAddress> => {
    child = await launch(start)
    try {
      return publish()
    } catch (error) {
      await end(child.process)
      throw new EngineFailed(`its address cannot be written: ${(error as Error).message}`, { cause: error })
    }
  }

  const publish = (): EngineAddress => {
    // The same port again after a crash, so that its clients find it.
    start.port = child.port
    const { owner, reader, socketPath } = start
    const port = child.port === undefined ? {} : { port: child.port, host: start.host }
    const address = { pid: child.process.pid!, supervisorPid: process.pid, socketPath, ...port, owner, reader }
    writeAddress(dataDir, address)
    return address
  }

  const watch = (): void => {
    const startedAt = performance.now()
    child.process.once('exit', (code, signal) => {
      if (stopping) return
      if (performance.now() - startedAt > steadyAfterMs) failures = 0
      tell('warn', `The engine's process ended (${signal ?? `exit code ${code}`}); starting it again. ${child.lastWords()}`.trim())
      restarting = restart()
    })
  }

  const restart = async (): Promise<void> => {
    for (;;) {
      const delayMs = Math.min(firstDelayMs * 2 ** failures++, longestDelayMs)
      await pause(delayMs, wake.signal)
      if (stopping) return
      try {
        await begin()
        restarts++
        watch()
        tell('info', `The engine is up again (process ${child.process.pid}).`)
        return
      } catch (error) {
        tell('warn', `The engine does not start: ${(error as Error).message}`)
      }
    }
  }

  const address = await begin()
  watch()
  return {
    address,
    pid: () => child.process.pid,
    restarts: () => restarts,
    async stop() {
      if (stopping) return
      stopping = true
      wake.abort()
      await restarting
      await end(child.process)
    },
  }
}

type Child = { process: ChildProcess; port: number | undefined; lastWords(): string }

/** Resolves once it is ready; leaves no process behind where it throws. */
async function launch(options: EngineStart): Promise<Child> {
  const entry = fileURLToPath(new URL('main.ts', import.meta.url))
  const child = spawn(process.execPath, [entry], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Each query holds one of libuv's threads until it ends: with the default of 4, as many slow ones would stop all file access.
    env: { ...process.env, UV_THREADPOOL_SIZE: '16', NODE_OPTIONS: '' },
  })
  let words = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-8_000)
  })
  const ready = new Promise<Extract<FromEngine, { say: 'ready' }>>((done, fail) => {
    const timer = setTimeout(
      () => fail(new EngineFailed(`it was not ready within ${readyWithinMs / 1000} s. ${words}`.trim())),
      readyWithinMs,
    )
    child.on('message', (message: FromEngine) => {
      if (message.say === 'ready') done(message)
    })
    child.once('error', (error) => fail(new EngineFailed(error.message)))
    // After the pipe has been read to its end.
    child.once('close', (code, signal) => fail(reasonOf(words, options.directory, signal ?? `exit code ${code}`)))
    child.once('close', () => clearTimeout(timer))
    child.once('message', () => clearTimeout(timer))
  })
  child.send({ say: 'start', options } satisfies ToEngine)
  try {
    const { port } = await ready
    return { process: child, port, lastWords: () => engineWords(words) }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

function reasonOf(words: string, directory: string, ending: string): Error {
  if (/Code: 76\b.*already running/.test(words)) {
    return new EngineInUse(`${directory} is in use by another process${holderOf(directory)}: connect to its engine, or stop it first`)
  }
  return new EngineFailed(`its process ended at once (${ending}). ${engineWords(words)}`.trim())
}

/** The engine's file says who took the directory last. */
function holderOf(directory: string): string {
  try {
    const pid = /PID: (\d+)/.exec(readFileSync(join(directory, 'status'), 'utf8'))
    return pid === null ? '' : ` (${pid[1]})`
  } catch {
    return ''
  }
}

/** What the engine itself said, else its process's last lines. */
function engineWords(words: string): string {
  const lines = words.split('\n').filter((line) => line.trim() !== '' && !/^\s+at |^Node\.js v/.test(line))
  const own = lines.filter((line) => /^Code: \d+/.test(line))
  return (own.length > 0 ? own.slice(-1) : lines.slice(-6)).join(' | ')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (child.connected) child.send({ say: 'stop' } satisfies ToEngine, () => {})
  const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs)
  await exited
  clearTimeout(timer)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
