// The engine's process: chdb behind the HTTP front. Started by supervisor.ts, and ends with it.
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { isLoopback, makePrivate } from './address.ts'
import { forgetLostInserts } from './deduplication-logs.ts'
import { openFront, type Front, type FrontOptions } from './front.ts'
import { namesOnDisk } from './names-on-disk.ts'
import type { EngineStart, FromEngine, ToEngine } from './protocol.ts'
import { readerLimits } from './reader.ts'
import { openSessions } from './sessions.ts'
import { openSpool } from './spool.ts'

const tell = (message: FromEngine): void => {
  if (process.connected) process.send!(message)
}

/** Longer than a reader's query may take, in which nothing moves until it has a result. */
const idleMs = 120_000

/** More than a table's files take before its first row. */
const tableBytes = 1024 * 1024

async function start(options: EngineStart): Promise<() => Promise<void>> {
  const { fsync, directory } = options
  const configPath = join(options.directory, 'engine.xml')
  writeFileSync(configPath, engineConfig(options))
  // Takes the directory's lock: from here on socket and spool are this process's too.
  const sessions = await openSessions({
    directory: options.directory,
    database: options.database,
    connectionArguments: [`--config-file=${configPath}`],
    readerLimits,
  })
  const plain = { tag: undefined, database: options.database, settings: [], params: [], staysInSession: false }
  await forgetLostInserts(directory, (sql) =>
    sessions.run(plain, async (running) => Buffer.from((await running.whole(sql, 'JSONEachRow')).bytes).toString()),
  )
  const spool = openSpool({ directories: options.spoolDirectories, maxBodyBytes: options.maxBodyBytes })
  const names = namesOnDisk(directory)
  const durable = async () => {
    if (fsync === 'all') await names.sync()
  }
  await durable()
  const hasRoom = () => {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize >= tableBytes
  }
  const { database, owner, reader, readerDatabases } = options
  const shared = { sessions, spool, hasRoom, durable, database, owner, reader, readerDatabases }
  const front = openFront(shared)
  makePrivate(dirname(options.socketPath))
  rmSync(options.socketPath, { force: true })
  // Nobody else may connect, whatever the directory allows.
  const mask = process.umask(0o077)
  front.server.listen(options.socketPath)
  await once(front.server, 'listening')
  process.umask(mask)
  const endpoint = options.port === undefined ? undefined : openEndpoint(options.host, shared)
  if (endpoint !== undefined) {
    const listening = once(endpoint.server, 'listening')
    endpoint.server.listen(options.port, options.host)
    await listening.catch(async (error: NodeJS.ErrnoException) => {
      // Else the exit would tear the engine's memory down under its threads.
      await sessions.close()
      throw new Error(`Port ${options.port} of ${options.host} cannot be listened on (${error.code}): take another, or end who has it.`)
    })
  }
  tell({ say: 'ready', version: sessions.version, port: (endpoint?.server.address() as AddressInfo | undefined)?.port })
  return async () => {
    const closed = Promise.all([front.close(), endpoint?.close()])
    // Inserts under way are finished; queries are not.
    await sessions.cancelAll()
    await closed
    // While the directory is still this process's.
    for (const path of [options.socketPath, ...options.spoolDirectories]) rmSync(path, { recursive: true, force: true })
    await sessions.close()
  }
}

/** For other programs. Whoever stalls there, in asking or in reading, must not keep the others waiting for ever. */
function openEndpoint(host: string, options: FrontOptions): Front {
  const here = isLoopback(host)
  const front = openFront({ ...options, owner: here ? options.owner : undefined, ...(here ? {} : { maxRequests: 100 }), idleMs })
  front.server.maxConnections = 500
  return front
}

/**
 * A merged part is synced too. By default it is not, and a server keeps the parts that it came from for eight minutes; chdb need not keep them at
 * all, and with them would go the only copy that is on disk.
 */
function engineConfig({ fsync }: EngineStart): string {
  const files = fsync === 'nothing' ? 0 : 1
  const directories = fsync === 'part directories' || fsync === 'all' ? 1 : 0
  return `<clickhouse>
  <merge_tree>
    <fsync_after_insert>${files}</fsync_after_insert>
    <fsync_part_directory>${directories}</fsync_part_directory>
    <min_rows_to_fsync_after_merge>${files}</min_rows_to_fsync_after_merge>
  </merge_tree>
</clickhouse>
`
}

let stop: (() => Promise<void>) | undefined
let stopping = false

async function shutDown(): Promise<void> {
  if (stopping) return
  stopping = true
  // Still opening: an orderly exit tears the engine's memory down under its running threads, which then crash, or wait for each other
  // for ever and keep the directory. Nothing has been acknowledged that a kill could take.
  if (stop === undefined) process.kill(process.pid, 'SIGKILL')
  await stop?.()
  // Native threads may outlive the sessions.
  process.exit(0)
}

const shutDownOrDie = (): void => {
  shutDown().catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
}

process.on('message', (message: ToEngine) => {
  if (message.say === 'stop') return shutDownOrDie()
  start(message.options).then(
    (done) => {
      stop = done
    },
    (error: unknown) => {
      console.error(error)
      tell({ say: 'failed', reason: error instanceof Error ? error.message : String(error) })
      process.exit(1)
    },
  )
})
// The parent is gone.
process.on('disconnect', shutDownOrDie)
process.on('SIGTERM', shutDownOrDie)
// Ctrl-C reaches the whole group: the parent still has rows to insert, and stops this process when it is done.
process.on('SIGINT', () => {})
process.on('SIGHUP', () => {})
