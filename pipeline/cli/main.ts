// The program: finds the command, checks what it was given, runs it, and exits with what it returned.
import { readdirSync, readFileSync } from 'node:fs'
import type { Environment } from '../config/group.ts'
import { tellProblem, WrongSetting } from '../config/value.ts'
import { readArguments } from './arguments.ts'
import { exitFailed, exitGood, exitUsage, UsageError, type Command, type Context } from './command.ts'
import { commandHelp, programHelp } from './help.ts'
import { nearest } from './nearest.ts'

const commandsDirectory = new URL('./commands/', import.meta.url)

export function commandNames(): string[] {
  return readdirSync(commandsDirectory)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .toSorted()
}

export async function loadCommand(name: string): Promise<Command> {
  const module = (await import(new URL(`${name}.ts`, commandsDirectory).href)) as { command: Command }
  return module.command
}

export async function main(words: readonly string[]): Promise<void> {
  process.stdout.on('error', endWithReader)
  const code = await runProgram(words, process.env)
  // What is still written is waited for; what still runs (a library's timer, a socket) is not.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}

/** Exit code. */
export async function runProgram(words: readonly string[], env: Environment): Promise<number> {
  const [first, ...rest] = words
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    if (first === 'help' && rest[0] !== undefined) return runProgram([rest[0], '--help'], env)
    const commands = await Promise.all(commandNames().map(loadCommand))
    process[first === undefined ? 'stderr' : 'stdout'].write(`${programHelp(commands)}\n`)
    return first === undefined ? exitUsage : exitGood
  }
  if (first === '--version' || first === '-v') {
    process.stdout.write(`${version()}\n`)
    return exitGood
  }
  const names = commandNames()
  if (!names.includes(first)) {
    const what = first.startsWith('-') ? 'flag' : 'command'
    process.stderr.write(`reelpulse: unknown ${what} ${first}${nearest(first, names)}\nreelpulse --help lists the commands.\n`)
    return exitUsage
  }
  return runCommand(await loadCommand(first), rest, env)
}

export function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}

async function runCommand(command: Command, words: readonly string[], env: Environment): Promise<number> {
  const given = readArguments(command, words, env)
  if (given.kind === 'help') {
    process.stdout.write(`${commandHelp(command)}\n`)
    return exitGood
  }
  const tellWrong = (messages: readonly string[]) => {
    for (const message of messages) process.stderr.write(`reelpulse ${command.name}: ${message}\n`)
    process.stderr.write(`reelpulse ${command.name} --help shows its flags.\n`)
    return exitUsage
  }
  if (given.kind === 'wrong') return tellWrong(given.messages)

  let figures: Readonly<Record<string, unknown>> | undefined
  const context: Context = {
    flags: given.flags,
    settings: given.settings,
    positionals: given.positionals,
    json: given.json,
    env,
    print: (text) => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    result: (value) => void (figures = value),
    signal: stopSignal(),
  }
  let code: number
  try {
    code = await command.run(context)
  } catch (error) {
    if (error instanceof WrongSetting) return tellWrong(error.problems.map(tellProblem))
    if (error instanceof UsageError) return tellWrong([error.message])
    process.stderr.write(`reelpulse ${command.name} failed: ${tellError(error, env)}\n`)
    return exitFailed
  }
  if (given.json && figures !== undefined) process.stdout.write(`${JSON.stringify(figures)}\n`)
  return code
}

/** A lost machine is told in a line; a bug, with where it is. */
function tellError(error: unknown, env: Environment): string {
  if (!(error instanceof Error)) return String(error)
  const bug = ['Error', 'TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'AssertionError'].includes(error.name)
  if (env['LOG_LEVEL'] === 'debug' || (bug && !('code' in error))) return error.stack ?? error.message
  return `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}`
}

/** One press of Ctrl-C can arrive several times (terminal, npm, launcher): only one later than this ends the program at once. */
const samePressMs = 1_000

function stopSignal(): AbortSignal {
  const controller = new AbortController()
  let firstAt: number | undefined
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      if (firstAt === undefined) {
        firstAt = performance.now()
        controller.abort(name)
      } else if (performance.now() - firstAt > samePressMs) process.exit(name === 'SIGINT' ? 130 : 143)
    })
  return controller.signal
}

/** `reelpulse … | head` is no failure. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitGood)
  throw error
}
