// The program in a process of its own, with its board, for what is measured from outside.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const bin = resolve(import.meta.dirname, '../cli/bin.js')

const memoryOnDemand = new URL('memory-on-demand.ts', import.meta.url).href

export type RunningProgram = {
  pid: number
  /** Of the board, without a slash at its end. */
  url: string
  dataDir: string
  /** From its start until it answered. */
  answeredMs: number
  startedAt: number
  /** What it holds after a full collection. */
  memory(): Promise<NodeJS.MemoryUsage>
  stop(): Promise<void>
}

/** `reelpulse start` with these words, on an empty directory. */
export async function startWithBoard(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunningProgram> {
  const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-bench-'))
  const program = await running('start', dataDir, words, env)
  return {
    ...program,
    async stop() {
      await program.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** `reelpulse serve` beside it: the board alone in a process. */
export const serveBeside = ({ dataDir }: Pick<RunningProgram, 'dataDir'>): Promise<RunningProgram> => running('serve', dataDir, [], {})

async function running(
  command: 'start' | 'serve',
  dataDir: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RunningProgram> {
  const startedAt = performance.now()
  const node = ['--expose-gc', '--import', memoryOnDemand]
  const child = spawn(process.execPath, [...node, bin, command, '--data', dataDir, '--port', '0', ...words], {
    env: { ...process.env, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const found = /^The board: (\S+)\/$/.exec(line)
      if (found !== null) resolve(found[1]!)
    })
    void ended.then(() => reject(new Error(`reelpulse ${command} has ended; its messages say why`)))
  })
  while (!(await fetch(url).then(({ ok }) => ok, () => false))) await new Promise((resolve) => setTimeout(resolve, 20)) // prettier-ignore
  return {
    pid: child.pid!,
    url,
    dataDir,
    startedAt,
    answeredMs: performance.now() - startedAt,
    memory: () => memoryOf(child),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function memoryOf(child: ChildProcess): Promise<NodeJS.MemoryUsage> {
  const told = once(child, 'message') as Promise<[NodeJS.MemoryUsage]>
  child.send('memory')
  return (await told)[0]
}

/** Of sorted or unsorted values, the smallest that this share does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN
}
