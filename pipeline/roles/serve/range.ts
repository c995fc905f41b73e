// The span of time that a board shows: the last hours up to where log time has come, or a fixed one.
import { liveRanges, maxRangeMs, type LiveRange } from '../../../dashboards/live/protocol.ts'

export type Range =
  | { readonly kind: 'live'; readonly last: LiveRange }
  | { readonly kind: 'fixed'; readonly from: number; readonly to: number }
/** In ms. */
export type Span = { readonly from: number; readonly to: number }

const hour = 3_600_000
const lengths: Readonly<Record<LiveRange, number>> = { '1h': hour, '6h': 6 * hour, '24h': 24 * hour, '7d': 7 * 24 * hour }

/** `from` and `to`: `now-6h` and `now` or nothing, or both an instant in ms; as text what is wrong with them. */
export function readRange(from: string | null, to: string | null): Range | string {
  if ((from === null || from.startsWith('now-')) && (to === null || to === 'now')) {
    const last = from === null ? '1h' : from.slice('now-'.length)
    if (!isLive(last)) return `from=now-… takes one of ${liveRanges.join(', ')}`
    return { kind: 'live', last }
  }
  const [start, end] = [instantOf(from), instantOf(to)]
  if (start === undefined || end === undefined)
    return 'from and to are instants in milliseconds since 1970, both of them; or from=now-1h, and no to'
  if (end <= start) return 'the range ends before it begins: from must be less than to'
  if (end - start > maxRangeMs) return `the range is longer than ${maxRangeMs / (24 * hour)} days, and nothing is kept for longer`
  return { kind: 'fixed', from: start, to: end }
}

const isLive = (word: string): word is LiveRange => (liveRanges as readonly string[]).includes(word)

function instantOf(word: string | null): number | undefined {
  if (word === null || !/^\d{1,13}$/.test(word)) return undefined
  return Number(word)
}

export const spanOf = (range: Range, clockAt: number): Span =>
  range.kind === 'fixed' ? { from: range.from, to: range.to } : { from: clockAt - lengths[range.last], to: clockAt }

export const keyOf = (range: Range) => (range.kind === 'live' ? range.last : `${range.from}-${range.to}`)
