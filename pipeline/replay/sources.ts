// What there is to replay: messages of the rejected topic, or records of the input topic itself, as candidates of one form.
import { controlOf, decimal, receivedAtOf } from '../../operators/partition/headers.ts'
import { maxClock } from '../../operators/partition/record.ts'
import type { RejectReason } from '../../schemas/rejects.ts'
import type { RecordHeaders } from '../ports/log.ts'
import { textHeaders } from '../text-headers.ts'

export type Candidate = {
  /** Where the record lies in the input topic. */
  partition: number
  offset: number
  key: Uint8Array | null
  value: Uint8Array
  /** min(received_at, record timestamp), from which the corrected times of its events are reckoned (ms). */
  arrivedAt: number
  /** Places of the events that were rejected; undefined: the whole record. */
  ordinals: ReadonlySet<number> | undefined
}

/**
 * `digest_only`: its bytes were too many for the rejected topic. `no_origin`: a message without the headers that the
 * process role writes, or another topic's. `no_time`: a timestamp that moves no clock.
 */
export type NotReplayable = 'digest_only' | 'no_origin' | 'no_time'

export type SourceRecord =
  | { kind: 'candidate'; candidate: Candidate }
  | { kind: 'null_value' }
  | { kind: 'not_replayable'; why: NotReplayable; partition: number; offset: number }
  /** A control record, or not among what was asked for. */
  | { kind: 'passed_over' }

export type KeptRecord = {
  partition: number
  offset: number
  timestampMs: number
  key: Uint8Array | null
  value: Uint8Array | null
  headers: RecordHeaders | undefined
}

export type Filter = {
  /** Undefined: any. */
  reasons: ReadonlySet<RejectReason> | undefined
  /** Records whose time is in [sinceMs, untilMs). */
  sinceMs: number
  untilMs: number
}

/** A message of `<topic>.rejected` (pipeline/roles/process/outbox.ts writes it). */
export function fromRejected(record: KeptRecord, topic: string, filter: Filter): SourceRecord {
  const headers = record.headers ?? {}
  const text: Partial<Record<string, string>> = textHeaders(headers)
  const partition = decimal(headers['partition'])
  const offset = decimal(headers['offset'])
  const recordAt = decimal(headers['record_at'])
  const receivedAt = decimal(headers['received_at'])
  const listed = text['events']?.split(',').map((item) => /^(\d{1,9}):([a-z_0-9]+)$/.exec(item))
  const reason = text['reason']
  if (
    text['topic'] !== topic ||
    reason === undefined ||
    !(partition >= 0) ||
    !(offset >= 0) ||
    Number.isNaN(recordAt) ||
    Number.isNaN(receivedAt) ||
    listed?.includes(null) === true
  )
    // prettier-ignore
    return { kind: 'not_replayable', why: 'no_origin', partition: record.partition, offset: record.offset }

  if (recordAt < filter.sinceMs || recordAt >= filter.untilMs) return { kind: 'passed_over' }
  const wanted = (name: string) => filter.reasons === undefined || filter.reasons.has(name as RejectReason)
  const ordinals = listed?.flatMap((match) => (wanted(match![2]!) ? [Number(match![1])] : []))
  if (ordinals === undefined ? !wanted(reason) : ordinals.length === 0) return { kind: 'passed_over' }
  if (headers['digest'] !== undefined || headers['key_digest'] !== undefined)
    return { kind: 'not_replayable', why: 'digest_only', partition, offset }
  if (record.value === null) return { kind: 'null_value' }
  return {
    kind: 'candidate',
    candidate: {
      partition, offset, key: record.key, value: record.value, arrivedAt: Math.min(receivedAt, recordAt),
      ordinals: ordinals === undefined ? undefined : new Set(ordinals),
    },
  } // prettier-ignore
}

/** A record of the input topic: all of its events are looked at. */
export function fromInput({ partition, offset, timestampMs, key, value, headers }: KeptRecord): SourceRecord {
  if (controlOf(key, value, headers) !== undefined) return { kind: 'passed_over' }
  if (value === null) return { kind: 'null_value' }
  if (!(timestampMs >= 0 && timestampMs <= maxClock)) return { kind: 'not_replayable', why: 'no_time', partition, offset }
  const arrivedAt = Math.min(receivedAtOf(headers ?? {}, timestampMs), timestampMs)
  return { kind: 'candidate', candidate: { partition, offset, key, value, arrivedAt, ordinals: undefined } }
}
