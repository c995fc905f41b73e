// A small group of settings, as one role or port needs them: each can be said by a flag, which wins, or in the environment.
import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { describeValue, kebab, readValue, type Problem } from './value.ts'

export type Setting<S extends z.ZodType = z.ZodType> = {
  /** What it takes, with its default and description. */
  readonly schema: S
  readonly env: string
  /** Without dashes; undefined: the key in kebab-case. null: only in the environment. */
  readonly flag?: string | null
  readonly secret?: boolean
}

export type SettingGroup<S extends Readonly<Record<string, Setting>> = Readonly<Record<string, Setting>>> = {
  readonly title: string
  readonly settings: S
}

export type SettingsOf<G extends SettingGroup> = { [K in keyof G['settings']]: z.infer<G['settings'][K]['schema']> }

export function settingGroup<const S extends Readonly<Record<string, Setting>>>(title: string, settings: S): SettingGroup<S> {
  return { title, settings }
}

export const flagOf = (key: string, setting: Setting): string | undefined =>
  setting.flag === null ? undefined : (setting.flag ?? kebab(key))

export type Environment = Readonly<Record<string, string | undefined>>
/** Words given to each flag, in order; a flag that was not given is not in it. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>

/** An empty variable counts as not set. Every wrong setting is added to `problems`; the values hold only where none was. */
export function readGroup<G extends SettingGroup>(group: G, env: Environment, given: GivenFlags, problems: Problem[]): SettingsOf<G> {
  const values: Record<string, unknown> = {}
  for (const [key, setting] of Object.entries(group.settings)) {
    const flag = flagOf(key, setting)
    const words = flag === undefined ? undefined : given.get(flag)
    const variable = setting.secret === true ? secretOf(setting.env, env, problems) : env[setting.env]
    const said = words !== undefined ? words : variable !== undefined && variable !== '' ? [variable] : undefined
    const where = words !== undefined ? `--${flag}` : setting.env
    if (said === undefined) {
      const missing = setting.schema.safeParse(undefined)
      if (missing.success) values[key] = missing.data
      else
        problems.push({
          where: flag === undefined ? setting.env : `--${flag} or ${setting.env}`,
          got: '',
          wants: describeValue(setting.schema).doc,
        })
      continue
    }
    const read = readValue(setting.schema, said, where)
    if (read.ok) values[key] = read.value
    else problems.push(setting.secret ? { ...read.problem, got: '(hidden)' } : read.problem)
  }
  return values as SettingsOf<G>
}

/** A secret may lie in a file that NAME_FILE names, as Docker and Kubernetes hand it over; its last line break does not belong to it. */
function secretOf(name: string, env: Environment, problems: Problem[]): string | undefined {
  const where = `${name}_FILE`
  const path = env[where]
  if (path === undefined || path === '') return env[name]
  if (env[name] !== undefined && env[name] !== '') {
    problems.push({ where, got: path, wants: `no value beside ${name}: take one of them` })
    return undefined
  }
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    problems.push({ where, got: path, wants: `a file that can be read (${(error as NodeJS.ErrnoException).code})` })
    return undefined
  }
}

/** Only some of a group's settings, for a command that needs no others. */
export function pick<S extends Readonly<Record<string, Setting>>, const K extends keyof S & string>(
  group: SettingGroup<S>,
  keys: readonly K[],
): SettingGroup<Pick<S, K>> {
  return { title: group.title, settings: Object.fromEntries(keys.map((key) => [key, group.settings[key]])) as Pick<S, K> }
}
