// Naive twin of category affinity: Σ weight · 2^(−(A − t) / 7 d) over all of a user's events, each time anew.
import { affinityHalfLifeMs, affinityWeights, topCategories } from '../affinity/weights.ts'
import type { AcceptedEvent } from './accepted.ts'

type Tasted = Pick<AcceptedEvent, 'behavior' | 'category' | 'eventAt' | 'clockAt' | 'watchMs' | 'durationMs'>

export function affinityWeight(event: Pick<Tasted, 'behavior' | 'watchMs' | 'durationMs'>): number {
  const weight = affinityWeights[event.behavior] ?? 0
  return weight === 'share_watched' ? Math.min(1, event.watchMs! / event.durationMs!) : weight
}

/** Every category's affinity at `asOf`, from the events with clock_at before it. A null category is ignored. */
export function naiveAffinity(events: readonly Tasted[], asOf: number): Map<string, number> {
  const affinities = new Map<string, number>()
  for (const event of events) {
    if (event.clockAt >= asOf || event.category === null) continue
    const now = affinityWeight(event) * 2 ** (-(asOf - event.eventAt) / affinityHalfLifeMs)
    affinities.set(event.category, (affinities.get(event.category) ?? 0) + now)
  }
  return affinities
}

/** The five greatest above 0, ties by category name. */
export function naiveTopCategories(affinities: ReadonlyMap<string, number>): { category: string; affinity: number }[] {
  return [...affinities]
    .map(([category, affinity]) => ({ category, affinity }))
    .filter(({ affinity }) => affinity > 0)
    .toSorted((a, b) => b.affinity - a.affinity || (a.category < b.category ? -1 : 1))
    .slice(0, topCategories)
}
