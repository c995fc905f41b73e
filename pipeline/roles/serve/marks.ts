// What is marked on the time axis of a board's charts: alerts and new app versions, by the queries that Grafana asks too.
import { parameters, parameterValues } from '../../../dashboards/dialect.ts'
import type { Mark, MarkKind, StreamEvent } from '../../../dashboards/live/protocol.ts'
import { annotationSql } from '../../../dashboards/sql/alerts.ts'
import { views } from '../../../operators/views.ts'
import { tables } from '../../../schemas/tables/catalogue.ts'
import type { Store } from '../../ports/store.ts'
import { paramsOf, withLimits } from './panel-query.ts'
import { tablesOf } from './pulse.ts'
import type { Span } from './range.ts'
import { instantOf } from './shape.ts'

export type MarkStatement = { readonly of: MarkKind; readonly sql: string; readonly tables: readonly string[] }

const alerts = annotationSql.alerts(parameters)
/** A version's first hour does not change with every block: it is asked for as often as what nothing has come into. */
export const markStatements: readonly MarkStatement[] = [
  { of: 'alerts', sql: alerts, tables: tablesOf(alerts, views, tables) },
  { of: 'releases', sql: annotationSql.releases(parameters), tables: [] },
]

type Row = { time: string; timeEnd?: string | null; title: string; kpi?: string; dimension?: string; value?: string }

/** JSON of an event. */
export async function askMarks(store: Store, { of, sql }: MarkStatement, span: Span): Promise<string> {
  const values = parameterValues({ fromMs: span.from, toMs: span.to }, {}, '')
  const rows = await store.query<Row>(withLimits(sql), paramsOf(sql, values))
  const marks = rows.map(({ time, timeEnd, title, kpi, dimension, value }): Mark => ({
    at: instantOf(time),
    until: timeEnd === undefined || timeEnd === null ? null : instantOf(timeEnd),
    kpi: kpi ?? '',
    dimension: dimension ?? 'app_version',
    value: value ?? title,
  }))
  return JSON.stringify({ event: 'marks', of, marks } satisfies StreamEvent)
}
