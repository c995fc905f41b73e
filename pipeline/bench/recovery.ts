// What right-once costs: how fast a million users' state comes back, beside kafkajs alone on the same topic, and what checkpoints take
// of the CPU in steady state.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { changelogOf } from '../config/names.ts'
import { median } from './bench.ts'
import { brokersFor, eventsPerSecond, prepareLogs } from './logs.ts'
import { runProcess, runRestore, type ChangelogFigures, type Figures, type RestoreFigures } from './runs.ts'

export type Wish = { brokers: string | undefined; rounds: number; note: (line: string) => void }

type Rate = { recordsPerSecond: number; usersPerSecond: number; wallSeconds: number; cpuSeconds: number }
export type RestoreMeasured = ChangelogFigures & {
  ours: Rate
  embedded: Rate
  kafkajs: Rate
  rssMb: number
  /** Rate of ours ÷ rate of kafkajs, of each round's wall clock: the median. */
  ratio: number
  /** The same of CPU-seconds. */
  cpuRatio: number
}

export async function measureRestore(users: number, { brokers: named, rounds, note }: Wish): Promise<RestoreMeasured> {
  const { brokers, close } = await brokersFor(named)
  const folder = mkdtempSync(join(tmpdir(), 'reelpulse-bench-restore-'))
  try {
    const topic = `bench-restore-${crypto.randomUUID().slice(0, 8)}`
    note(`writing the state of ${users} users`)
    const changelog = await runRestore<ChangelogFigures>('restore', ['write', brokers, topic, folder, String(users)])
    const found: Record<'kafkajs' | 'ours' | 'embedded', RestoreFigures[]> = { kafkajs: [], ours: [], embedded: [] }
    for (let round = 1; round <= rounds; round++) {
      found.kafkajs.push(await runRestore('kafka-restore', [brokers, changelogOf(topic)]))
      found.ours.push(await runRestore('restore', ['kafka', brokers, topic, folder]))
      found.embedded.push(await runRestore('restore', ['embedded', brokers, topic, folder]))
      for (const [name, all] of Object.entries(found))
        note(`round ${round} of ${rounds}: ${name}: ${all.at(-1)!.wallSeconds.toFixed(2)} s, ${all.at(-1)!.cpuSeconds.toFixed(2)} CPU s`)
    }
    for (const { users: restored } of [...found.ours, ...found.embedded])
      if (restored !== changelog.users) throw new Error(`${restored} users came back of ${changelog.users}`)
    const rate = (all: readonly RestoreFigures[]): Rate => {
      const wallSeconds = median(all.map((figures) => figures.wallSeconds))
      const cpuSeconds = median(all.map((figures) => figures.cpuSeconds))
      return { recordsPerSecond: changelog.records / wallSeconds, usersPerSecond: changelog.users / wallSeconds, wallSeconds, cpuSeconds }
    }
    const ratios = (of: (figures: RestoreFigures) => number) => median(found.ours.map((ours, i) => of(found.kafkajs[i]!) / of(ours)))
    return {
      ...changelog,
      ours: rate(found.ours),
      embedded: rate(found.embedded),
      kafkajs: rate(found.kafkajs),
      rssMb: median(found.ours.map(({ rssMb = 0 }) => rssMb)),
      ratio: ratios(({ wallSeconds }) => wallSeconds),
      cpuRatio: ratios(({ cpuSeconds }) => cpuSeconds),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await close()
  }
}

export type CheckpointsMeasured = {
  /** CPU-seconds of the whole process per million events: medians of all rounds. */
  on: number
  off: number
  checkpoints: number
  /** Users whom checkpoints wrote, for each event: what their cost goes by. */
  usersPerEvent: number
  eventsPerSecond: number
  /** (on − off) ÷ off of each round, in order. */
  shares: number[]
  /** Their median. */
  share: number
}

/**
 * At the rate of the simulated logs, a checkpoint every ten seconds of log time. One partition, for the role has one clock: of several that
 * are drained one is always ahead of the others, and the clock with it. The two runs of a round follow each other, in turn one and the other
 * first: a shared machine is faster now and slower then, for both alike.
 */
export async function measureCheckpoints(flushes: number, { brokers, rounds, note }: Wish): Promise<CheckpointsMeasured> {
  const logs = await prepareLogs({ brokers, flushes, two: false, rig: undefined, note, partitions: 1 })
  try {
    const runs: Record<'on' | 'off', Figures[]> = { on: [], off: [] }
    for (let round = 1; round <= rounds; round++) {
      for (const steady of round % 2 === 1 ? (['on', 'off'] as const) : (['off', 'on'] as const))
        runs[steady].push(await runProcess(logs.brokers, logs.topics[0], 'null', [steady, String(eventsPerSecond)]))
      const [on, off] = [runs.on.at(-1)!, runs.off.at(-1)!]
      note(`round ${round} of ${rounds}: ${on.cpuSeconds.toFixed(2)} CPU s with checkpoints, ${off.cpuSeconds.toFixed(2)} without`)
    }
    const perMillion = (all: readonly Figures[]) => median(all.map(({ cpuSeconds, events }) => (cpuSeconds / events) * 1e6))
    const shares = runs.on.map(({ cpuSeconds }, i) => cpuSeconds / runs.off[i]!.cpuSeconds - 1)
    const { checkpoints = 0, usersKept = 0, events } = runs.on[0]!
    return {
      on: perMillion(runs.on), off: perMillion(runs.off), checkpoints, usersPerEvent: usersKept / events, eventsPerSecond, shares, share: median(shares),
    } // prettier-ignore
  } finally {
    await logs.close()
  }
}
