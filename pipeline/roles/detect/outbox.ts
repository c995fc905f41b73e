// What is owed to a receiver, and what became of it: `alerts` less `alert_deliveries`. Whoever delivers, and however often it dies, asks
// these tables.
import { encodeRows } from '../../../schemas/row-binary.ts'
import { alertDeliveriesTable, type AlertDeliveryRow } from '../../../schemas/tables/alert-deliveries.ts'
import type { Notification } from '../../ports/notifier.ts'
import type { ToldCauses } from '../../../operators/alerts/tell.ts'
import type { Store } from '../../ports/store.ts'
import { uuidBytes } from '../../uuid.ts'
import { aboutIdSql, causesIn, holdsIn, readHeld } from './alert-rows.ts'
import { readCauses } from './cause-rows.ts'

/** A receiver that is new is told of what is open, and of the last hour. */
const toldAtFirstMs = 3_600_000
/** What was parked longer ago than this (log time) is not tried again at a start: nobody acts on it any more. */
const parkedKeptMs = 72 * 3_600_000

export type Delivered = Pick<Notification, 'alertId' | 'sequence' | 'decidedAt'> & {
  readonly outcome: 'taken' | 'parked'
  readonly deliveredAt: number
  readonly tries: number
  readonly error: string
}

export type Outbox = {
  /** Since when anything is owed to the receiver, by decided_at; remembered from its first start on. */
  begin(nowMs: number): Promise<number>
  /** Transitions decided from `sinceMs` on that are not acknowledged, oldest first; those of one alert in order. `again`: also what was parked of late. */
  owed(sinceMs: number, again: boolean): Promise<Notification[]>
  record(delivered: Delivered): Promise<void>
  /** The latest transition of every alert that fired and is open, or is named, or was resolved since. */
  current(resolvedSinceMs: number, named: readonly string[]): Promise<Notification[]>
}

export function outbox(store: Store, topic: string, receiver: string): Outbox {
  return {
    async begin(nowMs) {
      const [known] = await store.query<{ since: number }>(
        "SELECT toUnixTimestamp64Milli(decided_at) AS since FROM alert_deliveries WHERE receiver = {receiver:String} AND outcome = 'began' LIMIT 1",
        { receiver },
      )
      if (known !== undefined) return known.since
      const [found] = await store.query<{ alerts: number; latest: number; open: number; first_open: number }>(
        `SELECT count() AS alerts, toUnixTimestamp64Milli(max(last_at)) AS latest, countIf(state != 'resolved') AS open,
           toUnixTimestamp64Milli(minIf(first_at, state != 'resolved')) AS first_open
         FROM (SELECT argMax(state, sequence) AS state, min(decided_at) AS first_at, max(decided_at) AS last_at FROM alerts GROUP BY alert_id)`,
      )
      const { alerts, latest, open, first_open: firstOpen } = found!
      const since = alerts === 0 ? 0 : Math.max(0, Math.min(latest - toldAtFirstMs, open === 0 ? Infinity : firstOpen))
      const none = '00000000-0000-0000-0000-000000000000'
      await insert(store, receiver, 'began', {
        outcome: 'began', alertId: none, sequence: 0, decidedAt: since, deliveredAt: nowMs, tries: 0, error: '',
      }) // prettier-ignore
      return since
    },

    async owed(sinceMs, again) {
      const rows = await store.query<NotificationRow>(
        `SELECT ${notificationColumns}
         FROM alerts LEFT JOIN (
           SELECT alert_id, maxIf(sequence + 1, outcome = 'taken') AS taken, maxIf(sequence + 1, outcome = 'parked') AS parked
           FROM alert_deliveries WHERE receiver = {receiver:String} AND outcome != 'began' GROUP BY alert_id
         ) AS deliveries ON alerts.alert_id = deliveries.alert_id
         WHERE decided_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND sequence >= deliveries.taken AND (
           sequence >= deliveries.parked
           OR {again:Bool} AND decided_at > (SELECT max(decided_at) FROM alerts) - toIntervalMillisecond({kept:Int64})
         )
         ORDER BY alerts.decided_at, alerts.alert_id, sequence
         LIMIT 1 BY alerts.alert_id, sequence`,
        { receiver, since: sinceMs, again, kept: parkedKeptMs },
      )
      return withFound(store, topic, rows)
    },

    record: (delivered) => insert(store, receiver, `${delivered.alertId}/${delivered.sequence}/${delivered.outcome}`, delivered),

    async current(resolvedSinceMs, named) {
      const rows = await store.query<NotificationRow>(
        `SELECT ${notificationColumns} FROM alerts
         WHERE fired_at != 0 AND (alert_id, sequence) IN (SELECT alert_id, max(sequence) FROM alerts GROUP BY alert_id)
           AND (state != 'resolved' OR decided_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') OR has({named:Array(String)}, toString(alert_id)))
         ORDER BY alerts.decided_at, alerts.alert_id
         LIMIT 1 BY alert_id`,
        { since: resolvedSinceMs, named },
      )
      return withFound(store, topic, rows)
    },
  }
}

/** With the latest that was found of each alert that fired, and what it holds back. What is owed does not wait for it. */
async function withFound(store: Store, topic: string, rows: readonly NotificationRow[]): Promise<Notification[]> {
  const ids = rows.filter(({ kind, firedAt }) => kind === 'kpi' && firedAt !== 0).map(({ alertId }) => alertId)
  const fired = [...new Set(ids)]
  const [found, held] = await Promise.all([
    readCauses(store, fired).catch(() => new Map<string, ToldCauses>()),
    readHeld(store, fired).catch(() => new Map<string, string[]>()),
  ])
  return rows.map((row) => ({
    ...notificationOfRow(topic, row, row.firedAt === 0 ? undefined : found.get(row.alertId)),
    ...holdsIn(held.get(row.alertId)),
  }))
}

/** `what` makes the token: the same delivery recorded by two processes is there once. */
async function insert(
  store: Store,
  receiver: string,
  what: string,
  { alertId, sequence, outcome, decidedAt, deliveredAt, tries, error }: Omit<Delivered, 'outcome'> & Pick<AlertDeliveryRow, 'outcome'>,
): Promise<void> {
  const row: AlertDeliveryRow = {
    receiver, alert_id: uuidBytes(alertId), sequence, outcome, decided_at: decidedAt, delivered_at: deliveredAt, tries, error,
  } // prettier-ignore
  await store.insert({
    table: alertDeliveriesTable.name,
    columns: Object.keys(alertDeliveriesTable.record.fields),
    rows: encodeRows(alertDeliveriesTable.record, [row]),
    token: `alert_deliveries/${receiver}/${what}`,
  })
}

export type NotificationRow = Omit<Notification, 'topic' | 'firedAt' | 'dueAt' | 'causes' | 'attribution'> & {
  firedAt: number
  dueAt: number
}

/** Of table `alerts`, which has that name in the query. */
export const notificationColumns = `toString(alerts.alert_id) AS alertId, alerts.sequence AS sequence, toString(alerts.kind) AS kind,
  toString(${aboutIdSql('alerts.')}) AS aboutId, toString(alerts.state) AS state, alerts.kpi AS kpi,
  toString(alerts.grain) AS grain, toString(alerts.dimension) AS dimension, alerts.value AS value,
  toUnixTimestamp64Milli(alerts.bucket_at) AS bucketAt, toUnixTimestamp64Milli(alerts.decided_at) AS decidedAt,
  toUnixTimestamp64Milli(alerts.fired_at) AS firedAt, toUnixTimestamp64Milli(alerts.due_at) AS dueAt,
  alerts.actual AS actual, alerts.baseline AS baseline, alerts.denominator AS denominator, alerts.reason AS reason`

export const notificationOfRow = (topic: string, row: NotificationRow, told?: ToldCauses): Notification => ({
  ...row,
  ...causesIn(told),
  topic,
  firedAt: row.firedAt === 0 ? undefined : row.firedAt,
  dueAt: row.dueAt === 0 ? undefined : row.dueAt,
})
