// Messages for other topics that a partition's records made. They wait here until the checkpoint that covers their block,
// and leave in its transaction; a replay makes the same ones, under the same ids.
import { createHash } from 'node:crypto'
import { encodeSingleObject } from '../../../schemas/avro-encode.ts'
import { tierChangeMessage, type TierChange } from '../../../schemas/tables/tier-changes.ts'
import type { OutRecord } from '../../ports/log.ts'

export type OutboxMessage =
  | { kind: 'tier_change'; change: TierChange }
  | {
      kind: 'rejected'
      offset: number
      /** Reason of each rejected event with its ordinal; ordinal −1 is the whole record. */
      reasons: { ordinal: number; reason: string }[]
      key: Uint8Array | null
      value: Uint8Array | null
      recordAt: number
      receivedAt: number
    }

/** A rejected value or key larger than this goes as its digest: topics refuse larger messages (bytes). */
const rejectedLimit = 1_000_000

const text = (value: string | number) => new TextEncoder().encode(String(value))

/** Not every topic has tiers. */
export type OutboxTopics = { tierChanges?: string | undefined; rejected: string }

/** Rough size of a message, for the outbox's bound (bytes). */
export function outboxBytes(message: OutboxMessage): number {
  if (message.kind === 'tier_change') return 300
  return (
    300 +
    Math.min(message.key?.length ?? 0, rejectedLimit) +
    Math.min(message.value?.length ?? 0, rejectedLimit) +
    message.reasons.length * 24
  )
}

/** The record of a message; `id` is the same however often the block is processed. */
export function outboxRecord(message: OutboxMessage, id: string, source: { topic: string; partition: number }): OutRecord {
  if (message.kind === 'tier_change')
    return {
      key: text(message.change.user_id),
      value: encodeSingleObject(tierChangeMessage, message.change),
      headers: { id: text(id) },
      timestampMs: message.change.as_of,
    }
  const { value, reasons } = message
  const headers: Record<string, Uint8Array> = {
    id: text(id),
    reason: text(reasons[0]!.reason),
    topic: text(source.topic),
    partition: text(source.partition),
    offset: text(message.offset),
    record_at: text(message.recordAt),
    received_at: text(message.receivedAt),
  }
  if (reasons[0]!.ordinal >= 0) headers['events'] = text(reasons.map(({ ordinal, reason }) => `${ordinal}:${reason}`).join(','))
  const tooLarge = (bytes: Uint8Array | null) => bytes !== null && bytes.length > rejectedLimit
  const digest = (bytes: Uint8Array) => text(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  if (value !== null && tooLarge(value)) {
    headers['digest'] = digest(value)
    headers['value_bytes'] = text(value.length)
  }
  const { key } = message
  if (key !== null && tooLarge(key)) {
    headers['key_digest'] = digest(key)
    headers['key_bytes'] = text(key.length)
  }
  return { key: tooLarge(key) ? null : key, value: tooLarge(value) ? null : value, headers, timestampMs: message.recordAt }
}
