// The detect role: looks at every minute that has closed, keeps the alerts in table `alerts`, and tells the notifiers.
import { setImmediate as yieldToOthers, setTimeout as sleep } from 'node:timers/promises'
import { cadenceOf, lookbackBuckets } from '../../operators/detect/cadence.ts'
import { detector, type Detector, type Transition } from '../../operators/detect/detector.ts'
import { metricsOf } from '../../operators/detect/watched.ts'
import { zone } from '../../operators/time/zone.ts'
import type { Logger } from '../log/logger.ts'
import type { Notifier } from '../ports/notifier.ts'
import { StoreAway, type Store } from '../ports/store.ts'
import { alertInsert, latestTransitionAt, notificationOf, readTransitions } from './detect/alert-rows.ts'
import { bucketMs, closedUntil, earliestBucketAt, readBuckets, readClocks, type Clocks } from './detect/closed-buckets.ts'
import { causes } from './detect/causes.ts'
import { delivery, type Delivery } from './detect/delivery.ts'
import { overdueReviews } from './detect/overdue.ts'
import type { DetectWatch } from './detect/watch.ts'

export type DetectOptions = {
  store: Store
  settings: { topic: string; latenessMs: number }
  notifiers: readonly Notifier[]
  log: Logger
  /** Ends the role after the bucket it is at. */
  signal: AbortSignal
  /** Who counts. */
  watch?: DetectWatch
  /** How long an alert waits for its likely causes before it is told without (ms). */
  causesPatienceMs?: number
  /** Told after each poll. */
  onState?: (state: 'running' | 'waiting_for_store', error?: string) => void
}

/** Nobody acts on a drop that is older than this in log time: after a longer pause it begins there. */
const furthestBackMs = 12 * 3_600_000
// Minutes repeat with the week whatever the zone, but where its clocks change: those are not waited for.
const cadence = cadenceOf('minute', zone('UTC'))
const metrics = metricsOf('minute')
const historyMs = lookbackBuckets(cadence) * bucketMs
/** Of the history the last so much is compared with what was before it; the rest is only remembered. */
const comparedMs = historyMs - cadence.kept * bucketMs
/** Read at once. */
const chunkMs = 6 * 3_600_000
const historyChunkMs = 24 * 3_600_000
/** At a start, what changed in this last stretch of log time is told again to who forgets: views in this process. */
const toldAgainMs = 3_600_000
const pollMs = 1_000
const longestPauseMs = 30_000

/** Runs until the signal. The wall clock only paces it: what it decides follows from kpi_deltas. */
export async function detect(options: DetectOptions): Promise<void> {
  const { log, signal } = options
  const deliveries = delivery(options.notifiers, { store: options.store, topic: options.settings.topic, log, signal, watch: options.watch })
  const detection = newDetection(options, deliveries)
  let pauseMs = pollMs
  while (!signal.aborted) {
    try {
      await detection.poll()
      pauseMs = pollMs
      options.onState?.('running')
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
      pauseMs = Math.min(longestPauseMs, pauseMs * 2)
      options.onState?.('waiting_for_store', error.message)
      log.warn({ err: error, retry_in_ms: pauseMs }, 'the store is away; trying again')
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
  }
  await deliveries.settled()
}

export type Detection = {
  /** Looks at all minutes that have closed since the last poll, in order. Returns how many. Throws StoreAway; the next poll goes on. */
  poll(): Promise<number>
}

export function newDetection(
  { store, settings, log, signal, watch, causesPatienceMs: patienceMs }: Omit<DetectOptions, 'notifiers'>,
  deliveries: Delivery,
): Detection {
  const { topic, latenessMs } = settings
  const clocks: Clocks = new Map()
  let running: { readonly detector: Detector; nextAt: number; decidesFrom: number } | undefined
  const unstored: Transition[] = []
  const reviews = overdueReviews(store, topic)
  const attribution = causes({ store, settings, log, patienceMs })
  signal.addEventListener('abort', attribution.close, { once: true })

  async function begin(closedMs: number) {
    const latestAt = await latestTransitionAt(store)
    // Another transition of the latest one's bucket may be missing: that bucket is looked at again.
    const decidesFrom = Math.max(closedMs - furthestBackMs, latestAt ?? 0)
    const stored = await readTransitions(store, decidesFrom - historyMs)
    const again = new Map(stored.map((transition) => [notificationOf(topic, transition).alertId, transition]))
    for (const transition of again.values())
      if (transition.state !== 'resolved' || transition.bucketAt >= closedMs - toldAgainMs)
        deliveries.send(notificationOf(topic, transition))
    const earliestAt = await earliestBucketAt(store, decidesFrom - historyMs)
    const nextAt = Math.min(decidesFrom, earliestAt ?? decidesFrom)
    return { detector: detector({ metrics, cadence, latenessMs }, stored), nextAt, decidesFrom }
  }

  async function storeAll(): Promise<void> {
    for (let transition; (transition = unstored[0]) !== undefined; unstored.shift()) {
      // Before it: whoever finds the transition in the table is to find its causes too.
      const told = await attribution.before(transition)
      await store.insert(alertInsert(topic, transition))
      const { kpi, dimension, value, state, reason } = transition
      log.info({ kpi, dimension, value, state, bucket_at: new Date(transition.bucketAt).toISOString() }, reason)
      watch?.transition(state)
      deliveries.send(notificationOf(topic, transition, told))
    }
  }

  return {
    async poll() {
      await storeAll()
      await readClocks(store, clocks)
      const closedMs = closedUntil(clocks, latenessMs)
      if (closedMs === undefined) return 0
      running ??= await begin(closedMs)
      running.decidesFrom = Math.max(running.decidesFrom, closedMs - furthestBackMs)
      running.nextAt = Math.max(running.nextAt, running.decidesFrom - historyMs)
      let decided = 0
      while (running.nextAt < closedMs) {
        const comparesFrom = running.decidesFrom - comparedMs
        const toMs = Math.min(closedMs, running.nextAt + (running.nextAt < comparesFrom ? historyChunkMs : chunkMs))
        const buckets = await readBuckets(store, running.nextAt, toMs, latenessMs)
        while (running.nextAt < toMs) {
          if (signal.aborted) return decided
          const at = running.nextAt
          const how = at >= running.decidesFrom ? 'decide' : at >= comparesFrom ? 'compare' : 'remember'
          unstored.push(...running.detector.step(at, buckets.get(at) ?? [], how))
          running.nextAt += bucketMs
          decided++
          if (how === 'decide') watch?.evaluated(at + bucketMs)
          await storeAll()
          await yieldToOthers()
        }
      }
      attribution.look(closedMs)
      for (const notification of await reviews.look(closedMs)) {
        log.info({ alert: notification.aboutId, state: notification.state }, notification.reason)
        deliveries.send(notification)
      }
      return decided
    },
  }
}
