// What is watched, as data: a KPI's name, which way is good, how far it may go, and of what kind its figures are.
import type { CellDimension, Grain } from '../../schemas/tables/kpi-deltas.ts'

/**
 * - `share`: a part of what the denominator counts; its scatter at a volume is at least that of chance (binomial).
 * - `mean`: a sum over a count (seconds a session, fen an order); its scatter shrinks with the volume, how far its past tells.
 * - `count`: no denominator; its scatter is what its past tells.
 * - `incident`: a count of what should never happen: any one fires at once.
 * - `presence`: a count that is watched for nothing but being there; its alert is that of no data.
 */
export type MetricKind = 'share' | 'mean' | 'count' | 'incident' | 'presence'

export type Metric = {
  readonly name: string
  readonly grain: Grain
  /** `up`: a fall is bad. `down`: a rise is. `neither`: both are. */
  readonly better: 'up' | 'down' | 'neither'
  /** Relative to the baseline, never in points: 0.15 of a baseline of 0.40 is 0.06. */
  readonly threshold: number
  /** A bucket with less says nothing. `presence`: least that must be usual for its absence to say anything. */
  readonly minimumDenominator: number
  /** What the denominator counts, for the reason; of counts, what they count. */
  readonly counts: string
  readonly unit: string
  readonly kind: MetricKind
}

/** Sums of one closed bucket of a cell. Of counts the numerator is the count, and the denominator is not looked at. */
export type Sample = { readonly numerator: number; readonly denominator: number }

export type Cell = { readonly dimension: Exclude<CellDimension, 'clock'>; readonly value: string }

export const hasDenominator = (kind: MetricKind): boolean => kind === 'share' || kind === 'mean'

/** What the metric came to in the bucket; NaN where the bucket says nothing. */
export function valueOf(metric: Metric, sample: Sample | undefined): number {
  // Nothing reported is what an incident should come to, and what a presence is watched for.
  if (sample === undefined) return metric.kind === 'incident' || metric.kind === 'presence' ? 0 : NaN
  if (!hasDenominator(metric.kind)) return sample.numerator
  return sample.denominator > 0 && sample.denominator >= metric.minimumDenominator ? sample.numerator / sample.denominator : NaN
}
