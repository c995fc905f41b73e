// What a panel's query gives, in the form that the browser draws: lines over time, or rows.
import type { Cell, PanelData } from '../../../dashboards/live/protocol.ts'
import type { Span } from './range.ts'

type Row = Readonly<Record<string, unknown>>

/** Column `time` first; a column of words names the line, each column of numbers is one. */
export function seriesOf(rows: readonly Row[], { from, to, stepMs }: Span): PanelData {
  const times = Array.from({ length: Math.max(0, Math.round((to - from) / stepMs)) }, (_, i) => from + i * stepMs)
  const lines = new Map<string, (number | null)[]>()
  const columns = Object.keys(rows[0] ?? {}).filter((name) => name !== 'time')
  const numbers = columns.filter((name) => rows.some((row) => typeof row[name] === 'number'))
  const naming = columns.filter((name) => !numbers.includes(name) && rows.some((row) => typeof row[name] === 'string'))
  for (const row of rows) {
    const index = Math.floor((instantOf(row['time']) - from) / stepMs)
    if (!(index >= 0 && index < times.length)) continue
    const named = naming.map((name) => String(row[name])).join(' · ')
    for (const column of numbers) {
      const name = naming.length === 0 ? column : numbers.length === 1 ? named : `${named} · ${column}`
      let values = lines.get(name)
      if (values === undefined) lines.set(name, (values = times.map(() => null)))
      values[index] = row[column] as number | null
    }
  }
  return { kind: 'series', from, to, stepMs, times, lines: Array.from(lines, ([name, values]) => ({ name, values })) }
}

/** Instants, which are known by their names, as ms. */
export function rowsOf(rows: readonly Row[]): PanelData {
  const columns = Object.keys(rows[0] ?? {})
  const cell = (name: string, value: unknown): Cell =>
    typeof value === 'string' && (name === 'time' || name.endsWith('_at')) ? instantOf(value) : (value as Cell)
  return { kind: 'rows', columns, rows: rows.map((row) => columns.map((name) => cell(name, row[name]))) }
}

/** The store writes instants as `YYYY-MM-DD hh:mm:ss[.mmm]` in UTC. */
export const instantOf = (text: unknown): number => Date.parse(`${String(text).replace(' ', 'T')}Z`)
