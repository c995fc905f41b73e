// Constants of the protocol: a replay cuts the same blocks and parts only where these are the same everywhere.

/** A block ends with the record that brings it to this many events … */
export const blockEvents = 50_000
/** … or to this many bytes of values. */
export const blockBytes = 64 * 1024 * 1024
/** A part of a table's rows in a block ends at this many rows … */
export const partRows = 100_000
/** … or before the row that would bring it past this many bytes of RowBinary. */
export const partBytes = 64 * 1024 * 1024

export const maxEventsPerFlush = 1_000
export const maxStringBytes = 512
/** An instant further from the epoch than this is invalid (ms). */
export const maxInstant = 2 ** 52
/** One amount above this is `out_of_range` (minor units). */
export const maxAmountMinor = 1e10
/** An event whose corrected time is further behind the clock than this is `too_old` (ms). */
export const tooOldMs = 30 * 86_400_000
