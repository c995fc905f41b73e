// The program as it is run, in a process of its own, watched over its own HTTP interface.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type Sample = {
  ready: boolean
  rssMb: number
  lagRecords: number
  /** Processed. */
  records: number
  /** Accepted, and duplicates. */
  events: number
  bufferedMb: number
}

export type Program = {
  sample(): Promise<Sample>
  /** As Ctrl-C does; throws where it does not end well. */
  stop(): Promise<void>
  /** Resolves once it ended by itself, well. */
  ended(): Promise<void>
  kill(): void
}

const launcher = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
const keptWords = 20

/** Resolves once it listens. `words`: of the command line. */
export async function startProgram(words: readonly string[], env: Readonly<Record<string, string>>): Promise<Program> {
  const child = spawn(process.execPath, [launcher, ...words, '--port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LOG_LEVEL: 'info', ...env },
  })
  const said: string[] = []
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line)
      if (said.length > keptWords) said.shift()
      const found = /"url":"(http:[^"]+)"/.exec(line)
      if (found !== null) resolve(found[1]!)
    })
    exit.then(() => reject(new Error(`reelpulse ${words.join(' ')} ended at once:\n${said.join('\n')}`)), reject)
  })

  async function ended(): Promise<void> {
    const [code, signal] = await exit
    if (code !== 0) throw new Error(`reelpulse ${words.join(' ')} ended with ${signal ?? `exit code ${code}`}:\n${said.join('\n')}`)
  }

  return {
    async sample() {
      const text = await (await fetch(`${url}/metrics`)).text()
      const sum = (name: string) =>
        text
          .split('\n')
          .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
          .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
      return {
        ready: sum('reelpulse_ready') === 1,
        rssMb: Math.round(sum('reelpulse_process_resident_memory_bytes') / 2 ** 20),
        lagRecords: sum('reelpulse_lag_records'),
        records: sum('reelpulse_records_total'),
        events: sum('reelpulse_events_total') + sum('reelpulse_duplicates_total'),
        bufferedMb: Math.round(sum('reelpulse_buffered_bytes') / 2 ** 20),
      }
    },
    async stop() {
      child.kill('SIGTERM')
      await ended()
    },
    ended,
    kill: () => void child.kill('SIGKILL'),
  }
}
