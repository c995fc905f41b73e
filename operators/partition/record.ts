// What becomes of a record before its value is looked at, whatever the topic: time moves, and a control record is no more than that.
import { controlOf, receivedAtOf, type Headers } from './headers.ts'

/** A record's timestamp outside [0, this] moves no clock: 9999-12-31. */
export const maxClock = 253_402_300_799_999

/** The record under way. Reused: valid until the next one. */
export type RecordContext = {
  offset: number
  recordAt: number
  receivedAt: number
  clockAt: number
  key: Uint8Array | null
  value: Uint8Array | null
}

export type PartitionClock = {
  /** −Infinity before the first record. */
  at(): number
  /** Never back. */
  move(to: number): void
}

/** Takes records into one context. False: it was a control record, and is done with. */
export function recordIntake(clock: PartitionClock) {
  const record: RecordContext = { offset: 0, recordAt: 0, receivedAt: 0, clockAt: 0, key: null, value: null }
  return {
    record,
    take(offset: number, timestampMs: number, key: Uint8Array | null, value: Uint8Array | null, headers: Headers | undefined): boolean {
      const control = controlOf(key, value, headers)
      const stamped = timestampMs >= 0 && timestampMs <= maxClock ? timestampMs : Math.max(clock.at(), 0)
      clock.move(stamped)
      if (control !== undefined) {
        if (control.clockAt >= 0 && control.clockAt <= maxClock) clock.move(control.clockAt)
        return false
      }
      record.offset = offset
      record.recordAt = stamped
      record.clockAt = clock.at()
      record.key = key
      record.value = value
      record.receivedAt = headers === undefined ? stamped : receivedAtOf(headers, stamped)
      return true
    },
  }
}
