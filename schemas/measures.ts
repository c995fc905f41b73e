// The names of what is counted: fifteen measures over four rolling windows.
import { behaviors } from './behavior-batch.ts'

/** Order is that of the columns in state and rows: the twelve behaviour counts, then the three sums. */
export const measures = [
  'registers', 'session_starts', 'session_ends', 'impressions', 'clicks', 'plays', 'likes', 'comments',
  'shares', 'follows', 'searches', 'purchases', 'completes', 'watch_ms', 'amount_minor',
] as const // prettier-ignore
export type Measure = (typeof measures)[number]

/** Index of a behaviour's count in `measures` = its code on the wire. */
export const behaviorMeasures = measures.slice(0, behaviors.length)

export const windows = [
  { name: '1h', spanMs: 3_600_000, hopMs: 300_000 },
  { name: '24h', spanMs: 86_400_000, hopMs: 3_600_000 },
  { name: '7d', spanMs: 604_800_000, hopMs: 21_600_000 },
  { name: '30d', spanMs: 2_592_000_000, hopMs: 86_400_000 },
] as const
export type WindowSpec = (typeof windows)[number]

type FeatureName = `${Measure}_${WindowSpec['name']}`
/** The sixty feature columns, window by window: `plays_1h`, `watch_ms_24h`, … */
export const featureNames: readonly FeatureName[] = windows.flatMap((w) => measures.map((m): FeatureName => `${m}_${w.name}`))
