// Python with what the guide's example needs: the machine's own packages, or those that .ci/run puts into ~/.cache.
import { execFile } from 'node:child_process'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const pythonEnv = {
  PYTHONPATH: [join(homedir(), '.cache', 'reelpulse', 'python'), process.env['PYTHONPATH']].filter((path) => path).join(delimiter),
}

/** What is missing on this machine, or undefined. With REELPULSE_REQUIRE_BACKENDS=1 what is missing is an error, not a reason to skip. */
export async function missingPython(modules: readonly string[]): Promise<string | undefined> {
  const there = await run('python3', ['-c', `import ${modules.join(', ')}`], { env: { ...process.env, ...pythonEnv } }).then(
    () => true,
    () => false,
  )
  if (there) return undefined
  const missing = `needs python3 with ${modules.join(', ')}`
  if (process.env['REELPULSE_REQUIRE_BACKENDS'] === '1') throw new Error(`${missing}; REELPULSE_REQUIRE_BACKENDS=1 allows no skip`)
  return missing
}
