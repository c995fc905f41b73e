// Looks for alerts whose root-cause review is overdue, or has come, and stores what follows from that in `alerts`.
import { instantText, cellText } from '../../../operators/alerts/tell.ts'
import { decideReview } from '../../../operators/alerts/review.ts'
import type { Notification } from '../../ports/notifier.ts'
import type { Store } from '../../ports/store.ts'
import { uuidBytes, uuidOfName, uuidText } from '../../uuid.ts'
import { alertInsert } from './alert-rows.ts'
import { notificationColumns, notificationOfRow, type NotificationRow } from './outbox.ts'

const overdueAlerts = uuidBytes('6f1b3a0e-52d7-5c86-8c1d-1f7be1a4d0c9')
/** Log time between two looks: ten minutes are nothing beside three days. */
const everyMs = 600_000
/** Of what was due longer ago and was never told, nothing is told any more: such alerts are older than the reviews themselves. */
const furthestBackMs = 7 * 86_400_000

export type OverdueReviews = {
  /** Where ten minutes of log time have gone by: stores what has changed, and returns it. */
  look(nowMs: number): Promise<Notification[]>
}

export function overdueReviews(store: Store, topic: string): OverdueReviews {
  let nextAt = -Infinity
  return {
    async look(nowMs) {
      if (nowMs < nextAt) return []
      const told = []
      for (const { reviewedAt, overdue, ...row } of await readReviews(store, nowMs)) {
        const about = notificationOfRow(topic, row)
        const facts = {
          dueAt: about.dueAt!,
          reviewedAt: reviewedAt === 0 ? undefined : reviewedAt,
          overdue: overdue === 'firing' || overdue === 'resolved' ? overdue : undefined,
        } as const
        const to = decideReview(facts, nowMs)
        if (to === undefined) continue
        const notification = overdueNotification(about, to, nowMs)
        await store.insert(alertInsert(notification))
        told.push(notification)
      }
      nextAt = nowMs + everyMs
      return told
    },
  }
}

function overdueNotification(about: Notification, state: 'firing' | 'resolved', nowMs: number): Notification {
  const what = `the alert on ${about.kpi} of ${cellText(about)} that fired at ${instantText(about.firedAt!)}`
  return {
    ...about,
    alertId: uuidText(uuidOfName(overdueAlerts, about.alertId)),
    aboutId: about.alertId,
    kind: 'review_overdue',
    sequence: state === 'firing' ? 0 : 1,
    state,
    bucketAt: about.dueAt!,
    decidedAt: nowMs,
    // Whoever decides it, and when: it has been overdue since it was due.
    firedAt: about.dueAt,
    reason:
      state === 'firing'
        ? `The root-cause review of ${what} was due at ${instantText(about.dueAt!)}, and none is written: reelpulse alert show ${about.alertId}`
        : `The root-cause review of ${what} is written`,
  }
}

/** The transition to firing of each alert whose review is due, with what became of the review, but for those that are through. */
async function readReviews(store: Store, nowMs: number): Promise<(NotificationRow & { reviewedAt: number; overdue: string })[]> {
  return store.query(
    `SELECT ${notificationColumns}, toUnixTimestamp64Milli(reviews.first_reviewed_at) AS reviewedAt, toString(told.told_state) AS overdue
     FROM alerts
     LEFT JOIN alert_review_state AS reviews ON alerts.alert_id = reviews.alert_id
     LEFT JOIN (
       SELECT about_id, argMax(toString(alerts.state), alerts.sequence) AS told_state FROM alerts WHERE kind = 'review_overdue' GROUP BY about_id
     ) AS told ON alerts.alert_id = told.about_id
     WHERE alerts.kind = 'kpi' AND alerts.state = 'firing' AND alerts.due_at <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
       AND (told.told_state = 'firing' OR told.told_state = '' AND alerts.due_at > fromUnixTimestamp64Milli({now:Int64} - {back:Int64}, 'UTC'))
     ORDER BY alerts.alert_id, alerts.sequence
     LIMIT 1 BY alerts.alert_id`,
    { now: nowMs, back: furthestBackMs },
  )
}
