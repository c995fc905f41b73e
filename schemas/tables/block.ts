// The fields that every row written by a block starts with. Fixed widths first, so that a block's end can be filled in
// when it is known (pipeline/roles/process/block-rows.ts).
import { int64, instant, uint16, uint32 } from '../field.ts'

export const blockFields = {
  partition: uint16('Partition of the input topic.'),
  first_offset: int64('Offset at which the block begins; with `part` it names one insert.'),
  part: uint32('Index of the part in the block, for this table.'),
  block_at: instant("The block's end clock."),
} as const

export const byMonth = 'toYYYYMM(block_at)'
