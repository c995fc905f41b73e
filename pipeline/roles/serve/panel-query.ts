// One panel's question to the store, with what it was asked about bound as parameters, and never in its text.
import type { Fault, PanelData } from '../../../dashboards/live/protocol.ts'
import { StoreRefused, type QueryParams, type Store } from '../../ports/store.ts'
import type { Statement } from './panels.ts'
import type { Span } from './range.ts'
import { rowsOf, seriesOf } from './shape.ts'

/** The store gives up a question after so long; the pipeline's own work comes first. */
const limits = { max_execution_time: 10, max_threads: 2, max_result_rows: 50_000, max_memory_usage: 2 ** 30 }
const settings = Object.entries(limits).map(([name, value]) => `${name} = ${value}`)

export const withLimits = (sql: string) => `${sql}\nSETTINGS ${settings.join(', ')}`

/** Only the values that the statement asks for: what a panel does not depend on gives it no other answer. */
export function paramsOf(sql: string, values: QueryParams): QueryParams {
  const asked = new Set(Array.from(sql.matchAll(/\{(\w+):/g), ([, name]) => name!))
  return Object.fromEntries(Object.entries(values).filter(([name]) => asked.has(name)))
}

export async function askPanel(store: Store, statement: Statement, values: QueryParams, span: Span): Promise<PanelData> {
  const rows = await rowsFor(store, statement, values)
  return statement.format === 'timeseries' ? seriesOf(rows, statement.columns, span) : rowsOf(rows, statement.columns)
}

async function rowsFor(store: Store, { sql, readsSignals }: Statement, values: QueryParams): Promise<Record<string, unknown>[]> {
  try {
    return await store.query(withLimits(sql), paramsOf(sql, values))
  } catch (error) {
    // A topic need not have customer signals beside it.
    if (readsSignals && error instanceof StoreRefused && /UNKNOWN_(TABLE|DATABASE)/.test(error.message)) return []
    throw error
  }
}

export function faultOf(error: unknown): { code: Fault; message: string } {
  const message = error instanceof Error ? error.message : String(error)
  if (/TIMEOUT_EXCEEDED|TOO_MANY_ROWS|MEMORY_LIMIT|LIMIT_EXCEEDED/.test(message))
    return { code: 'too_slow', message: 'the range holds more than one panel may read: choose a shorter one' }
  if (error instanceof StoreRefused) return { code: 'refused', message: 'the store refused the question; the messages say more' }
  return { code: 'store_away', message: 'the store does not answer' }
}
