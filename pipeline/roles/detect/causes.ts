// Finds the likely causes of each alert that fires, before it is told where that takes no longer than seconds; once more when there is more
// to see, and when it is over. No alert is lost, or held for long, because its causes are not to be had.
import { laterMsOf, revisions, windowsOf, type Revision } from '../../../operators/attribution/windows.ts'
import type { ToldCauses } from '../../../operators/alerts/tell.ts'
import type { Transition } from '../../../operators/detect/track.ts'
import { kpiOfEvents, type KpiOfEvents } from '../../../operators/kpi/event-sql.ts'
import type { Logger } from '../../log/logger.ts'
import type { Store } from '../../ports/store.ts'
import { alertIdOf } from './alert-rows.ts'
import { causesInsert, readCauses, type Found } from './cause-rows.ts'
import { explainer, type Explainer } from './explainer.ts'
import { readLeaves } from './read-leaves.ts'

export type CausesOptions = {
  store: Store
  settings: { topic: string; latenessMs: number; zone: string }
  log: Logger
  /** How long an alert waits for its causes (ms). */
  patienceMs?: number | undefined
  now?: () => number
}

export type Causes = {
  /** Of a transition that is about to be stored: finds what it calls for, and returns what is known; undefined where that is nothing. Never throws. */
  before(transition: Transition): Promise<ToldCauses | undefined>
  /**
   * Where log time has gone on: begins to make up for what was not found in time, and to look once more at what has fired a while ago.
   * Nobody waits for it, so it may take longer.
   */
  look(closedMs: number): void
  close(): void
}

const usualPatienceMs = 4_000
/** What one may take that nobody waits for. */
const longPatienceMs = 60_000
/** In each such time (ms) all alerts together wait a quarter longer than one may; those that would wait beyond that are told without. */
const budgetEveryMs = 30_000
/** After one that failed or took too long nothing is made up for in this time (ms): the store has other work. */
const restMs = 30_000
/** What fired longer ago (log time) is not looked at again. */
const furthestBackMs = 3 * 86_400_000
const mostTries = 3
const keptAnswers = 8

type About = Pick<Transition, 'kpi' | 'grain' | 'dimension' | 'value' | 'begunAt'> & { readonly alertId: string }

type Task = {
  readonly about: About
  readonly kpi: KpiOfEvents
  readonly revision: Revision
  /** Of the transition to firing; where it is resolved, of that. */
  readonly decidedAt: number
  readonly thread: Explainer
  readonly limitMs: number
}

export function causes({ store, settings, log, patienceMs = usualPatienceMs, now = () => performance.now() }: CausesOptions): Causes {
  const budgetMs = patienceMs * 1.25
  const { topic, latenessMs, zone } = settings
  // What nobody waits for must not stand before what somebody does.
  const [urgent, patient] = [explainer(), explainer()]
  /** Alerts of one KPI that began and fired together ask the same. */
  const answers = new Map<string, Found>()
  const tries = new Map<string, number>()
  let budget = { leftMs: budgetMs, sinceMs: -Infinity }
  let lookedAt = -Infinity
  /** Log time before which nothing is due, unless an alert fires or ends: that this process decides too, whoever stores it. */
  let dueAt = -Infinity
  let restsUntilMs = -Infinity
  let isLooking = false
  let isClosed = false
  const stop = new AbortController()

  async function find({ about, kpi, revision, decidedAt, thread, limitMs }: Task, signal: AbortSignal): Promise<Found> {
    const windows = windowsOf(revision, about.grain, about.begunAt, decidedAt - latenessMs)
    const knownAt = revision === 'later' ? decidedAt + laterMsOf(about.grain) : decidedAt
    const key = JSON.stringify([about.kpi, about.dimension, windows, knownAt])
    const kept = answers.get(key)
    if (kept !== undefined) return kept
    const answer = await readLeaves(store, { kpi, grain: about.grain, windows, zone, knownAt, cell: about, limitMs })
    let found: Found
    if (answer.kind === 'too_many') {
      const explanation = { kind: 'nothing', because: 'there are too many leaves', leaves: 0 } as const
      found = { explanation, leftOut: [], unit: { effects: 1, counts: 1 }, windows, knownAt }
    } else {
      const { counted, scale, leftOut } = answer
      const explanation = await thread.explain(counted, scale, { direction: kpi.direction }, signal)
      found = { explanation, leftOut, unit: { effects: scale / kpi.per, counts: scale }, windows, knownAt }
    }
    answers.set(key, found)
    for (const [oldest] of answers) if (answers.size > keptAnswers) answers.delete(oldest)
    return found
  }

  /** Finds and stores. False where it could not. */
  async function make(task: Task): Promise<boolean> {
    if (isClosed) return false
    const { about, revision, limitMs } = task
    const timer = new AbortController()
    const late = Promise.withResolvers<never>()
    const end = (why: string) => {
      timer.abort()
      late.reject(new Error(why))
    }
    const timeout = setTimeout(() => end(`it took longer than ${Math.round(limitMs)} ms`), limitMs)
    const stopped = () => end('the role stops')
    stop.signal.addEventListener('abort', stopped, { once: true })
    try {
      const work = find(task, timer.signal).then((found) =>
        timer.signal.aborted ? undefined : store.insert(causesInsert(about.alertId, revision, found)),
      )
      await Promise.race([work, late.promise])
      return true
    } catch (error) {
      restsUntilMs = now() + restMs
      const facts = { err: error, alert: about.alertId, kpi: about.kpi, revision }
      if (!isClosed) log.warn(facts, 'the causes of an alert were not found; it goes on without')
      return false
    } finally {
      clearTimeout(timeout)
      stop.signal.removeEventListener('abort', stopped)
    }
  }

  /** False where something is left for the next time. */
  async function lookAt(knownMs: number): Promise<boolean> {
    let next = Infinity
    dueAt = Infinity
    for (const about of await readFired(store, knownMs - furthestBackMs)) {
      const kpi = kpiOfEvents(about.kpi)
      const revision = dueRevision(about, knownMs)
      if (kpi === undefined) continue
      const laterAt = about.firedAt + laterMsOf(about.grain)
      if (about.resolvedAt === 0 && laterAt > knownMs) next = Math.min(next, laterAt)
      if (revision === undefined) continue
      const key = `${about.alertId}/${revision}`
      const before = tries.get(key) ?? 0
      if (before >= mostTries) continue
      const decidedAt = revision === 'resolved' ? about.resolvedAt : about.firedAt
      const made = await make({ about, kpi, revision, decidedAt, thread: patient, limitMs: longPatienceMs })
      if (isClosed) return false
      tries.set(key, before + 1)
      if (!made) return false
      tries.delete(key)
    }
    dueAt = Math.min(dueAt, next)
    return true
  }

  return {
    async before(transition) {
      const { firedAt, state, decidedAt } = transition
      const kpi = kpiOfEvents(transition.kpi)
      if (firedAt === undefined || kpi === undefined) return undefined
      dueAt = -Infinity
      const about = { ...transition, alertId: alertIdOf(topic, transition) }
      const revision = state === 'resolved' ? 'resolved' : state === 'firing' && firedAt === decidedAt ? 'firing' : undefined
      const begunAt = now()
      if (begunAt - budget.sinceMs > budgetEveryMs) budget = { leftMs: budgetMs, sinceMs: begunAt }
      const limitMs = Math.min(patienceMs, budget.leftMs)
      if (limitMs <= 0) return undefined
      if (revision !== undefined) await make({ about, kpi, revision, decidedAt, thread: urgent, limitMs })
      const leftMs = Math.max(1, limitMs - (now() - begunAt))
      const told = await withinMs(readCauses(store, [about.alertId]), leftMs).catch(() => undefined)
      budget.leftMs -= now() - begunAt
      return told?.get(about.alertId)
    },

    look(closedMs) {
      if (closedMs <= lookedAt || closedMs + latenessMs < dueAt || isLooking || isClosed || now() < restsUntilMs) return
      isLooking = true
      lookAt(closedMs + latenessMs)
        .then((all) => {
          if (all) lookedAt = closedMs
          else dueAt = -Infinity
        })
        .catch((error: unknown) => {
          dueAt = -Infinity
          if (!isClosed) log.warn({ err: error }, 'which alerts still want their causes could not be read; trying again')
        })
        .finally(() => (isLooking = false))
    },

    close() {
      isClosed = true
      stop.abort()
      for (const thread of [urgent, patient]) void thread.close()
    },
  }
}

/** It goes on after that; nobody waits for it. */
async function withinMs<T>(work: Promise<T>, limitMs: number): Promise<T | undefined> {
  const timer = Promise.withResolvers<undefined>()
  const timeout = setTimeout(() => timer.resolve(undefined), limitMs)
  try {
    return await Promise.race([work, timer.promise])
  } finally {
    clearTimeout(timeout)
  }
}

type FiredAlert = About & { readonly firedAt: number; readonly resolvedAt: number; readonly revisions: readonly number[] }

function dueRevision({ grain, firedAt, resolvedAt, revisions: there }: FiredAlert, knownMs: number): Revision | undefined {
  const due: Revision = resolvedAt !== 0 ? 'resolved' : knownMs >= firedAt + laterMsOf(grain) ? 'later' : 'firing'
  return there.includes(revisions.indexOf(due)) ? undefined : due
}

/** Alerts that fired since, with what has been found of each; in the order of their firing. */
function readFired(store: Store, sinceMs: number): Promise<FiredAlert[]> {
  return store.query<FiredAlert>(
    `SELECT fired.*, found.revisions AS revisions
     FROM (
       SELECT toString(alerts.alert_id) AS alertId, any(alerts.kpi) AS kpi, toString(any(alerts.grain)) AS grain, toString(any(alerts.dimension)) AS dimension,
         any(alerts.value) AS value, toUnixTimestamp64Milli(min(alerts.bucket_at)) AS begunAt, toUnixTimestamp64Milli(max(alerts.fired_at)) AS firedAt,
         toUnixTimestamp64Milli(maxIf(alerts.decided_at, alerts.state = 'resolved')) AS resolvedAt
       FROM alerts
       WHERE alerts.kind = 'kpi' AND alerts.alert_id IN (
         SELECT alert_id FROM alerts WHERE kind = 'kpi' AND state = 'firing' AND fired_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
       )
       GROUP BY alerts.alert_id
     ) AS fired
     LEFT JOIN (SELECT toString(alert_id) AS id, groupUniqArray(revision) AS revisions FROM alert_causes GROUP BY alert_id) AS found ON fired.alertId = found.id
     ORDER BY fired.firedAt, fired.alertId`,
    { since: sinceMs },
  )
}
