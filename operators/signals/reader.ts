// One customer signal in the current writer schema, from the message's bytes. It decodes everything before anyone applies anything.
import { singleObjectHeader } from '../../schemas/avro.ts'
import { customerSignal, signalKinds } from '../../schemas/customer-signal.ts'
import { isUtf8 } from '../flush/utf8.ts'

const header = singleObjectHeader(customerSignal)

/** Bytes [from, from + length) of the value. */
export type Stretch = { readonly from: number; readonly length: number }

/** Integers as the nearest double to what was written, whatever the field's width: the judge refuses what does not fit. */
export type Signal = {
  /** Where the id's 16 bytes begin. */
  readonly signalId: number
  /** Index in signalKinds. */
  readonly kind: number
  readonly userId: Stretch | null
  readonly channel: Stretch | null
  readonly occurredAt: number
  readonly sentAt: number
  readonly score: number | null
  readonly seconds: number | null
  readonly contentId: Stretch | null
  readonly severity: Stretch | null
  readonly amountMinor: number | null
  readonly currency: Stretch | null
}

export type SignalOutcome =
  | { readonly kind: 'signal'; readonly signal: Signal }
  | { readonly kind: 'other_schema' }
  | {
      readonly kind: 'unreadable'
      readonly reason: 'bad_header' | 'truncated' | 'trailing_bytes' | 'bad_utf8'
      /** Where it was found, from the value's start. */
      readonly at: number
    }

/** A body that the schema cannot have written is `truncated`, as one that ends too early is; the first place that is wrong counts. */
export function readSignal(value: Uint8Array): SignalOutcome {
  if (value.length < header.length || value[0] !== header[0] || value[1] !== header[1])
    return { kind: 'unreadable', reason: 'bad_header', at: 0 }
  for (let i = 2; i < header.length; i++) if (value[i] !== header[i]) return { kind: 'other_schema' }
  let at = header.length
  let failedAt = -1
  let badTextAt = -1

  /** After a failure every further read fails too, and none goes further. */
  function fail(): number {
    if (failedAt < 0) failedAt = Math.min(at, value.length)
    at = value.length
    return 0
  }
  function long(): number {
    let bits = 0n
    for (let place = 0n; place < 70n; place += 7n) {
      if (at >= value.length) return fail()
      const byte = value[at++]!
      bits |= BigInt(byte & 127) << place
      if (byte < 128) return Number(BigInt.asIntN(64, (bits >> 1n) ^ -(bits & 1n)))
    }
    return fail()
  }
  function stretch(): Stretch {
    const length = long()
    if (length < 0 || at + length > value.length) fail()
    const from = at
    if (failedAt >= 0) return { from, length: 0 }
    at += length
    if (badTextAt < 0 && !isUtf8(value, from, at)) badTextAt = from
    return { from, length }
  }
  function optional<T>(read: () => T): T | null {
    const branch = long()
    if (branch !== 0 && branch !== 1) fail()
    return branch === 1 && failedAt < 0 ? read() : null
  }

  const signalId = at
  at += 16
  if (at > value.length) fail()
  const kind = long()
  if (kind < 0 || kind >= signalKinds.length) fail()
  const signal: Signal = {
    signalId,
    kind,
    userId: optional(stretch),
    channel: optional(stretch),
    occurredAt: long(),
    sentAt: long(),
    score: optional(long),
    seconds: optional(long),
    contentId: optional(stretch),
    severity: optional(stretch),
    amountMinor: optional(long),
    currency: optional(stretch),
  }
  if (failedAt >= 0) return { kind: 'unreadable', reason: 'truncated', at: failedAt }
  if (at < value.length) return { kind: 'unreadable', reason: 'trailing_bytes', at }
  if (badTextAt >= 0) return { kind: 'unreadable', reason: 'bad_utf8', at: badTextAt }
  return { kind: 'signal', signal }
}
