// Naive twin of validation: why a decoded flush or event is rejected, or that it is not.
import type { BehaviorBatch, BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { maxAmountMinor, maxEventsPerFlush, maxInstant, maxStringBytes, tooOldMs } from '../../schemas/limits.ts'
import type { EventReject, RecordReject } from '../../schemas/rejects.ts'
import { partitionOf } from '../hash.ts'

const utf8 = new TextEncoder()

/** In the order in which a flush is judged. */
export function judgeFlush(
  batch: BehaviorBatch,
  record: { key: Uint8Array; partition: number; partitionCount: number },
): RecordReject | 'ok' {
  if (!sameBytes(utf8.encode(batch.user_id), record.key)) return 'key_mismatch'
  if (partitionOf(record.key, record.partitionCount) !== record.partition) return 'wrong_partition'
  const strings = [batch.user_id, batch.device_id, batch.app_version, batch.channel, batch.region]
  for (const [key, value] of Object.entries(batch.experiments)) strings.push(key, value)
  if (strings.some(tooLong)) return 'flush_field_too_long'
  if (batch.events.length > maxEventsPerFlush) return 'too_many_events'
  return 'ok'
}

/** In the order in which an event is judged. `eventAt` is its corrected time. */
export function judgeEvent(
  event: BehaviorEvent,
  context: { recordAt: number; sentAt: number; eventAt: number; clockAt: number; currency: string },
): EventReject | 'ok' {
  if (required[event.behavior].some((name) => isMissing(event[name]))) return 'missing_field'

  const strings = [event.session_id, event.content_id, event.creator_id, event.category, event.surface, event.currency, event.query]
  if (strings.some((value) => value !== null && tooLong(value))) return 'field_too_long'

  const instants = [event.occurred_at, context.sentAt, context.recordAt, event.published_at ?? 0]
  if (instants.some((at) => Math.abs(at) > maxInstant)) return 'out_of_range'
  // Fields of 32 bits, in which the bytes of a flush may still say more.
  if (event.watch_ms !== null && (event.watch_ms < 0 || event.watch_ms >= 2 ** 31)) return 'out_of_range'
  if (event.duration_ms !== null && (event.duration_ms < 0 || event.duration_ms >= 2 ** 31)) return 'out_of_range'
  if (event.amount_minor !== null && Math.abs(event.amount_minor) > 2 ** 53) return 'out_of_range'
  if (event.behavior === 'play' && event.duration_ms === 0) return 'out_of_range'
  if (event.behavior === 'purchase' && (event.amount_minor! <= 0 || event.amount_minor! > maxAmountMinor)) return 'out_of_range'

  if (event.behavior === 'purchase' && event.currency !== context.currency) return 'currency'

  if (context.eventAt < context.clockAt - tooOldMs) return 'too_old'
  return 'ok'
}

const required: Record<BehaviorEvent['behavior'], readonly (keyof BehaviorEvent)[]> = {
  register: [],
  session_start: [],
  session_end: [],
  impression: ['content_id'],
  click: ['content_id'],
  play: ['content_id', 'watch_ms', 'duration_ms'],
  like: ['content_id'],
  comment: ['content_id'],
  share: ['content_id'],
  follow: ['creator_id'],
  search: ['query'],
  purchase: ['amount_minor', 'currency'],
}

const isMissing = (value: unknown) => value === null || value === ''
const tooLong = (text: string) => utf8.encode(text).length > maxStringBytes
const sameBytes = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, i) => byte === b[i])
