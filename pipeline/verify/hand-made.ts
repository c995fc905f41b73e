// For tests: rows of the tables, made by hand from the few figures that matter, and put into a store.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedStore } from '../adapters/embedded-store.ts'
import type { Store } from '../ports/store.ts'
import type { Table } from '../../schemas/table.ts'
import type { Row } from '../../schemas/field.ts'
import { encodeRows } from '../../schemas/row-binary.ts'
import { featureNames } from '../../schemas/measures.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { eventsTable, type EventRow } from '../../schemas/tables/events.ts'
import { kpiDeltasTable, kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import { tierChangesTable, type TierChangeRow } from '../../schemas/tables/tier-changes.ts'
import { userFeaturesTable, type UserFeaturesRow } from '../../schemas/tables/user-features.ts'

/** A store of its own, empty but for tables, on an engine of its own; `close` leaves nothing behind. */
export async function openTestStore(tables: readonly Table[]): Promise<Store & { dataDir: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-verify-'))
  const { store, close } = await openEmbeddedStore({ dataDir, database: 'reelpulse' })
  await store.migrate(tables, [])
  return {
    ...store,
    dataDir,
    async close() {
      await close()
      rmSync(dataDir, { recursive: true })
    },
  }
}

/** Tables that forget nothing for its age: a log made up for a test may be of any year. */
export const lastingTables = tables.map(({ ttl: _, ...table }): Table => table)

/** A made-up id, as bytes. */
export const anyId = () => Uint8Array.from(Buffer.from(randomUUID().replaceAll('-', ''), 'hex'))

const block = { partition: 0, first_offset: 0, part: 0, block_at: 0 }

/**
 * Events of one partition, in order: each with the clock at its record and when it happened (t; the clock, if not said).
 * Records get the offsets 0, 1, …; an event with `sameRecord` belongs to the record before it.
 */
export function madeEvents(
  events: readonly (Partial<EventRow> & { clock_at: number; t?: number; sameRecord?: boolean })[],
  common: Partial<EventRow> = {},
): EventRow[] {
  let offset = -1
  let ordinal = 0
  return events.map(({ t, sameRecord, ...event }) => {
    if (sameRecord === true) ordinal++
    else [offset, ordinal] = [offset + 1, 0]
    const { clock_at: clockAt } = event
    const happened = t ?? clockAt
    return {
      ...block,
      block_at: clockAt,
      offset,
      ordinal,
      operator_version: 1,
      record_at: clockAt,
      received_at: clockAt,
      event_at: happened,
      occurred_at: happened,
      sent_at: clockAt,
      batch_id: anyId(),
      event_id: anyId(),
      platform: 'ios',
      behavior: 'session_start',
      tier: 'prospect',
      user_id: 'ann',
      device_id: 'd',
      app_version: '8.0.0',
      channel: 'organic',
      region: 'CN-31',
      experiments: {},
      session_id: null,
      content_id: 'c',
      creator_id: 'm',
      category: null,
      surface: null,
      published_at: null,
      watch_ms: null,
      duration_ms: null,
      amount_minor: null,
      currency: event.behavior === 'purchase' ? 'CNY' : null,
      query: event.behavior === 'search' ? 'q' : null,
      ...common,
      ...event,
    }
  })
}

/** A features row that says nothing right but its user and instant. */
export function emptyFeatures(user: string, asOf: number): UserFeaturesRow {
  const sums = Object.fromEntries(featureNames.map((name) => [name, 0])) as Record<(typeof featureNames)[number], number>
  return {
    ...block,
    block_at: asOf,
    as_of: asOf,
    operator_version: 1,
    user_id: user,
    ...sums,
    tier: 'prospect',
    platform: 'android',
    channel: '',
    region: '',
    app_version: '',
    first_seen_at: 0,
    registered_at: null,
    last_seen_at: 0,
    last_purchase_at: null,
    purchases: 0,
    amount_minor: 0,
    active_days_7d: 0,
    active_days_30d: 0,
    purchase_days_90d: 0,
    purchases_90d: 0,
    amount_minor_90d: 0,
    recency_score: 0,
    frequency_score: 0,
    monetary_score: 0,
    top_categories: [],
    top_affinities: [],
  }
}

export function madeChange(change: Pick<TierChangeRow, 'user_id' | 'from' | 'to' | 'as_of'> & Partial<TierChangeRow>): TierChangeRow {
  return {
    ...block,
    block_at: change.as_of,
    operator_version: 1,
    reason: '',
    recency_score: 1,
    frequency_score: 1,
    monetary_score: 1,
    ...change,
  }
}

/** The clock row with which a block ends. */
export function clockRow(clockAt: number, firstOffset = 0, partition = 0): Row<typeof kpiDeltasTable.record> {
  const none = Object.fromEntries(kpiMeasures.map((measure) => [measure, 0])) as Record<(typeof kpiMeasures)[number], number>
  return {
    partition,
    first_offset: firstOffset,
    part: 0,
    block_at: clockAt,
    grain: 'minute',
    bucket_at: clockAt,
    dimension: 'clock',
    value: '',
    ...none,
    next_offset: firstOffset + 1,
    partition_count: 1,
  }
}

/** Inserts rows of one table, month by month, because a block of rows goes into one ClickHouse part. */
export async function insertRows<T extends Table>(store: Store, table: T, rows: readonly Row<T['record']>[]): Promise<void> {
  const months = Map.groupBy(rows, (row) => new Date((row as { block_at?: number }).block_at ?? 0).toISOString().slice(0, 7))
  for (const some of months.values())
    await store.insert({
      table: table.name,
      columns: Object.keys(table.record.fields),
      rows: encodeRows(table.record, some),
      token: randomUUID(),
    })
}

export type Made = {
  events?: readonly EventRow[]
  features?: readonly UserFeaturesRow[]
  changes?: readonly TierChangeRow[]
  clockAt?: number
}

/** Empties the tables, then inserts. Without `clockAt` the log ends with the last event. */
export async function fill(store: Store, { events = [], features = [], changes = [], clockAt }: Made): Promise<void> {
  for (const table of [eventsTable, userFeaturesTable, tierChangesTable, kpiDeltasTable])
    await store.command(`TRUNCATE TABLE ${table.name}`)
  const end = clockAt ?? Math.max(...events.map((event) => event.clock_at))
  const ended = <R extends { block_at: number }>(rows: readonly R[]) => rows.map((row) => ({ ...row, block_at: end }))
  await insertRows(store, eventsTable, ended(events))
  await insertRows(store, userFeaturesTable, ended(features))
  await insertRows(store, tierChangesTable, ended(changes))
  await insertRows(store, kpiDeltasTable, [clockRow(end)])
}
