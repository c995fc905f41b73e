// The KPIs of the catalogue that are made of customer signals, as the detector takes them: metrics, and samples from what a bucket's signals come to
// and the sums of behaviour's cell that some are measured against.
import { kpiMeasures, type Grain, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import { catalogue, catalogueNames } from '../kpi/catalogue.ts'
import type { KpiEntry, Term } from '../kpi/metric.ts'
import type { CellSamples } from './detector.ts'
import type { Cell, Metric } from './metric.ts'
import { isTold, metricOf } from './watched.ts'

type SignalsKpi = { readonly metric: Metric; readonly above: Term; readonly below: Term | null }

const all = catalogueNames.flatMap((name): SignalsKpi[] => {
  const entry: KpiEntry = catalogue[name]
  const terms = [entry.numerator, ...(entry.denominator === null ? [] : [entry.denominator])]
  if (!isTold(entry) || !terms.some((term) => 'signals' in term) || terms.some((term) => 'daily' in term)) return []
  return [{ metric: metricOf(name), above: entry.numerator, below: entry.denominator }]
})
const of = (grain: Grain) => all.filter(({ metric }) => metric.grain === grain)

export const signalMetricsOf = (grain: Grain): readonly Metric[] => of(grain).map(({ metric }) => metric)

export type SignalTerm = {
  /** An aggregate over rows of customer_signals. */
  readonly sql: string
  /** What says in which bucket a row is. Of what should never happen it is when it became known: so none comes too late to be told. */
  readonly by: 'event_at' | 'clock_at'
}

/** What those are made of, of the signals of a bucket. */
export function signalTermsOf(grain: Grain): readonly SignalTerm[] {
  const terms = new Map<string, SignalTerm>()
  for (const { metric, above, below } of of(grain))
    for (const term of [above, below])
      if (term !== null && 'signals' in term) terms.set(term.signals, { sql: term.signals, by: metric.kind === 'incident' ? 'clock_at' : 'event_at' }) // prettier-ignore
  return [...terms.values()]
}

/** Sums of behaviour's cell that some of them are measured against. */
export function signalMeasuresOf(grain: Grain): readonly KpiMeasure[] {
  const used = new Set(of(grain).flatMap(({ above, below }) => [above, below].flatMap((term) => (term !== null && 'measures' in term ? term.measures : [])))) // prettier-ignore
  return kpiMeasures.filter((measure) => used.has(measure))
}

export type SignalSums = Cell & {
  /** By the SQL of the term. */
  readonly signals: ReadonlyMap<string, number>
  readonly sums: Readonly<Partial<Record<KpiMeasure, number>>>
}

/** In the order of signalMetricsOf. */
export function signalSamplesOf(grain: Grain, { dimension, value, signals, sums }: SignalSums): CellSamples {
  const come = (term: Term | null): number => {
    if (term === null || 'daily' in term) return 0
    const { per = 1 } = term
    if ('signals' in term) return (signals.get(term.signals) ?? 0) / per
    return term.measures.reduce((sum, measure) => sum + (sums[measure] ?? 0), 0) / per
  }
  return { dimension, value, samples: of(grain).map(({ above, below }) => ({ numerator: come(above), denominator: come(below) })) }
}
