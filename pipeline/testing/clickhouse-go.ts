// clickhouse-go, the library of Grafana's data source, built and run: the program beside this in clickhouse-go/.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const source = fileURLToPath(new URL('clickhouse-go/', import.meta.url))
// GOTOOLCHAIN: an older Go may fetch the one that go.mod asks for, as a module.
const env = { ...process.env, GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly -buildvcs=false', CGO_ENABLED: '0' }

/** What is missing on this machine, or undefined. With REELPULSE_REQUIRE_BACKENDS=1 a missing Go is an error, not a reason to skip. */
export async function missingGo(): Promise<string | undefined> {
  const said = await run('go', ['version'], { env: { ...env, GOTOOLCHAIN: 'local' } }).then(
    ({ stdout }) => stdout,
    () => '',
  )
  const minor = Number(/go1\.(\d+)/.exec(said)?.[1] ?? 0)
  // From 1.21 on Go fetches a newer one.
  if (minor >= 21) return undefined
  const missing = `needs Go ${/^go (\S+)$/m.exec(readFileSync(join(source, 'go.mod'), 'utf8'))?.[1]}, or 1.21 and newer to fetch it`
  if (process.env['REELPULSE_REQUIRE_BACKENDS'] === '1') throw new Error(`${missing}; REELPULSE_REQUIRE_BACKENDS=1 allows no skip`)
  return missing
}

export type GoServer = { address: string; user: string; password: string; database: string }
/** Instants are milliseconds since the epoch, NaN and NULL null. */
export type GoAnswer = { columns: string[]; rows: unknown[][]; error?: string }
export type GoClient = { query(server: GoServer, queries: readonly string[]): Promise<GoAnswer[]>; remove(): void }

/** Without optimizations, which would take longer than they save. */
export async function buildGoClient(): Promise<GoClient> {
  const folder = mkdtempSync(join(tmpdir(), 'reelpulse-go-'))
  const program = join(folder, 'client')
  await run('go', ['build', '-gcflags=all=-N -l', '-ldflags=-s -w', '-o', program, '.'], { cwd: source, env })
  return {
    async query(server, queries) {
      const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
      child.stdin.end(JSON.stringify({ ...server, queries }))
      const [code] = (await once(child, 'close')) as [number]
      if (code !== 0) throw new Error(`the Go client ended with ${code}: ${said}`)
      return said
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as GoAnswer)
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
