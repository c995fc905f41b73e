// What a panel's query is: SQL over views, how it is drawn, and which columns come.
import type { views } from '../../operators/views.ts'
import { anyValue, cellVariables } from '../board.ts'
import type { Dialect } from '../dialect.ts'

export type Unit = 'ratio' | 's' | 'ms' | 'count' | 'fen' | 'CNY' | 'points' | 'points of 5' | 'bytes'

/** `day`: the instant at which a day of the configured zone begins. `isProse`: of text, sentences of any length. */
export type Column = {
  readonly name: string
  readonly is: 'time' | 'day' | 'text' | 'number'
  readonly unit?: Unit
  readonly isProse?: true
}

export type PanelQuery = {
  readonly sql: string
  /** `timeseries`: a column `time`, in order of it; one of text names the line; the others are values. `table`: rows as they are. */
  readonly format: 'timeseries' | 'table'
  readonly columns: readonly Column[]
}

type ViewName = (typeof views)[number]['name']
/** Only views are read: a table can change behind them. */
export const view = (name: ViewName) => name

export const time = (name = 'time'): Column => ({ name, is: 'time' })
export const day = (name: string): Column => ({ name, is: 'day' })
export const text = (name: string): Column => ({ name, is: 'text' })
export const prose = (name: string): Column => ({ name, is: 'text', isProse: true })
export const number = (name: string, unit: Unit = 'count'): Column => ({ name, is: 'number', unit })

/** The dimension of the cell that is shown: of those chosen, the first. */
export const cellDimension = (dialect: Dialect) =>
  `multiIf(${cellVariables.map((name) => `${dialect.variable(name)} != '${anyValue}', '${name}'`).join(', ')}, 'all')`
export const cellValue = (dialect: Dialect) =>
  `multiIf(${cellVariables.map((name) => `${dialect.variable(name)} != '${anyValue}', ${dialect.variable(name)}`).join(', ')}, '')`
export const ofCell = (dialect: Dialect) => `dimension = ${cellDimension(dialect)} AND value = ${cellValue(dialect)}`

/** By which share a figure is above or below another: more is more, also where that one is negative. */
export const changeOf = (figure: string, than: string) => `(${figure} - ${than}) / nullIf(abs(${than}), 0)`

/** Instants of an earlier or later time. */
export const before = (instant: string, seconds: number) => `${instant} - toIntervalSecond(${seconds})`
