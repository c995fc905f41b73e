// Brings to one receiver what it is owed: each transition until it is acknowledged, those of one cell in order, none waiting for another
// cell's, and none for another receiver's (each has a pump of its own).
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../log/logger.ts'
import { NotTaken, type Notification, type Notifier } from '../../ports/notifier.ts'
import type { Delivered, Outbox } from './outbox.ts'

export type PumpOptions = {
  outbox: Outbox
  log: Logger
  /** Ends the tries; one under way is waited for. */
  signal: AbortSignal
  now: () => number
  /** Pause after the first failure; it doubles up to a minute. */
  firstPauseMs: number
  watch: DeliveryWatch
}

/** Who counts. */
export type DeliveryWatch = {
  delivered(receiver: string, outcome: 'taken' | 'failed' | 'parked'): void
  /** After each round. `oldestAt`: wall clock since which the longest owed one has been known here. */
  owed(receiver: string, count: number, oldestAt: number | undefined): void
}

export type Pump = {
  /** There is something new. */
  wake(): void
  /** Resolves when nothing is owed, or the pump has ended. */
  settled(): Promise<void>
}

/** Without being woken it looks so often: another detector may have stored something and died. */
const lookMs = 10_000
const longestPauseMs = 60_000
/** Requests at a time. */
const atOnce = 4
/** So far back (log time) it looks for what another process stored late. */
const lookBackMs = 48 * 3_600_000
/** What has ended is told for so long (log time), because another detector may have said after it that it fires. */
const resolvedToldMs = 15 * 60_000

/** What has one identity at the receiver: its transitions must not overtake each other, also those of two alerts. */
const laneOf = ({ kind, aboutId, kpi, grain, dimension, value }: Notification): string =>
  JSON.stringify(kind === 'kpi' ? [kpi, grain, dimension, value] : [kind, aboutId])

type Lane = { queue: Notification[]; tries: number; failingSince: number | undefined; notBefore: number; since: number }

export function pump(notifier: Notifier, { outbox, log, signal, now, firstPauseMs, watch }: PumpOptions): Pump {
  const { name, refresh } = notifier
  const lanes = new Map<string, Lane>()
  /** By alert: the sequence that is next, as far as this process knows better than the table. */
  const next = new Map<string, number>()
  const unrecorded: Delivered[] = []
  const toldFiring = new Set<string>()
  let since: { began: number; highest: number } | undefined
  let refreshedAt = 0
  let brokenRounds = 0
  let woken = true
  let wakeUp = () => {}
  let waiting: (() => void)[] = []

  const pauseAfter = (failures: number) => Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 20))

  async function recordAll(): Promise<void> {
    for (let first; (first = unrecorded[0]) !== undefined; unrecorded.shift()) await outbox.record(first)
  }

  async function fetchOwed(): Promise<void> {
    const isFirst = since === undefined
    if (since === undefined) {
      const began = await outbox.begin(now())
      since = { began, highest: began }
    }
    const oldest = Math.min(...[...lanes.values()].map(({ queue }) => queue[0]!.decidedAt))
    const from = isFirst ? since.began : Math.max(since.began, Math.min(oldest, since.highest - lookBackMs))
    const queues = new Map<string, Notification[]>()
    for (const one of await outbox.owed(from, isFirst || lanes.size > 0)) {
      since.highest = Math.max(since.highest, one.decidedAt)
      if (one.sequence < (next.get(one.alertId) ?? 0)) continue
      const lane = laneOf(one)
      const queue = queues.get(lane)
      if (queue === undefined) queues.set(lane, [one])
      else queue.push(one)
    }
    for (const key of lanes.keys()) if (!queues.has(key)) lanes.delete(key)
    for (const [key, queue] of queues) {
      const lane = lanes.get(key)
      if (lane === undefined) lanes.set(key, { queue, tries: 0, failingSince: undefined, notBefore: 0, since: now() })
      else lane.queue = queue
    }
  }

  function done(lane: Lane, one: Notification, outcome: Delivered['outcome'], error: string): void {
    const { alertId, sequence, decidedAt } = one
    unrecorded.push({ alertId, sequence, decidedAt, outcome, deliveredAt: now(), tries: lane.tries + 1, error })
    next.set(alertId, sequence + 1)
    lane.queue.shift()
    lane.tries = 0
    lane.failingSince = undefined
    lane.notBefore = 0
    watch.delivered(name, outcome)
    if (outcome === 'taken' && one.firedAt !== undefined && one.state !== 'resolved') toldFiring.add(alertId)
  }

  /** True where the lane is through. */
  async function deliver(lane: Lane): Promise<boolean> {
    for (let one; (one = lane.queue[0]) !== undefined;) {
      if (signal.aborted) return false
      try {
        await notifier.notify(one)
        done(lane, one, 'taken', '')
      } catch (error) {
        lane.failingSince ??= now()
        const { alertId, sequence, state } = one
        const facts = { err: error, notifier: name, alert: alertId, sequence, state }
        const patienceMs = error instanceof NotTaken ? error.patienceMs : Infinity
        if (now() - lane.failingSince >= patienceMs) {
          log.error(facts, 'an alert is refused, and sending it again cannot cure that: it is parked, and the next ones go on')
          done(lane, one, 'parked', error instanceof Error ? error.message : String(error))
          continue
        }
        lane.tries++
        const pauseMs = pauseAfter(lane.tries)
        lane.notBefore = now() + pauseMs
        watch.delivered(name, 'failed')
        log.warn({ ...facts, retry_in_ms: pauseMs }, 'an alert was not taken; trying again')
        return false
      }
    }
    return true
  }

  /** Those that failed least come first. A receiver that takes nothing at all is left alone for a while. */
  async function deliverDue(): Promise<void> {
    const due = [...lanes.values()].filter(({ notBefore }) => notBefore <= now()).toSorted((a, b) => a.tries - b.tries)
    let failed = 0
    let took = false
    const worker = async () => {
      for (let lane; (lane = due.shift()) !== undefined && (took || failed < atOnce);) {
        const before = lane.queue.length
        const through = await deliver(lane)
        if (through || lane.queue.length < before) took = true
        else failed++
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, due.length) }, worker))
    for (const [key, { queue }] of lanes) if (queue.length === 0) lanes.delete(key)
    brokenRounds = failed > 0 && !took ? brokenRounds + 1 : 0
  }

  /** In the same line as the deliveries, so that what fires is never said after what has ended. */
  async function refreshDue(): Promise<void> {
    if (refresh === undefined || since === undefined || now() - refreshedAt < refresh.everyMs) return
    refreshedAt = now()
    const latest = await outbox.current(since.highest - resolvedToldMs, [...toldFiring])
    const fires = new Set(latest.filter(({ state }) => state !== 'resolved').map(laneOf))
    const told = latest.filter((one) => one.state !== 'resolved' || !fires.has(laneOf(one)))
    if (told.length === 0) return
    try {
      await refresh.notify(told)
      for (const { alertId, state } of told) if (state === 'resolved') toldFiring.delete(alertId)
    } catch (error) {
      watch.delivered(name, 'failed')
      log.warn({ err: error, notifier: name, alerts: told.length }, 'what fires could not be said anew; trying again')
    }
  }

  function tellWatch(): void {
    const queued = [...lanes.values()]
    const count = queued.reduce((sum, { queue }) => sum + queue.length, 0)
    watch.owed(name, count, count === 0 ? undefined : Math.min(...queued.map(({ since }) => since)))
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      woken = false
      let pauseMs = lookMs
      try {
        await recordAll()
        await fetchOwed()
        tellWatch()
        await deliverDue()
        await recordAll()
        await refreshDue()
        failures = 0
        const soonest = Math.min(...[...lanes.values()].map(({ notBefore }) => notBefore)) - now()
        const refreshMs = refresh === undefined ? Infinity : refreshedAt + refresh.everyMs - now()
        pauseMs = Math.max(brokenRounds > 0 ? pauseAfter(brokenRounds) : 1, Math.min(lookMs, soonest, refreshMs))
      } catch (error) {
        pauseMs = pauseAfter(++failures)
        log.warn({ err: error, notifier: name, retry_in_ms: pauseMs }, 'the store does not say what is owed, or take what was delivered')
      }
      tellWatch()
      if (!woken && lanes.size === 0 && unrecorded.length === 0) settle()
      if (signal.aborted || (woken && brokenRounds === 0 && failures === 0)) continue
      const asleep = new AbortController()
      wakeUp = () => brokenRounds === 0 && failures === 0 && asleep.abort()
      await sleep(pauseMs, undefined, { signal: AbortSignal.any([signal, asleep.signal]) }).catch(() => {})
      wakeUp = () => {}
    }
    // What was delivered last is recorded where the store takes it; else it is delivered once more after the next start.
    await recordAll().catch(() => {})
    const left = [...lanes.values()].reduce((sum, { queue }) => sum + queue.length, 0)
    if (left > 0) log.warn({ notifier: name, alerts: left }, 'stopped before all alerts were taken: the next start sends them')
  }
  function settle(): void {
    for (const resolve of waiting) resolve()
    waiting = []
  }

  let ended = false
  void run()
    .catch((error: unknown) => log.error({ err: error, notifier: name }, 'deliveries have ended by a fault; the next start goes on'))
    .finally(() => {
      ended = true
      settle()
    })

  return {
    wake() {
      woken = true
      wakeUp()
    },
    settled() {
      if (ended) return Promise.resolve()
      woken = true
      wakeUp()
      return new Promise((resolve) => waiting.push(resolve))
    },
  }
}
