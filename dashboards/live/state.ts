// What the browser shows, as its address says it: every state has one, so that it can be shared and gone back to.
import { liveRanges, type LiveRange } from './protocol.ts'

export type Place = {
  /** Undefined: the first. */
  readonly board: string | undefined
  readonly range: { readonly last: LiveRange } | { readonly from: string; readonly to: string }
  /** By variable, without those that are not chosen. */
  readonly choice: Readonly<Record<string, string>>
}

export const defaultRange: LiveRange = '1h'

/** The same parameters that Grafana has, so that a link to either names the same stretch of time and cell. */
export function placeOf(query: string): Place {
  const params = new URLSearchParams(query)
  const [from, to] = [params.get('from'), params.get('to')]
  const last = liveRanges.find((range) => from === `now-${range}`)
  const range = last !== undefined || (from === null && to === null) ? { last: last ?? defaultRange } : { from: from ?? '', to: to ?? '' }
  const choice = Object.fromEntries(
    Array.from(params).flatMap(([name, value]) => (name.startsWith('var-') && value !== '' ? [[name.slice('var-'.length), value]] : [])),
  )
  return { board: params.get('board') ?? undefined, range, choice }
}

/** Begins with `?`; the same place always has the same. */
export function queryOf({ board, range, choice }: Place): string {
  const params = new URLSearchParams()
  if (board !== undefined) params.set('board', board)
  if ('last' in range) {
    if (range.last !== defaultRange) params.set('from', `now-${range.last}`)
  } else {
    params.set('from', range.from)
    params.set('to', range.to)
  }
  for (const name of Object.keys(choice).toSorted())
    if (choice[name] !== '' && choice[name] !== 'all') params.set(`var-${name}`, choice[name]!)
  return `?${params.toString()}`
}
