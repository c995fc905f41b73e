// Many seeds, a stretch of them in each process, as many processes at once as there are cores. A stretch has an end because a simulated kill
// leaves listeners behind on signals that nobody will abort any more, and Node keeps those for ever: some megabytes a run.
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const stretchSeeds = 200

export type Outcome = {
  seeds: number
  flushes: number
  events: number
  kills: number
  pauses: number
  owners: number
  parts: number
  failures: { seed: number; findings: string[] }[]
}

/** `words`: what else `main` is told. `onStretch` hears what each stretch came to, in whatever order. */
export async function inProcesses(
  main: string,
  { from, count, words }: { from: number; count: number; words: readonly string[] },
  onStretch: (outcome: Outcome) => void,
): Promise<void> {
  const stretches = Array.from({ length: Math.ceil(count / stretchSeeds) }, (_, i) => from + i * stretchSeeds).values()
  const worker = async () => {
    for (const first of stretches) {
      const seeds = Math.min(stretchSeeds, from + count - first)
      const told = [main, '--from', String(first), '--seeds', String(seeds), ...words, '--json']
      // Exit 1: seeds failed, and the last line says which.
      const { stdout } = await run(process.execPath, told, { maxBuffer: 1e8 }).catch((error: { code?: unknown; stdout?: string }) => {
        if (error.code !== 1 || error.stdout === undefined) throw error
        return { stdout: error.stdout }
      })
      onStretch(JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Outcome)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
}
