// What right-once costs: how fast a million users' state comes back, beside kafkajs alone on the same topic, and what checkpoints take
// of the CPU in steady state.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { changelogOf } from '../config/names.ts'
import { measure, median, type Engine } from './bench.ts'
import { brokersFor, eventsPerSecond, prepareLogs } from './logs.ts'
import { runProcess, runRestore, type ChangelogFigures, type RestoreFigures } from './runs.ts'

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
  /** CPU-seconds per million events, as the slope between two lengths. */
  on: number
  off: number
  /** Of the longer log, in the last round. */
  checkpoints: number
  /** Users whom checkpoints wrote, for each event: what their cost goes by. */
  usersPerEvent: number
  eventsPerSecond: number
  /** (on − off) ÷ off. */
  share: number
}

/**
 * At the rate of the simulated logs, a checkpoint every ten seconds of log time. One partition, for the role has one clock: of several that
 * are drained one is always ahead of the others, and the clock with it.
 */
export async function measureCheckpoints(flushes: number, { brokers, rounds, note }: Wish): Promise<CheckpointsMeasured> {
  const logs = await prepareLogs({ brokers, flushes, rig: undefined, note, partitions: 1 })
  let checkpoints = 0
  let usersPerEvent = 0
  const engine = (steady: 'on' | 'off'): Engine => ({
    name: `checkpoints ${steady}`,
    says: '',
    async run(topic) {
      const figures = await runProcess(logs.brokers, topic, 'null', [steady, String(eventsPerSecond)])
      if (steady === 'on') {
        checkpoints = figures.checkpoints ?? 0
        usersPerEvent = (figures.usersKept ?? 0) / figures.events
      }
      return figures
    },
  })
  try {
    const measured = await measure([engine('on'), engine('off')], logs.topics, rounds, note)
    const [on, off] = measured.map((one) => one.cpuSecondsPerMillionEvents) as [number, number]
    return { on, off, checkpoints, usersPerEvent, eventsPerSecond, share: on / off - 1 }
  } finally {
    await logs.close()
  }
}
