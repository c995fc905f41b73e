// A board, as one browser watches it: each of its panels through the hub.
import { parameterValues, type Choice } from '../../../dashboards/dialect.ts'
import type { StreamEvent } from '../../../dashboards/live/protocol.ts'
import type { Store } from '../../ports/store.ts'
import type { Hub } from './hub.ts'
import { askPanel, faultOf, paramsOf } from './panel-query.ts'
import type { ShownBoard } from './panels.ts'
import { keyOf, spanOf, type Range } from './range.ts'
import { rowsOf, seriesOf } from './shape.ts'
import { heartbeatMs, type Stream } from './stream.ts'

export type Wish = ShownBoard & { readonly range: Range; readonly choice: Choice }
export type WatchOptions = {
  hub: Hub
  store: Store
  /** Of the topic's customer signals. */
  signalsDatabase: string
  warn(error: unknown, panel: string): void
}

/** Returns: watch no more. */
export function watchBoard(stream: Stream, wish: Wish, { hub, store, signalsDatabase, warn }: WatchOptions): () => void {
  const { info, statements, range, choice } = wish
  stream.send({ event: 'hello', board: info, heartbeatMs })
  const anyTime = parameterValues({ fromMs: 0, toMs: 0 }, choice, signalsDatabase)
  const leaves = statements.map((statement, i) => {
    const { id } = info.panels[i]!
    const key = JSON.stringify([info.uid, id, keyOf(range), paramsOf(statement.sql, anyTime)])
    const ask = async (clockAt: number): Promise<string> => {
      const span = spanOf(range, clockAt)
      const values = parameterValues({ fromMs: span.from, toMs: span.to }, choice, signalsDatabase)
      const isBegun = clockAt > 0 || range.kind === 'fixed'
      const { format, columns } = statement
      const nothing = () => (format === 'timeseries' ? seriesOf([], columns, { from: 0, to: 0 }) : rowsOf([], columns))
      const data = isBegun ? await askPanel(store, statement, values, span) : nothing()
      return JSON.stringify({ event: 'panel', id, data } satisfies StreamEvent)
    }
    return hub.watch(
      key,
      {
        tables: statement.tables,
        restMs: statement.restMs,
        ask: ({ clockAt }) =>
          ask(clockAt).catch((error: unknown) => {
            warn(error, `${info.uid}/${id}`)
            throw error
          }),
      },
      (answer) => stream.send(answer.ok ? answer.text : { event: 'fault', id, ...faultOf(answer.error) }),
    )
  })
  return () => leaves.forEach((leave) => leave())
}
