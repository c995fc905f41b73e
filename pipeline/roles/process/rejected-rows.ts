// What was not counted, and why: rows of `rejected_events`, and the messages that put the records aside with their bytes.
import type { RecordContext } from '../../../operators/partition/record.ts'
import { rejectReasons, type RejectReason } from '../../../schemas/rejects.ts'
import type { OpenBlock } from './work.ts'

/** Code of each reject reason in the table's enumeration. */
const reasonCode = new Map(rejectReasons.map((reason, code) => [reason as string, code]))
const headBytes = 64
const none = new Uint8Array(0)

export type Rejected = {
  record: RecordContext
  /** −1: the whole record. */
  ordinal: number
  reason: RejectReason
  detail: string
  /** Where the 16 bytes of the event's id are; undefined: the whole record. */
  eventId?: { bytes: Uint8Array; at: number }
}

/** Writes one row, and one message a record, whatever the number of its events that were rejected. */
export function rejectedRows(): (block: OpenBlock, rejected: Rejected) => void {
  // A byte order mark at the start of an id is part of it.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  function keyText(key: Uint8Array | null): string | null {
    if (key === null || key.length > 512) return null
    try {
      return decoder.decode(key)
    } catch {
      return null
    }
  }

  function row({ rejected, samples }: OpenBlock, { record, ordinal, reason, detail, eventId }: Rejected): void {
    const value = record.value ?? none
    samples.reject(reason)
    const out = rejected.begin()
    out.i64(record.offset)
    if (ordinal < 0) out.u8(1)
    else {
      out.u8(0)
      out.u32(ordinal)
    }
    out.i64(record.recordAt)
    out.i64(record.clockAt)
    out.u8(reasonCode.get(reason)!)
    out.text(detail)
    const user = keyText(record.key)
    if (user === null) out.u8(1)
    else {
      out.u8(0)
      out.text(user)
    }
    if (eventId === undefined) out.u8(1)
    else {
      out.u8(0)
      out.uuid(eventId.bytes, eventId.at)
    }
    out.u32(value.length)
    out.bytes(value, 0, Math.min(value.length, headBytes))
    rejected.end()
  }

  function putAside({ outbox }: OpenBlock, { record, ordinal, reason }: Rejected): void {
    const last = outbox.at(-1)
    if (last?.kind === 'rejected' && last.offset === record.offset) {
      last.reasons.push({ ordinal, reason })
      return
    }
    const { offset, key, value, recordAt, receivedAt } = record
    outbox.push({
      kind: 'rejected', offset, reasons: [{ ordinal, reason }], recordAt, receivedAt,
      key: key === null ? null : key.slice(),
      value: value === null ? null : value.slice(),
    }) // prettier-ignore
  }

  return (block, rejected) => {
    row(block, rejected)
    putAside(block, rejected)
  }
}
