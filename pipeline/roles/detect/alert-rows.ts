// Transitions of alerts as rows of `alerts`, and back.
import { cellText, type ToldCauses } from '../../../operators/alerts/tell.ts'
import type { Transition } from '../../../operators/detect/track.ts'
import { encodeRows } from '../../../schemas/row-binary.ts'
import type { Grain } from '../../../schemas/tables/kpi-deltas.ts'
import { alertsTable } from '../../../schemas/tables/alerts.ts'
import { alertRowOf } from '../../alerts/alert-row.ts'
import type { Notification } from '../../ports/notifier.ts'
import type { InsertBlock, Store } from '../../ports/store.ts'
import { uuidBytes, uuidOfName, uuidText } from '../../uuid.ts'

const alerts = uuidBytes('0d3c5f64-6f0b-5e4f-9a51-6f0e8f5c2a77')

type Named = Pick<Transition, 'kpi' | 'grain' | 'dimension' | 'value' | 'begunAt'>

/** Follows from what the alert is about and the bucket it began in: whoever decides it gives it this id. */
export const alertIdOf = (topic: string, { kpi, grain, dimension, value, begunAt }: Named): string =>
  uuidText(uuidOfName(alerts, JSON.stringify([topic, kpi, grain, dimension, value, begunAt])))

/** One transition is one insert under a token of its own: decided twice, by two detectors or after a crash, it is there once. */
export const alertInsert = (notification: Notification): InsertBlock => ({
  table: alertsTable.name,
  columns: Object.keys(alertsTable.record.fields),
  rows: encodeRows(alertsTable.record, [alertRowOf(notification)]),
  token: `alerts/${notification.alertId}/${notification.sequence}`,
})

export function notificationOf(topic: string, transition: Transition, told?: ToldCauses): Notification {
  const { begunAt: _, held, ...rest } = transition
  const alertId = alertIdOf(topic, transition)
  const aboutId = held?.by === undefined ? alertId : alertIdOf(topic, { ...transition, ...held.by })
  return { ...rest, topic, alertId, aboutId, kind: 'kpi', ...causesIn(told) }
}

/** What an alert is about: itself, where an older row does not say. `of`: how the table is called, with a dot. */
export const aboutIdSql = (of = '') => `if(${of}about_id = toUUID('00000000-0000-0000-0000-000000000000'), ${of}alert_id, ${of}about_id)`

/** Nothing where they were not looked for. */
export const causesIn = (told: ToldCauses | undefined): Pick<Notification, 'causes' | 'attribution'> =>
  told === undefined ? {} : { causes: told.causes, attribution: { verdict: told.verdict, change: told.change } }

/** Nothing where it holds back none. */
export const holdsIn = (held: readonly string[] | undefined): Pick<Notification, 'holdsBack'> =>
  held === undefined ? {} : { holdsBack: held }

/** Of each grain and KPI, start of the bucket of its latest transition. */
export type LatestTransitions = readonly { readonly grain: Grain; readonly kpi: string; readonly at: number }[]

export function readLatestTransitions(store: Store): Promise<LatestTransitions> {
  return store.query(
    `SELECT toString(grain) AS grain, kpi, toUnixTimestamp64Milli(max(bucket_at)) AS at FROM alerts WHERE kind = 'kpi' GROUP BY alerts.grain, kpi`,
  )
}

/** Of these KPIs; undefined before the first. */
export function latestAtOf(latest: LatestTransitions, grain: Grain, kpis: readonly string[]): number | undefined {
  const found = latest.filter((one) => one.grain === grain && kpis.includes(one.kpi)).map(({ at }) => at)
  return found.length === 0 ? undefined : Math.max(...found)
}

/** Every transition of the grain's alerts on these KPIs that are not resolved, or had one in a bucket from `sinceMs` on; by alert, in order. */
export async function readTransitions(store: Store, grain: Grain, kpis: readonly string[], sinceMs: number): Promise<Transition[]> {
  const rows = await store.query<StoredAlert>(
    `SELECT state, kpi, grain, dimension, value, sequence, actual, baseline, denominator, reason, state = 'resolved' AND ${aboutIdSql()} != alert_id AS isHeld,
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
  return rows.map(({ isHeld, ...row }) => ({
    ...row,
    ...(isHeld === 1 ? { held: { by: undefined } } : {}),
    firedAt: row.firedAt === 0 ? undefined : row.firedAt,
    dueAt: row.dueAt === 0 ? undefined : row.dueAt,
  }))
}

/** By alert: the cells whose alerts it holds back. Of one that holds back none there is nothing. */
export async function readHeld(store: Store, alertIds: readonly string[]): Promise<Map<string, string[]>> {
  if (alertIds.length === 0) return new Map()
  const rows = await store.query<{ id: string; dimension: string; value: string }>(
    `SELECT DISTINCT toString(about_id) AS id, toString(dimension) AS dimension, value FROM alerts
     WHERE kind = 'kpi' AND state = 'resolved' AND about_id IN {ids:Array(UUID)} AND about_id != alert_id
     ORDER BY id, dimension, value`,
    { ids: alertIds },
  )
  const held = new Map<string, string[]>()
  for (const { id, ...cell } of rows) held.set(id, [...(held.get(id) ?? []), cellText(cell)])
  return held
}

type StoredAlert = Omit<Transition, 'firedAt' | 'dueAt'> & { firedAt: number; dueAt: number; isHeld: number }
