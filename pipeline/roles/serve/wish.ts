// What a browser asks for in its address: a board, a range of time, and what it has chosen. Everything is checked; nothing gets into SQL but as a value.
import { z } from 'zod'
import { anyValue, cellVariables, defaultKpi } from '../../../dashboards/board.ts'
import type { Choice } from '../../../dashboards/dialect.ts'
import { maxVariableBytes, type Refusal } from '../../../dashboards/live/protocol.ts'
import { isVariableKpi } from '../../../dashboards/panel-sql.ts'
import { boardInfo, shownBoard } from './panels.ts'
import { readRange, spanOf } from './range.ts'
import type { Wish } from './watch-board.ts'

const word = z.string().refine((text) => Buffer.byteLength(text) <= maxVariableBytes, `at most ${maxVariableBytes} bytes`)
const choiceSchema = z.object({
  ...Object.fromEntries(cellVariables.map((name) => [name, word.default(anyValue)])),
  kpi: z.string().refine(isVariableKpi, 'no KPI that cells have').default(defaultKpi),
  user_id: word.default(''),
})

export function readWish(query: URLSearchParams): Wish | Refusal {
  const uid = query.get('board') ?? 'reelpulse-overview'
  if (boardInfo(uid) === undefined) return { code: 'unknown_board', error: 'there is no such board' }
  const range = readRange(query.get('from'), query.get('to'))
  if (typeof range === 'string') return { code: 'bad_range', error: range }
  // A link may name a dimension that boards do not choose by; it is left out.
  const given = Array.from(query).flatMap(([name, value]) => (name.startsWith('var-') ? [[name.slice('var-'.length), value] as const] : []))
  const choice = choiceSchema.safeParse(Object.fromEntries(given))
  if (!choice.success) {
    const { path, message } = choice.error.issues[0]!
    return { code: 'bad_variable', error: `var-${path.join('.')}: ${message}` }
  }
  return { ...shownBoard(uid, spanOf(range, 0), choice.data.kpi)!, range, choice: choice.data as Choice }
}
