// The KPIs, as data that someone in operations can read and change: what is divided by what, what it should reach, and how
// far it may fall, at what volume, before anyone is told.
import type { Grain, KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'

export type KpiSpec = {
  /** Buckets in which it is watched. */
  readonly grain: Grain
  /** Sums of these, added; a part of what the denominator counts, so that the KPI lies between 0 and 1. */
  readonly numerator: readonly KpiMeasure[]
  readonly denominator: KpiMeasure
  readonly target: number
  /** A bucket of a cell with less than this says nothing. */
  readonly minimumDenominator: number
  /** Relative fall below the baseline from which on it is a drop. */
  readonly dropThreshold: number
}

export const kpis = {
  completion_rate: {
    grain: 'minute',
    numerator: ['completes'],
    denominator: 'plays',
    target: 0.45,
    minimumDenominator: 500,
    dropThreshold: 0.15,
  },
  click_through_rate: {
    grain: 'minute',
    numerator: ['clicks'],
    denominator: 'impressions',
    target: 0.018,
    minimumDenominator: 2_000,
    dropThreshold: 0.15,
  },
} as const satisfies Readonly<Record<string, KpiSpec>>

export type KpiName = keyof typeof kpis
export const kpiNames = Object.keys(kpis) as readonly KpiName[]

/** A bucket is closed once every partition's clock has passed its end by this. */
export const allowedLatenessMs = 120_000

/** The KPI in SQL, from the SQL of its measures; NULL where there is nothing to divide by. */
export function ratioSql(kpi: KpiSpec, measureSql: (measure: KpiMeasure) => string): string {
  const numerator = kpi.numerator.map(measureSql).join(' + ')
  return `${kpi.numerator.length > 1 ? `(${numerator})` : numerator} / nullIf(${measureSql(kpi.denominator)}, 0)`
}
