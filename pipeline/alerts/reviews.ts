// What people see of alerts and do about them: the service behind `reelpulse alert`, and behind whatever else shows alerts.
import { randomUUID } from 'node:crypto'
import { hindranceOf, type ReviewInput } from '../../operators/alerts/review.ts'
import { encodeRows } from '../../schemas/row-binary.ts'
import { alertReviewsTable, type AlertReviewRow, type ReviewAction } from '../../schemas/tables/alert-reviews.ts'
import type { AlertKind, AlertState } from '../../schemas/tables/alerts.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../ports/store.ts'
import { readHeld } from '../roles/detect/alert-rows.ts'
import { readRevisions, type StoredCause } from '../roles/detect/cause-rows.ts'
import { uuidBytes } from '../uuid.ts'

export type ReviewStage = 'open' | 'noted' | 'acknowledged' | 'reviewed' | 'closed'

/** An alert that fired; a row of `alert_history`. Instants in ms, 0: not yet. */
export type AlertSummary = {
  alert_id: string
  kind: AlertKind
  about_id: string
  kpi: string
  grain: Grain
  dimension: string
  value: string
  state: AlertState
  begun_at: number
  fired_at: number
  due_at: number
  resolved_at: number
  actual_at_firing: number
  baseline: number
  denominator_at_firing: number
  reason: string
  review: ReviewStage
  acknowledged_at: number
  acknowledged_by: string
  cause: string
  strategy: string
  strategy_at: number
  closed_at: number
  closed_by: string
  /** Of the latest look at the likely causes: what it comes to, and the causes in a line; empty where there was none. */
  causes_verdict: string
  likely_causes: string
}

export type AlertDetail = AlertSummary & {
  transitions: { sequence: number; state: AlertState; decided_at: number; actual: number; reason: string }[]
  reviews: {
    reviewed_at: number
    reviewed_by: string
    action: ReviewAction
    cause: string
    strategy: string
    strategy_at: number
    text: string
  }[]
  /** Cells whose alerts it explains. */
  holds_back: string[]
  /** All that was found, earliest revision first. */
  causes: StoredCause[]
  deliveries: { receiver: string; sequence: number; outcome: string; delivered_at: number; tries: number; error: string }[]
}

/** `open`: fires or recovers. `unreviewed`: fired, and no cause is written. */
export type AlertFilter = { which: 'open' | 'unreviewed' | 'all'; kpi?: string | undefined; limit: number }

export type ReviewRequest = ReviewInput & {
  /** When the strategy took effect (ms); undefined: now. */
  strategyAt?: number | undefined
  /** Chosen by who asks, so that asking twice writes once; a UUID. */
  reviewId?: string | undefined
}

/** `ambiguous`: several alerts begin so. */
export type Found<T> = { kind: 'found'; value: T } | { kind: 'unknown' } | { kind: 'ambiguous'; ids: string[] }

const instants = ['begun_at', 'fired_at', 'due_at', 'resolved_at', 'acknowledged_at', 'strategy_at', 'closed_at'] as const
const words = ['alert_id', 'kind', 'about_id', 'grain', 'dimension', 'state', 'review'] as const
const others = [
  'kpi', 'value', 'actual_at_firing', 'baseline', 'denominator_at_firing', 'reason', 'acknowledged_by', 'cause', 'strategy', 'closed_by', 'causes_verdict', 'likely_causes',
] as const // prettier-ignore
const ms = (column: string) => `toUnixTimestamp64Milli(h.${column}) AS ${column}`
const summaryColumns = [
  ...words.map((name) => `toString(h.${name}) AS ${name}`),
  ...instants.map(ms),
  ...others.map((name) => `h.${name} AS ${name}`),
]

const conditions: Record<AlertFilter['which'], string> = {
  open: "h.state != 'resolved'",
  unreviewed: "h.kind = 'kpi' AND h.review IN ('open', 'noted', 'acknowledged')",
  all: 'true',
}

export async function listAlerts(store: Store, { which, kpi, limit }: AlertFilter): Promise<AlertSummary[]> {
  return store.query<AlertSummary>(
    `SELECT ${summaryColumns.join(', ')} FROM alert_history AS h
     WHERE ${conditions[which]} AND ({kpi:String} = '' OR h.kpi = {kpi:String})
     ORDER BY h.fired_at DESC, h.alert_id LIMIT {limit:UInt32}`,
    { kpi: kpi ?? '', limit },
  )
}

/** `id`: whole, or as much of its beginning as tells it from the others. */
export async function findAlert(store: Store, id: string): Promise<Found<AlertSummary>> {
  const rows = await store.query<AlertSummary>(
    `SELECT ${summaryColumns.join(', ')} FROM alert_history AS h WHERE startsWith(toString(h.alert_id), {id:String}) ORDER BY h.alert_id LIMIT 10`,
    { id: id.toLowerCase() },
  )
  const exact = rows.find(({ alert_id }) => alert_id === id.toLowerCase())
  if (exact !== undefined) return { kind: 'found', value: exact }
  if (rows.length > 1) return { kind: 'ambiguous', ids: rows.map(({ alert_id }) => alert_id) }
  return rows[0] === undefined ? { kind: 'unknown' } : { kind: 'found', value: rows[0] }
}

export async function showAlert(store: Store, alert: AlertSummary): Promise<AlertDetail> {
  const id = { id: alert.alert_id }
  const at = (column: string) => `toUnixTimestamp64Milli(t.${column}) AS ${column}`
  const transitions = await store.query<AlertDetail['transitions'][number]>(
    `SELECT t.sequence AS sequence, toString(t.state) AS state, ${at('decided_at')}, t.actual AS actual, t.reason AS reason
     FROM alerts AS t WHERE t.alert_id = {id:UUID} ORDER BY t.sequence LIMIT 1 BY t.sequence`,
    id,
  )
  const reviews = await store.query<AlertDetail['reviews'][number]>(
    `SELECT ${at('reviewed_at')}, t.reviewed_by AS reviewed_by, toString(t.action) AS action, t.cause AS cause, t.strategy AS strategy, ${at('strategy_at')}, t.text AS text
     FROM alert_reviews AS t WHERE t.alert_id = {id:UUID} ORDER BY t.reviewed_at, t.review_id LIMIT 1 BY t.review_id`,
    id,
  )
  const deliveries = await store.query<AlertDetail['deliveries'][number]>(
    `SELECT t.receiver AS receiver, t.sequence AS sequence, toString(t.outcome) AS outcome, ${at('delivered_at')}, t.tries AS tries, t.error AS error
     FROM alert_deliveries AS t WHERE t.alert_id = {id:UUID} AND t.outcome != 'began' ORDER BY t.receiver, t.sequence, t.delivered_at`,
    id,
  )
  const [causes, held] = [await readRevisions(store, alert.alert_id), await readHeld(store, [alert.alert_id])]
  return { ...alert, transitions, reviews, holds_back: held.get(alert.alert_id) ?? [], causes, deliveries }
}

/** Why it cannot be written, in words; undefined: it is. */
export async function writeReview(store: Store, alert: AlertSummary, request: ReviewRequest, nowMs: number): Promise<string | undefined> {
  const { action, by, cause, strategy, text, strategyAt = nowMs, reviewId = randomUUID() } = request
  if (alert.kind === 'review_overdue') return `this alert is about the review of another: write it for ${alert.about_id}`
  const before = request.reviewId === undefined ? undefined : await writtenBefore(store, alert.alert_id, request.reviewId)
  if (before !== undefined)
    return before.action === action && before.by === by && before.cause === cause && before.strategy === strategy && before.text === text
      ? undefined
      : 'this review is written already, with other words: write another'
  const hindrance = hindranceOf(request, { isClosed: alert.closed_at > 0, cause: alert.cause })
  if (hindrance !== undefined) return hindrance
  const row: AlertReviewRow = {
    alert_id: uuidBytes(alert.alert_id), review_id: uuidBytes(reviewId), action, reviewed_at: nowMs, reviewed_by: by, cause, strategy,
    strategy_at: strategy === '' ? 0 : strategyAt, text,
  } // prettier-ignore
  await store.insert({
    table: alertReviewsTable.name,
    columns: Object.keys(alertReviewsTable.record.fields),
    rows: encodeRows(alertReviewsTable.record, [row]),
    token: `alert_reviews/${reviewId}`,
  })
  return undefined
}

/** Who sends a review again, since its answer was lost, is told what came of it the first time. */
async function writtenBefore(store: Store, alertId: string, reviewId: string): Promise<ReviewInput | undefined> {
  const rows = await store.query<ReviewInput>(
    `SELECT toString(t.action) AS action, t.reviewed_by AS by, t.cause AS cause, t.strategy AS strategy, t.text AS text
     FROM alert_reviews AS t WHERE t.alert_id = {alert:UUID} AND t.review_id = {review:UUID} LIMIT 1`,
    { alert: alertId, review: reviewId },
  )
  return rows[0]
}
