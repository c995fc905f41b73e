// The KPIs of a day that look at a user's other days, as the detector takes them: by when a day's can be said, since one that is known a week after its
// day is decided then.
import { catalogue, catalogueNames, type CatalogueName } from '../kpi/catalogue.ts'
import type { DailyFigure } from '../kpi/daily.ts'
import type { KpiEntry, Term } from '../kpi/metric.ts'
import type { Metric } from './metric.ts'
import { isTold, metricOf } from './watched.ts'

/** Days that must be over, after its own, before a figure can be said (operators/kpi/daily.ts leaves it out until then). */
export function daysLater(figure: DailyFigure): number {
  const retained = /^retained_d(\d+)$/.exec(figure)?.[1]
  if (retained !== undefined) return Number(retained)
  return figure === 'converted_30d' ? 29 : figure === 'search_buyers' ? 1 : 0
}

const termsOf = ({ numerator, denominator }: KpiEntry): readonly Term[] => (denominator === null ? [numerator] : [numerator, denominator])

/** Whether it looks at a user's other days, so that no cell counts it. */
export const isDaily = (name: CatalogueName): boolean => termsOf(catalogue[name]).some((term) => 'daily' in term)

export type DailyWatch = { readonly daysLater: number; readonly metrics: readonly Metric[] }

const all = catalogueNames
  .filter((name) => isDaily(name) && isTold(catalogue[name]))
  .map((name) => ({
    metric: metricOf(name),
    later: Math.max(...termsOf(catalogue[name]).map((term) => ('daily' in term ? daysLater(term.daily) : 0))),
  }))

/** Those that are known equally late are decided, and tested, together. */
export const dailyWatches: readonly DailyWatch[] = [...new Set(all.map(({ later }) => later))]
  .toSorted((a, b) => a - b)
  .map((later) => ({ daysLater: later, metrics: all.filter((one) => one.later === later).map(({ metric }) => metric) }))
