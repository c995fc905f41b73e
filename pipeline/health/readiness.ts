// Whether the program does its work, and where not: which part, in which state, since when, what error, what to do.
import type { ProbeAnswer } from './probe.ts'

/** The states that a part can be in; ready are `running` and `standby`. */
export const partStates = [
  'starting',
  'restoring',
  'running',
  'standby',
  'waiting_for_store',
  'waiting_for_log',
  'retrying',
  'stopped',
  'stopping',
] as const
export type PartState = (typeof partStates)[number]

export type Part = {
  role: string
  partition?: number
  state: PartState
  /** ms. */
  since: number
  error?: string
  /** Of a part that is restoring: records of its changelog that were read, and of how many. */
  restore?: { records: number; ofRecords: number }
}

/** Undefined: nothing is to be done. */
const whatToDo: Readonly<Record<PartState, string | undefined>> = {
  starting: 'wait',
  restoring: 'wait: it reads its state from the changelog',
  running: undefined,
  standby: undefined,
  waiting_for_store: 'bring ClickHouse back; it goes on by itself, and nothing is lost',
  waiting_for_log: 'bring the log back; it goes on by itself, and nothing is lost',
  retrying: 'it goes on by itself; if the error stays the same for minutes, read it and act on it',
  stopped: "cure what the error names and start the program again: docs/guide/running.md, 'When something stops'",
  stopping: 'wait: what is in flight lands',
}

/** What to do about errors of ClickHouse that its operators can cure. */
const storeAdvice: readonly (readonly [name: RegExp, advice: string])[] = [
  [/TOO_MANY_PARTS/, 'merges fall behind: see system.merges and system.parts; it goes on by itself once they catch up'],
  [/TABLE_IS_READ_ONLY|KEEPER|ZOOKEEPER/, 'the table has lost ClickHouse Keeper: see system.replicas; it goes on by itself'],
  [/NOT_ENOUGH_SPACE|CANNOT_WRITE_TO_FILE/, "make room on ClickHouse's disks; it goes on by itself"],
  [/MEMORY_LIMIT_EXCEEDED|MEMORY_RESERVATION/, 'ClickHouse has no memory left: see system.processes; it goes on by itself'],
  [/not ClickHouse's|HTTP status/, 'look at what stands between here and ClickHouse: it answers in its place'],
  [/AUTHENTICATION_FAILED|WRONG_PASSWORD|UNKNOWN_USER/, 'set CLICKHOUSE_USER and CLICKHOUSE_PASSWORD right and start again'],
  [/ACCESS_DENIED/, 'give the user its rights (SELECT, INSERT, CREATE, ALTER on the database) and start again'],
  [/UNKNOWN_TABLE|UNKNOWN_DATABASE|NO_SUCH_COLUMN/, 'run reelpulse migrate and start again'],
]

export type Readiness = { ready: boolean; body: Readonly<Record<string, unknown>> }

export function readiness(parts: readonly Part[], neighbours: readonly ProbeAnswer<unknown>[], now: number): Readiness {
  const shown = parts.map((part) => ({
    role: part.role,
    ...(part.partition === undefined ? {} : { partition: part.partition }),
    state: part.state,
    ...since(part.since, now),
    ...(part.error === undefined ? {} : { error: part.error }),
    ...(part.restore === undefined ? {} : { restored_records: part.restore.records, restore_records: part.restore.ofRecords }),
    ...todo(part.state, part.error),
  }))
  const asked = neighbours.map((one) => ({
    name: one.name,
    answers: one.answers,
    ...since(one.since, now),
    ...(one.error === undefined ? {} : { error: one.error }),
    ...(one.answers ? {} : todo(one.name === 'store' ? 'waiting_for_store' : 'waiting_for_log', one.error)),
  }))
  const isReady = (state: PartState) => state === 'running' || state === 'standby'
  const ready = parts.length > 0 && parts.every(({ state }) => isReady(state)) && neighbours.every(({ answers }) => answers)
  return { ready, body: { ready, parts: shown, neighbours: asked } }
}

const since = (at: number, now: number) => ({ since: new Date(at).toISOString(), for_s: Math.max(0, Math.round((now - at) / 1000)) })

function todo(state: PartState, error: string | undefined): { to_do?: string } {
  const usual = whatToDo[state]
  if (usual === undefined) return {}
  const known = error === undefined ? undefined : storeAdvice.find(([name]) => name.test(error))?.[1]
  return { to_do: known ?? usual }
}
