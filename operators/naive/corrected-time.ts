// Naive twin of corrected event time: when a behaviour happened, whatever the device's clock says.
import { maxInstant } from '../../schemas/limits.ts'

/** A header that holds an instant: ASCII decimal milliseconds, at most 16 digits, within ±2⁵². Null where it holds none. */
export function naiveInstantHeader(bytes: Uint8Array | undefined): number | null {
  if (bytes === undefined) return null
  const text = String.fromCharCode(...bytes)
  if (!/^-?[0-9]{1,16}$/.test(text)) return null
  const instant = Number(text)
  return Math.abs(instant) <= maxInstant ? instant + 0 : null
}

/** Header `received_at` where it is well formed, else the record's timestamp. */
export function naiveReceivedAt(header: Uint8Array | undefined, recordAt: number): number {
  return naiveInstantHeader(header) ?? recordAt
}

/** t = min(received_at, record timestamp) − max(0, sent_at − occurred_at). */
export function naiveCorrectedTime(times: { receivedAt: number; recordAt: number; sentAt: number; occurredAt: number }): number {
  return Math.min(times.receivedAt, times.recordAt) - Math.max(0, times.sentAt - times.occurredAt)
}
