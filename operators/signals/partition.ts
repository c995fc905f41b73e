// One partition of customer signals: records in, in the order of the log; accepted and rejected ones out to a sink. Time, keys and
// duplicates are as for behaviour; there is nothing else to keep.
import type { EventReject, RecordReject } from '../../schemas/rejects.ts'
import { seenIds } from '../dedup/seen-ids.ts'
import { isTooOld } from '../flush/judge.ts'
import { murmur2 } from '../hash.ts'
import type { Headers } from '../partition/headers.ts'
import { lastingHours, recentHours } from '../partition/partition.ts'
import { recordIntake, type RecordContext } from '../partition/record.ts'
import type { KeptState } from '../partition/kept-state.ts'
import { eachOwner } from '../partition/state.ts'
import type { OperatorSettings } from '../settings.ts'
import { correctedTime } from '../time/corrected.ts'
import { userRegistry } from '../users/registry.ts'
import { signalJudge } from './judge.ts'
import { readSignal, type Signal, type Stretch } from './reader.ts'

const hourMs = 3_600_000

/** Everything handed over is borrowed; `value` is what the signal's places are in. */
export type SignalSink = {
  accepted(record: RecordContext, value: Uint8Array, signal: Signal, t: number): void
  rejectedSignal(record: RecordContext, value: Uint8Array, signal: Signal, reason: EventReject): void
  rejectedRecord(record: RecordContext, reason: RecordReject, detail: string): void
}

export type SignalOptions = {
  settings: Pick<OperatorSettings, 'currency'>
  partition: number
  partitionCount: number
  sink: SignalSink
  /** The same signal in the current schema, of a value in another known one; or why there is none. */
  resolve(value: Uint8Array): Uint8Array | RecordReject
}

export function signalOperator({ settings, partition, partitionCount, sink, resolve }: SignalOptions) {
  const capacity = 64
  const keys = userRegistry((size) => {
    recentIds.resize(size)
    lastingIds.resize(size)
  }, capacity)
  // Nothing goes into the first: a changelog has two kinds of ids.
  const recentIds = seenIds(recentHours, capacity)
  const lastingIds = seenIds(lastingHours, capacity)
  const judge = signalJudge(settings.currency)
  const counters = { records: 0, events: 0, duplicates: 0 }
  const { record, take } = recordIntake({ at: () => clock, move: moveClock })
  let clock = -Infinity

  function moveClock(to: number): void {
    if (to <= clock) return
    clock = to
    lastingIds.advance(Math.floor(to / hourMs))
  }

  const belongs = (hash: number) => (hash & 0x7fffffff) % partitionCount === partition
  const isKey = (key: Uint8Array, value: Uint8Array, { from, length }: Stretch) =>
    key.length === length && key.every((byte, i) => byte === value[from + i])

  /** Applies one record; the items that it adds to the block. */
  function apply(
    offset: number,
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: Headers | undefined,
  ): number {
    counters.records++
    if (!take(offset, timestampMs, key, value, headers)) return 0
    if (value === null) sink.rejectedRecord(record, 'null_value', 'the record has no value and is no control record')
    else if (key === null) sink.rejectedRecord(record, 'null_key', 'the record has no key; it must be the user_id, else the channel')
    else applyValue(key, value)
    return 1
  }

  function applyValue(key: Uint8Array, written: Uint8Array): void {
    let value = written
    let outcome = readSignal(value)
    if (outcome.kind === 'other_schema') {
      const resolved = resolve(value)
      if (typeof resolved === 'string')
        return sink.rejectedRecord(record, resolved, 'no schema of this fingerprint is known, or its body does not read as it')
      value = resolved
      outcome = readSignal(value)
    }
    if (outcome.kind === 'other_schema') return sink.rejectedRecord(record, 'unknown_schema', 'it was resolved to another schema')
    if (outcome.kind === 'unreadable') return sink.rejectedRecord(record, outcome.reason, `at byte ${outcome.at} of ${value.length}`)
    const { signal } = outcome
    const named = signal.userId ?? signal.channel
    const hash = murmur2(key, 0, key.length)
    if (named === null || !isKey(key, value, named))
      return sink.rejectedRecord(record, 'key_mismatch', "the record's key is not the signal's user_id, nor, without one, its channel")
    if (!belongs(hash))
      return sink.rejectedRecord(
        record,
        'wrong_partition',
        `the key belongs to partition ${(hash & 0x7fffffff) % partitionCount} of ${partitionCount}`,
      )
    const t = correctedTime(record.receivedAt, record.recordAt, signal.sentAt, signal.occurredAt)
    const reason = judge(value, signal) ?? (isTooOld(t, clock) ? 'too_old' : undefined)
    if (reason !== undefined) return sink.rejectedSignal(record, value, signal, reason)
    const slot = keys.intern(key, 0, key.length, hash)
    // 64 bits of the id, the halves by hashes of different kinds.
    const low = murmur2(value, signal.signalId, 16)
    const high = fnv1a(value, signal.signalId, 16)
    if (lastingIds.has(slot, low, high)) {
      counters.duplicates++
      return
    }
    lastingIds.add(slot, low, high)
    counters.events++
    sink.accepted(record, value, signal, t)
  }

  const kept: KeptState = {
    users: keys,
    recentIds,
    lastingIds,
    changed: () => new Int32Array(0),
    clearChanged() {},
    clear() {},
    writeUser() {
      throw new TypeError('a topic of signals keeps nothing of a key but ids')
    },
    takeMarks: () => [],
    newMarks: () => 0,
    putMarks() {
      throw new RangeError('marks of KPI cells, in the changelog of a topic of signals: two topics share it')
    },
    reader: () => ({
      expect() {},
      warm() {},
      slotOf: (key, idStart) => keys.find(key, idStart, key.length - idStart, murmur2(key, idStart, key.length - idStart)),
      slotFor() {
        throw new RangeError('it is the state of a user, in the changelog of a topic of signals: two topics share it')
      },
      put() {},
      remove() {},
      putIds({ lasting, hour, ids }) {
        if (!lasting) throw new RangeError('ids kept for a day, in the changelog of a topic of signals: two topics share it')
        lastingIds.advance(hour)
        eachOwner(ids, (bytes, idAt, idLength, pairsAt, count) => {
          const hash = murmur2(bytes, idAt, idLength)
          if (belongs(hash)) lastingIds.restore(keys.intern(bytes, idAt, idLength, hash), bytes, pairsAt, count)
        })
      },
      done(at) {
        clock = at
        lastingIds.advance(Math.floor(at / hourMs))
        lastingIds.endRestore()
      },
    }),
  }

  return {
    apply,
    /** Clock after the last record, ms; −Infinity before the first. */
    clock: () => clock,
    tick: moveClock,
    counters,
    keys,
    kept,
  }
}

function fnv1a(bytes: Uint8Array, from: number, length: number): number {
  let hash = 0x811c9dc5 | 0
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[from + i]!, 0x01000193)
  return hash
}
