// Avro single-object encoding of a row object, from its field table: for messages that are not on the hot path.
import { singleObjectHeader } from './avro.ts'
import type { Field, FieldTable, Row } from './field.ts'

export function encodeSingleObject<T extends FieldTable>(table: T, row: Row<T>): Uint8Array {
  const chunks: Uint8Array[] = [singleObjectHeader(table)]
  encodeRecord(table, row as Readonly<Record<string, unknown>>, chunks)
  return Buffer.concat(chunks)
}

function encodeRecord(table: FieldTable, row: Readonly<Record<string, unknown>>, into: Uint8Array[]): void {
  for (const [name, field] of Object.entries(table.fields)) encodeValue(field, row[name], into)
}

function encodeValue(field: Field, value: unknown, into: Uint8Array[]): void {
  const { kind } = field
  switch (kind.of) {
    case 'string': {
      const bytes = new TextEncoder().encode(value as string)
      into.push(long(bytes.length), bytes)
      return
    }
    case 'bytes':
      into.push(long((value as Uint8Array).length), value as Uint8Array)
      return
    case 'uuid':
      into.push(value as Uint8Array)
      return
    case 'enumeration':
      into.push(long(kind.symbols.indexOf(value as string)))
      return
    case 'instant':
    case 'integer':
      into.push(long(value as number))
      return
    case 'float64':
      into.push(new Uint8Array(Float64Array.of(value as number).buffer))
      return
    case 'nullable':
      into.push(long(value === null ? 0 : 1))
      if (value !== null) encodeValue(kind.inner, value, into)
      return
    case 'map': {
      const entries = Object.entries(value as Record<string, string>)
      if (entries.length > 0) into.push(long(entries.length))
      for (const [key, item] of entries)
        for (const part of [key, item]) encodeValue({ kind: { of: 'string', lowCardinality: false } }, part, into)
      into.push(long(0))
      return
    }
    case 'list': {
      const items = value as readonly unknown[]
      if (items.length > 0) into.push(long(items.length))
      for (const item of items) encodeValue(kind.item, item, into)
      into.push(long(0))
      return
    }
    case 'record':
      encodeRecord(kind.record, value as Readonly<Record<string, unknown>>, into)
  }
}

/** A zigzag varint. Exact within ±2⁵². */
function long(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  while (rest > 127) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
