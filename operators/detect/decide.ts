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
  /** Of the last six hours, without buckets in which the cell was pending or firing. */
  readonly history: readonly Sample[]
  /** The cell's alert, where one is not resolved. From firing on its baseline is frozen. */
  readonly alert: { readonly state: OpenState; readonly baseline: number } | undefined
  /** The alert's last transition was in the bucket just before this one. */
  readonly consecutive: boolean
  /** Buckets just before this one, since the alert fired, that were `recovered`. */
  readonly recoveredBefore: number
  /** The alert of cell `all` has fired and is not resolved; false for `all` itself. */
  readonly parentFiring: boolean
}

export type Decision = {
  /** undefined: nothing changes. */
  readonly to: OpenState | 'resolved' | undefined
  /** What the KPI was measured by; 0 where there was nothing to measure. */
  readonly baseline: number
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

/** Buckets below the minimum volume say nothing here either. */
export function baselineOf(history: readonly Sample[], kpi: KpiSpec): Baseline {
  const usable = history.filter((sample) => sample.denominator >= kpi.minimumDenominator)
  const ratios = Float64Array.from(usable, ratioOf).toSorted()
  const middle = ratios.length >> 1
  const ratio = ratios.length === 0 ? 0 : ratios.length % 2 === 1 ? ratios[middle]! : (ratios[middle - 1]! + ratios[middle]!) / 2
  return { ratio, buckets: ratios.length, denominator: usable.reduce((sum, sample) => sum + sample.denominator, 0) }
}

/** By how many standard errors the sample lies below the baseline: two proportions, pooled. */
export function dropZ(sample: Sample, baseline: Baseline): number {
  const pooled = (sample.numerator + baseline.ratio * baseline.denominator) / (sample.denominator + baseline.denominator)
  const error = Math.sqrt(Math.max(0, pooled * (1 - pooled)) * (1 / sample.denominator + 1 / baseline.denominator))
  return error > 0 ? (baseline.ratio - ratioOf(sample)) / error : 0
}

/** Whether a bucket counts towards the end of an alert; undefined where it says nothing. */
export function recovered(sample: Sample | undefined, kpi: KpiSpec, frozen: number): boolean | undefined {
  return sample === undefined || sample.denominator < kpi.minimumDenominator ? undefined : ratioOf(sample) > recoveredShare * frozen
}

export function decide(facts: Facts): Decision {
  const { alert } = facts
  return alert === undefined || alert.state === 'pending' ? decideFiring(facts, alert) : decideRecovery(facts, alert)
}

function decideFiring(facts: Facts, pending: Facts['alert']): Decision {
  const { drop, baseline, because } = judgeDrop(facts)
  const decision = (to: Decision['to'], why: string): Decision => ({ to, baseline: baseline ?? pending?.baseline ?? 0, because: why })
  if (drop && facts.parentFiring)
    return decision(pending === undefined ? undefined : 'resolved', `held back, for the same KPI is firing for all: ${because}`)
  if (pending === undefined) return decision(drop ? 'pending' : undefined, because)
  if (drop && !facts.consecutive) return decision('resolved', `never fired, for the bucket after it was not looked at; now ${because}`)
  if (drop) return decision('firing', `second closed bucket in a row: ${because}`)
  return decision('resolved', `never fired, for the next bucket did not confirm it: ${because}`)
}

function decideRecovery({ name, kpi, sample, recoveredBefore }: Facts, alert: NonNullable<Facts['alert']>): Decision {
  const decision = (to: Decision['to'], because: string): Decision => ({ to, baseline: alert.baseline, because })
  const good = recovered(sample, kpi, alert.baseline)
  if (sample === undefined || good === undefined)
    return decision(undefined, `fewer than ${kpi.minimumDenominator} ${kpi.denominator}: the bucket says nothing`)
  const limit = `${tellShare(recoveredShare)} of the baseline at firing, ${tellRatio(alert.baseline)}`
  if (!good) return decision(alert.state === 'recovering' ? 'firing' : undefined, `${tellActual(name, kpi, sample)} is not above ${limit}`)
  const because = `${tellActual(name, kpi, sample)} is above ${limit}`
  if (recoveredBefore + 1 >= bucketsToResolve) return decision('resolved', `${because}, ${bucketsToResolve} closed buckets in a row`)
  return decision(alert.state === 'firing' ? 'recovering' : undefined, because)
}

type Verdict = { readonly drop: boolean; readonly baseline?: number; readonly because: string }

/** Is this bucket a drop? */
function judgeDrop({ name, kpi, sample, history }: Facts): Verdict {
  if (sample === undefined || sample.denominator === 0)
    return { drop: false, because: `no ${kpi.denominator} in the bucket: no data is not a drop` }
  const actual = tellActual(name, kpi, sample)
  if (sample.denominator < kpi.minimumDenominator)
    return { drop: false, because: `${actual}: fewer than ${kpi.minimumDenominator} say nothing` }
  const { ratio, buckets, denominator } = baselineOf(history, kpi)
  const verdict = (drop: boolean, because: string): Verdict => ({ drop, baseline: ratio, because })
  if (buckets < leastBaselineBuckets)
    return verdict(false, `${actual}: ${buckets} buckets of history, a baseline needs ${leastBaselineBuckets}`)
  const expected = `the baseline ${tellRatio(ratio)}, the median of ${buckets} buckets of the last ${baselineBuckets / 60} h`
  const fall = 1 - ratioOf(sample) / ratio
  if (!(ratioOf(sample) < (1 - kpi.dropThreshold) * ratio))
    return verdict(false, `${actual} is not more than ${tellShare(kpi.dropThreshold)} below ${expected}`)
  const z = dropZ(sample, { ratio, buckets, denominator })
  const figures = `${actual} is ${tellShare(fall)} below ${expected}; z ${z.toFixed(1)}`
  return z > significantZ
    ? verdict(true, `${figures}, above ${significantZ}`)
    : verdict(false, `${figures}, not above ${significantZ}: at this volume it can be chance`)
}

const ratioOf = (sample: Sample) => sample.numerator / sample.denominator
const tellActual = (name: string, kpi: KpiSpec, sample: Sample) =>
  `${name} ${tellRatio(ratioOf(sample))} (${sample.denominator} ${kpi.denominator})`
const tellRatio = (ratio: number) => ratio.toPrecision(3)
const tellShare = (share: number) => `${Number((share * 100).toFixed(1))} %`
