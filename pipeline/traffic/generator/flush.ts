// What the simulator hands out: one message, ready to be appended to a log.
import type { RejectReason } from '../../../schemas/rejects.ts'

/** What is wrong with a message that was made wrong on purpose; `empty` is valid and says nothing. */
export type Fault = Exclude<RejectReason, 'wrong_partition'> | 'empty'

/** An OutRecord. `key` may lie in the value's memory; neither is written to again. */
export type Flush = {
  key: Uint8Array | null
  value: Uint8Array | null
  timestampMs: number
  /** How many valid events it holds. */
  events: number
  fault?: Fault
  /** Only where there is no key to tell it. */
  partition?: number
}
