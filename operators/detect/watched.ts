// The KPIs of the catalogue as the detector takes them, and how their samples follow from a cell's sums.
import type { Grain, KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import { kpiNames, kpis, type KpiSpec } from '../kpi/catalogue.ts'
import type { CellSamples } from './detector.ts'
import type { Cell, Metric, Sample } from './metric.ts'

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

const watchedKpis = (grain: Grain) => kpiNames.filter((name) => (kpis[name] as KpiSpec).grain === grain)

/** Of the grain; the last one is that of no data. */
export function metricsOf(grain: Grain): readonly Metric[] {
  const ofCatalogue = watchedKpis(grain).map((name): Metric => {
    const { dropThreshold, minimumDenominator, denominator } = kpis[name] as KpiSpec
    // Today's catalogue has only parts of what their denominator counts.
    return { name, grain, better: 'up', threshold: dropThreshold, minimumDenominator, counts: denominator, unit: 'ratio', kind: 'share' }
  })
  return [...ofCatalogue, noData(grain)]
}

/** What those are made of. */
export const measuresOf = (grain: Grain): readonly KpiMeasure[] => [
  ...new Set(watchedKpis(grain).flatMap((name) => [...(kpis[name] as KpiSpec).numerator, (kpis[name] as KpiSpec).denominator])),
  'events',
]

/** In the order of metricsOf. */
export function samplesOf(grain: Grain, { dimension, value, sums }: CellSums): CellSamples {
  const of = (measure: KpiMeasure) => sums[measure] ?? 0
  const samples = watchedKpis(grain).map((name): Sample => {
    const { numerator, denominator } = kpis[name] as KpiSpec
    return { numerator: numerator.reduce((sum, measure) => sum + of(measure), 0), denominator: of(denominator) }
  })
  return { dimension, value, samples: [...samples, { numerator: of('events'), denominator: of('events') }] }
}
