// What the rounds need of a pipeline that is to suffer: its parts, a way in for the load, and a look at what it has come to.
import { lastCheckpoint } from '../doctor/read-checkpoint.ts'
import type { OutRecord, Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import type { Part } from './plan.ts'

export type PartHandle = {
  /** Resolves once it is gone, where the signal is one that ends it. */
  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** After its end. Resolves when it is on its way; up, where others need it to start. */
  start(): Promise<void>
}

export type Rig = {
  parts: Readonly<Partial<Record<Part, PartHandle>>>
  topic: string
  changelog: string
  /** Resolves once the log has acknowledged; rejects where it is not known whether it has the records. */
  append(records: OutRecord[]): Promise<void>
  /** By partition, the offset that the next record will get. */
  endsOf(topic: string): Promise<number[]>
  /** By partition, the offset that its last checkpoint covers: up to there messages are sent, too. */
  covered(): Promise<number[]>
  /** Resolves once the program that was started last takes part, or after some seconds. */
  started(): Promise<void>
  /** The tables while all runs; another each time, to be closed. */
  look(): Store
  /** Ends the programs as a user would; their exit codes where not 0. */
  stopPrograms(): Promise<string[]>
  /** After `stopPrograms`: what there is to compare. */
  settle(): Promise<{ store: Store; log: Log }>
  /** Settings under which a command of reelpulse finds the same tables. */
  environment(): Record<string, string>
  /** Told by the programs themselves, in their words: partitions that stopped, ends that nobody caused. */
  complaints(): string[]
  /** How often a process found that the brokers had not heard of it for a session. */
  sessionsLost(): number
  close(): Promise<void>
}

/** Short, so that a round holds several of each. */
export const blockSpanS = 0.5
export const checkpointS = 1
export const emitS = 2

/** Ours, without settings of the program: a run has its own, whatever the shell says. */
export const surroundings = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(REELPULSE|KAFKA|CLICKHOUSE)_|^(NODE_OPTIONS|LOG_LEVEL)$/.test(name)),
  )

export async function coveredOffsets(log: Log, changelog: string): Promise<number[]> {
  const count = (await log.describeTopic(changelog))?.partitions.length ?? 0
  return Promise.all(
    Array.from({ length: count }, async (_, partition) => (await lastCheckpoint(log, changelog, partition))?.nextOffset ?? 0),
  )
}
