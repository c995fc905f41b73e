// The KPIs, as data that someone in operations can read and change: what is divided by what, what it should reach, and how
// far it may fall, at what volume, before anyone is told. docs/guide/kpis.md is made of it.
import { grains, type Grain, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import { commercialKpis } from './catalogue-commercial.ts'
import { contentKpis } from './catalogue-content.ts'
import { userKpis } from './catalogue-user.ts'
import type { KpiEntry, Term } from './metric.ts'

const entries = { ...contentKpis, ...userKpis, ...commercialKpis } as const
export type CatalogueName = keyof typeof entries

export const catalogue: Readonly<Record<CatalogueName, KpiEntry>> = entries
export const catalogueNames = Object.keys(entries) as readonly CatalogueName[]

/** A KPI that is a ratio of sums of kpi_deltas: there in every cell and bucket. */
export type KpiSpec = {
  /** Finest buckets in which it is watched. */
  readonly grain: Grain
  /** Sums of these, added. */
  readonly numerator: readonly KpiMeasure[]
  /** The numerator is divided by this. */
  readonly per: number
  readonly denominator: KpiMeasure
  readonly target: number | null
  /** A bucket of a cell with less than this says nothing. */
  readonly minimumDenominator: number
  /** Relative fall below the baseline from which on it is a drop; Infinity: never. */
  readonly dropThreshold: number
}

type OfMeasures = { readonly measures: readonly KpiMeasure[] }
export type KpiName = {
  [N in CatalogueName]: (typeof entries)[N] extends { readonly numerator: OfMeasures; readonly denominator: OfMeasures } ? N : never
}[CatalogueName]

const measuresOf = (term: Term | null) => (term !== null && 'measures' in term ? term.measures : undefined)

export const kpis = Object.fromEntries(
  catalogueNames.flatMap((name): [string, KpiSpec][] => {
    const { grain, numerator, denominator, target, minimumDenominator, threshold } = catalogue[name]
    const [above, below] = [measuresOf(numerator), measuresOf(denominator)?.[0]]
    if (above === undefined || below === undefined) return []
    const spec = { grain, numerator: above, per: numerator.per ?? 1, denominator: below, target }
    return [[name, { ...spec, minimumDenominator: minimumDenominator ?? 0, dropThreshold: threshold ?? Infinity }]]
  }),
) as Readonly<Record<KpiName, KpiSpec>>

/** A bucket is closed once every partition's clock has passed its end by this. */
export const allowedLatenessMs = 120_000

/** A sum of measures in SQL, from the SQL of each. */
export function sumSql(measures: readonly KpiMeasure[], per: number, measureSql: (measure: KpiMeasure) => string): string {
  const sum = measures.map(measureSql).join(' + ')
  const whole = measures.length > 1 ? `(${sum})` : sum
  return per === 1 ? whole : `${whole} / ${per}`
}

/** The KPI in SQL, from the SQL of its measures; NULL where there is nothing to divide by. */
export function ratioSql(
  kpi: Pick<KpiSpec, 'numerator' | 'denominator'> & { readonly per?: number },
  measureSql: (measure: KpiMeasure) => string,
): string {
  return `${sumSql(kpi.numerator, kpi.per ?? 1, measureSql)} / nullIf(${measureSql(kpi.denominator)}, 0)`
}

/** Those that a bucket of `grain` has, from sums of kpi_deltas alone: watched at it or at a finer one. */
export function deltaKpisOf(grain: Grain): CatalogueName[] {
  return catalogueNames.filter((name) => {
    const { numerator, denominator } = catalogue[name]
    const isOfSums = measuresOf(numerator) !== undefined && (denominator === null || measuresOf(denominator) !== undefined)
    return isOfSums && grains.indexOf(catalogue[name].grain) <= grains.indexOf(grain)
  })
}

/** One of them in SQL. */
export function deltaKpiSql(name: CatalogueName, measureSql: (measure: KpiMeasure) => string): string {
  const { numerator } = catalogue[name]
  if (name in kpis) return ratioSql(kpis[name as KpiName], measureSql)
  return sumSql(measuresOf(numerator) ?? [], numerator.per ?? 1, measureSql)
}
