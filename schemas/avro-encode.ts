// Row objects → Avro single-object encoding, from the field table. What already is bytes (a copied flush, the simulator's
// traffic) does not come through here.
import { singleObjectHeader } from './avro.ts'
import type { Field, FieldTable, Row } from './field.ts'

export type SingleObjectWriter<T extends FieldTable> = {
  /**
   * The header and the row. Borrowed: valid until the next call; `.slice()` keeps it. Throws where a value is not one of
   * its field's, and names the field.
   */
  encode(row: Row<T>): Uint8Array
}

const writers = new WeakMap<FieldTable, SingleObjectWriter<FieldTable>>()

/** The same as a writer's `encode`, in memory of its own. */
export function encodeSingleObject<T extends FieldTable>(table: T, row: Row<T>): Uint8Array {
  let writer = writers.get(table)
  if (writer === undefined) writers.set(table, (writer = singleObjectWriter(table)))
  return writer.encode(row as Row<FieldTable>).slice()
}

type Put = (value: unknown) => void
type Plain = Readonly<Record<string, unknown>>

/** Nothing is allocated by a row, but for text that is long or not ASCII, and when the buffer doubles. */
export function singleObjectWriter<T extends FieldTable>(table: T): SingleObjectWriter<T> {
  const header = singleObjectHeader(table)
  const encoder = new TextEncoder()
  let buffer = new Uint8Array(4096)
  let at = 0
  buffer.set(header)

  function room(bytes: number): void {
    if (at + bytes <= buffer.length) return
    let size = buffer.length * 2
    while (size < at + bytes) size *= 2
    const larger = new Uint8Array(size)
    larger.set(buffer.subarray(0, at))
    buffer = larger
  }

  /** A zigzag varint. Exact for every safe integer. */
  function long(value: number): void {
    room(10)
    if (value >= -1_073_741_824 && value < 1_073_741_824) {
      let rest = (value << 1) ^ (value >> 31)
      while (rest > 127 || rest < 0) {
        buffer[at++] = (rest & 127) | 128
        rest >>>= 7
      }
      buffer[at++] = rest
      return
    }
    const half = value < 0 ? -value - 1 : value
    let rest = Math.floor(half / 64)
    buffer[at++] = ((half % 64) << 1) | (value < 0 ? 129 : 128)
    while (rest > 127) {
      buffer[at++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    buffer[at++] = rest
  }

  function octets(bytes: Uint8Array): void {
    long(bytes.length)
    room(bytes.length)
    buffer.set(bytes, at)
    at += bytes.length
  }

  function text(value: string): void {
    const { length } = value
    // The length of a string below 64 bytes takes one byte.
    if (length < 64) {
      room(length + 1)
      const start = at + 1
      let i = 0
      for (; i < length; i++) {
        const code = value.charCodeAt(i)
        if (code > 127) break
        buffer[start + i] = code
      }
      if (i === length) {
        buffer[at] = length << 1
        at = start + length
        return
      }
    }
    octets(encoder.encode(value))
  }

  function wrong(path: string, value: unknown, wanted: string): never {
    throw new TypeError(`${path}: ${JSON.stringify(value) ?? String(value as undefined)} is no ${wanted}`)
  }

  function put(field: Field, path: string): Put {
    const { kind } = field
    switch (kind.of) {
      case 'string':
        return (value) => (typeof value === 'string' ? text(value) : wrong(path, value, 'text'))
      case 'bytes':
        return (value) => (value instanceof Uint8Array ? octets(value) : wrong(path, value, 'Uint8Array'))
      case 'uuid':
        return (value) => {
          if (!(value instanceof Uint8Array) || value.length !== 16) wrong(path, value, 'Uint8Array of 16 bytes')
          room(16)
          for (let i = 0; i < 16; i++) buffer[at + i] = value[i]!
          at += 16
        }
      case 'enumeration': {
        const codes = new Map<unknown, number>(kind.symbols.map((symbol, code) => [symbol, code]))
        return (value) => long(codes.get(value) ?? wrong(path, value, `${kind.name} (${kind.symbols.join(', ')})`))
      }
      case 'instant':
        return (value) => long(Number.isSafeInteger(value) ? (value as number) : wrong(path, value, 'whole number of milliseconds'))
      case 'integer': {
        const most = kind.bits === 64 ? Number.MAX_SAFE_INTEGER : 2 ** (kind.signed ? kind.bits - 1 : kind.bits) - 1
        const least = !kind.signed ? 0 : kind.bits === 64 ? -most : -most - 1
        return (value) => {
          const good = Number.isInteger(value) && (value as number) >= least && (value as number) <= most
          long(good ? (value as number) : wrong(path, value, `whole number from ${least} to ${most}`))
        }
      }
      case 'float64':
        return (value) => {
          if (typeof value !== 'number') wrong(path, value, 'number')
          room(8)
          new DataView(buffer.buffer).setFloat64(at, value, true)
          at += 8
        }
      case 'nullable': {
        const inner = put(kind.inner, path)
        return (value) => {
          room(1)
          if (value === null) buffer[at++] = 0
          else {
            buffer[at++] = 2
            inner(value)
          }
        }
      }
      case 'map':
        return (value) => {
          if (typeof value !== 'object' || value === null) wrong(path, value, 'map of strings')
          const keys = Object.keys(value)
          if (keys.length > 0) long(keys.length)
          for (const key of keys) {
            text(key)
            const item = (value as Plain)[key]
            if (typeof item !== 'string') wrong(`${path}.${key}`, item, 'text')
            text(item)
          }
          long(0)
        }
      case 'list': {
        const item = put(kind.item, `${path}[]`)
        return (value) => {
          if (!Array.isArray(value)) wrong(path, value, 'list')
          if (value.length > 0) long(value.length)
          for (let i = 0; i < value.length; i++) item(value[i])
          long(0)
        }
      }
      case 'record':
        return record(kind.record, path)
    }
  }

  function record(of: FieldTable, path: string): Put {
    const names = Object.keys(of.fields)
    const puts = Object.entries(of.fields).map(([name, field]) => put(field, path === '' ? name : `${path}.${name}`))
    return (value) => {
      if (typeof value !== 'object' || value === null) wrong(path, value, of.name)
      for (let i = 0; i < puts.length; i++) puts[i]!((value as Plain)[names[i]!])
    }
  }

  const body = record(table, '')

  return {
    encode(row) {
      at = header.length
      body(row)
      return buffer.subarray(0, at)
    },
  }
}
