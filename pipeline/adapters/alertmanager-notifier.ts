// Alerts to Prometheus's Alertmanager (API v2), which groups, routes and silences them.
import { alertNameOf, descriptionOf, instantText, likelyCauseText, severityOf, summaryOf } from '../../operators/alerts/tell.ts'
import type { BoardLink } from '../alerts/board-link.ts'
import type { Notification, Notifier } from '../ports/notifier.ts'
import { post } from './http-post.ts'

export type AlertmanagerOptions = { boardLink?: BoardLink | undefined; now?: () => number; refreshMs?: number }

/**
 * An alert is said to end so much later (ms), and that is said anew every minute: a detector that is down for a night must not look like a
 * recovery, and an Alertmanager that was started anew, and has forgotten, knows again within a minute.
 */
const holdsMs = 24 * 3_600_000
const everyMs = 60_000

/** As API v2 takes it (postableAlerts). Its labels are its identity there: they are the same through the alert's life. */
export type PostedAlert = {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAt: string
  readonly endsAt: string
  readonly generatorURL?: string
}

/** `url`: Alertmanager's own, with its path prefix where it has one. */
export function alertmanagerNotifier(url: string, { boardLink, now = Date.now, refreshMs = everyMs }: AlertmanagerOptions = {}): Notifier {
  const { host, href } = new URL(url)
  const endpoint = `${href.replace(/\/+$/, '')}/api/v2/alerts`
  const send = async (notifications: readonly Notification[]) => {
    // What was only suspected is nothing to wake anybody for.
    const fired = notifications.filter(({ firedAt }) => firedAt !== undefined)
    if (fired.length > 0) await post(endpoint, JSON.stringify(fired.map((one) => postedAlert(one, now(), boardLink))))
  }
  return {
    name: `alertmanager ${host}`,
    notify: (notification) => send([notification]),
    refresh: { everyMs: refreshMs, notify: send },
  }
}

export function postedAlert(notification: Notification, nowMs: number, boardLink?: BoardLink): PostedAlert {
  const { kind, state, kpi, grain, dimension, value, topic, firedAt, decidedAt, dueAt } = notification
  // Log time can be ahead of the wall clock, in a simulation; an alert of the future would be refused, or never sent.
  const startsAt = Math.min(firedAt ?? decidedAt, nowMs)
  const endsAt = state === 'resolved' ? Math.max(startsAt, Math.min(decidedAt, nowMs)) : nowMs + holdsMs
  const link = boardLink?.(notification)
  const likely = likelyCauseText(notification)
  return {
    labels: {
      alertname: alertNameOf(notification),
      kpi, grain, dimension, topic,
      severity: severityOf(notification),
      service: 'reelpulse',
      // A label without a value is none.
      ...(value === '' ? {} : { value }),
      // A KPI can fire again in a cell whose last review is still owed.
      ...(kind === 'kpi' ? {} : { about_id: notification.aboutId }),
    },
    annotations: {
      summary: summaryOf(notification),
      description: descriptionOf(notification),
      state,
      alert_id: notification.alertId,
      actual: String(notification.actual),
      baseline: String(notification.baseline),
      reason: notification.reason,
      ...(likely === undefined ? {} : { cause: likely }),
      ...(dueAt === undefined ? {} : { due_at: instantText(dueAt) }),
      ...(link === undefined ? {} : { board: link }),
    },
    startsAt: new Date(startsAt).toISOString(),
    endsAt: new Date(endsAt).toISOString(),
    ...(link === undefined ? {} : { generatorURL: link }),
  } // prettier-ignore
}
