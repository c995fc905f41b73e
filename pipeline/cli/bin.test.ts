import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { exitGood, exitUsage } from './command.ts'
import { commandNames, loadCommand } from './main.ts'
import { commandHelp } from './help.ts'

const bin = fileURLToPath(new URL('bin.js', import.meta.url))
// Makes the launcher believe that it runs on a Node that is too old.
const asOldNode = [
  '--import',
  `data:text/javascript,if(!process.env.REELPULSE_LAUNCHED)Object.defineProperty(process.versions,'node',{value:'20.0.0'})`,
]

async function run(words: string[], nodeFlags: string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [...nodeFlags, bin, ...words], { env: { ...process.env, ...env } })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }
}

test('an unknown command is named, with what is near, and exits 2', async () => {
  const { code, out, err } = await run(['confgi'])
  expect({ code, out }).toEqual({ code: exitUsage, out: '' })
  expect(err).toContain('unknown command confgi (did you mean config?)')
})

test('settings are printed with secrets hidden and the last line is JSON under --json', async () => {
  const { code, out, err } = await run(['config', '--json', '--emit-s', '7'], [], { CLICKHOUSE_PASSWORD: 'hunter2' })
  expect({ code, err }).toEqual({ code: exitGood, err: '' })
  expect(out).not.toContain('hunter2')
  expect(JSON.parse(out.trim().split('\n').at(-1) ?? '')).toMatchObject({ process: { REELPULSE_EMIT_S: 7 } })
})

test('a directory for state that cannot be made is wrong usage, told in a line', async () => {
  const { code, out, err } = await run(['start', '--events', '1', '--data', bin])
  expect({ code, out }).toEqual({ code: exitUsage, out: '' })
  expect(err).toContain(`--data or REELPULSE_DATA: got "${bin}", wants a directory that can be made and written to`)
})

test('on an old Node the bundled one runs the program, with the same words, output and exit code', async () => {
  expect(await run(['config', '--emit-s', 'x'], asOldNode)).toEqual(await run(['config', '--emit-s', 'x']))
  expect((await run(['--version'], asOldNode)).out).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test.each(commandNames())('%s explains itself with an example', async (name) => {
  const command = await loadCommand(name)
  expect(command.name).toBe(name)
  expect(command.examples.length).toBeGreaterThan(0)
  expect(command.examples.every(([line]) => line.startsWith(name))).toBe(true)
  const help = commandHelp(command)
  expect(help).toContain(`reelpulse ${command.examples[0]![0]}`)
  for (const { settings } of Object.values(command.settings)) for (const { env } of Object.values(settings)) expect(help).toContain(env)
  for (const [key, flag] of Object.entries(command.flags.shape)) expect(flag.description, key).toBeTruthy()
})
