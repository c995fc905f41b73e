// What an entry of the KPI catalogue says, and how a KPI comes from sums.
import type { Grain, KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import type { DailyFigure } from './daily.ts'

/** What stands above or below the line: a sum, divided by `per` where that is said. */
export type Term = (
  | /** Columns of kpi_deltas, added; in every cell and bucket. */ { readonly measures: readonly KpiMeasure[] }
  | /** A figure by day of the zone, from events (daily.ts). */ { readonly daily: DailyFigure }
  | /** An aggregate over the rows of customer_signals of the bucket, in SQL. */ { readonly signals: string }
) & { readonly per?: number }

/**
 * - `share`: a part of what the denominator counts; between 0 and 1.
 * - `mean`: a sum over a count.
 * - `count`: no denominator.
 * - `incident`: a count of what should never happen.
 */
export type KpiKind = 'share' | 'mean' | 'count' | 'incident'

export type KpiEntry = {
  readonly group: string
  /** The finest buckets in which it is watched; coarser ones have it too. */
  readonly grain: Grain
  readonly kind: KpiKind
  readonly unit: string
  readonly source: 'kpi_deltas' | 'events' | 'users' | 'signals'
  /** Both in words, as the plan has them. */
  readonly says: { readonly numerator: string; readonly denominator: string }
  readonly numerator: Term
  readonly denominator: Term | null
  readonly target: number | null
  /** `up`: more is better. */
  readonly better: 'up' | 'down' | 'neither'
  /** A bucket of a cell with less than this says nothing. */
  readonly minimumDenominator: number | null
  /** Relative change for the worse, against the baseline, from which on someone is told; null: none is. */
  readonly threshold: number | null
  /** What the words mean, made exact. */
  readonly meaning: string
}
