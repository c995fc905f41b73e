// How a word from the environment or the command line becomes a setting's value, and how a wrong one is told.
import { z } from 'zod'

export type ValueKind = 'string' | 'number' | 'boolean' | 'list'

export type Problem = {
  /** `--port` or `KAFKA_BROKERS`: where it was said. */
  where: string
  got: string
  wants: string
}

/** Settings that are each well formed but cannot hold; told like wrong usage. */
export class WrongSetting extends Error {
  override name = 'WrongSetting'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(problems.map(tellProblem).join('\n'))
    this.problems = problems
  }
}

export type Described = { kind: ValueKind; choices?: readonly string[]; defaultValue?: unknown; optional: boolean; doc: string }

/** What a schema takes from the command line. Throws where that is no word, number, yes/no or list of words. */
export function describeValue(schema: z.ZodType): Described {
  let inner: z.ZodType = schema
  let optional = false
  let defaultValue: unknown
  let doc = schema.description ?? ''
  for (;;) {
    doc ||= inner.description ?? ''
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) optional = true
    else if (inner instanceof z.ZodDefault) {
      defaultValue = inner.def.defaultValue
      optional = true
    } else if (inner instanceof z.ZodPipe) {
      inner = inner.def.in as z.ZodType
      continue
    } else break
    inner = inner.def.innerType as z.ZodType
  }
  const known = { optional, doc, ...(defaultValue === undefined ? {} : { defaultValue }) }
  if (inner instanceof z.ZodEnum) return { ...known, kind: 'string', choices: inner.options.map(String) }
  if (inner instanceof z.ZodString || inner instanceof z.ZodStringFormat) return { ...known, kind: 'string' }
  if (inner instanceof z.ZodNumber) return { ...known, kind: 'number' }
  if (inner instanceof z.ZodBoolean) return { ...known, kind: 'boolean' }
  if (inner instanceof z.ZodArray) return { ...known, kind: 'list' }
  throw new Error(`a flag or setting must be a string, number, boolean, enum or list of strings; this one is ${inner.def.type}`)
}

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
}

/** Words as given: one, or for a list several, each of which may hold more between commas. */
export function readValue(
  schema: z.ZodType,
  words: readonly string[],
  where: string,
): { ok: true; value: unknown } | { ok: false; problem: Problem } {
  const { kind, choices } = describeValue(schema)
  const word = (words.at(-1) ?? '').trim()
  const wrong = (wants: string) => ({ ok: false as const, problem: { where, got: words.join(','), wants } })
  let raw: unknown = word
  if (kind === 'number') {
    raw = word === '' ? Number.NaN : Number(word.replace(/(?<=\d)_(?=\d)/g, ''))
    if (Number.isNaN(raw)) return wrong('a number')
  } else if (kind === 'boolean') {
    raw = truths[word.toLowerCase()]
    if (raw === undefined) return wrong('true or false')
  } else if (kind === 'list') {
    raw = words.flatMap((one) => one.split(',').map((part) => part.trim())).filter((one) => one !== '')
  }
  const parsed = schema.safeParse(raw)
  if (parsed.success) return { ok: true, value: parsed.data }
  if (choices !== undefined) return wrong(`one of ${choices.join(', ')}`)
  return wrong(parsed.error.issues.map((issue) => issue.message).join('; '))
}

export function tellProblem(problem: Problem): string {
  return `${problem.where}: got ${problem.got === '' ? 'nothing' : `"${problem.got}"`}, wants ${problem.wants}`
}

/** `emitS` → `emit-s`. */
export function kebab(key: string): string {
  return key.replace(/_/g, '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
