// Where a block ends: after a control record, or with the record that brings it to its limits. Nothing else ends one, so
// every replay from a block's end cuts the same blocks.
import { blockBytes, blockEvents } from '../../../schemas/limits.ts'

export type BlockLimits = { events: number; bytes: number }
export const protocolLimits: BlockLimits = { events: blockEvents, bytes: blockBytes }

export type BlockCutter = {
  /** Counts a record; true where it is the block's last. */
  add(items: number, valueBytes: number, control: boolean): boolean
  /** Begins the next block. */
  begin(firstOffset: number): void
  firstOffset(): number
  /** Records in the block so far. */
  records(): number
}

export function blockCutter(limits: BlockLimits = protocolLimits): BlockCutter {
  let first = 0
  let records = 0
  let events = 0
  let bytes = 0
  return {
    add(items, valueBytes, control) {
      records++
      events += items
      bytes += valueBytes
      return control || events >= limits.events || bytes >= limits.bytes
    },
    begin(firstOffset) {
      first = firstOffset
      records = 0
      events = 0
      bytes = 0
    },
    firstOffset: () => first,
    records: () => records,
  }
}
