// One transition of an alert as a row of `alerts`; the messages of topic `kpi-alerts` begin with the same fields.
import type { AlertRow } from '../../schemas/tables/alerts.ts'
import type { Notification } from '../ports/notifier.ts'
import { uuidBytes } from '../uuid.ts'

export function alertRowOf(notification: Notification): AlertRow {
  return {
    alert_id: uuidBytes(notification.alertId),
    sequence: notification.sequence,
    state: notification.state,
    kpi: notification.kpi,
    grain: notification.grain,
    dimension: notification.dimension,
    value: notification.value,
    bucket_at: notification.bucketAt,
    decided_at: notification.decidedAt,
    fired_at: notification.firedAt ?? 0,
    due_at: notification.dueAt ?? 0,
    actual: notification.actual,
    baseline: notification.baseline,
    denominator: notification.denominator,
    reason: notification.reason,
    kind: notification.kind,
    about_id: uuidBytes(notification.aboutId),
  }
}
