// What a panel's query gives, in the form that the browser draws: lines over time, or rows.
import type { Cell, PanelData } from '../../../dashboards/live/protocol.ts'
import type { Column } from '../../../dashboards/sql/query.ts'
import type { Span } from './range.ts'

type Row = Readonly<Record<string, unknown>>
const minuteMs = 60_000

/** The column of text names the line, each column of numbers is one. Where a point is missing the line has a gap. */
export function seriesOf(rows: readonly Row[], columns: readonly Column[], { from, to }: Span): PanelData {
  const times = withGaps([...new Set(rows.map((row) => instantOf(row['time'])))].toSorted((a, b) => a - b))
  const places = new Map(times.map((time, i) => [time, i]))
  const numbers = columns.filter(({ is }) => is === 'number')
  const naming = columns.filter(({ is }) => is === 'text')
  const lines = new Map<string, (number | null)[]>()
  for (const row of rows) {
    const named = naming.map(({ name }) => String(row[name])).join(' · ')
    for (const column of numbers) {
      const name = naming.length === 0 ? column.name : numbers.length === 1 ? named : `${named} · ${column.name}`
      let values = lines.get(name)
      if (values === undefined) lines.set(name, (values = times.map(() => null)))
      values[places.get(instantOf(row['time']))!] = numberOf(row[column.name])
    }
  }
  // Cut at whole minutes, so that it stays the same until one has passed.
  const ends = { from: Math.floor(from / minuteMs) * minuteMs, to: Math.ceil(to / minuteMs) * minuteMs }
  return { kind: 'series', ...ends, times, lines: Array.from(lines, ([name, values]) => ({ name, values })) }
}

/** With an instant in the middle wherever two are further from each other than usual: no value is ever there. */
function withGaps(times: readonly number[]): number[] {
  const apart = times.slice(1).map((time, i) => time - times[i]!)
  const usual = Math.min(...apart)
  return times.flatMap((time, i) => (i > 0 && apart[i - 1]! > usual * 1.5 ? [times[i - 1]! + usual, time] : [time]))
}

export function rowsOf(rows: readonly Row[], columns: readonly Column[]): PanelData {
  const cell = ({ name, is }: Column, row: Row): Cell => {
    const value = row[name] ?? null
    if (value === null) return null
    return is === 'time' || is === 'day'
      ? instantOf(value)
      : is === 'number'
        ? numberOf(value)
        : typeof value === 'string'
          ? value
          : JSON.stringify(value)
  }
  return { kind: 'rows', columns: columns.map(({ name }) => name), rows: rows.map((row) => columns.map((column) => cell(column, row))) }
}

/** The store writes instants as `YYYY-MM-DD[ hh:mm:ss[.mmm]]` in UTC. */
export const instantOf = (text: unknown): number => Date.parse(`${String(text).padEnd(19, ' 00:00:00').replace(' ', 'T')}Z`)

/** Whole numbers that a double cannot hold come as text. */
function numberOf(value: unknown): number | null {
  if (value === null || value === undefined) return null
  const number = Number(value)
  return Number.isFinite(number) ? number : null
}
