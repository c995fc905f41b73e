// Alerts to a URL: one POST of JSON for each transition. Anything but 2xx is an error, and the role tries again.
import type { Notification, Notifier } from '../ports/notifier.ts'

const timeoutMs = 10_000

export function webhookNotifier(url: string): Notifier {
  // The URL may carry a secret: messages name the host only.
  const { host } = new URL(url)
  return {
    name: `webhook ${host}`,
    async notify(notification) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `${notification.alertId}/${notification.sequence}` },
        body: JSON.stringify(webhookBody(notification)),
        // A redirected POST arrives as a GET, without its body.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      })
      await response.body?.cancel()
      if (response.status < 200 || response.status > 299) throw new Error(`${host} answered ${response.status}, not 2xx`)
    },
  }
}

/** What the receiver gets: snake_case, instants in ISO 8601. */
export function webhookBody(notification: Notification): Readonly<Record<string, string | number | null>> {
  const instant = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())
  return {
    alert_id: notification.alertId,
    sequence: notification.sequence,
    state: notification.state,
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
  }
}
