// The text of `reelpulse --help` and of `reelpulse <command> --help`.
import { flagsOf, type FlagDescription } from './arguments.ts'
import { flagOf } from '../config/group.ts'
import { describeValue } from '../config/value.ts'
import type { Command } from './command.ts'

export function commandHelp(command: Command): string {
  const usage = ['reelpulse', command.name, ...command.positionals.map(positionalUsage), '[flags]'].join(' ')
  const flags = flagsOf(command)
  const width = Math.max(...flags.map((flag) => flagUsage(flag).length), ...command.positionals.map((one) => one.name.length + 2))
  const sections = [`${command.name}: ${command.summary}`, command.help.trim(), `Usage\n  ${usage}`]
  if (command.positionals.length > 0)
    sections.push(command.positionals.map((one) => `  ${`<${one.name}>`.padEnd(width)}  ${one.doc}`).join('\n'))
  const own = flags.filter((flag) => flag.group === undefined)
  sections.push(['Flags', ...own.map((flag) => flagLine(flag, width))].join('\n'))
  for (const { title, settings } of Object.values(command.settings)) {
    const lines = flags.filter((flag) => flag.group === title).map((flag) => flagLine(flag, width))
    // Secrets have no flag: what is on a command line, everyone on the machine can read.
    const secrets = Object.entries(settings).filter(([key, setting]) => flagOf(key, setting) === undefined)
    for (const [, { env, schema }] of secrets) lines.push(`  ${env.padEnd(width)}  ${describeValue(schema).doc} [only in the environment]`)
    if (lines.length > 0) sections.push([title, ...lines].join('\n'))
  }
  sections.push(['Examples', ...command.examples.map(([line, says]) => `  reelpulse ${line}\n      ${says}`)].join('\n'))
  return sections.join('\n\n')
}

export function programHelp(commands: readonly { name: string; summary: string }[]): string {
  const width = Math.max(...commands.map((command) => command.name.length))
  return [
    'reelpulse: features, tiers, KPIs and alerts from the behaviour that a short-video app reports',
    'Usage\n  reelpulse <command> [flags]',
    ['Commands', ...commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`)].join('\n'),
    'Every command explains itself with --help. Exit: 0 good, 1 a finding, 2 wrong usage, 3 it could not be done.',
    'Examples\n  reelpulse start\n      Everything in one process, on the embedded log and engine, fed by simulated traffic.\n  reelpulse verify --help\n      What verify does, its flags and examples.',
  ].join('\n\n')
}

const positionalUsage = (one: Command['positionals'][number]) => {
  const name = `<${one.name}>${one.many === true ? '…' : ''}`
  return one.optional === true ? `[${name}]` : name
}

const flagUsage = (flag: FlagDescription) => {
  if (flag.kind === 'boolean') return `--${flag.defaultValue === true ? '[no-]' : ''}${flag.flag}`
  return `--${flag.flag} ${flag.kind === 'number' ? '<number>' : flag.kind === 'list' ? '<a,b,…>' : '<text>'}`
}

const flagLine = (flag: FlagDescription, width: number) => {
  const notes = []
  if (flag.choices !== undefined) notes.push(`one of ${flag.choices.join(', ')}`)
  if (flag.kind !== 'boolean' && flag.defaultValue !== undefined) notes.push(`default ${tellDefault(flag.defaultValue)}`)
  if (flag.env !== undefined) notes.push(`or ${flag.env}`)
  return `  ${flagUsage(flag).padEnd(width)}  ${flag.doc}${notes.length === 0 ? '' : ` [${notes.join('; ')}]`}`
}

const tellDefault = (value: unknown): string => {
  const text = Array.isArray(value) ? value.join(',') : String(value)
  return text === '' ? 'none' : text.length > 40 ? `${text.slice(0, 39)}…` : text
}
