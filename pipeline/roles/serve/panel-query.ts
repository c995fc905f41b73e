// One panel's question to the store, with what it was asked about bound as parameters, and never in its text.
import type { Fault, PanelData } from '../../../dashboards/live/protocol.ts'
import { StoreRefused, type QueryParams, type Store } from '../../ports/store.ts'
import type { Statement } from './panels.ts'
import { rowsOf, seriesOf } from './shape.ts'
import type { Span } from './range.ts'

/** The store gives up a question after so long, and one thread of the machine is enough for it. */
const limits = { max_execution_time: 10, max_threads: 2, max_result_rows: 50_000, max_memory_usage: 2 ** 30 }
const settings = Object.entries(limits).map(([name, value]) => `${name} = ${value}`)

export const withLimits = (sql: string) => `${sql}\nSETTINGS ${settings.join(', ')}`

/** Only the values that the statement asks for: what a panel does not depend on gives it no other answer. */
export function paramsOf(sql: string, values: QueryParams): QueryParams {
  const asked = new Set(Array.from(sql.matchAll(/\{(\w+):/g), ([, name]) => name!))
  return Object.fromEntries(Object.entries(values).filter(([name]) => asked.has(name)))
}

export async function askPanel(store: Store, statement: Statement, values: QueryParams, span: Span): Promise<PanelData> {
  const rows = await store.query<Record<string, unknown>>(withLimits(statement.sql), paramsOf(statement.sql, values))
  return statement.format === 'timeseries' ? seriesOf(rows, span) : rowsOf(rows)
}

export function faultOf(error: unknown): { code: Fault; message: string } {
  const message = error instanceof Error ? error.message : String(error)
  if (/TIMEOUT_EXCEEDED|TOO_MANY_ROWS|MEMORY_LIMIT|LIMIT_EXCEEDED/.test(message)) return { code: 'too_slow', message: 'the range holds more than one panel may read: choose a shorter one' }
  if (error instanceof StoreRefused) return { code: 'refused', message: 'the store refused the question; the messages say more' }
  return { code: 'store_away', message: 'the store does not answer' }
}
