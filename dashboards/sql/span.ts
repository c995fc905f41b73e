// Which grain suits a range. A point is one bucket: a user counts once in a bucket, so buckets are never added up to a point.
import { grains, type Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Dialect } from '../dialect.ts'

/** Ranges up to so many seconds are drawn in minutes, or in hours: some hundred points. Longer ones in days. */
export const longestS = { minute: 12 * 3_600, hour: 45 * 86_400 } as const

export const suitedGrain = (spanS: number): Grain => (spanS <= longestS.minute ? 'minute' : spanS <= longestS.hour ? 'hour' : 'day')

/** No finer than the KPI has. */
function grainFor(spanS: number, finest: Grain): Grain {
  const suits = suitedGrain(spanS)
  return grains[Math.max(grains.indexOf(suits), grains.indexOf(finest))]!
}

/** `select` of the one grain that suits the range; where that is not known yet the others' conditions are constant, and they read nothing. */
export function bySpan(dialect: Dialect, finest: Grain, select: (grain: Grain, condition: string) => string): string {
  if (dialect.spanS !== undefined) return select(grainFor(dialect.spanS, finest), 'true')
  const spanS = `dateDiff('second', ${dialect.from}, ${dialect.to})`
  const upTo = { minute: `${spanS} <= ${longestS.minute}`, hour: `${spanS} <= ${longestS.hour}` }
  const conditions: Record<Grain, string> = {
    minute: upTo.minute,
    hour: finest === 'hour' ? upTo.hour : `${spanS} > ${longestS.minute} AND ${upTo.hour}`,
    day: finest === 'day' ? 'true' : `${spanS} > ${longestS.hour}`,
  }
  return grains
    .slice(grains.indexOf(finest))
    .map((grain) => select(grain, conditions[grain]))
    .join('\nUNION ALL\n')
}
