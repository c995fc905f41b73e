// Kafka's record batches (magic 2) to columns and back, straight from and to the bytes of a response or request.
// Format: https://kafka.apache.org/documentation/#recordbatch

import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { OutRecord, RecordHeaders } from '../../ports/log.ts'
import { emptyHeaders, headerName, type RecordColumns } from '../shared/record-columns.ts'
import { crc32c } from './crc32c.ts'

/** Bytes of a batch before its first record. */
const batchHeader = 61
/** Bytes before those that the batch's length counts. */
const lengthEnd = 12

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const compressionMask = 7
const logAppendTime = 8
const transactional = 16
const control = 32

export type AbortedTransaction = { producerId: number; firstOffset: number }

/** Whole batches of one partition as a broker sent them. */
export type RecordSet = {
  bytes: Buffer
  start: number
  end: number
  /** Ordered by firstOffset. */
  aborted: AbortedTransaction[]
  /** Where the next fetch goes on. */
  nextOffset: number
}

/** Int64 as a number: offsets, times and producer ids stay far below 2^53. */
export const readInt64 = (bytes: Buffer, at: number): number => bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4)

const writeInt64 = (bytes: Buffer, value: number, at: number): void => {
  bytes.writeInt32BE(Math.floor(value / 4_294_967_296), at)
  bytes.writeUInt32BE(value - Math.floor(value / 4_294_967_296) * 4_294_967_296, at + 4)
}

/** Finds the whole batches in [start, end): a broker cuts the last one where the fetch's limit fell. */
export function scanBatches(bytes: Buffer, start: number, end: number, fetchOffset: number): Pick<RecordSet, 'end' | 'nextOffset'> {
  let at = start
  let nextOffset = fetchOffset
  while (at + batchHeader <= end) {
    const batchEnd = at + lengthEnd + bytes.readInt32BE(at + 8)
    if (batchEnd > end) break
    const magic = bytes[at + 16]
    if (magic !== 2)
      throw new Error(`a record batch of format ${magic} at offset ${readInt64(bytes, at)}: only format 2 (Kafka 0.11 and later) is read`)
    nextOffset = Math.max(nextOffset, readInt64(bytes, at) + bytes.readInt32BE(at + 23) + 1)
    at = batchEnd
  }
  return { end: at, nextOffset }
}

/** Appends the committed records from `fromOffset` on to `out`. Keys and values stay views of the response, unless it was compressed. */
export function decodeRecordSet(set: RecordSet, fromOffset: number, out: RecordColumns): void {
  const { bytes, aborted } = set
  const open = new Set<number>()
  let nextAborted = 0
  for (let at = set.start, batchEnd = 0; at < set.end; at = batchEnd) {
    batchEnd = at + lengthEnd + bytes.readInt32BE(at + 8)
    const baseOffset = readInt64(bytes, at)
    const attributes = bytes.readInt16BE(at + 21)
    const lastOffset = baseOffset + bytes.readInt32BE(at + 23)
    const producerId = readInt64(bytes, at + 43)
    while (nextAborted < aborted.length && (aborted[nextAborted] as AbortedTransaction).firstOffset <= lastOffset) {
      open.add((aborted[nextAborted++] as AbortedTransaction).producerId)
    }
    if (attributes & control) {
      // A marker ends its producer's transaction; whether it was aborted, the broker has said already.
      open.delete(producerId)
      continue
    }
    if (attributes & transactional && open.has(producerId)) continue
    const count = bytes.readInt32BE(at + 57)
    const baseTimestampMs = readInt64(bytes, at + 27)
    const fixedTimestampMs = attributes & logAppendTime ? readInt64(bytes, at + 35) : undefined
    const codec = attributes & compressionMask
    const records = codec === 0 ? bytes : decompressed(codec, bytes.subarray(at + batchHeader, batchEnd), baseOffset)
    decodeRecords(records, codec === 0 ? at + batchHeader : 0, count, baseOffset, baseTimestampMs, fixedTimestampMs, fromOffset, out)
  }
}

function decompressed(codec: number, bytes: Buffer, offset: number): Buffer {
  if (codec === 1) return gunzipSync(bytes)
  if (codec === 4) return zstdDecompressSync(bytes)
  throw new Error(
    `the record batch at offset ${offset} is compressed with ${codecs[codec] ?? `codec ${codec}`}, for which this program has no codec: ` +
      `let producers of this topic use gzip, zstd or none, or set the topic's compression.type`,
  )
}

/** Where the reader of varints stands: one object, for a returned pair would be one each. */
const cursor = { at: 0 }

function varint(bytes: Uint8Array): number {
  let byte = bytes[cursor.at++] as number
  let value = byte & 0x7f
  for (let shift = 7; byte >= 0x80; shift += 7) {
    byte = bytes[cursor.at++] as number
    value |= (byte & 0x7f) << shift
  }
  return (value >>> 1) ^ -(value & 1)
}

/** Exact to 2^53. */
function varlong(bytes: Uint8Array): number {
  let byte = bytes[cursor.at++] as number
  let low = byte & 0x7f
  if (byte < 0x80) return (low >>> 1) ^ -(low & 1)
  let factor = 128
  while (byte >= 0x80) {
    byte = bytes[cursor.at++] as number
    low += (byte & 0x7f) * factor
    factor *= 128
  }
  return low % 2 === 0 ? low / 2 : -(low + 1) / 2
}

function decodeRecords(
  bytes: Buffer,
  start: number,
  count: number,
  baseOffset: number,
  baseTimestampMs: number,
  fixedTimestampMs: number | undefined,
  fromOffset: number,
  out: RecordColumns,
): void {
  out.grow(out.count + count)
  const { offsets, timestampsMs, keys, values, headers } = out
  let n = out.count
  cursor.at = start
  for (let i = 0; i < count; i++) {
    const length = varint(bytes)
    const recordEnd = cursor.at + length
    cursor.at++ // attributes, unused
    const timestampMs = baseTimestampMs + varlong(bytes)
    const offset = baseOffset + varint(bytes)
    if (offset < fromOffset) {
      cursor.at = recordEnd
      continue
    }
    const keyLength = varint(bytes)
    const key = cursor.at
    if (keyLength > 0) cursor.at += keyLength
    const valueLength = varint(bytes)
    const value = cursor.at
    if (valueLength > 0) cursor.at += valueLength
    offsets[n] = offset
    timestampsMs[n] = fixedTimestampMs ?? timestampMs
    keys[n] = keyLength < 0 ? null : bytes.subarray(key, key + keyLength)
    values[n] = valueLength < 0 ? null : bytes.subarray(value, value + valueLength)
    headers[n] = bytes[cursor.at] === 0 ? undefined : decodeHeaders(bytes)
    cursor.at = recordEnd
    n++
  }
  out.count = n
}

/** Of a name that occurs twice the last counts, as in Kafka's `lastHeader`; a null value is an empty one. */
function decodeHeaders(bytes: Buffer): RecordHeaders {
  const headers = emptyHeaders()
  for (let left = varint(bytes); left > 0; left--) {
    const nameLength = varint(bytes)
    const name = headerName(bytes, cursor.at, cursor.at + nameLength)
    cursor.at += nameLength
    const valueLength = Math.max(0, varint(bytes))
    headers[name] = bytes.subarray(cursor.at, cursor.at + valueLength)
    cursor.at += valueLength
  }
  return headers
}

export type BatchProducer = { producerId: number; producerEpoch: number; firstSequence: number; transactional: boolean }

/** More than any record's framing takes, apart from its headers' names. */
export const recordOverheadBytes = 64

/** One uncompressed batch. Records without `timestampMs` get `nowMs`. */
export function encodeBatch(records: readonly OutRecord[], producer: BatchProducer, nowMs: number): Buffer {
  const baseTimestampMs = records[0]?.timestampMs ?? nowMs
  let maxTimestampMs = baseTimestampMs
  let size = batchHeader
  const lengths = new Int32Array(records.length)
  records.forEach((record, index) => {
    const timestampMs = record.timestampMs ?? nowMs
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs
    const length = recordLength(record, timestampMs - baseTimestampMs, index)
    lengths[index] = length
    size += sizeOfVarint(length) + length
  })
  const bytes = Buffer.allocUnsafe(size)
  bytes.writeInt32BE(0, 0) // base offset, the broker's to set
  bytes.writeInt32BE(0, 4)
  bytes.writeInt32BE(size - lengthEnd, 8)
  bytes.writeInt32BE(-1, 12) // leader epoch
  bytes[16] = 2
  bytes.writeInt16BE(producer.transactional ? transactional : 0, 21)
  bytes.writeInt32BE(records.length - 1, 23)
  writeInt64(bytes, baseTimestampMs, 27)
  writeInt64(bytes, maxTimestampMs, 35)
  writeInt64(bytes, producer.producerId, 43)
  bytes.writeInt16BE(producer.producerEpoch, 51)
  bytes.writeInt32BE(producer.firstSequence, 53)
  bytes.writeInt32BE(records.length, 57)
  cursor.at = batchHeader
  records.forEach((record, index) => {
    writeVarint(bytes, lengths[index] as number)
    bytes[cursor.at++] = 0
    writeVarlong(bytes, (record.timestampMs ?? nowMs) - baseTimestampMs)
    writeVarint(bytes, index)
    writeBytes(bytes, record.key)
    writeBytes(bytes, record.value)
    writeHeaders(bytes, record.headers)
  })
  bytes.writeUInt32BE(crc32c(bytes, 21, size), 17)
  return bytes
}

function recordLength({ key, value, headers }: OutRecord, timestampDelta: number, offsetDelta: number): number {
  let length = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(offsetDelta) + sizeOfBytes(key) + sizeOfBytes(value)
  let count = 0
  for (const name in headers) {
    count++
    const nameLength = Buffer.byteLength(name)
    length += sizeOfVarint(nameLength) + nameLength + sizeOfBytes(headers[name] as Uint8Array)
  }
  return length + sizeOfVarint(count)
}

const sizeOfBytes = (value: Uint8Array | null) => (value ? sizeOfVarint(value.length) + value.length : 1)

function sizeOfVarint(value: number): number {
  let bits = ((value << 1) ^ (value >> 31)) >>> 7
  let size = 1
  while (bits !== 0) {
    bits >>>= 7
    size++
  }
  return size
}

const zigzag = (value: number): number => (value >= 0 ? 2 * value : -2 * value - 1)

function sizeOfVarlong(value: number): number {
  let size = 1
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

function writeVarint(bytes: Uint8Array, value: number): void {
  let bits = ((value << 1) ^ (value >> 31)) >>> 0
  while (bits >= 128) {
    bytes[cursor.at++] = (bits & 0x7f) | 0x80
    bits >>>= 7
  }
  bytes[cursor.at++] = bits
}

function writeVarlong(bytes: Uint8Array, value: number): void {
  let rest = zigzag(value)
  while (rest >= 128) {
    bytes[cursor.at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  bytes[cursor.at++] = rest
}

function writeBytes(bytes: Uint8Array, value: Uint8Array | null): void {
  if (!value) {
    writeVarint(bytes, -1)
    return
  }
  writeVarint(bytes, value.length)
  bytes.set(value, cursor.at)
  cursor.at += value.length
}

function writeHeaders(bytes: Buffer, headers: RecordHeaders | undefined): void {
  let count = 0
  for (const _ in headers) count++
  writeVarint(bytes, count)
  for (const name in headers) {
    writeVarint(bytes, Buffer.byteLength(name))
    cursor.at += bytes.write(name, cursor.at, 'utf8')
    writeBytes(bytes, headers[name] as Uint8Array)
  }
}
