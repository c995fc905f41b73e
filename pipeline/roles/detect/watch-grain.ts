// Looks at the closed buckets of one grain, in order: history first, from which it learns what is usual, then what it decides on.
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { cadenceOf, lookbackBuckets } from '../../../operators/detect/cadence.ts'
import { detector, type CellSamples, type Detector } from '../../../operators/detect/detector.ts'
import type { Transition } from '../../../operators/detect/track.ts'
import type { Parts, PartsQuestion } from '../../../operators/detect/explained.ts'
import type { Metric } from '../../../operators/detect/metric.ts'
import { metricsOf } from '../../../operators/detect/watched.ts'
import type { Zone } from '../../../operators/time/zone.ts'
import type { Grain } from '../../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../../ports/store.ts'
import { latestAtOf, readTransitions, type LatestTransitions } from './alert-rows.ts'
import { closedUntil, earliestBucketAt, readBuckets, type BucketsWanted, type Closing } from './closed-buckets.ts'
import { readParts } from './read-parts.ts'
import { rollUp, type RolledUps, type RollUp } from './roll-up.ts'

/** Where samples come from. */
export type Figures = {
  readonly metrics: readonly Metric[]
  /** When the earliest of them is, from `sinceMs` on; undefined where there is none. */
  earliestAt(sinceMs: number): Promise<number | undefined>
  /** Of closed buckets, as known at their close; samples in the order of `metrics`. */
  read(closing: Closing, wanted: BucketsWanted): Promise<Map<number, CellSamples[]>>
  /** What the detector asks before it decides a bucket; without it cells hold back no others. */
  parts?(closing: Closing, bucketAt: number, questions: readonly PartsQuestion[]): Promise<Parts[]>
}

/** The KPIs that cells count. */
export const cellFigures = (store: Store, grain: Grain): Figures => ({
  metrics: metricsOf(grain),
  earliestAt: (sinceMs) => earliestBucketAt(store, grain, sinceMs),
  read: (closing, wanted) => readBuckets(store, closing, wanted),
  parts: (closing, bucketAt, questions) => readParts(store, closing, bucketAt, questions),
})

export type WatchGrainOptions = {
  readonly store: Store
  readonly figures: Figures
  readonly grain: Grain
  readonly zone: Zone
  readonly latenessMs: number
  /** Ends it after the bucket it is at. */
  readonly signal: AbortSignal
  /** At the start, the transitions that are there, by alert in order. */
  found(stored: readonly Transition[], closedMs: number): void
  /** Stores what was decided of a bucket, which may be nothing. `closedMs`: its end, where it was decided on. */
  decided(transitions: readonly Transition[], closedMs: number | undefined): Promise<void>
}

/** What several ask in one poll is read where the first asks, and once. */
export type PollReads = {
  /** How far grains are rolled up: what is rolled up meanwhile is in the deltas too. */
  rolled(): Promise<RolledUps>
  latest(): Promise<LatestTransitions>
}

export type GrainWatch = {
  /**
   * Looks at all buckets that are closed at log time `clockMs`, which every partition has reached. Returns how many. Throws StoreAway; the
   * next call goes on.
   */
  advance(clockMs: number, reads: PollReads): Promise<number>
  readonly rollUp: RollUp
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Nobody acts on a drop that is older than this in log time: after a longer pause it begins there. */
const furthestBackMs: Record<Grain, number> = { minute: 12 * hourMs, hour: dayMs, day: 3 * dayMs }
/** Read at once. */
const chunkMs: Record<Grain, number> = { minute: 6 * hourMs, hour: 10 * dayMs, day: 100 * dayMs }
const historyChunkMs: Record<Grain, number> = { ...chunkMs, minute: dayMs }

export function watchGrain({ store, figures, grain, zone, latenessMs, signal, found, decided }: WatchGrainOptions): GrainWatch {
  const cadence = cadenceOf(grain, zone)
  const { metrics } = figures
  const names = metrics.map(({ name }) => name)
  const closing = { grain, cadence, latenessMs }
  const history = lookbackBuckets(cadence)
  let running: { readonly detector: Detector; nextAt: number; decidesFrom: number } | undefined

  const decidesFromAt = (closedMs: number) => cadence.startOf(closedMs - furthestBackMs[grain])
  const historyFrom = (decidesFrom: number) => cadence.back(decidesFrom, history)

  async function begin(closedMs: number, reads: PollReads) {
    const latestAt = latestAtOf(await reads.latest(), grain, names)
    // Another transition of the latest one's bucket may be missing: that bucket is looked at again.
    const decidesFrom = Math.max(decidesFromAt(closedMs), latestAt ?? 0)
    const stored = latestAt === undefined ? [] : await readTransitions(store, grain, names, historyFrom(decidesFrom))
    found(stored, closedMs)
    const earliestAt = await figures.earliestAt(historyFrom(decidesFrom))
    return {
      detector: detector({ metrics, cadence, latenessMs }, stored),
      nextAt: Math.min(decidesFrom, cadence.startOf(earliestAt ?? decidesFrom)),
      decidesFrom,
    }
  }

  return {
    rollUp: rollUp(store, closing),
    async advance(clockMs, reads) {
      const closedMs = closedUntil(closing, clockMs)
      running ??= await begin(closedMs, reads)
      if (running.nextAt >= closedMs) return 0
      running.decidesFrom = Math.max(running.decidesFrom, decidesFromAt(closedMs))
      running.nextAt = Math.max(running.nextAt, historyFrom(running.decidesFrom))
      // Of the history the last part is compared with what was before it; the rest is only remembered.
      const comparesFrom = cadence.back(running.decidesFrom, history - cadence.kept)
      const rolledMs = (await reads.rolled()).get(grain)?.untilMs ?? -Infinity
      let steps = 0
      while (running.nextAt < closedMs) {
        const ms = running.nextAt < comparesFrom ? historyChunkMs[grain] : chunkMs[grain]
        const toMs = Math.min(closedMs, cadence.startOf(running.nextAt + ms))
        const buckets = await figures.read(closing, { fromMs: running.nextAt, toMs, rolledMs })
        while (running.nextAt < toMs) {
          if (signal.aborted) return steps
          const at = running.nextAt
          const how = at >= running.decidesFrom ? 'decide' : at >= comparesFrom ? 'compare' : 'remember'
          const asked = how === 'decide' && figures.parts !== undefined ? running.detector.asks() : []
          const parts = asked.length === 0 ? [] : await figures.parts!(closing, at, asked)
          const transitions = running.detector.step(at, buckets.get(at) ?? [], how, parts)
          running.nextAt = cadence.endOf(at)
          steps++
          await decided(transitions, how === 'decide' ? running.nextAt : undefined)
          await yieldToOthers()
        }
      }
      return steps
    },
  }
}
