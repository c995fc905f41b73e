// Members of a group, for tests of what happens between them: in this process, or as the program itself in a process of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { defaultGroup } from '../config/names.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { startProcess, type ProcessRole } from '../roles/process/process.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'

export type Member = {
  role: ProcessRole
  /** Partitions that it claimed, in order. */
  claims: number[]
  said: string[]
}

const blockSpanMs = 300
const checkpointMs = 1_000

export async function startMember(topic: string, log: Log, store: Store, onClaim: (partition: number) => void = () => {}): Promise<Member> {
  const claims: number[] = []
  const said: string[] = []
  const role = await startProcess({
    clock: systemClock,
    log: {
      ...log,
      claim(options) {
        claims.push(options.partition)
        onClaim(options.partition)
        return log.claim(options)
      },
    },
    store,
    topic,
    names: namesOf(topic, defaultGroup),
    settings: defaultSettings,
    blockSpanMs,
    checkpointMs,
    resolve: knownFlushes(),
    tell: (level, message, facts) => said.push(`${level} ${message} ${JSON.stringify(facts)}`),
  })
  return { role, claims, said }
}

/** Resolves once the member works on so many partitions. */
export const holds = ({ role }: Member, count: number) =>
  expect.poll(() => role.status().filter(({ state }) => state === 'running').length, { timeout: 120_000 }).toBe(count)

export type MemberProcess = {
  child: ChildProcess
  /** Lines of its messages. */
  said: string[]
  /** Asks it to stop, as Ctrl-C does; its exit code. */
  stop(): Promise<number>
}

export type MemberProcessOptions = {
  topic: string
  brokers: readonly string[]
  store: { url: string; user: string; password: string }
  dataDir: string
}

/** `reelpulse process`. */
export function startMemberProcess({ topic, brokers, store, dataDir }: MemberProcessOptions): MemberProcess {
  const program = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
  const child = spawn(process.execPath, [program, 'process', '--topic', topic], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'], REELPULSE_DATA: dataDir, KAFKA_BROKERS: brokers.join(','), KAFKA_SESSION_TIMEOUT_S: '3',
      CLICKHOUSE_URL: store.url, CLICKHOUSE_USER: store.user, CLICKHOUSE_PASSWORD: store.password,
      REELPULSE_BLOCK_SPAN_S: String(blockSpanMs / 1000), REELPULSE_CHECKPOINT_S: String(checkpointMs / 1000),
    },
  }) // prettier-ignore
  const said: string[] = []
  createInterface({ input: child.stderr! }).on('line', (line) => said.push(line))
  const exited = once(child, 'exit') as Promise<[number]>
  return {
    child,
    said,
    async stop() {
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      return (await exited)[0]
    },
  }
}
