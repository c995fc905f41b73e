// In whose words a panel's query asks for the time and the variables: Grafana's, or ClickHouse's bound parameters. Neither puts what a viewer typed
// into SQL.
import { anyValue, cellVariables, defaultKpi, type CellVariable, type VariableName } from './board.ts'

export type Dialect = {
  /** How long the range is, where that is known when the query is made: only the grain that suits it is asked then. */
  readonly spanS?: number
  /** The KPI that is chosen, where that is known then: the others' sums are not asked for. */
  readonly kpi?: string
  /** Instants in SQL: the start of the range, and its end. */
  readonly from: string
  readonly to: string
  /** Whether a column's instant is within the range. */
  inRange(column: string): string
  /** A text in SQL; `all` where nothing is chosen. */
  variable(name: VariableName): string
  /** The database of customer signals, as an identifier: its name follows from that of the behaviour's (`signalsDatabaseSql`). */
  readonly signalsDatabase: string
}

/** Which database of signals is beside the one that is asked. */
export const signalsDatabaseSql = `SELECT concat(currentDatabase(), '_customer_signals') AS signals_database`

/**
 * Macros of the official ClickHouse data source, that know seconds. A variable goes through percent-encoding, which leaves no quote and no backslash in
 * it; Grafana's own quoting of texts knows nothing of the backslash that ClickHouse takes for an escape.
 */
export const grafana: Dialect = {
  from: '$__fromTime',
  to: '$__toTime',
  inRange: (column) => `$__timeFilter(${column})`,
  variable: (name) => `decodeURLComponent('\${${name}:percentencode}')`,
  // A hidden variable. Percent-encoding leaves no backtick in it either, and a database's name as it is.
  signalsDatabase: '`${signals_database:percentencode}`',
}

const instantOf = (name: string) => `fromUnixTimestamp64Milli({${name}:Int64}, 'UTC')`

/** Bound parameters; parameterValues has their values. */
export const parameters: Dialect = {
  from: instantOf('from_ms'),
  to: instantOf('to_ms'),
  inRange: (column) => `${column} >= ${instantOf('from_ms')} AND ${column} <= ${instantOf('to_ms')}`,
  variable: (name) => `{${name}:String}`,
  signalsDatabase: '{signals_database:Identifier}',
}

/** The same for a range that is known, and a KPI: cheaper by what looking at the other grains' views costs, and at the other KPIs' sums. */
export const parametersFor = (range: { readonly fromMs: number; readonly toMs: number }, kpi?: string): Dialect => ({
  ...parameters,
  spanS: Math.floor(range.toMs / 1000) - Math.floor(range.fromMs / 1000),
  ...(kpi === undefined ? {} : { kpi }),
})

export type Choice = Readonly<Partial<Record<VariableName, string>>>

/** Values of every parameter that any panel's query may ask for. `signalsDatabase`: of the topic's signals (`databaseOf(signalsTopicOf(topic))`). */
export function parameterValues(range: { readonly fromMs: number; readonly toMs: number }, choice: Choice, signalsDatabase: string) {
  const cell = Object.fromEntries(cellVariables.map((name) => [name, choice[name] ?? anyValue])) as Record<CellVariable, string>
  return {
    from_ms: range.fromMs,
    to_ms: range.toMs,
    ...cell,
    kpi: choice.kpi ?? defaultKpi,
    user_id: choice.user_id ?? '',
    signals_database: signalsDatabase,
  }
}

/** The cell that is shown, of what is chosen, and what is chosen besides. */
export function shownCell(choice: Choice) {
  const chosen = cellVariables.filter((name) => (choice[name] ?? anyValue) !== anyValue)
  const [first, ...ignored] = chosen
  return first === undefined ? { dimension: anyValue, value: '', ignored } : { dimension: first, value: choice[first]!, ignored }
}
