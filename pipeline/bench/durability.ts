// What it costs to sync before acknowledging: the embedded log with synchronous = full against normal, the engine with each of its settings against none,
// in interleaved rounds, so that their ratios hold on a machine that has other work.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedStore } from '../adapters/embedded-store.ts'
import type { Fsync } from '../engine/protocol.ts'
import { cpuSecondsOf } from '../start/process-cpu.ts'

export type DurabilityFigures = {
  part: 'log' | 'engine'
  setting: string
  /** Records an append, or rows an insert. */
  size: number
  p50Ms: number
  p99Ms: number
  cpuMs: number
  /** Times the p50, and the CPU, of the part's setting that syncs least. */
  p50Ratio: number
  cpuRatio: number
}

type Run = { latenciesMs: number[]; cpuMs: number }
type Variant = Pick<DurabilityFigures, 'part' | 'setting' | 'size'> & { runs: Run[] }

const fsyncs: readonly Fsync[] = ['nothing', 'files', 'part directories', 'all']
const synchronous = ['normal', 'full'] as const
const logSizes = [1, 1_000]
const engineSizes = [500, 10_000]
const appends = 100
const inserts = 30

export async function measureDurability(rounds: number, note: (line: string) => void): Promise<DurabilityFigures[]> {
  const variants: Variant[] = [
    ...logSizes.flatMap((size) => synchronous.map((setting) => ({ part: 'log' as const, setting, size, runs: [] }))),
    ...engineSizes.flatMap((size) => fsyncs.map((setting) => ({ part: 'engine' as const, setting, size, runs: [] }))),
  ]
  for (let round = 1; round <= rounds; round++) {
    for (const { part, setting, size, runs } of variants) {
      const directory = mkdtempSync(join(tmpdir(), 'reelpulse-bench-'))
      try {
        runs.push(part === 'log' ? await runLog(directory, setting as 'full', size) : await runEngine(directory, setting as Fsync, size))
      } finally {
        rmSync(directory, { recursive: true })
      }
    }
    note(`round ${round} of ${rounds}`)
  }
  const figures = variants.map(({ part, setting, size, runs }) => {
    const latencies = runs.flatMap(({ latenciesMs }) => latenciesMs).toSorted((a, b) => a - b)
    const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]!
    const cpuMs = runs.reduce((sum, run) => sum + run.cpuMs, 0) / latencies.length
    return { part, setting, size, p50Ms: at(0.5), p99Ms: at(0.99), cpuMs }
  })
  return figures.map((figure) => {
    const least = figures.find(({ part, size }) => part === figure.part && size === figure.size)!
    return { ...figure, p50Ratio: figure.p50Ms / least.p50Ms, cpuRatio: figure.cpuMs / least.cpuMs }
  })
}

/** Appends of so many records of 1 KB, one after the other; CPU of this process, writer included. */
async function runLog(directory: string, setting: 'full' | 'normal', size: number): Promise<Run> {
  const log = await embeddedLog(directory, { synchronous: setting, maintainEveryMs: 0 })
  await log.createTopic({ topic: 'bench', partitions: 1, timestamps: 'append' })
  const value = new Uint8Array(1_000).fill(7)
  const records = Array.from({ length: size }, () => ({ key: null, value }))
  const run = await timed(appends, () => log.append('bench', records), () => process.cpuUsage().user / 1e3 + process.cpuUsage().system / 1e3) // prettier-ignore
  await log.close()
  return run
}

const columns = Array.from({ length: 20 }, (_, i) => `c${i}`)

/** Inserts of so many rows of twenty short strings, one after the other; CPU of the engine's process. */
async function runEngine(dataDir: string, fsync: Fsync, size: number): Promise<Run> {
  const { store, pid, close } = await openEmbeddedStore({ dataDir, database: 'reelpulse', fsync })
  try {
    await store.migrate([], [])
    const types = columns.map((name) => `${name} String`).join(', ')
    await store.command(`CREATE TABLE bench (${types}) ENGINE = MergeTree ORDER BY c0 SETTINGS non_replicated_deduplication_window = 10000`)
    const rows = Buffer.alloc(size * columns.length * 9)
    for (let at = 0; at < rows.length; at += 9) {
      rows[at] = 8
      rows.write((at % 99_999_989).toString(36).padStart(8, '0'), at + 1)
    }
    let sent = 0
    const insert = () => store.insert({ table: 'bench', columns, rows, token: `${sent++}` })
    await insert()
    return await timed(inserts, insert, () => (cpuSecondsOf(pid()!) ?? Number.NaN) * 1_000)
  } finally {
    await close()
  }
}

async function timed(times: number, work: () => Promise<void>, cpuMs: () => number): Promise<Run> {
  const latenciesMs: number[] = []
  const before = cpuMs()
  for (let i = 0; i < times; i++) {
    const startedAt = performance.now()
    await work()
    latenciesMs.push(performance.now() - startedAt)
  }
  return { latenciesMs, cpuMs: cpuMs() - before }
}
