// Avro single-object encoding of flushes that no honest writer makes: numbers beyond their fields are written as they are.
import { singleObjectHeader } from '../../schemas/avro.ts'
import { behaviorBatch, type BehaviorBatch } from '../../schemas/behavior-batch.ts'
import type { Field, FieldTable, Row } from '../../schemas/field.ts'

const utf8 = new TextEncoder()

export const encodeFlush = (batch: BehaviorBatch): Uint8Array => encodeAs(behaviorBatch, batch)

/** The same of any record. */
export function encodeAs<T extends FieldTable>(table: T, row: Row<T>): Uint8Array {
  const bytes: number[] = [...singleObjectHeader(table)]
  encodeRecord(table, row, bytes)
  return Uint8Array.from(bytes)
}

function encodeRecord(table: FieldTable, row: Readonly<Record<string, unknown>>, into: number[]): void {
  for (const [name, field] of Object.entries(table.fields)) encodeValue(field, row[name], into)
}

function encodeValue({ kind }: Field, value: unknown, into: number[]): void {
  switch (kind.of) {
    case 'string':
      return encodeText(value as string, into)
    case 'bytes':
      return encodeBytes(value as Uint8Array, into)
    case 'uuid':
      into.push(...(value as Uint8Array))
      return
    case 'enumeration':
      return encodeInteger(kind.symbols.indexOf(value as string), into)
    case 'instant':
    case 'integer':
      return encodeInteger(value as number, into)
    case 'float64':
      into.push(...new Uint8Array(Float64Array.of(value as number).buffer))
      return
    case 'nullable':
      encodeInteger(value === null ? 0 : 1, into)
      if (value !== null) encodeValue(kind.inner, value, into)
      return
    case 'map': {
      const entries = Object.entries(value as Record<string, string>)
      if (entries.length > 0) encodeInteger(entries.length, into)
      for (const entry of entries.flat()) encodeText(entry, into)
      return encodeInteger(0, into)
    }
    case 'list': {
      const items = value as readonly unknown[]
      if (items.length > 0) encodeInteger(items.length, into)
      for (const item of items) encodeValue(kind.item, item, into)
      return encodeInteger(0, into)
    }
    case 'record':
      return encodeRecord(kind.record, value as Readonly<Record<string, unknown>>, into)
  }
}

function encodeText(value: string, into: number[]): void {
  encodeBytes(utf8.encode(value), into)
}

function encodeBytes(value: Uint8Array, into: number[]): void {
  encodeInteger(value.length, into)
  for (const byte of value) into.push(byte)
}

/** A zigzag varint of 64 bits. */
function encodeInteger(value: number, into: number[]): void {
  const whole = BigInt(value)
  let rest = BigInt.asUintN(64, (whole << 1n) ^ (whole >> 63n))
  for (; rest > 127n; rest >>= 7n) into.push(Number(rest & 127n) | 128)
  into.push(Number(rest))
}
