// Naive twin of the decoder: Avro single-object encoding of the current schema, read field by field into a plain object.
import { singleObjectHeader } from '../../schemas/avro.ts'
import { behaviorBatch, type BehaviorBatch } from '../../schemas/behavior-batch.ts'
import type { Field, FieldTable, Row } from '../../schemas/field.ts'
import type { RecordReject } from '../../schemas/rejects.ts'

/**
 * The flush that a value says, or why it says none. A body that the schema cannot have written (an index that names
 * nothing, a negative length, an endless varint) is `truncated`, as one that ends too early is.
 */
export const naiveDecode = (value: Uint8Array): BehaviorBatch | RecordReject => naiveDecodeAs(behaviorBatch, value)

/** The same of any record. */
export function naiveDecodeAs<T extends FieldTable>(table: T, value: Uint8Array): Row<T> | RecordReject {
  const header = singleObjectHeader(table)
  if (value.length < header.length || value[0] !== header[0] || value[1] !== header[1]) return 'bad_header'
  if (header.some((byte, i) => value[i] !== byte)) return 'unknown_schema'
  const cursor: Cursor = { bytes: value, at: header.length, badText: false }
  try {
    const row = readRecord(table, cursor)
    if (cursor.at < value.length) return 'trailing_bytes'
    return cursor.badText ? 'bad_utf8' : (row as Row<T>)
  } catch (error) {
    if (error instanceof Unreadable) return 'truncated'
    throw error
  }
}

type Cursor = { bytes: Uint8Array; at: number; badText: boolean }

class Unreadable extends Error {
  override name = 'Unreadable'
}

function readRecord(table: FieldTable, cursor: Cursor): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table.fields).map(([name, field]) => [name, readValue(field, cursor)]))
}

function readValue({ kind }: Field, cursor: Cursor): unknown {
  switch (kind.of) {
    case 'string':
      return readText(cursor)
    case 'bytes':
      return readBytes(cursor, readLength(cursor))
    case 'uuid':
      return readBytes(cursor, 16)
    case 'enumeration': {
      const symbol = kind.symbols[readInteger(cursor)]
      if (symbol === undefined) throw new Unreadable()
      return symbol
    }
    case 'instant':
    case 'integer':
      return readInteger(cursor)
    case 'float64':
      return new DataView(readBytes(cursor, 8).slice().buffer).getFloat64(0, true)
    case 'nullable': {
      const branch = readInteger(cursor)
      if (branch === 0) return null
      if (branch === 1) return readValue(kind.inner, cursor)
      throw new Unreadable()
    }
    case 'list':
      return readBlocks(cursor, () => readValue(kind.item, cursor))
    case 'map':
      return Object.fromEntries(readBlocks(cursor, () => [readText(cursor), readText(cursor)] as const))
    case 'record':
      return readRecord(kind.record, cursor)
  }
}

/** Blocks of items, each with its count; a negative count is followed by the block's length. A count of 0 ends them. */
function readBlocks<T>(cursor: Cursor, readItem: () => T): T[] {
  const items: T[] = []
  for (let count = readInteger(cursor); count !== 0; count = readInteger(cursor)) {
    if (count < 0) readLength(cursor)
    for (let i = Math.abs(count); i > 0; i--) items.push(readItem())
  }
  return items
}

function readText(cursor: Cursor): string {
  const bytes = readBytes(cursor, readLength(cursor))
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    cursor.badText = true
    return ''
  }
}

function readLength(cursor: Cursor): number {
  const length = readInteger(cursor)
  if (length < 0) throw new Unreadable()
  return length
}

function readBytes(cursor: Cursor, length: number): Uint8Array {
  if (cursor.at + length > cursor.bytes.length) throw new Unreadable()
  cursor.at += length
  return cursor.bytes.subarray(cursor.at - length, cursor.at)
}

/** A zigzag varint of at most 64 bits, as the nearest number. */
function readInteger(cursor: Cursor): number {
  let bits = 0n
  for (let place = 0n; place < 70n; place += 7n) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) throw new Unreadable()
    bits |= BigInt(byte & 127) << place
    if (byte < 128) return Number(BigInt.asIntN(64, (bits >> 1n) ^ -(bits & 1n)))
  }
  throw new Unreadable()
}
