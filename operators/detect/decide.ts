// What becomes of one KPI in one cell when one more bucket has closed: facts in, a decision and its reason out.
import type { KpiSpec } from '../kpi/catalogue.ts'

/** Sums of one closed bucket of a cell. */
export type Sample = { readonly numerator: number; readonly denominator: number }

/** What the KPI was over the recent hours. */
export type Baseline = {
  /** Median of the buckets' ratios. */
  readonly ratio: number
  readonly buckets: number
  /** Sum of the buckets' denominators. */
  readonly denominator: number
}

export type OpenState = 'pending' | 'firing' | 'recovering'

export type Facts = {
  readonly name: string
  readonly kpi: KpiSpec
  /** undefined: the cell has no row in the bucket. */
  readonly sample: Sample | undefined
  readonly baseline: Baseline
  /** The cell's alert, where one is not resolved. `frozen`: the baseline at firing. */
  readonly alert: { readonly state: OpenState; readonly frozen: number } | undefined
  /** Buckets just before this one, since the alert fired, that were `recovered`. */
  readonly recoveredBefore: number
  /** The alert of cell `all` has fired and is not resolved; false for `all` itself. */
  readonly parentFiring: boolean
}

export type Decision = {
  /** undefined: nothing changes. */
  readonly to: OpenState | 'resolved' | undefined
  readonly because: string
}

/** Buckets before the bucket from whose ratios the baseline is taken: the last six hours of minutes. */
export const baselineBuckets = 360
/** With fewer of them at the minimum volume nothing is a drop. */
export const leastBaselineBuckets = 30
/** One-sided: by chance one bucket in 740 passes it, two in a row far fewer. */
export const significantZ = 3
export const recoveredShare = 0.9
export const bucketsToResolve = 3
/** From firing to the root-cause review. */
export const reviewMs = 72 * 3_600_000

/** History: buckets before this one, without those in which the cell was pending or firing. Those below the minimum say nothing. */
export function baselineOf(history: readonly Sample[], kpi: KpiSpec): Baseline {
  const usable = history.filter((sample) => sample.denominator >= kpi.minimumDenominator)
  const ratios = Float64Array.from(usable, (sample) => sample.numerator / sample.denominator).sort()
  const middle = ratios.length >> 1
  const ratio = ratios.length === 0 ? 0 : ratios.length % 2 === 1 ? ratios[middle]! : (ratios[middle - 1]! + ratios[middle]!) / 2
  return { ratio, buckets: ratios.length, denominator: usable.reduce((sum, sample) => sum + sample.denominator, 0) }
}

/** By how many standard errors the sample lies below the baseline: two proportions, pooled. */
export function dropZ(sample: Sample, baseline: Baseline): number {
  const pooled = (sample.numerator + baseline.ratio * baseline.denominator) / (sample.denominator + baseline.denominator)
  const error = Math.sqrt(Math.max(0, pooled * (1 - pooled)) * (1 / sample.denominator + 1 / baseline.denominator))
  const below = baseline.ratio - sample.numerator / sample.denominator
  return error > 0 ? below / error : 0
}

/** Whether a bucket counts towards the end of an alert; undefined where it says nothing. */
export function recovered(sample: Sample | undefined, kpi: KpiSpec, frozen: number): boolean | undefined {
  if (sample === undefined || sample.denominator < kpi.minimumDenominator) return undefined
  return sample.numerator / sample.denominator > recoveredShare * frozen
}

type Verdict = { readonly drop: boolean; readonly because: string }

/** Is this bucket a drop? */
export function judgeDrop(name: string, kpi: KpiSpec, sample: Sample | undefined, baseline: Baseline): Verdict {
  const no = (because: string): Verdict => ({ drop: false, because })
  if (sample === undefined || sample.denominator === 0) return no(`no ${kpi.denominator} in the bucket: no data is not a drop`)
  const { denominator } = sample
  const ratio = sample.numerator / denominator
  const actual = `${name} ${tellRatio(ratio)} (${denominator} ${kpi.denominator})`
  if (denominator < kpi.minimumDenominator) return no(`${actual}: fewer than ${kpi.minimumDenominator} say nothing`)
  if (baseline.buckets < leastBaselineBuckets)
    return no(`${actual}: ${baseline.buckets} buckets of history, a baseline needs ${leastBaselineBuckets}`)
  const expected = `the baseline ${tellRatio(baseline.ratio)}, the median of ${baseline.buckets} buckets of the last ${baselineBuckets / 60} h`
  const fall = 1 - ratio / baseline.ratio
  if (!(fall > kpi.dropThreshold)) return no(`${actual} is not more than ${tellShare(kpi.dropThreshold)} below ${expected}`)
  const z = dropZ(sample, baseline)
  const figures = `${actual} is ${tellShare(fall)} below ${expected}; z ${z.toFixed(1)}`
  if (!(z > significantZ)) return no(`${figures}, not above ${significantZ}: it can be chance at this volume`)
  return { drop: true, because: `${figures}, above ${significantZ}` }
}

export function decide(facts: Facts): Decision {
  const { name, kpi, sample, baseline, alert, parentFiring } = facts
  if (alert === undefined || alert.state === 'pending') {
    const { drop, because } = judgeDrop(name, kpi, sample, baseline)
    if (drop && parentFiring) {
      const held = `${because}; held back, for the same KPI is firing for all`
      return { to: alert === undefined ? undefined : 'resolved', because: held }
    }
    if (alert === undefined) return { to: drop ? 'pending' : undefined, because }
    if (drop) return { to: 'firing', because: `second closed bucket in a row: ${because}` }
    return { to: 'resolved', because: `never fired, the next bucket did not confirm it: ${because}` }
  }

  const good = recovered(sample, kpi, alert.frozen)
  if (good === undefined)
    return { to: undefined, because: `fewer than ${kpi.minimumDenominator} ${kpi.denominator}: the bucket says nothing` }
  const limit = `${tellShare(recoveredShare)} of the baseline at firing, ${tellRatio(alert.frozen)}`
  const actual = `${name} ${tellRatio(sample!.numerator / sample!.denominator)} (${sample!.denominator} ${kpi.denominator})`
  if (!good) return { to: alert.state === 'recovering' ? 'firing' : undefined, because: `${actual} is not above ${limit}` }
  const because = `${actual} is above ${limit}`
  const inRow = facts.recoveredBefore + 1
  if (inRow >= bucketsToResolve) return { to: 'resolved', because: `${because}, in ${bucketsToResolve} buckets in a row` }
  return { to: alert.state === 'firing' ? 'recovering' : undefined, because }
}

const tellRatio = (ratio: number) => ratio.toPrecision(3)
const tellShare = (share: number) => `${Number((share * 100).toFixed(1))} %`
