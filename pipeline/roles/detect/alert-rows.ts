// Transitions of alerts as rows of `alerts`, and back.
import type { ToldCauses } from '../../../operators/alerts/tell.ts'
import type { Transition } from '../../../operators/detect/detector.ts'
import { encodeRows } from '../../../schemas/row-binary.ts'
import type { Grain } from '../../../schemas/tables/kpi-deltas.ts'
import { alertsTable } from '../../../schemas/tables/alerts.ts'
import { alertRowOf } from '../../alerts/alert-row.ts'
import type { Notification } from '../../ports/notifier.ts'
import type { InsertBlock, Store } from '../../ports/store.ts'
import { uuidBytes, uuidOfName, uuidText } from '../../uuid.ts'

const alerts = uuidBytes('0d3c5f64-6f0b-5e4f-9a51-6f0e8f5c2a77')

/** Follows from what the alert is about and the bucket it began in: whoever decides it gives it this id. */
export const alertIdOf = (topic: string, { kpi, grain, dimension, value, begunAt }: Transition): string =>
  uuidText(uuidOfName(alerts, JSON.stringify([topic, kpi, grain, dimension, value, begunAt])))

/** One transition is one insert under a token of its own: decided twice, by two detectors or after a crash, it is there once. */
export const alertInsert = (notification: Notification): InsertBlock => ({
  table: alertsTable.name,
  columns: Object.keys(alertsTable.record.fields),
  rows: encodeRows(alertsTable.record, [alertRowOf(notification)]),
  token: `alerts/${notification.alertId}/${notification.sequence}`,
})

export function notificationOf(topic: string, transition: Transition, told?: ToldCauses): Notification {
  const { begunAt: _, ...rest } = transition
  const alertId = alertIdOf(topic, transition)
  return { ...rest, topic, alertId, aboutId: alertId, kind: 'kpi', ...causesIn(told) }
}

/** Nothing where they were not looked for. */
export const causesIn = (told: ToldCauses | undefined): Pick<Notification, 'causes' | 'attribution'> =>
  told === undefined ? {} : { causes: told.causes, attribution: { verdict: told.verdict, change: told.change } }

/** Start of the bucket of the latest transition of one of these KPIs; undefined before the first. */
export async function latestTransitionAt(store: Store, grain: Grain, kpis: readonly string[]): Promise<number | undefined> {
  const [row] = await store.query<{ transitions: number; at: number }>(
    `SELECT count() AS transitions, toUnixTimestamp64Milli(max(bucket_at)) AS at FROM alerts
     WHERE kind = 'kpi' AND grain = '${grain}' AND kpi IN {kpis:Array(String)}`,
    { kpis },
  )
  return row === undefined || row.transitions === 0 ? undefined : row.at
}

/** Every transition of the grain's alerts on these KPIs that are not resolved, or had one in a bucket from `sinceMs` on; by alert, in order. */
export async function readTransitions(store: Store, grain: Grain, kpis: readonly string[], sinceMs: number): Promise<Transition[]> {
  const rows = await store.query<StoredAlert>(
    `SELECT state, kpi, grain, dimension, value, sequence, actual, baseline, denominator, reason,
       toUnixTimestamp64Milli(bucket_at) AS bucketAt, toUnixTimestamp64Milli(decided_at) AS decidedAt,
       toUnixTimestamp64Milli(fired_at) AS firedAt, toUnixTimestamp64Milli(due_at) AS dueAt,
       toUnixTimestamp64Milli(min(bucket_at) OVER (PARTITION BY alert_id)) AS begunAt
     FROM alerts
     WHERE kind = 'kpi' AND grain = '${grain}' AND kpi IN {kpis:Array(String)} AND alert_id IN (
       SELECT alert_id FROM alerts GROUP BY alert_id
       HAVING argMax(state, sequence) != 'resolved' OR max(bucket_at) >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
     )
     ORDER BY alert_id, sequence
     LIMIT 1 BY alert_id, sequence`,
    { since: sinceMs, kpis },
  )
  // A KPI that the catalogue no longer has is nobody's to go on with.
  return rows.map((row) => ({
    ...row,
    firedAt: row.firedAt === 0 ? undefined : row.firedAt,
    dueAt: row.dueAt === 0 ? undefined : row.dueAt,
  }))
}

type StoredAlert = Omit<Transition, 'firedAt' | 'dueAt'> & { firedAt: number; dueAt: number }
