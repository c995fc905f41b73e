// Leaves as an attribution reads them, from what the events of its windows came to: a row for each leaf and window in which it had any.
import { baselineOf, total, type Bucket } from './baseline.ts'
import type { Leaves } from './leaves.ts'

export type Counted = {
  readonly dimensions: readonly string[]
  /** Of each dimension, its values by code. */
  readonly values: readonly (readonly string[])[]
  /** Rows by leaf, rising: code₀ + size₀ (code₁ + size₁ (…)), below 2⁵³. */
  readonly leaf: Float64Array
  /** 0: the window that is explained; k: the k-th before it. */
  readonly window: Uint8Array
  readonly numerator: Float64Array
  /** undefined: the KPI is additive. */
  readonly denominator: Float64Array | undefined
  /** Windows before the explained one. */
  readonly before: number
}

export type Gathered =
  | { readonly kind: 'leaves'; readonly leaves: Leaves }
  | { readonly kind: 'nothing'; readonly because: string; readonly leaves: number }

/** Of the baseline so many figures are laid out at most: where leaves are many, the nearest windows have to do. */
const mostFigures = 12_000_000

/** `scale`: what one event weighs in the numerator. */
export function gather({ dimensions, values, leaf, window, numerator, denominator, before }: Counted, scale = 1): Gathered {
  const rows = leaf.length
  const place = new Uint32Array(rows)
  let count = 0
  for (let i = 0; i < rows; i++) {
    if (i > 0 && leaf[i] !== leaf[i - 1]) count++
    place[i] = count
  }
  if (rows > 0) count++
  const used = Math.min(before, Math.max(1, Math.floor(mostFigures / Math.max(1, count))))
  const column = () => new Float64Array(count)
  const buckets: Bucket[] = Array.from({ length: used + 1 }, () => ({
    numerator: column(),
    denominator: denominator === undefined ? undefined : column(),
  }))
  for (let i = 0; i < rows; i++) {
    const bucket = buckets[window[i]!]
    if (bucket === undefined) continue
    bucket.numerator[place[i]!] = numerator[i]! / scale
    if (denominator !== undefined) bucket.denominator![place[i]!] = denominator[i]!
  }
  const [now, ...past] = buckets
  const isEmpty = (bucket: Bucket) => total(bucket.denominator ?? bucket.numerator) === 0
  const nothing = (because: string): Gathered => ({ kind: 'nothing', because, leaves: count })
  if (count === 0) return nothing('there are no events of it, neither in the window nor before it')
  if (denominator !== undefined && isEmpty(now!)) return nothing('there are no events of it in the window')
  // Before a log began there is nothing, which is no measure of what is usual.
  while (past.length > 0 && isEmpty(past.at(-1)!)) past.pop()
  if (past.length === 0) return nothing('there are no events of it before the window to compare with')
  const { taken: _, ...baseline } = baselineOf(past)
  return { kind: 'leaves', leaves: { dimensions, ...codesOf(values, leaf, place, count), ...now!, ...baseline } }
}

/** Codes by dimension, and dictionaries of the values that are there. */
function codesOf(values: Counted['values'], leaf: Float64Array, place: Uint32Array, count: number): Pick<Leaves, 'values' | 'codes'> {
  const codes = values.map(() => new Uint32Array(count))
  for (let i = 0; i < leaf.length; i++)
    for (let d = 0, rest = leaf[i]!; d < values.length; d++) {
      const size = values[d]!.length
      codes[d]![place[i]!] = rest % size
      rest = Math.floor(rest / size)
    }
  const kept = values.map((all, d) => {
    const isThere = new Uint8Array(all.length)
    for (const code of codes[d]!) isThere[code] = 1
    const next = new Uint32Array(all.length)
    const names: string[] = []
    for (const [code, name] of all.entries()) {
      next[code] = names.length
      if (isThere[code] === 1) names.push(name)
    }
    for (let i = 0; i < count; i++) codes[d]![i] = next[codes[d]![i]!]!
    return names
  })
  return { values: kept, codes }
}
