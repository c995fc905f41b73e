// What a command of `reelpulse` is. Each is one file commands/<name>.ts that exports `command`, and imports what is heavy
// inside `run`, so that start-up and help stay quick.
import { z } from 'zod'
import type { Environment, SettingGroup, SettingsOf } from '../config/group.ts'

export const exitGood = 0
/** A check ran and found something: a difference, a stale file, a user who is not there. */
export const exitFinding = 1
/** Wrong usage, or a wrong setting. */
export const exitUsage = 2
/** It could not be done: a server is away, a disk is full, a bug. Told on stderr. */
export const exitFailed = 3

export type Positional = { readonly name: string; readonly doc: string; readonly optional?: boolean; readonly many?: boolean }
export type Flags = z.ZodObject
export type Groups = Readonly<Record<string, SettingGroup>>

export type Context<F extends Flags = Flags, G extends Groups = Groups> = {
  /** By key of the command's `flags`, checked. */
  readonly flags: z.infer<F>
  /** By the group's name in `settings`, checked: flags before environment before defaults. */
  readonly settings: { readonly [K in keyof G]: SettingsOf<G[K]> }
  /** In order; as many as `positionals` asks for. */
  readonly positionals: readonly string[]
  readonly env: Environment
  /** Whether `--json` was given. */
  readonly json: boolean
  /** One line (or several) for the reader, to stdout. */
  print(text: string): void
  /** Remarks and progress, to stderr. */
  note(text: string): void
  /** The figures: under `--json` one line of JSON, printed last of all; else nothing. */
  result(figures: Readonly<Record<string, unknown>>): void
  /** Aborted by the first Ctrl-C or SIGTERM: finish what is in flight and return. */
  readonly signal: AbortSignal
}

export type Command<F extends Flags = Flags, G extends Groups = Groups> = {
  readonly name: string
  /** One line, for the list of commands. */
  readonly summary: string
  /** Paragraphs that say what it does. */
  readonly help: string
  /** At least one: command lines without the leading `reelpulse`, each with what it shows. */
  readonly examples: readonly (readonly [line: string, says: string])[]
  /** Keys in camelCase become flags in kebab-case: string, number, boolean, enum or list of strings, described by `.describe()`. */
  readonly flags: F
  /** Groups of pipeline/config that it needs; their flags are its flags too. */
  readonly settings: G
  readonly positionals: readonly Positional[]
  /** Measures or checks: takes `--json`, and then ends with what it gave to `result`. */
  readonly json: boolean
  readonly run: (context: Context<F, G>) => Promise<number> | number
}

type Spec<F extends Flags, G extends Groups> = Pick<Command<F, G>, 'name' | 'summary' | 'help' | 'examples' | 'run'> &
  Partial<Pick<Command<F, G>, 'flags' | 'settings' | 'positionals' | 'json'>>

/** The right usage is the command's business; a wrong value found while it runs is this: message on stderr, exit 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

export function defineCommand<F extends Flags = z.ZodObject<Record<never, never>>, const G extends Groups = Record<never, never>>(
  spec: Spec<F, G>,
): Command<F, G> {
  return {
    flags: z.object({}) as unknown as F,
    settings: {} as G,
    positionals: [],
    json: false,
    ...spec,
  }
}
