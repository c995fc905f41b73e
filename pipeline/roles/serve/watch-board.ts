// A board, as one browser watches it: each of its panels through the hub, and how the pipeline stands.
import type { BoardInfo, Status, StreamEvent } from '../../../dashboards/live/protocol.ts'
import type { Hub } from './hub.ts'
import { askPanel, faultOf, paramsOf } from './panel-query.ts'
import type { Statement } from './panels.ts'
import { keyOf, spanOf, type Range } from './range.ts'
import type { Stream } from './stream.ts'
import { heartbeatMs } from './stream.ts'
import type { QueryParams, Store } from '../../ports/store.ts'

export type Wish = { readonly info: BoardInfo; readonly statements: readonly Statement[]; readonly range: Range; readonly choice: QueryParams }
export type WatchOptions = {
  hub: Hub
  store: Store
  /** Of each variable. */
  values: Readonly<Record<string, readonly string[]>>
  warn(error: unknown, panel: string): void
}

/** Returns: watch no more. */
export function watchBoard(stream: Stream, { info, statements, range, choice }: Wish, { hub, store, values, warn }: WatchOptions): () => void {
  stream.send({ event: 'hello', board: info, values, heartbeatMs })
  const leaves = statements.map((statement, i) => {
    const { id } = info.panels[i]!
    const key = JSON.stringify([info.uid, id, keyOf(range), paramsOf(statement.sql, choice)])
    return hub.watch(
      key,
      async ({ clockAt }) => {
        const span = spanOf(range, clockAt)
        const values = { ...choice, from: span.from / 1000, to: span.to / 1000, step_s: span.stepMs / 1000 }
        try {
          const data = await askPanel(store, statement, values, span)
          return JSON.stringify({ event: 'panel', id, data } satisfies StreamEvent)
        } catch (error) {
          warn(error, `${info.uid}/${id}`)
          throw error
        }
      },
      (answer) => stream.send(answer.ok ? answer.text : { event: 'fault', id, ...faultOf(answer.error) }),
    )
  })
  return () => leaves.forEach((leave) => leave())
}

export const statusEvent = (status: Status): string => JSON.stringify({ event: 'status', ...status } satisfies StreamEvent)
