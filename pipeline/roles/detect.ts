// The detect role: looks at every minute, hour and day that has closed, keeps the alerts in table `alerts`, tells the notifiers, and rolls
// what has closed up into `kpi_cells`, and into `kpi_daily` what looks at other days too.
import { setTimeout as sleep } from 'node:timers/promises'
import { cadenceOf } from '../../operators/detect/cadence.ts'
import type { Transition } from '../../operators/detect/track.ts'
import { zone } from '../../operators/time/zone.ts'
import { grains } from '../../schemas/tables/kpi-deltas.ts'
import type { Logger } from '../log/logger.ts'
import type { Notifier } from '../ports/notifier.ts'
import { StoreAway, type Store } from '../ports/store.ts'
import { alertIdOf, alertInsert, holdsIn, notificationOf, readHeld, readLatestTransitions } from './detect/alert-rows.ts'
import { leastClock, readClocks, type Clocks } from './detect/clocks.ts'
import { causes } from './detect/causes.ts'
import { dailyFigures, dailyInBackground } from './detect/daily-figures.ts'
import { delivery, type Delivery } from './detect/delivery.ts'
import { overdueReviews } from './detect/overdue.ts'
import { readRolledUps } from './detect/roll-up.ts'
import type { DetectWatch } from './detect/watch.ts'
import { cellFigures, watchGrain, type PollReads } from './detect/watch-grain.ts'
import { watchDaily } from './detect/watch-daily.ts'
import { watchSignals } from './detect/watch-signals.ts'

export type DetectOptions = {
  store: Store
  /** `zone`: hours and days are its own. */
  settings: { topic: string; latenessMs: number; zone: string }
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
  await detection.settled()
  await deliveries.settled()
}

/** Causes that are due are looked for once in so much of log time. */
const lookMs = 60_000

export type Detection = {
  /**
   * Looks at all buckets that have closed since the last poll, in order, and rolls some of them up. Returns at how many it looked. Throws
   * StoreAway; the next poll goes on.
   */
  poll(): Promise<number>
  /** Once nothing is under way that a poll began and did not wait for. */
  settled(): Promise<void>
}

export function newDetection(
  { store, settings, log, signal, watch, causesPatienceMs: patienceMs }: Omit<DetectOptions, 'notifiers'>,
  deliveries: Delivery,
): Detection {
  const { topic, latenessMs } = settings
  const clocks: Clocks = new Map()
  const unstored: Transition[] = []
  const reviews = overdueReviews(store, topic)
  const attribution = causes({ store, settings, log, patienceMs })
  signal.addEventListener('abort', attribution.close, { once: true })

  const watching = {
    store, latenessMs, signal,
    zone: zone(settings.zone),
    found: tellAgain,
    async decided(transitions: readonly Transition[], closedMs: number | undefined) {
      unstored.push(...transitions)
      if (closedMs !== undefined) watch?.evaluated(closedMs)
      await storeAll()
    },
  } // prettier-ignore
  const watches = grains.map((grain) => watchGrain({ ...watching, grain, figures: cellFigures(store, grain) }))
  const dayClosing = { grain: 'day', cadence: cadenceOf('day', watching.zone), latenessMs } as const
  const daily = dailyInBackground(dailyFigures(store, dayClosing, settings.zone), log)
  const days = watchDaily(watching)
  const signals = watchSignals({ ...watching, topic, log })

  function tellAgain(stored: readonly Transition[], closedMs: number): void {
    const latest = new Map(stored.map((transition) => [notificationOf(topic, transition).alertId, transition]))
    for (const transition of latest.values())
      if (transition.state !== 'resolved' || transition.bucketAt >= closedMs - toldAgainMs)
        deliveries.send(notificationOf(topic, transition))
  }

  async function storeAll(): Promise<void> {
    for (let transition; (transition = unstored[0]) !== undefined; unstored.shift()) {
      // Before it: whoever finds the transition in the table is to find its causes too.
      const told = await attribution.before(transition)
      const alertId = alertIdOf(topic, transition)
      const held = transition.firedAt === undefined ? undefined : (await readHeld(store, [alertId])).get(alertId)
      const notification = { ...notificationOf(topic, transition, told), ...holdsIn(held) }
      await store.insert(alertInsert(notification))
      const { kpi, dimension, value, state, reason } = transition
      log.info({ kpi, dimension, value, state, bucket_at: new Date(transition.bucketAt).toISOString() }, reason)
      watch?.transition(state)
      deliveries.send(notification)
    }
  }

  return {
    async poll() {
      await storeAll()
      await readClocks(store, clocks)
      const clockMs = leastClock(clocks)
      if (clockMs === undefined) return 0
      const reads = pollReads(store)
      let steps = 0
      for (const one of watches) steps += await one.advance(clockMs, reads)
      steps += await signals.advance(clockMs, reads)
      attribution.look(Math.floor((clockMs - latenessMs) / lookMs) * lookMs)
      for (const notification of await reviews.look(clockMs - latenessMs)) {
        log.info({ alert: notification.aboutId, state: notification.state }, notification.reason)
        deliveries.send(notification)
      }
      if (!signal.aborted) daily.look(clockMs)
      steps += await days.advance(clockMs, daily.reached(), reads)
      for (const { rollUp } of watches) if (!signal.aborted && rollUp.isDue(clockMs)) await rollUp.advance(clockMs, await reads.rolled())
      return steps
    },
    settled: daily.settled,
  }
}

function pollReads(store: Store): PollReads {
  const reading: { rolled?: ReturnType<PollReads['rolled']>; latest?: ReturnType<PollReads['latest']> } = {}
  return {
    rolled: () => (reading.rolled ??= readRolledUps(store)),
    latest: () => (reading.latest ??= readLatestTransitions(store)),
  }
}
