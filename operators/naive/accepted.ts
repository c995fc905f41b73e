// An accepted event as the naive twins keep it: for ever, whole, one plain object.
import type { Behavior, Platform } from '../../schemas/behavior-batch.ts'

export type AcceptedEvent = {
  /** Place in the log: the flush's offset, and the event's place in it. */
  readonly offset: number
  readonly ordinal: number
  /** The partition's clock after the flush. */
  readonly clockAt: number
  /** Corrected event time, t. */
  readonly eventAt: number
  /** Zone day of eventAt. */
  readonly day: number
  /** Hex digits. */
  readonly eventId: string
  readonly behavior: Behavior
  /** As counted: a value outside the configured list is `other`. */
  readonly category: string | null
  readonly watchMs: number | null
  readonly durationMs: number | null
  readonly amountMinor: number | null
  /** Of the flush; all but platform as counted. */
  readonly platform: Platform
  readonly channel: string
  readonly region: string
  readonly appVersion: string
}
