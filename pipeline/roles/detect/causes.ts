// Finds the likely causes of each alert that fires, before it is told where that takes no longer than seconds; once more when there is more
// to see, and when it is over. No alert is lost, or held for long, because its causes are not to be had.
import { laterMsOf, revisions, windowsOf, type Revision } from '../../../operators/attribution/windows.ts'
import type { ToldCauses } from '../../../operators/alerts/tell.ts'
import type { Transition } from '../../../operators/detect/detector.ts'
import { kpiOfEvents, type KpiOfEvents } from '../../../operators/kpi/event-sql.ts'
import type { Logger } from '../../log/logger.ts'
import type { Store } from '../../ports/store.ts'
import { alertIdOf } from './alert-rows.ts'
import { causesInsert, readCauses, type Found } from './cause-rows.ts'
import { explainer } from './explainer.ts'
import { readLeaves } from './read-leaves.ts'

export type CausesOptions = {
  store: Store
  settings: { topic: string; latenessMs: number }
  log: Logger
  /** What a single attribution may take; all that are made before alerts are told, in any half minute, somewhat more. */
  patienceMs?: number
  now?: () => number
}

export type Causes = {
  /** Of a transition that is about to be stored: finds what it calls for, and returns what is known; undefined where that is nothing. Never throws. */
  before(transition: Transition): Promise<ToldCauses | undefined>
  /** Where log time has gone on: makes up for what was not found in time, and looks once more at what has fired a while ago. Never throws. */
  look(closedMs: number): Promise<void>
  close(): Promise<void>
}

const patienceMsDefault = 4_000
/** Alerts wait for their causes so long in each half minute, all together; those that would wait longer are told without. */
const budgetMs = 5_000
const budgetEveryMs = 30_000
/** After one that failed or took too long nothing is made up for in this time (ms): the next alerts are not to wait for that. */
const restMs = 30_000
/** What fired longer ago (log time) is not looked at again. */
const furthestBackMs = 3 * 86_400_000
const mostTries = 3
const keptAnswers = 8

type About = Pick<Transition, 'kpi' | 'grain' | 'dimension' | 'value' | 'begunAt'> & { alertId: string }

export function causes({ store, settings, log, patienceMs = patienceMsDefault, now = () => performance.now() }: CausesOptions): Causes {
  const { topic, latenessMs } = settings
  const thread = explainer()
  /** Alerts of one KPI that began and fired together ask the same. */
  const answers = new Map<string, Found>()
  const tries = new Map<string, number>()
  let budget = { leftMs: budgetMs, sinceMs: -Infinity }
  let lookedAt = -Infinity
  let restsUntilMs = -Infinity

  async function find(
    about: About,
    kpi: KpiOfEvents,
    revision: Revision,
    endAt: number,
    knownAt: number,
    signal: AbortSignal,
  ): Promise<Found> {
    const windows = windowsOf(revision, about.grain, about.begunAt, endAt)
    const key = JSON.stringify([about.kpi, about.dimension, windows, knownAt])
    const kept = answers.get(key)
    if (kept !== undefined) return kept
    const answer = await readLeaves(store, { kpi, grain: about.grain, windows, knownAt, cell: about })
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
  async function make(
    about: About,
    kpi: KpiOfEvents,
    revision: Revision,
    endAt: number,
    knownAt: number,
    limitMs: number,
  ): Promise<boolean> {
    const facts = { alert: about.alertId, kpi: about.kpi, revision }
    const timer = new AbortController()
    const timeout = setTimeout(() => timer.abort(), limitMs)
    const late = new Promise<never>((_, reject) => {
      timer.signal.addEventListener('abort', () => reject(new Error(`it took longer than ${Math.round(limitMs)} ms`)), { once: true })
    })
    try {
      const work = find(about, kpi, revision, endAt, knownAt, timer.signal).then((found) =>
        timer.signal.aborted ? undefined : store.insert(causesInsert(about.alertId, revision, found)),
      )
      await Promise.race([work, late])
      return true
    } catch (error) {
      restsUntilMs = now() + restMs
      log.warn({ err: error, ...facts }, 'the causes of an alert were not found; it goes on without')
      return false
    } finally {
      clearTimeout(timeout)
    }
  }

  return {
    async before(transition) {
      const { firedAt, state, decidedAt } = transition
      const kpi = kpiOfEvents(transition.kpi)
      if (firedAt === undefined || kpi === undefined) return undefined
      const about = { ...transition, alertId: alertIdOf(topic, transition) }
      const revision = state === 'resolved' ? 'resolved' : state === 'firing' && firedAt === decidedAt ? 'firing' : undefined
      const begunAt = now()
      if (begunAt - budget.sinceMs > budgetEveryMs) budget = { leftMs: budgetMs, sinceMs: begunAt }
      const limitMs = Math.min(patienceMs, budget.leftMs)
      try {
        if (limitMs <= 0) return undefined
        if (revision !== undefined) await make(about, kpi, revision, decidedAt - latenessMs, decidedAt, limitMs)
        return await withinMs(
          readCauses(store, [about.alertId]).then((known) => known.get(about.alertId)),
          limitMs,
        )
      } catch {
        // The store is away: storing the transition will tell.
        return undefined
      } finally {
        budget.leftMs -= now() - begunAt
      }
    },

    async look(closedMs) {
      if (closedMs <= lookedAt || now() < restsUntilMs) return
      try {
        const untilMs = now() + budgetMs
        const knownMs = closedMs + latenessMs
        for (const alert of await readFired(store, knownMs - furthestBackMs)) {
          const kpi = kpiOfEvents(alert.kpi)
          const revision = dueRevision(alert, knownMs)
          if (kpi === undefined || revision === undefined) continue
          const key = `${alert.alertId}/${revision}`
          const before = tries.get(key) ?? 0
          if (before >= mostTries) continue
          const limitMs = Math.min(patienceMs, untilMs - now())
          // The rest at the next look.
          if (limitMs <= 0) return
          const decidedAt = revision === 'resolved' ? alert.resolvedAt : alert.firedAt
          const knownAt = revision === 'later' ? alert.firedAt + laterMsOf(alert.grain) : decidedAt
          const made = await make(alert, kpi, revision, decidedAt - latenessMs, knownAt, limitMs)
          if (!made) {
            tries.set(key, before + 1)
            return
          }
          tries.delete(key)
        }
        lookedAt = closedMs
      } catch (error) {
        log.warn({ err: error }, 'which alerts still want their causes could not be read; trying again')
      }
    },

    close: () => thread.close(),
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

type FiredAlert = About & { firedAt: number; resolvedAt: number; revisions: number[] }

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
