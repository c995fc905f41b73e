// What came of the load: tables and topics against what the log acknowledged and holds. Every figure counts something that must not be.
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { rejectedTopicOf, tierChangesTopicOf } from '../config/names.ts'
import { readFlush } from '../traffic/generator/read-flush.ts'
import { eventKey, faultHeader, serialHeader, type Ledger } from './load.ts'
import { readRecords } from './read-records.ts'

export type Comparison = {
  /** Distinct valid events that were acknowledged, and those that `events` holds. */
  acknowledged: number
  stored: number
  lost: Record<string, number>
  doubled: Record<string, number>
  differ: Record<string, number>
  /** A few of each, to look at. */
  examples: string[]
}

export const sumOf = (figures: Readonly<Record<string, number>>): number => Object.values(figures).reduce((sum, n) => sum + n, 0)

const examplesOfEach = 10

/** What makes a row of an append table the same row again. */
const rowKeys: Readonly<Record<string, string>> = {
  tier_changes: 'user_id, `from`, `to`, as_of',
  rejected_events: 'partition, offset, ordinal',
  kpi_deltas: 'partition, first_offset, part, grain, bucket_at, dimension, value',
}

export async function compare(store: Store, log: Log, topic: string, ledger: Ledger): Promise<Comparison> {
  const examples: string[] = []
  const count = (what: string, found: Iterable<string>): number => {
    const all = [...found]
    for (const one of all.slice(0, examplesOfEach)) examples.push(`${what}: ${one}`)
    return all.length
  }
  const held = await heldByLog(log, topic)
  const stored = await storedEvents(store)
  const wanted = new Set([...ledger.events, ...held.events])

  const rejected = await store.query<{ place: string; reasons: string[] }>(
    "SELECT concat(toString(partition), '/', toString(offset)) AS place, groupUniqArray(toString(reason)) AS reasons FROM rejected_events GROUP BY place",
  )
  const reasons = new Map(rejected.map((row) => [row.place, row.reasons]))
  const chain = await blockChain(store, held.ends)
  const tierChanges = await messageIds(log, tierChangesTopicOf(topic))
  const rejectedMessages = await messageIds(log, rejectedTopicOf(topic))
  const changeRows = await one(store, 'SELECT count() AS n FROM tier_changes')
  const repeats: Record<string, number> = {}
  for (const [table, key] of Object.entries(rowKeys)) repeats[table] = count(`${table} twice`, await repeatedRows(store, table, key))

  const places = [...held.broken.keys(), ...reasons.keys()]
  const wronglyRejected = new Set(places.filter((place) => (reasons.get(place) ?? []).join() !== (held.broken.get(place) ?? '')))
  return {
    acknowledged: ledger.events.size,
    stored: stored.size,
    lost: {
      events: count('lost event', minus(wanted, stored)),
      broken_records: count('acknowledged, but not in the log: record', minus(ledger.broken, held.serials)),
      blocks: count('no block has the offsets', chain.gaps),
      tier_change_messages: Math.max(0, changeRows - tierChanges.distinct),
      rejected_messages: Math.max(0, reasons.size - rejectedMessages.distinct),
    },
    doubled: {
      events: count('event twice', await repeatedRows(store, 'events', 'user_id, event_id')),
      ...repeats,
      blocks: count('two blocks have the offsets', chain.overlaps),
      tier_change_messages: tierChanges.all - tierChanges.distinct,
      rejected_messages: rejectedMessages.all - rejectedMessages.distinct,
    },
    differ: {
      unknown_events: count('event that nobody sent', minus(stored.keys(), wanted)),
      rejected: count(
        'rejected wrongly, or not',
        [...wronglyRejected].map((place) => `${place} is ${reasons.get(place)?.join() ?? 'not rejected'}, but ${held.broken.get(place) ?? 'good'}`),
      ),
      kpi_sums: count('KPI sums', await wrongSums(store)),
      surplus_messages: Math.max(0, tierChanges.distinct - changeRows) + Math.max(0, rejectedMessages.distinct - reasons.size),
    },
    examples,
  } // prettier-ignore
}

function minus(all: Iterable<string>, without: { has(one: string): boolean }): string[] {
  return [...all].filter((one) => !without.has(one))
}

async function one(store: Store, sql: string): Promise<number> {
  return (await store.query<{ n: number }>(sql))[0]!.n
}

/** The load's records that the topic has: valid events, by `partition/offset` what is wrong with the others, and how far they go. */
async function heldByLog(log: Log, topic: string) {
  const events = new Set<string>()
  const serials = new Set<string>()
  const broken = new Map<string, string>()
  const ends: number[] = []
  await readRecords(log, topic, ({ partition, offset, value, headers }) => {
    const serial = headers[serialHeader]
    if (serial === undefined) return // a tick
    serials.add(serial)
    ends[partition] = offset + 1
    const fault = headers[faultHeader]
    if (fault === 'empty') return
    if (fault !== undefined) broken.set(`${partition}/${offset}`, fault)
    else {
      const read = readFlush(value!)!
      for (const { id } of read.events) events.add(eventKey(read.user, id))
    }
  })
  return { events, serials, broken, ends }
}

async function storedEvents(store: Store): Promise<Set<string>> {
  const stored = new Set<string>()
  // In pieces, for the memory of both.
  for (let piece = 0; piece < 16; piece++) {
    const rows = await store.query<{ user_id: string; id: string }>(
      "SELECT user_id, lower(replaceAll(toString(event_id), '-', '')) AS id FROM events WHERE cityHash64(user_id) % 16 = {piece:UInt8}",
      { piece },
    )
    for (const row of rows) stored.add(eventKey(row.user_id, row.id))
  }
  return stored
}

/** One line for each surplus row. */
async function repeatedRows(store: Store, table: string, key: string): Promise<string[]> {
  const rows = await store.query<{ row: string; n: number }>(
    `SELECT toString(tuple(${key})) AS row, count() AS n FROM ${table} GROUP BY ${key} HAVING n > 1`,
  )
  return rows.flatMap(({ row, n }) => Array.from({ length: n - 1 }, () => row))
}

/** By the clock rows: each partition's blocks follow each other from the log's beginning to `ends`, with no offset in none or in two. */
async function blockChain(store: Store, ends: readonly number[]): Promise<{ gaps: string[]; overlaps: string[] }> {
  const rows = await store.query<{ partition: number; first_offset: number; next_offset: number }>(
    "SELECT DISTINCT partition, first_offset, next_offset FROM kpi_deltas WHERE dimension = 'clock' ORDER BY partition, first_offset, next_offset",
  )
  const gaps: string[] = []
  const overlaps: string[] = []
  const reached: number[] = []
  for (const { partition, first_offset: first, next_offset: next } of rows) {
    const end = reached[partition] ?? 0
    if (first > end) gaps.push(`${partition}: ${end} to ${first}`)
    if (first < end) overlaps.push(`${partition}: ${first} to ${end}`)
    reached[partition] = Math.max(end, next)
  }
  for (const [partition, end] of ends.entries())
    if ((reached[partition] ?? 0) < (end ?? 0)) gaps.push(`${partition}: ${reached[partition] ?? 0} to ${end}`)
  return { gaps, overlaps }
}

/** Every grain's cell of everything counts each event once. */
async function wrongSums(store: Store): Promise<string[]> {
  const events = await one(store, 'SELECT count() AS n FROM events')
  const grains = await store.query<{ grain: string; n: number }>(
    "SELECT toString(grain) AS grain, sum(events) AS n FROM kpi_deltas WHERE dimension = 'all' GROUP BY grain",
  )
  return grains.filter(({ n }) => n !== events).map(({ grain, n }) => `${grain}: ${n} of ${events} events`)
}

/** Messages of an outbox topic, by the id in their headers, as a read_committed reader gets them. */
async function messageIds(log: Log, topic: string): Promise<{ all: number; distinct: number }> {
  const ids = new Set<string>()
  let all = 0
  await readRecords(log, topic, ({ headers }) => {
    all++
    ids.add(headers['id']!)
  })
  return { all, distinct: ids.size }
}

/** Offsets of each partition up to which whole blocks are in the tables. */
export async function blocksReach(store: Store): Promise<number[]> {
  const rows = await store.query<{ partition: number; next: number }>(
    "SELECT partition, max(next_offset) AS next FROM kpi_deltas WHERE dimension = 'clock' GROUP BY partition",
  )
  const reached: number[] = []
  for (const { partition, next } of rows) reached[partition] = next
  return reached
}
