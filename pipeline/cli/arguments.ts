// From the words after a command's name to its checked flags, settings and positionals, with every mistake listed at once.
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { flagOf, readGroup, type Environment } from '../config/group.ts'
import { describeValue, kebab, readValue, tellProblem, type Described, type Problem } from '../config/value.ts'
import type { Command } from './command.ts'
import { nearest } from './nearest.ts'

export type FlagDescription = Described & { flag: string; env?: string; secret?: boolean; group?: string }

/** Every flag that a command takes, its own first. */
export function flagsOf(command: Command): FlagDescription[] {
  const own = Object.entries(command.flags.shape).map(([key, schema]) => ({ flag: kebab(key), ...describeValue(schema as z.ZodType) }))
  const grouped = Object.values(command.settings).flatMap((group) =>
    Object.entries(group.settings).flatMap(([key, setting]) => {
      const flag = flagOf(key, setting)
      if (flag === undefined) return []
      return [{ flag, env: setting.env, group: group.title, secret: setting.secret ?? false, ...describeValue(setting.schema) }]
    }),
  )
  const json = command.json ? [{ flag: 'json', ...describeValue(jsonFlag) }] : []
  return [...own, ...grouped, ...json, { flag: 'help', ...describeValue(helpFlag) }]
}

const jsonFlag = z.boolean().default(false).describe('End with one line of JSON that has the figures.')
const helpFlag = z.boolean().default(false).describe('Show this.')

export type Arguments =
  | { kind: 'help' }
  | { kind: 'wrong'; messages: string[] }
  | {
      kind: 'right'
      flags: Record<string, unknown>
      settings: Record<string, Record<string, unknown>>
      positionals: string[]
      json: boolean
    }

export function readArguments(command: Command, words: readonly string[], env: Environment): Arguments {
  const known = new Map(flagsOf(command).map((flag) => [flag.flag, flag]))
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      [...known.values()].map(({ flag, kind }) => [
        flag,
        { type: kind === 'boolean' ? 'boolean' : 'string', multiple: true, ...(flag === 'help' ? { short: 'h' } : {}) } as const,
      ]),
    ),
    strict: false,
    tokens: true,
  })

  const messages: string[] = []
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  let help = false
  const give = (flag: string, word: string) => given.set(flag, [...(given.get(flag) ?? []), word])
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const negated = token.name.startsWith('no-') ? known.get(token.name.slice(3)) : undefined
    const flag = known.get(token.name)
    if (token.name === 'help') help = true
    else if (flag === undefined && negated?.kind === 'boolean' && token.value === undefined) give(negated.flag, 'false')
    else if (flag === undefined) messages.push(`unknown flag ${token.rawName}${nearest(token.name, [...known.keys()], '--')}`)
    else if (flag.kind === 'boolean') give(flag.flag, token.value ?? 'true')
    else if (token.value === undefined) messages.push(`--${flag.flag} needs a value: ${flag.doc}`)
    else if (!token.inlineValue && /^--?[a-z]/i.test(token.value) && known.has(token.value.replace(/^-+/, '').replace(/=.*/, '')))
      messages.push(`--${flag.flag} needs a value before ${token.value} (write --${flag.flag}=${token.value} if that is its value)`)
    else {
      if (given.has(flag.flag) && flag.kind !== 'list') messages.push(`--${flag.flag} is given twice`)
      give(flag.flag, token.value)
    }
  }
  if (help) return { kind: 'help' }

  const problems: Problem[] = []
  const flags: Record<string, unknown> = {}
  for (const [key, schema] of Object.entries(command.flags.shape)) {
    const said = given.get(kebab(key))
    const where = `--${kebab(key)}`
    if (said !== undefined) {
      const read = readValue(schema as z.ZodType, said, where)
      if (read.ok) flags[key] = read.value
      else problems.push(read.problem)
      continue
    }
    const missing = (schema as z.ZodType).safeParse(undefined)
    if (missing.success) flags[key] = missing.data
    else messages.push(`${where} is missing: ${describeValue(schema as z.ZodType).doc}`)
  }
  const settings = Object.fromEntries(
    Object.entries(command.settings).map(([name, group]) => [name, readGroup(group, env, given, problems) as Record<string, unknown>]),
  )
  const json = given.has('json') ? readValue(jsonFlag, given.get('json')!, '--json') : undefined
  if (json?.ok === false) problems.push(json.problem)
  messages.push(...problems.map(tellProblem))

  const least = command.positionals.filter((positional) => positional.optional !== true).length
  const most = command.positionals.some((positional) => positional.many === true) ? Infinity : command.positionals.length
  for (const positional of command.positionals.slice(positionals.length, least))
    messages.push(`<${positional.name}> is missing: ${positional.doc}`)
  // A word after an unknown flag may have been its value.
  if (!messages.some((message) => message.startsWith('unknown flag')))
    for (const extra of positionals.slice(most)) messages.push(`"${extra}" is one word too many`)

  if (messages.length > 0) return { kind: 'wrong', messages }
  return { kind: 'right', flags, settings, positionals, json: json?.ok === true && json.value === true }
}
