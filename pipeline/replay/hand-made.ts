// For tests: a topic with hand-made flushes in it, processed and replayed on real parts.
import { createHash } from 'node:crypto'
import { partitionOf } from '../../operators/hash.ts'
import { naiveDecode } from '../../operators/naive/decode.ts'
import type { PartitionOptions } from '../../operators/partition/partition.ts'
import { defaultSettings, type OperatorSettings } from '../../operators/settings.ts'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch, type BehaviorBatch, type BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { changelogOf, rejectedTopicOf } from '../config/names.ts'
import { prepareStore, processAll } from '../integration/process-harness.ts'
import type { Log, OutRecord, RecordHeaders, TimestampType } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { knownFlushes } from '../start/topic-plan.ts'
import { verify } from '../verify/verify.ts'
import { recordsIn } from './records-in.ts'
import { replay, type ReplayOptions, type ReplaySource } from './replay.ts'

export const partitions = 2
export const startMs = Date.UTC(2026, 10, 10, 4)
export const utf8 = (value: string) => new TextEncoder().encode(value)
export const everything = {
  kind: 'rejected',
  filter: { reasons: undefined, sinceMs: -Infinity, untilMs: Infinity },
} as const satisfies ReplaySource

let ids = 0
const id = () => Uint8Array.from(createHash('md5').update(`replay ${ids++}`).digest())

export const event = (over: Partial<BehaviorEvent> = {}): BehaviorEvent => ({
  event_id: id(), behavior: 'play', occurred_at: startMs, session_id: 's', content_id: 'v', creator_id: null, category: 'music', surface: 'feed',
  published_at: startMs - 5, watch_ms: 900, duration_ms: 1_000, amount_minor: null, currency: null, query: null, ...over,
}) // prettier-ignore
/** One that `careless` spoils. */
export const fragile = () => event({ query: 'fragile' })
export const purchase = (currency: string) => event({ behavior: 'purchase', amount_minor: 500, currency })

export const flush = (user: string, events: BehaviorEvent[], over: Partial<BehaviorBatch> = {}): BehaviorBatch => ({
  batch_id: id(), user_id: user, device_id: 'd', platform: 'ios', app_version: '8.4.1', channel: 'ad', region: 'CN-31', sent_at: startMs,
  experiments: { feed: 'b' }, events, ...over,
}) // prettier-ignore
export const encode = (batch: BehaviorBatch) => encodeSingleObject(behaviorBatch, batch)

/** The flush under a fingerprint that the program does not know, until `learned` is its resolver. */
export function unknown(value: Uint8Array): Uint8Array {
  const other = Uint8Array.from(value)
  other[4]! ^= 0xff
  return other
}
const current = encode(flush('u', []))
export const learned: PartitionOptions['resolve'] = (value) => {
  if (value[4] !== (current[4]! ^ 0xff)) return knownFlushes()(value)
  const known = Uint8Array.from(value)
  known[4]! ^= 0xff
  return known
}

/** A version with a fault: it knows the schema, and loses `content_id` of some events on the way, which so are a `missing_field`. */
export const careless: PartitionOptions['resolve'] = (value) => {
  const batch = naiveDecode(learned(value) as Uint8Array) as BehaviorBatch
  return encode({ ...batch, events: batch.events.map((one) => (one.query === 'fragile' ? { ...one, content_id: null } : one)) })
}

export const userOf = (partition: number, n = 0) =>
  Array.from({ length: 400 }, (_, i) => `user-${i}`).filter((user) => partitionOf(utf8(user), partitions) === partition)[n]!

/** What was appended at or after these ends, partition by partition. */
export async function recordsFrom(log: Log, topic: string, ends: readonly number[]) {
  const found: { partition: number; timestampMs: number; value: Uint8Array | null; headers: RecordHeaders | undefined }[] = []
  for (const [partition, { end }] of (await log.describeTopic(topic))!.partitions.entries())
    for await (const batch of recordsIn(log, topic, partition, ends[partition]!, end))
      for (let i = 0; i < batch.count; i++)
        found.push({ partition, timestampMs: batch.timestampsMs[i]!, value: batch.values[i]?.slice() ?? null, headers: batch.headers[i] })
  return found
}

export function world(log: Log, store: Store, topic: string, timestamps: TimestampType = 'create') {
  let at = startMs
  const settings = defaultSettings

  async function append(records: readonly Omit<OutRecord, 'timestampMs'>[], stepMs = 1_000): Promise<void> {
    for (const record of records) await log.append(topic, [{ ...record, timestampMs: (at += stepMs) }])
  }

  return {
    topic,
    settings,
    async begin() {
      await log.createTopic({ topic, partitions, timestamps, maxMessageBytes: 4_000_000 })
      await prepareStore(store)
    },
    /** Of each its key is the user. */
    send: (...batches: BehaviorBatch[]) => append(batches.map((batch) => ({ key: utf8(batch.user_id), value: encode(batch) }))),
    sendUnknown: (...batches: BehaviorBatch[]) =>
      append(batches.map((batch) => ({ key: utf8(batch.user_id), value: unknown(encode(batch)) }))),
    append,
    /** Lets log time pass. */
    pass(ms: number) {
      at += ms
    },
    now: () => at,
    process: (over: { settings?: Partial<OperatorSettings>; resolve?: PartitionOptions['resolve'] } = {}) =>
      processAll({ topic, members: [{ log, store }], checkpointMs: 200, ...over, settings: { ...settings, ...over.settings } }),
    replay: async (over: Partial<ReplayOptions> = {}) => {
      const outcome = await replay({
        log, store, topic, settings, clock: systemClock, dryRun: false, waitMs: undefined, source: everything, resolve: learned,
        names: { changelog: changelogOf(topic), rejected: rejectedTopicOf(topic) }, signal: new AbortController().signal, ...over,
      }) // prettier-ignore
      return outcome.figures
    },
    ends: async () => (await log.describeTopic(topic))!.partitions.map(({ end }) => end),
    /** Ids of the stored events, in order: one that is there twice is in it twice. */
    stored: async () =>
      (await store.query<{ id: string }>('SELECT toString(event_id) AS id FROM events ORDER BY id')).map((row) =>
        row.id.replaceAll('-', ''),
      ),
    query: <T>(sql: string) => store.query<T>(sql),
    verify: async () => {
      const { rowsDiffer, rowsCompared, findings } = await verify(store, settings, { everything: true, users: undefined, rows: 1 })
      return { rowsDiffer, findings, any: rowsCompared > 0 }
    },
  }
}

export const good = { rowsDiffer: 0, findings: [], any: true }
export const idsOf = (...batches: BehaviorBatch[]) =>
  batches.flatMap(({ events }) => events.map(({ event_id }) => Buffer.from(event_id).toString('hex'))).toSorted()
