import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

// The launcher beside a program that only waits, in a tree like the project's.
const tree = mkdtempSync(join(tmpdir(), 'reelpulse-launcher-'))
afterAll(() => rmSync(tree, { recursive: true }))
mkdirSync(join(tree, 'pipeline/cli'), { recursive: true })
mkdirSync(join(tree, 'node_modules/.bin'), { recursive: true })
symlinkSync(process.execPath, join(tree, 'node_modules/.bin/node'))
writeFileSync(join(tree, 'package.json'), '{"type":"module"}')
copyFileSync(new URL('bin.js', import.meta.url), join(tree, 'pipeline/cli/bin.js'))
writeFileSync(
  join(tree, 'pipeline/cli/main.ts'),
  `export function main(words: string[]) {
  process.on('SIGTERM', () => process.exit(7))
  process.emitWarning('experimental', 'ExperimentalWarning')
  process.emitWarning('another', 'OddWarning')
  process.stdout.write(process.pid + ' ' + words.join(' '))
  setInterval(() => {}, 1000)
}`,
)
const asOldNode = `data:text/javascript,if(!process.env.REELPULSE_LAUNCHED)Object.defineProperty(process.versions,'node',{value:'20.0.0'})`

async function launch(old: boolean) {
  const child = spawn(process.execPath, [...(old ? ['--import', asOldNode] : []), join(tree, 'pipeline/cli/bin.js'), 'a', 'b'])
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const [pid, ...words] = said.toString().split(' ')
  expect(words).toEqual(['a', 'b'])
  // The program holds the launcher's stdout open for as long as it lives.
  return {
    child,
    programIsLauncher: Number(pid) === child.pid,
    ended: once(child, 'close') as Promise<[number | null, string | null]>,
    stderr: () => err,
  }
}

test.each([false, true])('a signal reaches the program, and its exit code comes back (old Node: %s)', async (old) => {
  const { child, programIsLauncher, ended } = await launch(old)
  expect(programIsLauncher).toBe(!old)
  child.kill('SIGTERM')
  expect(await ended).toEqual([7, null])
})

test('kill -9 of the launcher ends the program too', async () => {
  const { child, ended } = await launch(true)
  child.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
})

test('experimental warnings are not shown, others are', async () => {
  const { child, ended, stderr } = await launch(false)
  child.kill('SIGTERM')
  await ended
  expect(stderr()).toContain('OddWarning')
  expect(stderr()).not.toContain('Experimental')
})
