// Naive twin of a whole partition: everything that the process role computes from its log, slow and plain.
import type { BehaviorBatch } from '../../schemas/behavior-batch.ts'
import { maxInstant, maxStringBytes } from '../../schemas/limits.ts'
import type { RecordReject, RejectReason } from '../../schemas/rejects.ts'
import type { Table } from '../../schemas/table.ts'
import { eventsTable, type EventRow } from '../../schemas/tables/events.ts'
import { kpiDeltasTable, type KpiDeltaRow } from '../../schemas/tables/kpi-deltas.ts'
import { rejectedEventsTable, type RejectedEventRow } from '../../schemas/tables/rejected-events.ts'
import { tierChangesTable, type TierChangeRow } from '../../schemas/tables/tier-changes.ts'
import { userFeaturesTable, type UserFeaturesRow } from '../../schemas/tables/user-features.ts'
import { operatorVersion, type OperatorSettings } from '../settings.ts'
import { reasonFor } from '../tiers/evaluate.ts'
import { zone as zoneNamed } from '../time/zone.ts'
import type { AcceptedEvent } from './accepted.ts'
import { naiveAffinity, naiveTopCategories } from './affinity.ts'
import { endsBlock, insertToken, naiveParts, rowBinaryBytes, type BlockLimits, type Weight } from './blocks.ts'
import { naiveCorrectedTime, naiveInstantHeader, naiveReceivedAt } from './corrected-time.ts'
import { naiveIsDuplicate } from './dedup.ts'
import { countedAs } from './dimensions.ts'
import { compareTimers, decayInstants, intervalEnd, monthStarts, type Timer } from './emission.ts'
import { naiveKpiDeltas } from './kpi-deltas.ts'
import { naiveLifetime } from './lifetime.ts'
import { naiveRolling } from './rolling.ts'
import { naiveRfm, naiveTierFacts, rungAfterRecord, rungAtEvaluation, tierOf } from './tier.ts'
import { judgeEvent, judgeFlush } from './validation.ts'

export type NaiveRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: Readonly<Record<string, Uint8Array>> | undefined
}

export type NaiveBlock = {
  firstOffset: number
  nextOffset: number
  blockAt: number
  events: EventRow[]
  rejected: RejectedEventRow[]
  features: UserFeaturesRow[]
  tierChanges: TierChangeRow[]
  kpiDeltas: KpiDeltaRow[]
  /** Beside each row of `features`: the affinity of every category, not only of the top five. */
  affinities: ReadonlyMap<string, number>[]
  duplicates: number
  emptyFlushes: number
  /** Of every insert, table by table. */
  tokens: string[]
}

export type NaivePartitionOptions = {
  readonly partition: number
  readonly partitionCount: number
  readonly logId: string
  readonly topic?: string
  readonly limits: BlockLimits
  /** Where the first block begins; 0 unless told. */
  readonly firstOffset?: number
  readonly decode: (value: Uint8Array) => BehaviorBatch | RecordReject
}

export type NaivePartition = {
  /** Applies the next record; returns the block that ends with it, if one does. */
  record(record: NaiveRecord): NaiveBlock | undefined
  /** The largest timestamp so far. */
  clock(): number
}

type User = {
  readonly id: string
  /** In log order. */
  readonly events: AcceptedEvent[]
  readonly byEventId: Map<string, AcceptedEvent[]>
  /** Rows to come: their as_of. */
  readonly rowsDue: Set<number>
  rung: number
}

const unplaced = { first_offset: 0, part: 0, block_at: 0 }

export function naivePartition(settings: OperatorSettings, options: NaivePartitionOptions): NaivePartition {
  const { partition, partitionCount, limits } = options
  const zone = zoneNamed(settings.zone)
  const users = new Map<string, User>()
  const counted = new Set<string>()
  let clock = -Infinity
  let open: NaiveBlock = emptyBlock(options.firstOffset ?? 0)
  let weights: Weight[] = []

  function record(record: NaiveRecord): NaiveBlock | undefined {
    const before = clock
    moveClock(record)
    fireTimers(before)
    weights.push(apply(record))
    return endsBlock(weights, limits) ? endBlock(record.offset + 1) : undefined
  }

  function moveClock(record: NaiveRecord): void {
    const { timestampMs, headers } = record
    if (Math.abs(timestampMs) <= maxInstant) clock = Math.max(clock, timestampMs)
    const clockAt = isControl(record) ? naiveInstantHeader(headers?.['clock_at']) : null
    if (clockAt !== null) clock = Math.max(clock, clockAt)
  }

  function fireTimers(before: number): void {
    if (clock === before || users.size === 0) return
    const months = monthStarts(zone, before, clock)
    const timers: Timer[] = []
    for (const user of users.values()) {
      for (const due of months) timers.push({ due, userId: user.id, kind: 'evaluation' })
      for (const due of user.rowsDue) if (due <= clock) timers.push({ due, userId: user.id, kind: 'row' })
    }
    for (const { due, userId, kind } of timers.toSorted(compareTimers)) {
      const user = users.get(userId)!
      if (kind === 'evaluation') {
        moveTo(user, rungAtEvaluation(user.events, zone, due), due, due)
      } else {
        user.rowsDue.delete(due)
        emitRow(user, due)
      }
    }
  }

  /** Applies a record at the present clock; returns what it weighs. */
  function apply(record: NaiveRecord): Weight {
    const bytes = record.value?.length ?? 0
    if (isControl(record)) return { events: 0, bytes, control: true }
    const undecodable: Weight = { events: 1, bytes, control: false }
    if (record.value === null) {
      reject(record, null, null, 'null_value')
      return undecodable
    }
    if (record.key === null) {
      reject(record, null, null, 'null_key')
      return undecodable
    }
    const batch = options.decode(record.value)
    if (typeof batch === 'string') {
      reject(record, null, null, batch)
      return undecodable
    }
    const verdict = judgeFlush(batch, { key: record.key, partition, partitionCount })
    if (verdict !== 'ok') reject(record, null, null, verdict)
    else if (batch.events.length === 0) open.emptyFlushes++
    else applyFlush(record, batch)
    return { events: batch.events.length, bytes, control: false }
  }

  function applyFlush(record: NaiveRecord, batch: BehaviorBatch): void {
    const receivedAt = naiveReceivedAt(record.headers?.['received_at'], record.timestampMs)
    const tier = tierOf(users.get(batch.user_id)?.rung ?? 0)
    for (const [ordinal, event] of batch.events.entries()) {
      const eventAt = naiveCorrectedTime({
        receivedAt,
        recordAt: record.timestampMs,
        sentAt: batch.sent_at,
        occurredAt: event.occurred_at,
      })
      const verdict = judgeEvent(event, {
        recordAt: record.timestampMs,
        sentAt: batch.sent_at,
        eventAt,
        clockAt: clock,
        currency: settings.currency,
      })
      if (verdict !== 'ok') {
        reject(record, ordinal, event.event_id, verdict)
        continue
      }
      const eventId = hex(event.event_id)
      if (naiveIsDuplicate(users.get(batch.user_id)?.byEventId.get(eventId) ?? [], eventId, clock)) {
        open.duplicates++
        continue
      }
      const accepted: AcceptedEvent = {
        offset: record.offset,
        ordinal,
        clockAt: clock,
        eventAt,
        day: zone.dayOf(eventAt),
        eventId,
        behavior: event.behavior,
        category: event.category === null ? null : countedAs(settings.dimensions, 'category', event.category),
        watchMs: event.watch_ms,
        durationMs: event.duration_ms,
        amountMinor: event.amount_minor,
        platform: batch.platform,
        channel: countedAs(settings.dimensions, 'channel', batch.channel),
        region: countedAs(settings.dimensions, 'region', batch.region),
        appVersion: countedAs(settings.dimensions, 'app_version', batch.app_version),
      }
      remember(batch.user_id, accepted)
      const { events: _, ...flush } = batch
      open.events.push({
        partition,
        ...unplaced,
        offset: record.offset,
        ordinal,
        operator_version: operatorVersion,
        record_at: record.timestampMs,
        received_at: receivedAt,
        clock_at: clock,
        event_at: eventAt,
        tier,
        ...flush,
        ...event,
      })
    }
    const user = users.get(batch.user_id)
    if (user === undefined) return // none of the events of an unknown user was accepted
    user.rowsDue.add(intervalEnd(clock, settings.emitMs))
    moveTo(user, rungAfterRecord(user.rung, user.events, zone, clock), clock, clock + 1)
  }

  function remember(userId: string, event: AcceptedEvent): void {
    if (!users.has(userId)) users.set(userId, { id: userId, events: [], byEventId: new Map(), rowsDue: new Set(), rung: 0 })
    const user = users.get(userId)!
    user.events.push(event)
    user.byEventId.set(event.eventId, [...(user.byEventId.get(event.eventId) ?? []), event])
    if (settings.decayRows) for (const due of decayInstants(userId, event)) user.rowsDue.add(due)
  }

  /** `factsAt`: the instant that the reason's figures and the scores are of. */
  function moveTo(user: User, rung: number, asOf: number, factsAt: number): void {
    if (rung === user.rung) return
    open.tierChanges.push({
      partition,
      ...unplaced,
      operator_version: operatorVersion,
      user_id: user.id,
      from: tierOf(user.rung),
      to: tierOf(rung),
      as_of: asOf,
      reason: reasonFor(user.rung, rung, naiveTierFacts(user.events, zone, factsAt)),
      ...naiveRfm(user.events, zone, factsAt),
    })
    user.rung = rung
  }

  function emitRow(user: User, asOf: number): void {
    const affinities = naiveAffinity(user.events, asOf)
    const top = naiveTopCategories(affinities)
    open.affinities.push(affinities)
    open.features.push({
      partition,
      ...unplaced,
      as_of: asOf,
      operator_version: operatorVersion,
      user_id: user.id,
      ...naiveRolling(user.events, asOf),
      tier: tierOf(user.rung),
      ...naiveLifetime(user.events, zone, asOf),
      ...naiveRfm(user.events, zone, asOf),
      top_categories: top.map(({ category }) => category),
      top_affinities: top.map(({ affinity }) => affinity),
    })
  }

  function reject(record: NaiveRecord, ordinal: number | null, eventId: Uint8Array | null, reason: RejectReason): void {
    open.rejected.push({
      partition,
      ...unplaced,
      offset: record.offset,
      ordinal,
      record_at: record.timestampMs,
      clock_at: clock,
      reason,
      detail: reason,
      user_id: record.key === null || record.key.length > maxStringBytes ? null : textOrNull(record.key),
      event_id: eventId,
      value_bytes: record.value?.length ?? 0,
      value_head: (record.value ?? new Uint8Array()).slice(0, 64),
    })
  }

  function endBlock(nextOffset: number): NaiveBlock {
    const block = open
    block.nextOffset = nextOffset
    block.blockAt = clock
    const rejectedAts = block.rejected.map((row) => row.clock_at)
    block.kpiDeltas = naiveKpiDeltas(
      block.events,
      settings,
      zone,
      { blockAt: clock, nextOffset, partitionCount, rejectedAts },
      { counted, registeredAt },
    ).map((delta) => ({ partition, ...unplaced, ...delta }))
    place(eventsTable, block.events)
    place(rejectedEventsTable, block.rejected)
    place(userFeaturesTable, block.features)
    place(tierChangesTable, block.tierChanges)
    place(kpiDeltasTable, block.kpiDeltas)
    open = emptyBlock(nextOffset)
    weights = []
    return block

    function place<R extends { first_offset: number; part: number; block_at: number }>(table: Table, rows: R[]): void {
      for (const [part, partRows] of naiveParts(rows, (row) => rowBinaryBytes(table, row), limits).entries()) {
        for (const row of partRows) Object.assign(row, { first_offset: block.firstOffset, part, block_at: block.blockAt })
        block.tokens.push(
          insertToken({ logId: options.logId, topic: options.topic ?? 'behavior-events', partition, ...block }, table.name, part),
        )
      }
    }
  }

  function registeredAt({ user_id: userId, offset, ordinal }: EventRow): number | null {
    const registrations = users
      .get(userId)!
      .events.filter(
        (event) => event.behavior === 'register' && (event.offset < offset || (event.offset === offset && event.ordinal < ordinal)),
      )
    return registrations.length === 0 ? null : Math.min(...registrations.map((event) => event.eventAt))
  }

  return { record, clock: () => clock }
}

function emptyBlock(firstOffset: number): NaiveBlock {
  return {
    firstOffset,
    nextOffset: firstOffset,
    blockAt: 0,
    events: [],
    rejected: [],
    features: [],
    tierChanges: [],
    kpiDeltas: [],
    affinities: [],
    duplicates: 0,
    emptyFlushes: 0,
    tokens: [],
  }
}

/** Header `reelpulse: tick`, no key and no value. With either, a record is a flush like any other. */
function isControl({ key, value, headers }: NaiveRecord): boolean {
  const kind = headers?.['reelpulse']
  return key === null && value === null && kind !== undefined && String.fromCharCode(...kind) === 'tick'
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

function textOrNull(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}
