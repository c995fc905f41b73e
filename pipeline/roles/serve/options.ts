// What can be chosen on a board: the KPIs that cells have, and the values that dimensions have had, which change seldom.
import { anyValue, cellVariables, type CellVariable, type VariableName } from '../../../dashboards/board.ts'
import type { BoardInfo, Options } from '../../../dashboards/live/protocol.ts'
import { variableKpis } from '../../../dashboards/panel-sql.ts'
import { kpiWords } from '../../../dashboards/words.ts'
import type { KpiName } from '../../../operators/kpi/catalogue.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Store } from '../../ports/store.ts'
import type { Hub } from './hub.ts'
import { withLimits } from './panel-query.ts'
import type { Stream } from './stream.ts'

/** Of a variable; more than that nobody looks through, and every browser would be sent them. */
const mostOptions = 200
const keptMs = 30_000

const optionsOfKpi: Options = { options: variableKpis.map((value) => ({ value, words: kpiWords[value] })), more: false }
export const isKpiOption = (name: string): name is KpiName => (variableKpis as readonly string[]).includes(name)
const isCellVariable = (name: VariableName): name is CellVariable => (cellVariables as readonly string[]).includes(name)

type CellOptions = Readonly<Record<CellVariable, Options>>

const dimensions = cellVariables.map((name) => `'${name}'`).join(', ')
export const optionsSql = withLimits(`SELECT DISTINCT toString(dimension) AS dimension, value FROM kpi_day
WHERE dimension IN (${dimensions}) AND value NOT IN ('', '${anyValue}') ORDER BY dimension, value LIMIT ${mostOptions + 1} BY dimension`)

/** Of all dimensions, in one question. */
async function readOptions(store: Store): Promise<CellOptions> {
  const rows = await store.query<{ dimension: CellVariable; value: string }>(optionsSql)
  const optionsOf = (name: CellVariable): Options => {
    const found = rows.filter(({ dimension }) => dimension === name)
    return { options: found.slice(0, mostOptions).map(({ value }) => ({ value })), more: found.length > mostOptions }
  }
  return Object.fromEntries(cellVariables.map((name) => [name, optionsOf(name)])) as CellOptions
}

/** Tells streams what can be chosen on their boards. What it returns, a stream's: tell it no more. */
export function optionsTeller({ hub, store, clock }: { hub: Hub; store: Store; clock: Pick<Clock, 'now'> }) {
  let known: { at: number; text: string } | undefined
  async function ask(): Promise<string> {
    if (known === undefined || clock.now() - known.at > keptMs) known = { at: clock.now(), text: JSON.stringify(await readOptions(store)) }
    return known.text
  }
  return (stream: Pick<Stream, 'send'>, { variables }: Pick<BoardInfo, 'variables'>): (() => void) => {
    const send = (variable: VariableName, options: Options) => stream.send({ event: 'options', variable, ...options })
    if (variables.some(({ name }) => name === 'kpi')) send('kpi', optionsOfKpi)
    const cells = variables.map(({ name }) => name).filter(isCellVariable)
    if (cells.length === 0) return () => {}
    return hub.watch('options', { tables: [], ask }, (answer) => {
      if (!answer.ok) return // the hub asks again
      const options = JSON.parse(answer.text) as CellOptions
      for (const name of cells) send(name, options[name])
    })
  }
}
