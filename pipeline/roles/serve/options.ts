// What can be chosen on a board: the KPIs that cells have, and the values that dimensions have had, which change seldom.
import { anyValue, cellVariables, isCellVariable, type CellVariable, type VariableName } from '../../../dashboards/board.ts'
import type { BoardInfo, Options } from '../../../dashboards/live/protocol.ts'
import { variableKpis } from '../../../dashboards/panel-sql.ts'
import { kpiWords } from '../../../dashboards/words.ts'
import type { Store } from '../../ports/store.ts'
import type { Hub } from './hub.ts'
import { withLimits } from './panel-query.ts'
import type { Stream } from './stream.ts'

/** Of a variable; more than that nobody looks through, and every browser would be sent them. */
const mostOptions = 200
const restMs = 30_000

const optionsOfKpi: Options = { options: variableKpis.map((value) => ({ value, words: kpiWords[value] })), more: false }

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
export function optionsTeller({ hub, store }: { hub: Hub; store: Store }) {
  const ask = async () => JSON.stringify(await readOptions(store))
  return (stream: Pick<Stream, 'send'>, { variables }: Pick<BoardInfo, 'variables'>): (() => void) => {
    const send = (variable: VariableName, options: Options) => stream.send({ event: 'options', variable, ...options })
    if (variables.some(({ name }) => name === 'kpi')) send('kpi', optionsOfKpi)
    const cells = variables.map(({ name }) => name).filter(isCellVariable)
    if (cells.length === 0) return () => {}
    return hub.watch('options', { tables: [], restMs, ask }, (answer) => {
      if (!answer.ok) return // the hub asks again
      const options = JSON.parse(answer.text) as CellOptions
      for (const name of cells) send(name, options[name])
    })
  }
}
