// How far one closed bucket of one KPI and cell is off what was to be expected, and how likely that is by chance.
import { normalTail } from './discoveries.ts'
import type { Expected, Memory } from './memory.ts'
import type { Lags } from './cadence.ts'
import { hasDenominator, valueOf, type Metric, type Sample } from './metric.ts'
import { leastDeviation, offsetMeans, significantZ, tailShare, unknownDeviation } from './settings.ts'

export type Direction = 'fall' | 'rise'

export type Judgement = {
  readonly sample: Sample | undefined
  /** NaN: the bucket says nothing. */
  readonly value: number
  readonly expected: Expected | undefined
  /** Off the baseline, in its own standard deviations, whichever way; NaN where nothing is known of those. */
  readonly z: number
  /** As it is kept for the scatter; NaN where there is none. */
  readonly residual: number
  /** In a direction that is bad, farther than the threshold, and significant by itself. */
  readonly off: Direction | undefined
  /** That it is off so far by chance. 1 where it is not off. */
  readonly chance: number
  /** It could have been off: it counts among what was tested. */
  readonly tested: boolean
}

export function judge(metric: Metric, sample: Sample | undefined, memory: Memory | undefined, index: number, lags: Lags): Judgement {
  const value = valueOf(metric, sample)
  const nothing = { sample, value, expected: undefined, z: NaN, residual: NaN, off: undefined, chance: 1, tested: false }
  if (metric.kind === 'incident') return { ...nothing, tested: true, ...(value > 0 && { off: 'rise' as const, chance: 0 }) }
  if (Number.isNaN(value) || memory === undefined) return nothing
  const expected = memory.expect(index, lags)
  if (expected === undefined) return nothing
  if (metric.kind === 'presence') {
    const tested = expected.baseline >= metric.minimumDenominator
    return { ...nothing, expected, tested, ...(tested && value === 0 && { off: 'fall' as const, chance: Math.exp(-expected.baseline) }) }
  }

  return { ...nothing, ...against(metric, sample!, value, expected, memory), expected }
}

type Verdict = Pick<Judgement, 'z' | 'residual' | 'off' | 'chance' | 'tested'>

/** `part`: of what is remembered, how much it is that is judged; 1: all of it. */
export function against(metric: Metric, sample: Sample, value: number, expected: Expected, memory: Memory, part = 1): Verdict {
  const { baseline } = expected
  const size = metric.kind === 'count' ? memory.size(metric.usually ?? tailShare) : { mean: 0, begun: true }
  const offset = offsetMeans * size.mean * part || 1
  const residual = residualOf(metric, sample, value, baseline, offset)
  const deviation = Math.max(memory.deviation(residual < 0, expected.season), leastDeviationOf(metric, sample, baseline, offset))
  // Of a share chance says how much it scatters at least, so it need not wait for its past.
  const known = metric.kind === 'share' && Number.isNaN(deviation) ? residual / unknownDeviation : residual / deviation
  // What was nothing so far has begun, not risen.
  const z = size.begun ? known : NaN
  const tested = !Number.isNaN(z)
  const direction = tested ? directionOf(metric, value, expected) : undefined
  const off = direction !== undefined && Math.abs(z) > significantZ ? direction : undefined
  return { z, residual, off, tested, chance: off === undefined ? 1 : normalTail(Math.abs(z)) }
}

/** How far off, in a unit in which one bucket compares with another; memory.ts measures how much of it is usual. */
export function residualOf({ kind }: Metric, sample: Sample, value: number, baseline: number, offset: number): number {
  if (kind === 'count') return bent(value, offset) - bent(baseline, offset)
  const { denominator } = sample
  if (kind === 'mean') return baseline === 0 ? NaN : ((value - baseline) / Math.abs(baseline)) * Math.sqrt(denominator)
  // Half an event more keeps a baseline of none from being beyond doubt. More than one a case (comments of a play): Poisson.
  const p = (baseline * denominator + 0.5) / (denominator + 1)
  return (value - baseline) / Math.sqrt((p < 1 ? p * (1 - p) : p) / denominator)
}

/** ln(1 + figure / offset), and the same below 0. */
const bent = (figure: number, offset: number) => Math.sign(figure) * Math.log1p(Math.abs(figure) / offset)

function leastDeviationOf({ kind, unit }: Metric, sample: Sample, baseline: number, offset: number): number {
  if (kind === 'share') return 1
  if (kind === 'mean') return leastDeviation * Math.sqrt(sample.denominator)
  return Math.max(leastDeviation, unit === 'count' ? Math.sqrt(Math.max(0, baseline) + 1) / (Math.max(0, baseline) + offset) : 0)
}

function directionOf({ better, threshold, kind }: Metric, value: number, { baseline, seasonal }: Expected): Direction | undefined {
  // What is remembered is so to seven digits: exactly at the threshold is not beyond it.
  const limit = (from: number, sign: number) => from + sign * (threshold + 1e-6) * Math.abs(from)
  // After a busy (quiet) day a count that is back at what is usual at this time is no drop (rise).
  const low = hasDenominator(kind) ? baseline : Math.min(baseline, seasonal)
  const high = hasDenominator(kind) ? baseline : Math.max(baseline, seasonal)
  if (better !== 'down' && value < limit(low, -1)) return 'fall'
  if (better !== 'up' && value > limit(high, 1)) return 'rise'
  return undefined
}
