// The Store of a data directory: its engine is found where one runs, else started, and shared by all who open the directory.
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { endpointUrl, readAddress, type EngineAddress } from '../engine/address.ts'
import type { Credentials } from '../engine/request.ts'
import { EngineFailed, EngineInUse, startEngine, type Engine, type EngineOptions } from '../engine/supervisor.ts'
import { StoreAway, type Store } from '../ports/store.ts'
import { clickhouseStore } from './clickhouse-store.ts'

export type EmbeddedEngineOptions = Omit<EngineOptions, 'database'> & {
  /** The database in which a request without one runs. Default `reelpulse`. */
  database?: string
}

export type EmbeddedEngine = {
  /** A Store of one database; closed with the engine, at the latest. */
  store(database: string): Store
  /** For clickhouseStore. */
  url(): string
  /** For programs that know no Unix sockets; undefined where no port was asked for. */
  httpUrl(): string | undefined
  owner(): Credentials
  /** May only read. */
  reader(): Credentials
  /** Whether this process keeps the engine running. Another may have it; when that one is gone, the next request that fails takes over. */
  isSupervisor(): boolean
  pid(): number | undefined
  /** Stops the engine where this process keeps it. */
  close(): Promise<void>
}

export type EmbeddedStore = Pick<EmbeddedEngine, 'url' | 'httpUrl' | 'owner' | 'reader' | 'pid' | 'isSupervisor' | 'close'> & {
  store: Store
}

/** One engine a data directory in this process, however often it is opened. */
const open = new Map<string, { engine: Promise<EmbeddedEngine>; users: number }>()

const patienceMs = 60_000
const betweenTriesMs = 200

export async function openEmbeddedStore(options: EmbeddedEngineOptions & { database: string }): Promise<EmbeddedStore> {
  const engine = await openEmbeddedEngine(options)
  const { url, httpUrl, owner, reader, pid, isSupervisor, close } = engine
  return { store: engine.store(options.database), url, httpUrl, owner, reader, pid, isSupervisor, close }
}

export async function openEmbeddedEngine(options: EmbeddedEngineOptions): Promise<EmbeddedEngine> {
  const dataDir = resolve(options.dataDir)
  const found = open.get(dataDir)
  const entry = found ?? { engine: open1({ database: 'reelpulse', ...options, dataDir }), users: 0 }
  open.set(dataDir, entry)
  entry.users++
  let engine: EmbeddedEngine
  try {
    engine = await entry.engine
  } catch (error) {
    open.delete(dataDir)
    throw error
  }
  const stores: Store[] = []
  let closed = false
  return {
    ...engine,
    store(database) {
      const store = engine.store(database)
      stores.push(store)
      return store
    },
    async close() {
      if (closed) return
      closed = true
      for (const store of stores) await store.close()
      if (--entry.users > 0) return
      open.delete(dataDir)
      await engine.close()
    },
  }
}

type Found = { address: EngineAddress; engine?: Engine }

async function open1(options: EngineOptions): Promise<EmbeddedEngine> {
  let found = await findOrStart(options)
  let closed = false
  let recovering: Promise<void> | undefined

  /** Nobody starts the engine of another's process again when that process is gone. */
  const recover = (): void => {
    if (closed || found.engine !== undefined || isAlive(found.address.supervisorPid)) return
    recovering ??= findOrStart(options)
      .then(
        (next) => {
          found = next
        },
        // The next request that fails tries again.
        () => {},
      )
      .finally(() => (recovering = undefined))
  }

  return {
    store: (database) => followingStore(() => found.address, database, recover),
    url: () => urlOf(found.address),
    httpUrl: () => endpointUrl(found.address),
    owner: () => found.address.owner,
    reader: () => found.address.reader,
    isSupervisor: () => found.engine !== undefined,
    pid: () => found.engine?.pid() ?? found.address.pid,
    async close() {
      closed = true
      await recovering
      await found.engine?.stop()
    },
  }
}

function urlOf(address: EngineAddress): string {
  return `unix:${address.socketPath}`
}

/** Connects to where the engine is now. */
function followingStore(address: () => EngineAddress, database: string, onAway: () => void): Store {
  let at = address()
  const connect = (): Store => clickhouseStore({ url: urlOf(at), ...at.owner, database })
  let store = connect()
  const current = (): Store => {
    const now = address()
    if (now.socketPath !== at.socketPath || now.owner.password !== at.owner.password) {
      const old = store
      at = now
      store = connect()
      old.close().catch(() => {})
    }
    return store
  }
  async function following<T>(work: (store: Store) => Promise<T>): Promise<T> {
    try {
      return await work(current())
    } catch (error) {
      if (error instanceof StoreAway) onAway()
      throw error
    }
  }
  return {
    migrate: (tables, views) => following((store) => store.migrate(tables, views)),
    insert: (block) => following((store) => store.insert(block)),
    query: (sql, params) => following((store) => store.query(sql, params)),
    command: (sql, params) => following((store) => store.command(sql, params)),
    async ping() {
      const answers = await current().ping()
      if (!answers) onAway()
      return answers
    },
    close: () => store.close(),
  }
}

async function findOrStart(options: EngineOptions): Promise<Found> {
  const until = performance.now() + patienceMs
  for (;;) {
    const address = readAddress(options.dataDir)
    if (address !== undefined && (await answers(address))) return { address }
    // While its process lives, an engine that does not answer is about to be started again.
    const waiting = address !== undefined && address.supervisorPid !== process.pid && isAlive(address.supervisorPid)
    const late = performance.now() > until
    if (!waiting || late) {
      try {
        const engine = await startEngine(options)
        return { address: engine.address, engine }
      } catch (error) {
        // Another process was quicker: its engine.json will come.
        if (!(error instanceof EngineInUse)) throw error
        if (late) throw new EngineFailed(`${error.message}. Its engine does not answer.`)
      }
    }
    await pause(betweenTriesMs)
  }
}

async function answers(address: EngineAddress): Promise<boolean> {
  if (!isAlive(address.pid)) return false
  const store = clickhouseStore({ url: urlOf(address), ...address.owner, database: 'system', queryTimeoutMs: 5_000 })
  try {
    await store.query('SELECT 1 AS one')
    return true
  } catch {
    return false
  } finally {
    await store.close()
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}
