// Rows of the block tables, written field by field in the order of their tables (a test decodes them with the generic
// reader of schemas/row-binary.ts, so an order that differs fails). The hot ones copy bytes and make no objects.
import type { PartitionOperator, PartitionSink } from '../../../operators/partition/partition.ts'
import type { RecordContext } from '../../../operators/partition/record.ts'
import {
  HAS_AMOUNT,
  HAS_DURATION,
  HAS_PUBLISHED,
  HAS_WATCH,
  stringLength,
  stringStart,
  type FlushColumns,
} from '../../../operators/flush/reader.ts'
import { noFacts, type LifetimeFacts } from '../../../operators/lifetime/lifetime.ts'
import { featureCount, AMOUNT_MINOR, WATCH_MS } from '../../../operators/rolling/window.ts'
import { operatorVersion } from '../../../operators/settings.ts'
import { reasonFor } from '../../../operators/tiers/evaluate.ts'
import { frequencyScore, monetaryScore, recencyScore } from '../../../operators/tiers/rfm.ts'
import { measures } from '../../../schemas/measures.ts'
import type { RowBinaryWriter } from '../../../schemas/row-binary.ts'
import { eventsTable } from '../../../schemas/tables/events.ts'
import { cellDimensions, kpiDeltasTable, kpiMeasures } from '../../../schemas/tables/kpi-deltas.ts'
import { rejectedEventsTable } from '../../../schemas/tables/rejected-events.ts'
import { tierChangesTable } from '../../../schemas/tables/tier-changes.ts'
import { userFeaturesTable } from '../../../schemas/tables/user-features.ts'
import { tiers } from '../../../schemas/tiers.ts'
import { blockSamples } from './block-facts.ts'
import { blockRows, type BlockRows, type PartLimits } from './block-rows.ts'
import { rejectedRows } from './rejected-rows.ts'
import type { OpenBlock } from './work.ts'

const CLOCK = cellDimensions.indexOf('clock')

/** The rows of one block, table by table in the order of their inserts; `kpi_deltas`, whose last row is the clock, comes last. */
export type BlockTables = OpenBlock & {
  readonly features: BlockRows
  readonly tierChanges: BlockRows
  readonly kpiDeltas: BlockRows
}

export function blockTables(limits?: PartLimits): BlockTables {
  const events = blockRows(eventsTable, limits)
  const rejected = blockRows(rejectedEventsTable, limits)
  const features = blockRows(userFeaturesTable, limits)
  const tierChanges = blockRows(tierChangesTable, limits)
  const kpiDeltas = blockRows(kpiDeltasTable, limits)
  const all = [events, rejected, features, tierChanges, kpiDeltas]
  return { events, rejected, features, tierChanges, kpiDeltas, all, samples: blockSamples(), outbox: [] }
}

function flushString(out: RowBinaryWriter, flush: FlushColumns, at: number): void {
  out.bytes(flush.bytes, stringStart(flush.bytes, at), stringLength(flush.bytes, at))
}

function optionalString(out: RowBinaryWriter, flush: FlushColumns, at: number): void {
  if (at < 0) return out.u8(1)
  out.u8(0)
  out.bytes(flush.bytes, stringStart(flush.bytes, at), stringLength(flush.bytes, at))
}

/** The map stands in the flush as blocks of (key, value); in the row as a count and the same strings. */
function experiments(out: RowBinaryWriter, flush: FlushColumns): void {
  const { bytes } = flush
  out.varuint(flush.experimentCount)
  let at = flush.experiments
  let left = flush.experimentCount
  while (left > 0) {
    // A block's count, and behind a negative one its length, both already known to read.
    const negative = (bytes[at]! & 1) !== 0
    let count = 0
    let scale = 1
    for (let more = true; more;) {
      const byte = bytes[at++]!
      count += (byte & 127) * scale
      scale *= 128
      more = byte > 127
    }
    count = negative ? (count + 1) / 2 : count / 2
    if (negative) while (bytes[at++]! > 127);
    left -= count
    for (let strings = count * 2; strings > 0; strings--) {
      const start = stringStart(bytes, at)
      const length = stringLength(bytes, at)
      out.bytes(bytes, start, length)
      at = start + length
    }
  }
}

/**
 * The sink that writes a partition's rows into the tables of the block under way. `open(tables)` names them;
 * `closeBlock` adds the KPI deltas and the clock row.
 */
export function rowSink(partitionCount: number) {
  let tables: BlockTables
  let operator: PartitionOperator
  // Where the present flush's own fields stand in the events' rows.
  let sharedOffset = -1
  let sharedStart = -1
  let sharedLength = 0
  const facts = noFacts()
  const rejected = rejectedRows()
  // A byte order mark at the start of an id is part of it.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const dictionaryBytes = new Map<string, Uint8Array>()
  const bytesOf = (name: string): Uint8Array => {
    let bytes = dictionaryBytes.get(name)
    if (bytes === undefined) dictionaryBytes.set(name, (bytes = new TextEncoder().encode(name)))
    return bytes
  }
  const word = (out: RowBinaryWriter, name: string) => {
    const bytes = bytesOf(name)
    out.bytes(bytes, 0, bytes.length)
  }
  const optionalInstant = (out: RowBinaryWriter, at: number) => {
    if (Number.isNaN(at)) return out.u8(1)
    out.u8(0)
    out.i64(at)
  }

  function accepted(record: RecordContext, flush: FlushColumns, i: number, t: number, rung: number): void {
    const out = tables.events.begin()
    const has = flush.has[i]!
    out.u32(i)
    out.i64(t)
    out.i64(flush.occurredAt[i]!)
    out.uuid(flush.bytes, flush.eventId[i]!)
    out.u8(flush.behavior[i]!)
    // What is the flush's and not the event's is encoded once, and copied for the flush's other events.
    if (sharedOffset === record.offset && sharedStart >= 0) out.again(sharedStart, sharedLength)
    else {
      sharedOffset = record.offset
      sharedStart = out.length
      out.i64(record.offset)
      out.u32(operatorVersion)
      out.i64(record.recordAt)
      out.i64(record.receivedAt)
      out.i64(record.clockAt)
      out.i64(flush.sentAt)
      out.uuid(flush.bytes, flush.batchId)
      out.u8(flush.platform)
      out.u8(rung)
      flushString(out, flush, flush.user)
      flushString(out, flush, flush.device)
      flushString(out, flush, flush.appVersion)
      flushString(out, flush, flush.channel)
      flushString(out, flush, flush.region)
      experiments(out, flush)
      sharedLength = out.length - sharedStart
      tables.samples.flush(t)
    }
    optionalString(out, flush, flush.session[i]!)
    optionalString(out, flush, flush.content[i]!)
    optionalString(out, flush, flush.creator[i]!)
    optionalString(out, flush, flush.category[i]!)
    optionalString(out, flush, flush.surface[i]!)
    optionalInstant(out, (has & HAS_PUBLISHED) === 0 ? NaN : flush.publishedAt[i]!)
    optionalInt32(out, (has & HAS_WATCH) !== 0, flush.watchMs[i]!)
    optionalInt32(out, (has & HAS_DURATION) !== 0, flush.durationMs[i]!)
    optionalInstant(out, (has & HAS_AMOUNT) === 0 ? NaN : flush.amountMinor[i]!)
    optionalString(out, flush, flush.currency[i]!)
    optionalString(out, flush, flush.query[i]!)
    tables.events.end()
  }

  function optionalInt32(out: RowBinaryWriter, present: boolean, value: number): void {
    if (!present) return out.u8(1)
    out.u8(0)
    out.i32(value)
  }

  function features(slot: number, asOf: number): void {
    const { users, windows, lives, tastes, days, dictionaries } = operator
    const out = tables.features.begin()
    out.i64(asOf)
    out.u32(operatorVersion)
    out.bytes(users.ids(), users.idStart(slot), users.idLength(slot))
    const sums = windows.sums(slot)
    for (let at = 0; at < featureCount; at += measures.length) {
      for (let m = 0; m < WATCH_MS; m++) out.u32(sums[at + m]!)
      out.i64(sums[at + WATCH_MS]!)
      out.i64(sums[at + AMOUNT_MINOR]!)
    }
    const lastDay = days.dayOf(asOf - 1)
    lives.facts(slot, lastDay, facts)
    const lastPurchaseAt = lives.lastPurchaseAt(slot)
    out.u8(operator.rung(slot))
    out.u8(lives.platform(slot))
    word(out, dictionaries.channel.names[lives.channel(slot)]!)
    word(out, dictionaries.region.names[lives.region(slot)]!)
    word(out, dictionaries.app_version.names[lives.appVersion(slot)]!)
    out.i64(lives.firstSeenAt(slot))
    optionalInstant(out, lives.registeredAt(slot))
    out.i64(lives.lastSeenAt(slot))
    optionalInstant(out, lastPurchaseAt)
    out.u32(lives.purchases(slot))
    out.i64(lives.amountMinor(slot))
    out.u8(facts.activeDays7)
    out.u8(facts.activeDays30)
    out.u8(facts.purchaseDays90)
    out.u32(facts.purchases90)
    out.i64(facts.spend90Minor)
    out.u8(recency(lastPurchaseAt, lastDay))
    out.u8(frequencyScore(facts.purchases90))
    out.u8(monetaryScore(facts.spend90Minor))
    const count = tastes.rank(slot, asOf)
    out.varuint(count)
    for (let i = 0; i < count; i++) word(out, dictionaries.category.names[tastes.top.codes[i]!]!)
    out.varuint(count)
    for (let i = 0; i < count; i++) out.f64(tastes.top.values[i]!)
    tables.features.end()
  }

  const recency = (lastPurchaseAt: number, lastDay: number) =>
    recencyScore(Number.isNaN(lastPurchaseAt) ? Infinity : lastDay - operator.days.dayOf(lastPurchaseAt))

  function tierChanged(slot: number, from: number, to: number, asOf: number, lastDay: number, why: LifetimeFacts): void {
    const change = {
      user_id: decoder.decode(operator.users.id(slot)),
      from: tiers[from]!,
      to: tiers[to]!,
      as_of: asOf,
      reason: reasonFor(from, to, why),
      recency_score: recency(operator.lives.lastPurchaseAt(slot), lastDay),
      frequency_score: frequencyScore(why.purchases90),
      monetary_score: monetaryScore(why.spend90Minor),
    }
    const out = tables.tierChanges.begin()
    out.u32(operatorVersion)
    out.text(change.user_id)
    out.u8(from)
    out.u8(to)
    out.i64(asOf)
    out.text(change.reason)
    out.u8(change.recency_score)
    out.u8(change.frequency_score)
    out.u8(change.monetary_score)
    tables.tierChanges.end()
    tables.outbox.push({ kind: 'tier_change', change })
  }

  const sink: PartitionSink = {
    accepted,
    features,
    tierChanged,
    rejectedRecord(record, reason, detail) {
      rejected(tables, { record, ordinal: -1, reason, detail })
    },
    rejectedEvent(record, flush, i, reason) {
      const eventId = { bytes: flush.bytes, at: flush.eventId[i]! }
      rejected(tables, { record, ordinal: i, reason, detail: `event ${i} of the flush`, eventId })
    },
  }

  return {
    sink,
    bind(to: PartitionOperator) {
      operator = to
    },
    open(block: BlockTables) {
      tables = block
      tables.samples.reset()
      sharedStart = -1
    },
    /** The block's KPI deltas, then its clock: the last row of the last part of the same insert. */
    closeBlock(nextOffset: number): void {
      const rows = tables.kpiDeltas
      operator.kpis.drain((grain, bucketAt, dimension, value, sums, start) => {
        const out = rows.begin()
        out.u8(grain)
        out.i64(bucketAt)
        out.u8(dimension)
        word(out, value)
        for (let m = 0; m < kpiMeasures.length; m++) out.i64(sums[start + m]!)
        out.i64(0)
        out.u16(0)
        rows.end()
      })
      const out = rows.begin()
      out.u8(0)
      out.i64(operator.clock())
      out.u8(CLOCK)
      out.varuint(0)
      for (let m = 0; m < kpiMeasures.length; m++) out.i64(0)
      out.i64(nextOffset)
      out.u16(partitionCount)
      rows.end()
    },
  }
}
