// What a run came to: printed when `start` ends.
import { readFileSync } from 'node:fs'
import type { Table } from '../../schemas/table.ts'
import { blockTables } from '../../schemas/tables/catalogue.ts'
import type { Tier } from '../../schemas/tiers.ts'
import type { Store } from '../ports/store.ts'
import type { Snapshot } from './progress.ts'
import { cpuSecondsOf } from './process-cpu.ts'
import { number } from './view.ts'

export type Summary = {
  topic: string
  /** Accepted in this run. */
  events: number
  duplicates: number
  rejected: number
  wallSeconds: number
  eventsPerSecond: number
  /** Of this process: traffic, log, operators and encoding. */
  cpuSecondsPerMillionEvents: number
  /** Of the embedded engine, where it runs beside us and the system tells; else null. */
  engineCpuSecondsPerMillionEvents: number | null
  /** In the store, of all runs. */
  rows: Record<string, number>
  usersByTier: Readonly<Record<Tier, number>>
}

export async function summarize(
  store: Store,
  snapshot: Snapshot,
  facts: { topic: string; wallS: number; dataDir: string; tables?: readonly Table[] },
): Promise<Summary> {
  const rows: Record<string, number> = {}
  for (const { name } of facts.tables ?? blockTables)
    rows[name] = (await store.query<{ n: number }>(`SELECT count() AS n FROM ${name}`))[0]!.n
  const { user, system } = process.cpuUsage()
  const engine = engineCpuSeconds(facts.dataDir)
  const perMillion = (seconds: number) => (snapshot.events === 0 ? 0 : round((seconds * 1e6) / snapshot.events))
  return {
    topic: facts.topic,
    events: snapshot.events,
    duplicates: snapshot.duplicates,
    rejected: snapshot.rejected,
    wallSeconds: round(facts.wallS),
    eventsPerSecond: Math.round(snapshot.events / Math.max(facts.wallS, 0.001)),
    cpuSecondsPerMillionEvents: perMillion((user + system) / 1e6),
    engineCpuSecondsPerMillionEvents: engine === undefined ? null : perMillion(engine),
    rows,
    usersByTier: snapshot.usersByTier,
  }
}

const round = (value: number) => Math.round(value * 100) / 100

/** CPU of the engine's process so far; undefined where no engine of ours runs, or the system does not tell. */
function engineCpuSeconds(dataDir: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(`${dataDir}/engine.json`, 'utf8')) as { pid: number }
    return cpuSecondsOf(pid)
  } catch {
    return undefined
  }
}

export function summaryLines(summary: Summary): string[] {
  const engine = summary.engineCpuSecondsPerMillionEvents
  return [
    `${number(summary.events)} events in ${summary.wallSeconds} s: ${number(summary.eventsPerSecond)} events/s; ` +
      `${number(summary.duplicates)} duplicates and ${number(summary.rejected)} rejected besides`,
    `CPU-seconds per million events: ${summary.cpuSecondsPerMillionEvents} here${engine === null ? '' : `, ${engine} in the engine`}`,
    `rows: ${Object.entries(summary.rows)
      .map(([table, rows]) => `${table} ${number(rows)}`)
      .join(', ')}`,
    `users: ${Object.entries(summary.usersByTier)
      .map(([tier, users]) => `${tier} ${number(users)}`)
      .join(', ')}`,
  ]
}
