// The image cannot be built without Docker: this does what its Dockerfile says in a folder, and runs the program there as someone who may write nothing.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const lines = readFileSync(join(root, 'Dockerfile'), 'utf8').split('\n')
const ignored = readFileSync(join(root, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

/** .dockerignore, as far as ours goes: whole names at the root, and `**\/*` with an ending. */
const isIgnored = (path: string) =>
  ignored.some((pattern) => (pattern.startsWith('**/*') ? path.endsWith(pattern.slice('**/*'.length)) : path.split('/')[0] === pattern))

const folder = mkdtempSync(join(tmpdir(), 'reelpulse-image-'))
const app = join(folder, 'app')
const nobody = { uid: 65_534, gid: 65_534 }
// Only root can become someone else; for anyone else taking the right to write away is as good.
const isRoot = process.getuid?.() === 0
const run = promisify(execFile)

/** COPY and RUN, stage by stage: `packages` first, whose result the second copies. */
beforeAll(async () => {
  const stages: string[] = []
  for (const line of lines) {
    const [word, ...rest] = line.split(' ')
    if (word === 'FROM') {
      stages.push(rest[2] ?? 'last')
      mkdirSync(join(folder, stages.at(-1)!))
    }
    const here = join(folder, stages.at(-1) ?? '')
    if (word === 'COPY' && rest[0]!.startsWith('--from=')) {
      const from = join(folder, rest[0]!.slice('--from='.length), relative('/app', rest[1]!))
      // Nobody needs it where it was.
      renameSync(from, join(here, rest[2]!))
    } else if (word === 'COPY') {
      const target = join(here, rest.at(-1)!)
      const single = rest.length === 2 && !rest[1]!.endsWith('/')
      for (const name of rest.slice(0, -1)) {
        if (isIgnored(name)) throw new Error(`${name} is copied and ignored`)
        const filter = (path: string) => !isIgnored(relative(root, path))
        cpSync(join(root, name), single ? target : join(target, basename(name)), { recursive: true, filter })
      }
    } else if (word === 'RUN' && rest[0] === 'npm') {
      await run('npm', [...rest.slice(1), '--prefer-offline', '--no-audit', '--no-fund'], { cwd: here })
    }
  }
  if (stages.join() !== 'packages,last') throw new Error(`other stages than are understood here: ${stages.join()}`)
  renameSync(join(folder, 'last'), app)
  chmodSync(folder, 0o755)
  if (!isRoot) execFileSync('chmod', ['-R', 'a-w', app])
}, 600_000)
afterAll(() => {
  if (!isRoot) execFileSync('chmod', ['-R', 'u+w', folder])
  rmSync(folder, { recursive: true, force: true })
})

const [, program = ''] = /^ENTRYPOINT \["node", "(.+)"\]$/m.exec(lines.join('\n')) ?? []

/** The image's user, with a folder of its own for what it is told to write, and nothing else. */
function asUser(writable?: string) {
  const env = {
    PATH: process.env['PATH'],
    HOME: '/nonexistent',
    TMPDIR: writable ?? '/nonexistent',
    NODE_ENV: 'production',
    REELPULSE_PORT: '0',
  }
  return { cwd: app, env, ...(isRoot ? nobody : {}) }
}

async function inside(words: string[], writable?: string): Promise<string> {
  const { stdout } = await run(process.execPath, [program, ...words], asUser(writable))
  return stdout
}

describe('the image', () => {
  test('has no tests, no development packages, and nothing that its user could change', async () => {
    expect(existsSync(join(app, 'node_modules/vitest'))).toBe(false)
    expect(existsSync(join(app, 'pipeline/integration/image.test.ts'))).toBe(false)
    expect(existsSync(join(app, 'pipeline/cli/main.ts'))).toBe(true)
    const test = ['-e', "require('fs').writeFileSync('pipeline/cli/bin.js', '')"]
    await expect(run(process.execPath, test, { cwd: app, ...(isRoot ? nobody : {}) })).rejects.toThrow(/EACCES|EPERM/)
  })

  test('says its help, without a place to write', async () => {
    const said = await inside(['--help'])
    expect(said).toContain('reelpulse')
    for (const command of ['process', 'detect', 'start', 'simulate']) expect(said).toContain(command)
    expect(await inside(['config'])).toContain('REELPULSE_DATA')
  })

  test('runs the embedded default with one folder that it may write to', async () => {
    const data = join(folder, 'data')
    mkdirSync(data, { mode: 0o700 })
    if (isRoot) chownSync(data, nobody.uid, nobody.gid)
    const words = ['--data', join(data, 'state')]
    expect(await inside(['start', '--events', '2000', ...words], data)).toMatch(/^rows: events 1,9\d\d/m)
    expect(await inside(['verify', '--topic', 'simulation', ...words], data)).toMatch(/^[1-9]\d* rows compared, 0 differ$/m)
  })

  test('serves the live board, whose script it makes without a place to write it to', async () => {
    const data = join(folder, 'data')
    const words = [program, 'serve', '--data', join(data, 'state')]
    const child = spawn(process.execPath, words, { ...asUser(data), stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      let said = ''
      while (!/^The board: \S+/m.test(said)) said += String((await once(child.stdout, 'data'))[0])
      const url = /^The board: (\S+)/m.exec(said)![1]!
      for (const path of ['', 'board/script.js']) expect((await fetch(url + path)).status, path).toBe(200)
    } finally {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    }
  })
})
