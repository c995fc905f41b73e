// What the judgement of buckets means: every figure anew from the whole history, by its definition.
import type { Cadence, Lags } from '../detect/cadence.ts'
import { residualOf } from '../detect/judge.ts'
import type { Season } from '../detect/memory.ts'
import { valueOf, type Metric, type Sample } from '../detect/metric.ts'
import {
  leastDays,
  leastDeviation,
  leastWeeks,
  levelBounds,
  offsetMeans,
  quartilesZ,
  tailShare,
  tailZ,
  unknownDeviation,
} from '../detect/settings.ts'

/** `normal`: no alert of the cell was pending or firing in it. `outlier`: one was, but had only begun. */
export type NaiveBucket = { readonly sample: Sample | undefined; readonly normal: boolean; readonly outlier: boolean }
export type NaiveJudgement = { readonly season: Season; readonly baseline: number; readonly level: number; readonly z: number }

/** Of each bucket, one after the other from number `first`; undefined where there is nothing to compare. Not of incidents and presence. */
export function naiveJudgements(
  metric: Metric,
  cadence: Cadence,
  first: number,
  buckets: readonly NaiveBucket[],
  lagsOf: (index: number) => Lags,
) {
  const { level: window, scatter, around, recent, kept } = cadence
  const judgements: (NaiveJudgement | undefined)[] = []
  const shares: number[] = []
  const residuals: number[] = []
  const figures = buckets.map(({ sample, normal }) => (normal ? Math.fround(valueOf(metric, sample)) : NaN))

  for (const [i, { sample, normal, outlier }] of buckets.entries()) {
    const value = valueOf(metric, sample)
    const between = (list: readonly number[], from: number, to: number) =>
      list.slice(Math.max(0, from), Math.max(0, to)).filter((figure) => !Number.isNaN(figure))
    const past = figures.slice(0, i)
    const same = (lags: readonly number[]) =>
      lags.map((lag) => between(past, lag - first - around, lag - first + around + 1)).filter((found) => found.length > 0)
    const lags = lagsOf(first + i)
    const weeks = same(lags.weeks)
    const days = same(lags.days)
    const late = between(past, i - recent.of, i)
    const known: [Season, number[]] | undefined =
      weeks.length >= leastWeeks ? ['week', weeks.flat()]
      : days.length >= leastDays ? ['day', days.flat()]
      : late.length >= recent.least ? ['recent', late]
      : undefined // prettier-ignore
    shares.push(NaN)
    residuals.push(NaN)
    judgements.push(undefined)
    if (Number.isNaN(value) || known === undefined) continue

    const [season, found] = known
    const seasonal = median(found)
    const measured = between(shares, i - window.before - window.of, i - window.before)
    const level =
      season !== 'week' || measured.length < window.least ? 1 : Math.min(levelBounds[1], Math.max(levelBounds[0], median(measured)))
    const baseline = seasonal * level
    const remembered = between(past, i - kept, i)
    const mean = remembered.length === 0 ? 0 : remembered.reduce((sum, figure) => sum + Math.abs(figure), 0) / remembered.length
    const begun = metric.kind !== 'count' || remembered.filter((figure) => figure !== 0).length > tailShare * remembered.length
    const residual = residualOf(metric, sample!, value, baseline, offsetMeans * mean || 1)

    // Of a baseline without days only such residuals are a measure, and of another only others.
    const alike = residuals.map((one, j) => ((judgements[j]?.season === 'recent') === (season === 'recent') ? one : NaN))
    const sorted = between(alike, i - (season === 'recent' ? recent.of : scatter.of), i).toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.floor(share * sorted.length)]!
    const middle = (at(0.75) - at(0.25)) / quartilesZ
    const tail = (residual < 0 ? -at(tailShare) : at(1 - tailShare)) / tailZ
    const least = metric.kind === 'share' ? 1 : metric.kind === 'mean' ? leastDeviation * Math.sqrt(sample!.denominator) : leastDeviation
    const enough = sorted.length >= scatter.least
    const z = !begun ? NaN : enough ? residual / Math.max(middle, tail, least) : metric.kind === 'share' ? residual / unknownDeviation : NaN
    judgements[i] = { season, baseline, level, z }
    if (normal && season === 'week' && seasonal !== 0) shares[i] = value / seasonal
    if (normal || outlier) residuals[i] = residual
  }
  return judgements
}

function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}
