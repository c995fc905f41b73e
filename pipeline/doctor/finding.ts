// What a check says: one finding for each thing that it looked at.
import { defaultTopic } from '../config/names.ts'

export const areas = ['machine', 'log', 'partitions', 'store', 'rows'] as const
export type Area = (typeof areas)[number]

/** `unchecked`: it could not be looked at; `found` says why. */
export type Level = 'ok' | 'warning' | 'problem' | 'unchecked'

export type Finding = {
  readonly area: Area
  /** Of the check; the same from run to run. */
  readonly check: string
  /** What was looked at: a topic, a table, a partition. Undefined where there is only one. */
  readonly of?: string
  readonly level: Level
  /** With the figures. */
  readonly found: string
  /** Half a sentence. */
  readonly why: string
  /** A command or a setting; always there with a warning or a problem. */
  readonly fix?: string
}

/** The command's line, for the topic that was looked at: it can be run as it is. */
export const onTopic = (command: string, topic: string): string =>
  `reelpulse ${command}${topic === defaultTopic ? '' : ` --topic ${topic}`}`

/** What was asked for, or why it could not be had. */
export type Known<T> = { readonly value: T } | { readonly unknown: string }

export async function known<T>(work: () => Promise<T> | T): Promise<Known<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    return { unknown: (error instanceof Error ? error.message : String(error)).split('\n')[0]! }
  }
}

/** The findings of one check, which all have its area, name and reason. */
export function findingsOf(area: Area, check: string, why: string) {
  const of = (name: string | undefined) => (name === undefined ? {} : { of: name })
  return {
    ok: (found: string, name?: string): Finding => ({ area, check, ...of(name), level: 'ok', found, why }),
    warning: (found: string, fix: string, name?: string): Finding => ({ area, check, ...of(name), level: 'warning', found, why, fix }),
    problem: (found: string, fix: string, name?: string): Finding => ({ area, check, ...of(name), level: 'problem', found, why, fix }),
    unchecked: (found: string, name?: string): Finding => ({ area, check, ...of(name), level: 'unchecked', found, why }),
  }
}

/** `1.5 h`, for people. */
export function span(ms: number): string {
  const size = Math.abs(ms)
  const units: readonly [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ]
  const [unit, name] = units.find(([unit]) => size >= unit) ?? [1, 'ms']
  return `${Number((ms / unit).toFixed(1))} ${name}`
}

export const count = (n: number) => n.toLocaleString('en-US')
export const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
/** ISO 8601, where a Date can say it. */
export const instant = (ms: number) => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`)

/** `all 4 partitions`, `partitions 1, 3`. */
export const partitionList = (partitions: readonly number[], of: number): string => {
  if (partitions.length === of && of > 1) return `all ${count(of)} partitions`
  const shown = partitions.slice(0, 8).join(', ')
  return `partition${partitions.length === 1 ? '' : 's'} ${shown}${partitions.length > 8 ? ` and ${partitions.length - 8} more` : ''}`
}
