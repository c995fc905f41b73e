// What one KPI in one cell was: the buckets of the last weeks, how high it has been of late, and how it scatters. Typed arrays
// of fixed size; a bucket costs a median of at most a few hundred figures, and two shifts.
import type { Cadence, Lags } from './cadence.ts'
import { leastDays, leastWeeks, levelBounds, quartilesZ, tailShare, tailZ } from './settings.ts'
import { slidingQuantiles } from './sliding-quantiles.ts'

export type Season = 'week' | 'day' | 'recent'

export type Expected = {
  /** seasonal × level */
  readonly baseline: number
  /** Median of the same time before. */
  readonly seasonal: number
  readonly level: number
  /** What is the same time: of the week, of the day, or just of late. */
  readonly season: Season
  /** Weeks or days that had something to say; 0 where `recent`. */
  readonly spans: number
  readonly buckets: number
}

export type Memory = {
  /** undefined: too little is known. Of the bucket after the last one kept. */
  expect(index: number, lags: Lags): Expected | undefined
  /** Mean of the last weeks, and whether more than `usually` (a share) of them were not 0. */
  size(usually: number): { readonly mean: number; readonly begun: boolean }
  /** Standard deviation of residuals on the side that is asked for, from how much of the past; NaN where that is too little. */
  deviation(below: boolean, season: Season): number
  /** Buckets with a value; no more than the scatter is taken from. */
  known(season: Season): number
  /** Buckets one after the other: the value (NaN: not normal, or none), actual over seasonal, and the residual. */
  keep(index: number, value: number, share: number, residual: number, season: Season | undefined): void
}

export function memory(cadence: Cadence, bounds: readonly [number, number] = levelBounds): Memory {
  const { kept, around, recent } = cadence
  const values = new Float32Array(kept).fill(NaN)
  const delayed = new Float64Array(cadence.level.before).fill(NaN)
  const shares = slidingQuantiles(cadence.level.of)
  const residuals = slidingQuantiles(cadence.scatter.of)
  // Of a baseline that knows no days the residuals are the days: they are no measure of a better one.
  const early = slidingQuantiles(recent.of)
  const gathered = new Float64Array(Math.max(recent.of, 14 * (2 * around + 1)))
  const longest = Math.max(kept, cadence.level.before + cadence.level.of, cadence.scatter.of)
  let keptUntil = -Infinity
  let known = 0
  let sharesDelayed = 0

  const slotOf = (index: number) => ((index % kept) + kept) % kept

  /** Values of [from, to], appended to `gathered`. Returns how many there are then. */
  function gather(from: number, to: number, count: number): number {
    for (let index = Math.max(from, keptUntil - kept + 1), slot = slotOf(index); index <= Math.min(to, keptUntil); index++) {
      const value = values[slot]!
      if (!Number.isNaN(value)) gathered[count++] = value
      if (++slot === kept) slot = 0
    }
    return count
  }

  function seasonal(season: Season, lags: readonly number[], least: number): Omit<Expected, 'baseline' | 'level'> | undefined {
    let buckets = 0
    let spans = 0
    for (const lag of lags) {
      const before = buckets
      buckets = gather(lag - around, lag + around, buckets)
      if (buckets > before) spans++
    }
    return spans < least || buckets === 0 ? undefined : { season, spans, buckets, seasonal: medianOf(gathered, buckets) }
  }

  function lately(index: number): Omit<Expected, 'baseline' | 'level'> | undefined {
    const buckets = gather(index - recent.of, index - 1, 0)
    return buckets < recent.least ? undefined : { season: 'recent', spans: 0, buckets, seasonal: medianOf(gathered, buckets) }
  }

  return {
    expect(index, lags) {
      const found = seasonal('week', lags.weeks, leastWeeks) ?? seasonal('day', lags.days, leastDays) ?? lately(index)
      if (found === undefined) return undefined
      // The last hours are their own level; and against all days of the week a Sunday's level would be a Monday's drop.
      const measured = found.season === 'week' && shares.count() >= cadence.level.least
      const level = measured ? Math.min(bounds[1], Math.max(bounds[0], shares.median())) : 1
      return { ...found, level, baseline: found.seasonal * level }
    },
    size(usually) {
      let sum = 0
      let some = 0
      // From the oldest on, so that it does not depend on where the ring begins.
      for (let n = 0, slot = slotOf(keptUntil + 1); n < kept; n++) {
        const value = Math.abs(values[slot]!)
        if (!Number.isNaN(value)) {
          sum += value
          if (value > 0) some++
        }
        if (++slot === kept) slot = 0
      }
      return { mean: known === 0 ? 0 : sum / known, begun: some > usually * known }
    },
    deviation(below, season) {
      const past = season === 'recent' ? early : residuals
      if (past.count() < cadence.scatter.least) return NaN
      const middle = (past.at(0.75) - past.at(0.25)) / quartilesZ
      return Math.max(middle, (below ? -past.at(tailShare) : past.at(1 - tailShare)) / tailZ)
    },
    known: (season) => Math.min(known, season === 'recent' ? recent.of : cadence.scatter.of),
    keep(index, value, share, residual, season) {
      // Buckets that were not looked at are empty; no more of them than it could remember.
      for (let gap = Math.max(keptUntil + 1, index - longest); gap < index && keptUntil !== -Infinity; gap++)
        keepOne(gap, NaN, NaN, NaN, undefined)
      keepOne(index, value, share, residual, season)
    },
  }

  function keepOne(index: number, value: number, share: number, residual: number, season: Season | undefined): void {
    const slot = slotOf(index)
    known += Number(!Number.isNaN(value)) - Number(!Number.isNaN(values[slot]!))
    values[slot] = value
    keptUntil = index
    if (delayed.length === 0) shares.push(share)
    else if (sharesDelayed === 0 && Number.isNaN(share)) shares.push(NaN)
    else {
      const place = ((index % delayed.length) + delayed.length) % delayed.length
      const leaving = delayed[place]!
      sharesDelayed += Number(!Number.isNaN(share)) - Number(!Number.isNaN(leaving))
      shares.push(leaving)
      delayed[place] = share
    }
    residuals.push(season === 'recent' ? NaN : residual)
    early.push(season === 'recent' ? residual : NaN)
  }
}

/** Of the first `count`, whose order it changes. */
function medianOf(figures: Float64Array, count: number): number {
  const upper = nth(figures, count, count >> 1)
  if (count % 2 === 1) return upper
  // All below the upper one's place are no greater: the greatest of them is the lower one.
  let lower = figures[0]!
  for (let i = 1; i < count >> 1; i++) if (figures[i]! > lower) lower = figures[i]!
  return (lower + upper) / 2
}

/** The figure that would be at place `n` in order; what is before that place is then no greater. Hoare's selection. */
function nth(figures: Float64Array, count: number, n: number): number {
  let left = 0
  let right = count - 1
  while (left < right) {
    const pivot = figures[(left + right) >> 1]!
    let i = left
    let j = right
    while (i <= j) {
      while (figures[i]! < pivot) i++
      while (figures[j]! > pivot) j--
      if (i > j) break
      const swapped = figures[i]!
      figures[i++] = figures[j]!
      figures[j--] = swapped
    }
    if (n <= j) right = j
    else if (n >= i) left = i
    else break
  }
  return figures[n]!
}
