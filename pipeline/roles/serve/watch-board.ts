// A board, as one browser watches it: each of its panels, and what is marked on their time axes, through the hub.
import { parameterValues, type Choice } from '../../../dashboards/dialect.ts'
import type { Fault, StreamEvent } from '../../../dashboards/live/protocol.ts'
import type { Store } from '../../ports/store.ts'
import type { Hub, Question } from './hub.ts'
import { askMarks, markStatements } from './marks.ts'
import { askPanel, faultOf, paramsOf } from './panel-query.ts'
import type { ShownBoard } from './panels.ts'
import { keyOf, spanOf, type Range } from './range.ts'
import { rowsOf, seriesOf } from './shape.ts'
import { heartbeatMs, type Stream } from './stream.ts'
import type { ServeWatch } from './watch.ts'

export type Wish = ShownBoard & { readonly range: Range; readonly choice: Choice }
export type WatchOptions = {
  hub: Hub
  store: Store
  /** Of the topic's customer signals. */
  signalsDatabase: string
  warn(error: unknown, panel: string): void
  watch: Pick<ServeWatch, 'asked'>
}

/** What stands for a panel's question: browsers of whom it is the same are told the same. */
export function questionKey({ info, statements, range, choice }: Wish, panel: number, signalsDatabase: string): string {
  const anyTime = parameterValues({ fromMs: 0, toMs: 0 }, choice, signalsDatabase)
  return JSON.stringify([info.uid, info.panels[panel]!.id, keyOf(range), paramsOf(statements[panel]!.sql, anyTime)])
}

/** Returns: watch no more. */
export function watchBoard(stream: Stream, wish: Wish, { hub, store, signalsDatabase, warn, watch }: WatchOptions): () => void {
  const { info, statements, range, choice } = wish
  stream.send({ event: 'hello', board: info, heartbeatMs })
  const isBegun = (clockAt: number) => clockAt > 0 || range.kind === 'fixed'
  const question = (
    name: string,
    { tables, restMs = 0 }: Pick<Question, 'tables' | 'restMs'>,
    ask: (clockAt: number) => Promise<string>,
  ): Question => ({
    tables,
    restMs,
    ask: ({ clockAt }) =>
      ask(clockAt).catch((error: unknown) => {
        warn(error, name)
        throw error
      }),
  })
  const leaves: (() => void)[] = []
  // First: they are cheap, and what stands above the panels should not come after them.
  if (info.panels.some(({ draws }) => draws === 'lines'))
    for (const statement of markStatements) {
      const { of, tables } = statement
      // The same on every board, whatever is chosen on it.
      const key = JSON.stringify(['marks', of, keyOf(range)])
      const nothing: StreamEvent = { event: 'marks', of, marks: [] }
      const ask = async (clockAt: number) =>
        isBegun(clockAt) ? askMarks(store, statement, spanOf(range, clockAt)) : JSON.stringify(nothing)
      // Where it fails a chart is none the worse: it keeps the marks that it has.
      leaves.push(hub.watch(key, question(`marks of ${of}`, { tables }, ask), (answer) => answer.ok && stream.send(answer.frame)))
    }
  statements.forEach((statement, i) => {
    const { id } = info.panels[i]!
    const key = questionKey(wish, i, signalsDatabase)
    async function asking<T>(answer: Promise<T>): Promise<T> {
      const from = performance.now()
      const tell = (fault?: Fault) => watch.asked(info.uid, statement.name, performance.now() - from, fault)
      answer.then(
        () => tell(),
        (error: unknown) => tell(faultOf(error).code),
      )
      return answer
    }
    const ask = async (clockAt: number): Promise<string> => {
      const span = spanOf(range, clockAt)
      const values = parameterValues({ fromMs: span.from, toMs: span.to }, choice, signalsDatabase)
      const { format, columns } = statement
      const nothing = () => (format === 'timeseries' ? seriesOf([], columns, { from: 0, to: 0 }) : rowsOf([], columns))
      const data = isBegun(clockAt) ? await asking(askPanel(store, statement, values, span)) : nothing()
      return JSON.stringify({ event: 'panel', id, data } satisfies StreamEvent)
    }
    leaves.push(
      hub.watch(key, question(`${info.uid}/${id}`, statement, ask), (answer) =>
        stream.send(answer.ok ? answer.frame : { event: 'fault', id, ...faultOf(answer.error) }),
      ),
    )
  })
  return () => leaves.forEach((leave) => leave())
}
