// The growing columns behind a reader's RecordBatch: filled in place, batch after batch, so that a record costs no object.

import type { RecordBatch, RecordHeaders } from '../../ports/log.ts'

export type RecordColumns = RecordBatch & { grow(atLeast: number): void }

export function recordColumns(partition: number, endOffset: number): RecordColumns {
  return {
    partition,
    count: 0,
    offsets: new Float64Array(1024),
    timestampsMs: new Float64Array(1024),
    keys: [],
    values: [],
    headers: [],
    nextOffset: 0,
    endOffset,
    grow(atLeast) {
      if (this.offsets.length >= atLeast) return
      const size = Math.max(atLeast, 2 * this.offsets.length)
      this.offsets = widened(this.offsets, size)
      this.timestampsMs = widened(this.timestampsMs, size)
    },
  }
}

function widened(column: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const wide = new Float64Array(size)
  wide.set(column)
  return wide
}

const knownNames: { bytes: Uint8Array; name: string }[] = []
const utf8 = new TextDecoder()

/** A header's name. Names repeat in every record of a topic, so the few that occur are decoded once. */
export function headerName(bytes: Uint8Array, start: number, end: number): string {
  next: for (const known of knownNames) {
    if (known.bytes.length !== end - start) continue
    for (let i = start; i < end; i++) if (bytes[i] !== known.bytes[i - start]) continue next
    return known.name
  }
  const name = utf8.decode(bytes.subarray(start, end))
  if (knownNames.length < 16 && end - start <= 64) knownNames.push({ bytes: bytes.slice(start, end), name })
  return name
}

/** An object without prototype, so that a header named `__proto__` is a header like any other. */
export const emptyHeaders = (): Record<string, Uint8Array> => Object.create(null) as Record<string, Uint8Array>

export const hasHeaders = (headers: RecordHeaders | undefined): headers is RecordHeaders => {
  if (headers) for (const _ in headers) return true
  return false
}
