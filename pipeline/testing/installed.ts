// Programs of the system that tests run: which are there, and one of them started so that it cannot outlive us.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'

/** What is missing on this machine, or undefined. With REELPULSE_REQUIRE_BACKENDS=1 a program that is missing is an error, not a reason to skip. */
export async function missingProgram(program: string, debianPackage: string): Promise<string | undefined> {
  const there = await promisify(execFile)(program, ['--version']).then(
    () => true,
    () => false,
  )
  if (there) return undefined
  const missing = `needs ${program} (Debian package ${debianPackage})`
  if (process.env['REELPULSE_REQUIRE_BACKENDS'] === '1') throw new Error(`${missing}; REELPULSE_REQUIRE_BACKENDS=1 allows no skip`)
  return missing
}

export type RunningProgram = { stop(): Promise<void> }

// The pipe on the keeper's stdin closes with our process, however we end.
const keeper = 'exec 3<&0; "$@" </dev/null & pid=$!; (cat <&3 >/dev/null; kill -KILL $pid 2>/dev/null) & wait $pid'

/** Resolves once `answers` does; throws with what the program said where it ends before. */
export async function startProgram(words: readonly string[], answers: () => Promise<boolean>): Promise<RunningProgram> {
  const child = spawn('sh', ['-c', keeper, 'sh', ...words], { stdio: ['pipe', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)))
  const ended = once(child, 'exit')
  while (!(await answers().catch(() => false))) {
    if (child.exitCode !== null) throw new Error(`${words[0]} ended: ${said}`)
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))])
  }
  return {
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
