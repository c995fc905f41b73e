// How a run of records lies in one row of the embedded log: lengths in columns first, then all bytes. Little-endian.
//
//   u32 count, u32 flags · f64 timestamp[count] if flag 1 · u32 offset − base[count] if flag 2 · i32 key length[count] (−1: null)
//   · i32 value length[count] (−1: null) · i32 headers length[count] if flag 4 · then per record: key, value, headers
//   headers: u16 name length, name, u32 value length, value, repeated

import type { OutRecord, RecordHeaders } from '../../ports/log.ts'
import { emptyHeaders, hasHeaders, headerName, type RecordColumns } from '../shared/record-columns.ts'

const withTimestamps = 1
const withOffsets = 2
const withHeaders = 4

/** What `encodeBatch` takes; offsets of a batch without gaps are left out. */
export type StoredRecord = Pick<OutRecord, 'key' | 'value'> & {
  headers?: RecordHeaders | undefined
  timestampMs?: number | undefined
  offset?: number
}

const utf8 = new TextEncoder()

/** `baseOffset` matters only with `offsets: true`. The result owns its whole buffer, so it can be transferred. */
export function encodeBatch(
  records: readonly StoredRecord[],
  what: { timestamps: boolean; offsets: boolean },
  baseOffset = 0,
): Uint8Array<ArrayBuffer> {
  const count = records.length
  const anyHeaders = records.some((record) => hasHeaders(record.headers))
  const flags = (what.timestamps ? withTimestamps : 0) | (what.offsets ? withOffsets : 0) | (anyHeaders ? withHeaders : 0)
  let bytes = 8 + count * (8 + (what.timestamps ? 8 : 0) + (what.offsets ? 4 : 0) + (anyHeaders ? 4 : 0))
  const columns = bytes
  for (const { key, value, headers } of records) {
    bytes += (key?.length ?? 0) + (value?.length ?? 0)
    if (anyHeaders && headers) bytes += headersLength(headers)
  }
  const out = new Uint8Array(bytes)
  const view = new DataView(out.buffer)
  view.setUint32(0, count, true)
  view.setUint32(4, flags, true)
  let column = 8
  if (what.timestamps) for (const { timestampMs } of records) view.setFloat64((column += 8) - 8, timestampMs as number, true)
  if (what.offsets) for (const { offset } of records) view.setUint32((column += 4) - 4, (offset as number) - baseOffset, true)
  for (const { key } of records) view.setInt32((column += 4) - 4, key ? key.length : -1, true)
  for (const { value } of records) view.setInt32((column += 4) - 4, value ? value.length : -1, true)
  let at = columns
  for (const { key, value, headers } of records) {
    if (key) {
      out.set(key, at)
      at += key.length
    }
    if (value) {
      out.set(value, at)
      at += value.length
    }
    if (!anyHeaders) continue
    const before = at
    if (headers) at = writeHeaders(headers, out, view, at)
    view.setInt32((column += 4) - 4, at - before, true)
  }
  return out
}

function headersLength(headers: RecordHeaders): number {
  let bytes = 0
  for (const name in headers) bytes += 6 + Buffer.byteLength(name) + (headers[name] as Uint8Array).length
  return bytes
}

function writeHeaders(headers: RecordHeaders, out: Uint8Array, view: DataView, start: number): number {
  let at = start
  for (const name in headers) {
    const value = headers[name] as Uint8Array
    const { written } = utf8.encodeInto(name, out.subarray(at + 2))
    view.setUint16(at, written, true)
    at += 2 + written
    view.setUint32(at, value.length, true)
    out.set(value, at + 4)
    at += 4 + value.length
  }
  return at
}

function readHeaders(bytes: Uint8Array, view: DataView, start: number, end: number): RecordHeaders {
  const headers = emptyHeaders()
  for (let at = start; at < end;) {
    const nameEnd = at + 2 + view.getUint16(at, true)
    const valueEnd = nameEnd + 4 + view.getUint32(nameEnd, true)
    headers[headerName(bytes, at + 2, nameEnd)] = bytes.subarray(nameEnd + 4, valueEnd)
    at = valueEnd
  }
  return headers
}

/** Appends to `out` the batch's records from `fromOffset` on. Keys and values stay views of `bytes`. */
export function decodeBatch(bytes: Uint8Array, baseOffset: number, rowTimestampMs: number, fromOffset: number, out: RecordColumns): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = view.getUint32(0, true)
  const flags = view.getUint32(4, true)
  const timestamps = 8
  const offsets = timestamps + (flags & withTimestamps ? 8 * count : 0)
  const keys = offsets + (flags & withOffsets ? 4 * count : 0)
  const values = keys + 4 * count
  const headers = values + 4 * count
  let at = headers + (flags & withHeaders ? 4 * count : 0)
  out.grow(out.count + count)
  let n = out.count
  for (let i = 0; i < count; i++) {
    const offset = baseOffset + (flags & withOffsets ? view.getUint32(offsets + 4 * i, true) : i)
    const keyLength = view.getInt32(keys + 4 * i, true)
    const valueLength = view.getInt32(values + 4 * i, true)
    const headersBytes = flags & withHeaders ? view.getInt32(headers + 4 * i, true) : 0
    const value = at + (keyLength > 0 ? keyLength : 0)
    const header = value + (valueLength > 0 ? valueLength : 0)
    if (offset >= fromOffset) {
      out.offsets[n] = offset
      out.timestampsMs[n] = flags & withTimestamps ? view.getFloat64(timestamps + 8 * i, true) : rowTimestampMs
      out.keys[n] = keyLength < 0 ? null : bytes.subarray(at, value)
      out.values[n] = valueLength < 0 ? null : bytes.subarray(value, header)
      out.headers[n] = headersBytes > 0 ? readHeaders(bytes, view, header, header + headersBytes) : undefined
      n++
    }
    at = header + headersBytes
  }
  out.count = n
}
