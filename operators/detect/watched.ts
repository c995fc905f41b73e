// The KPIs of the catalogue as the detector takes them, and how their samples follow from a cell's sums. Each is watched at its own grain.
import { kpiMeasures, type Grain, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import { catalogue, catalogueNames, type CatalogueName } from '../kpi/catalogue.ts'
import type { KpiEntry, Term } from '../kpi/metric.ts'
import type { CellSamples } from './detector.ts'
import { hasDenominator, type Cell, type Metric, type Sample } from './metric.ts'
import { usualAmountShare } from './settings.ts'

export type CellSums = Cell & { readonly sums: Readonly<Partial<Record<KpiMeasure, number>>> }

/** Its alert is that of a cell without any event, where there usually are so many a minute, hour or day. */
const noData = (grain: Grain): Metric => ({
  name: 'no_data',
  grain,
  better: 'up',
  threshold: 1,
  minimumDenominator: 500,
  counts: 'events',
  unit: 'count',
  kind: 'presence',
})

type Watched = {
  readonly metric: Metric
  readonly above: readonly KpiMeasure[]
  readonly below: readonly KpiMeasure[]
  sample(sums: CellSums['sums']): Sample
}

const measuresIn = (term: Term | null): readonly KpiMeasure[] | undefined =>
  term === null ? [] : 'measures' in term ? term.measures : undefined
const inWords = (says: string) => says.replaceAll('_', ' ')

/** Of what should never happen any one is told. */
export const isTold = ({ kind, threshold }: KpiEntry): boolean => threshold !== null || kind === 'incident'

/** One that is told. */
export function metricOf(name: CatalogueName): Metric {
  const { grain, kind, better, unit, says, minimumDenominator, threshold }: KpiEntry = catalogue[name]
  return {
    name, grain, kind, better, unit, threshold: threshold ?? 0, minimumDenominator: minimumDenominator ?? 0,
    counts: inWords(hasDenominator(kind) ? says.denominator : says.numerator),
    ...(kind === 'count' && unit !== 'count' && { usually: usualAmountShare }),
  } // prettier-ignore
}

/** undefined: nobody is told of it, or cells do not count it. */
function watchedOf(name: CatalogueName): Watched | undefined {
  const entry: KpiEntry = catalogue[name]
  const { numerator, denominator } = entry
  const above = measuresIn(numerator)
  const below = measuresIn(denominator)
  if (!isTold(entry) || above === undefined || below === undefined) return undefined
  const sumOf = (measures: readonly KpiMeasure[], sums: CellSums['sums'], per = 1) =>
    measures.reduce((sum, measure) => sum + (sums[measure] ?? 0), 0) / per
  return {
    metric: metricOf(name),
    above,
    below,
    sample: (sums) => ({ numerator: sumOf(above, sums, numerator.per), denominator: sumOf(below, sums, denominator?.per) }),
  }
}

const all = catalogueNames.flatMap((name) => watchedOf(name) ?? [])
const byGrain: Readonly<Record<Grain, readonly Watched[]>> = {
  minute: all.filter(({ metric }) => metric.grain === 'minute'),
  hour: all.filter(({ metric }) => metric.grain === 'hour'),
  day: all.filter(({ metric }) => metric.grain === 'day'),
}

/** Of the grain; the last one is that of no data. */
export const metricsOf = (grain: Grain): readonly Metric[] => [...byGrain[grain].map(({ metric }) => metric), noData(grain)]

/** What those are made of. */
export function measuresOf(grain: Grain): readonly KpiMeasure[] {
  const used = new Set<KpiMeasure>(['events', ...byGrain[grain].flatMap(({ above, below }) => [...above, ...below])])
  return kpiMeasures.filter((measure) => used.has(measure))
}

/** In the order of metricsOf. */
export function samplesOf(grain: Grain, { dimension, value, sums }: CellSums): CellSamples {
  const events = sums.events ?? 0
  const samples = byGrain[grain].map(({ sample }) => sample(sums))
  return { dimension, value, samples: [...samples, { numerator: events, denominator: events }] }
}
