// The pipeline on its own: log, engine and process role as one process tree, as `npm start` has them.
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { clickhouseStore } from '../adapters/clickhouse-store.ts'
import { embeddedLog, type EmbeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedStore, type EmbeddedStore } from '../adapters/embedded-store.ts'
import { changelogOf, databaseOf, defaultTopic } from '../config/names.ts'
import { readAddress } from '../engine/address.ts'
import type { Reply, Request } from './embedded-protocol.ts'
import { program } from './program.ts'
import { blockSpanS, checkpointS, emitS, type PartHandle, type Rig } from './rig.ts'

const entry = fileURLToPath(new URL('embedded-program.ts', import.meta.url))
const topic = defaultTopic

/** How long a program may be away before nobody waits for it (ms). */
const patienceMs = 120_000

type Unsent<T> = T extends unknown ? Omit<T, 'id'> : never

export async function embeddedRig(directory: string): Promise<Rig> {
  const logFile = join(directory, 'program.log')
  const client = channel(logFile)
  const whole = program({
    name: 'program',
    words: [entry, directory, topic, ...[blockSpanS, checkpointS, emitS].map(String)],
    env: {},
    logFile,
    onSpawn: client.follow,
  })
  const address = () => {
    const found = readAddress(directory)
    if (found === undefined) throw new Error(`no engine has run in ${directory}`)
    return found
  }
  /** Without a claim to the engine: who opens it as its users do would take it over where its program is gone. */
  const look = () => {
    const { socketPath, owner } = address()
    return clickhouseStore({ url: `unix:${socketPath}`, ...owner, database: databaseOf(topic) })
  }
  const enginePart: PartHandle = {
    async signal(name) {
      try {
        process.kill(address().pid, name)
      } catch (error) {
        // The program has not started it again yet.
        if ((error as { code?: string }).code !== 'ESRCH') throw error
      }
    },
    // Its program starts it.
    start: () => Promise.resolve(),
  }
  await whole.start()
  await whole.ready()

  let log: EmbeddedLog | undefined
  let settled: EmbeddedStore | undefined
  return {
    parts: { program: whole, engine: enginePart },
    topic,
    changelog: changelogOf(topic),
    async append(records) {
      await client.ask({ ask: 'append', topic, records })
    },
    async endsOf(name) {
      const reply = await client.ask({ ask: 'ends', topic: name })
      return 'ends' in reply ? reply.ends : []
    },
    async covered() {
      const reply = await client.ask({ ask: 'covered', topic: changelogOf(topic) })
      return 'ends' in reply ? reply.ends : []
    },
    started: whole.ready,
    look,
    async stopPrograms() {
      const wrong = await whole.end()
      return wrong === undefined ? [] : [wrong]
    },
    async settle() {
      log = await embeddedLog(join(directory, 'log'))
      settled = await openEmbeddedStore({ dataDir: directory, database: databaseOf(topic) })
      return { store: settled.store, log }
    },
    environment: () => ({ REELPULSE_DATA: directory, REELPULSE_TOPIC: topic, REELPULSE_EMIT_S: String(emitS) }),
    complaints: whole.complaints,
    sessionsLost: whole.sessionsLost,
    async close() {
      await whole.signal('SIGKILL')
      await log?.close()
      await settled?.close()
    },
  }
}

/** Requests to the process that runs now; those under way when it ends are not known to be done. */
function channel(logFile: string) {
  let child: ChildProcess | undefined
  let lastId = 0
  const waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>()
  return {
    follow(next: ChildProcess): void {
      child = next
      next.on('message', (reply: Reply) => {
        const request = waiting.get(reply.id)
        waiting.delete(reply.id)
        if ('error' in reply) request?.reject(new Error(reply.error))
        else request?.resolve(reply)
      })
      // After the last message that it sent.
      next.once('disconnect', () => {
        for (const { reject } of waiting.values()) reject(new Error('the program has ended'))
        waiting.clear()
      })
    },
    async ask(unsent: Unsent<Request>): Promise<Reply> {
      for (const until = performance.now() + patienceMs; child?.connected !== true; await sleep(20))
        if (performance.now() > until) throw new Error(`no program runs for ${patienceMs / 1000} s: its messages are in ${logFile}`)
      const id = ++lastId
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        child!.send({ ...unsent, id } as Request, (error) => {
          if (error !== null && waiting.delete(id)) reject(error)
        })
      })
    },
  }
}
