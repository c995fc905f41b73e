// Alerts to a URL: one POST of JSON for each transition, signed where a secret is set.
import { descriptionOf, summaryOf } from '../../operators/alerts/tell.ts'
import type { BoardLink } from '../alerts/board-link.ts'
import type { Notification, Notifier } from '../ports/notifier.ts'
import { post } from './http-post.ts'
import { signatureHeader, signatureOf } from './webhook-signature.ts'

export type WebhookOptions = {
  secret?: string | undefined
  boardLink?: BoardLink | undefined
  now?: () => number
}

export function webhookNotifier(url: string, { secret, boardLink, now = Date.now }: WebhookOptions = {}): Notifier {
  return {
    name: `webhook ${new URL(url).host}`,
    async notify(notification) {
      const body = JSON.stringify(webhookBody(notification, boardLink))
      await post(url, body, {
        'idempotency-key': `${notification.alertId}/${notification.sequence}`,
        ...(secret === undefined ? {} : { [signatureHeader]: signatureOf(secret, body, now()) }),
      })
    },
  }
}

/** What the receiver gets: snake_case, instants in ISO 8601. */
export function webhookBody(notification: Notification, boardLink?: BoardLink): Readonly<Record<string, unknown>> {
  const instant = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())
  return {
    alert_id: notification.alertId,
    sequence: notification.sequence,
    kind: notification.kind,
    about_id: notification.aboutId,
    state: notification.state,
    summary: summaryOf(notification),
    description: descriptionOf(notification),
    topic: notification.topic,
    kpi: notification.kpi,
    grain: notification.grain,
    dimension: notification.dimension,
    value: notification.value,
    bucket_at: instant(notification.bucketAt),
    decided_at: instant(notification.decidedAt),
    fired_at: instant(notification.firedAt),
    due_at: instant(notification.dueAt),
    actual: notification.actual,
    baseline: notification.baseline,
    denominator: notification.denominator,
    reason: notification.reason,
    causes: notification.causes ?? [],
    causes_verdict: notification.attribution?.verdict ?? null,
    holds_back: notification.holdsBack ?? [],
    board_url: boardLink?.(notification) ?? null,
  }
}
