// What a panel's columns, lines and cells are called and how they are written: units, names, links.
import type { Language } from '../board.ts'
import { cellVariables, isCellVariable } from '../board.ts'
import { change, figure, instant, nothing, zoneDay } from './format.ts'
import type { BoardsAnswer, Cell, ColumnInfo, DrillInfo, PanelData, PanelInfo } from './protocol.ts'
import { queryOf, type Place } from './state.ts'
import { valueOf } from './words.ts'

export type SeriesData = Extract<PanelData, { kind: 'series' }>
export type RowsData = Extract<PanelData, { kind: 'rows' }>
export type Row = Readonly<Record<string, Cell>>
export type Kpis = BoardsAnswer['kpis']

export const recordOf = ({ columns }: RowsData, row: readonly Cell[]): Row =>
  Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null]))

/** A line is a value of the column of text, or a column of numbers. */
export function lineName({ columns }: PanelInfo, name: string, language: Language): string {
  const naming = columns.find(({ is }) => is === 'text')
  if (naming !== undefined) return name === '' ? nothing : valueOf(naming.name, name, language)
  return columns.find((column) => column.name === name)?.words[language] ?? name
}

export const unitOfLine = ({ columns }: PanelInfo, name: string): string =>
  (columns.find((column) => column.name === name) ?? columns.find(({ is }) => is === 'number'))?.unit ?? 'count'

/** Columns that hold a figure of the KPI that the row names. */
const ofRowsKpi: ReadonlySet<string> = new Set(['actual', 'baseline', 'figure', 'week_before', 'rate_effect', 'mix_effect'])

/** Of features that are no counts. */
const unitsOfFeatures: Readonly<Record<string, string>> = { watch_ms: 'ms', amount_minor: 'fen' }

export const columnName = ({ words: said }: ColumnInfo, language: Language): string => said[language].replaceAll('_', ' ')

export function cellText(column: ColumnInfo, row: Row, language: Language, kpis: Kpis): string {
  const cell = row[column.name]
  if (cell === null || cell === undefined || cell === '') return nothing
  if (column.is === 'time') return instant(Number(cell), true)
  if (column.is === 'day') return zoneDay(Number(cell))
  if (column.is === 'text') return valueOf(column.name, String(cell), language)
  if (column.name === 'change') return change(Number(cell), language)
  const feature = typeof row['feature'] === 'string' ? unitsOfFeatures[row['feature']] : undefined
  const kpi = ofRowsKpi.has(column.name) && typeof row['kpi'] === 'string' ? kpis[row['kpi']] : undefined
  return figure(Number(cell), kpi?.unit ?? feature ?? column.unit ?? 'count', language)
}

/** Where a click on a row leads; of a line, the row that has its name in the column that is asked for. */
export function drillQuery(drill: DrillInfo | null, row: Row, place: Place, kpis: Kpis): string | undefined {
  if (drill === null) return undefined
  const choice: Record<string, string> = { ...place.choice, ...drill.sets }
  if (drill.variable !== null) {
    const variable = typeof drill.variable === 'string' ? drill.variable : row[drill.variable.column]
    const value = drill.value === null ? undefined : row[drill.value]
    if (typeof variable !== 'string' || value === undefined || value === null) return undefined
    const isCell = variable === 'all' || isCellVariable(variable)
    // A cell has one dimension: the one that was clicked takes the place of what was chosen.
    if (isCell) for (const name of cellVariables) delete choice[name]
    if (variable !== 'all') {
      if (value === '' || (!isCell && variable !== 'user_id' && variable !== 'kpi')) return undefined
      // Of a KPI that no cell has there is nothing to show.
      if (variable === 'kpi' && kpis[String(value)]?.hasCells !== true) return undefined
      choice[variable] = String(value)
    }
  }
  return queryOf({ ...place, board: drill.board, choice })
}

/** Of a form's field that holds text. */
export function wordIn(form: FormData, name: string): string {
  const word = form.get(name)
  return typeof word === 'string' ? word : ''
}
