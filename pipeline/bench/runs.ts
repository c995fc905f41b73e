// Runs of the benchmark, each a process of its own, so that one's heap and compiled code do not help or harm another's.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')

export type Figures = {
  cpuSeconds: number
  engineCpuSeconds?: number
  wallSeconds: number
  rssMb: number
  /** Events read, duplicates included. */
  events: number
  rows: Readonly<Record<string, number>>
  checkpoints?: number
  /** Users' values that checkpoints wrote. */
  usersKept?: number
  operators: readonly string[]
}

const longest = { maxBuffer: 1 << 24, timeout: 30 * 60_000 }
const lastLine = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1)!) as Figures

export async function runRolling(brokers: string, topic: string, sumsFile?: string): Promise<Figures> {
  const args = [join(root, 'pipeline/bench/rolling.ts'), brokers, topic, ...(sumsFile === undefined ? [] : [sumsFile])]
  return lastLine((await run(process.execPath, args, longest)).stdout)
}

export async function runProcess(
  brokers: string,
  topic: string,
  into: 'null' | 'engine',
  steady: readonly string[] = [],
): Promise<Figures> {
  const data = mkdtempSync(join(tmpdir(), 'reelpulse-bench-'))
  try {
    const running = run(process.execPath, [join(root, 'pipeline/bench/process.ts'), brokers, topic, into, data, ...steady], longest)
    running.child.stderr?.pipe(process.stderr)
    return lastLine((await running).stdout)
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
}

export type MemoryFigures = { users: number; busyUsers: number; events: number; tiles: number; rssMb: number; peakRssMb: number }

export async function runMemory(): Promise<MemoryFigures> {
  const { stdout } = await run(process.execPath, ['--expose-gc', join(root, 'pipeline/bench/memory.ts')], longest)
  return JSON.parse(stdout) as MemoryFigures
}

export type RestoreFigures = { wallSeconds: number; cpuSeconds: number; records: number; users?: number; rssMb?: number }
export type ChangelogFigures = { users: number; records: number; bytes: number; bytesPerUser: number }

/** A step of pipeline/bench/restore.ts, or of its baseline. */
export async function runRestore<T = RestoreFigures>(script: 'restore' | 'kafka-restore', args: readonly string[]): Promise<T> {
  const heap = ['--no-warnings', '--max-old-space-size=8192']
  const { stdout } = await run(process.execPath, [...heap, join(root, `pipeline/bench/${script}.ts`), ...args], longest)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as T
}

/** The rig with the other engines, copied out so that it finds our kafkajs and avsc beside it. */
export type Rig = {
  generate(brokers: string, topic: string, flushes: number): Promise<void>
  fastKafkajs(brokers: string, topic: string): Promise<Figures>
  close(): void
}

/** Undefined where the folder is not there. */
export function openRig(peers: string): Rig | undefined {
  if (!existsSync(join(peers, 'node/core.mjs'))) return undefined
  const copy = mkdtempSync(join(tmpdir(), 'reelpulse-peers-'))
  mkdirSync(join(copy, 'peers'))
  cpSync(join(peers, 'node'), join(copy, 'peers/node'), { recursive: true })
  cpSync(join(peers, '../contract'), join(copy, 'contract'), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const script = (name: string, args: string[], brokers: string) =>
    run(process.execPath, ['--no-warnings', join(copy, 'peers/node', name), ...args], {
      ...longest,
      env: { ...process.env, BROKER: brokers },
    })
  return {
    async generate(brokers, topic, flushes) {
      await script('gen.mjs', [topic, String(flushes)], brokers)
    },
    async fastKafkajs(brokers, topic) {
      const { stderr } = await script('fast-kafkajs.mjs', [topic], brokers)
      const [, rows, cpu, wall, rss, counts] = /rows=(\d+) cpu=([\d.]+)s wall=([\d.]+)s rss=(\d+)MB (\{.*\})/.exec(stderr) ?? []
      if (counts === undefined) throw new Error(`node-fast-kafkajs printed no figures: ${stderr.slice(0, 500)}`)
      return {
        cpuSeconds: Number(cpu),
        wallSeconds: Number(wall),
        rssMb: Number(rss),
        events: (JSON.parse(counts) as { events: number }).events,
        rows: { features: Number(rows) },
        operators: ['decoding', 'duplicates', 'windows', 'emission'],
      }
    },
    close: () => rmSync(copy, { recursive: true, force: true }),
  }
}
