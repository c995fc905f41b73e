// RowBinary: rows of a table as ClickHouse reads them fastest from a row store. The hot rows are written by hand over the
// writer; cold ones, and tests, go through the field table.
import type { Field, FieldTable, Row } from './field.ts'

export type RowBinaryWriter = {
  /** Bytes written; [0, length) of `buffer` holds. Both change with every write. */
  readonly length: number
  readonly buffer: Uint8Array
  u8(value: number): void
  u16(value: number): void
  u32(value: number): void
  i32(value: number): void
  /** A whole number within ±2⁵³. */
  i64(value: number): void
  f64(value: number): void
  varuint(value: number): void
  /** String: the length, then source bytes [from, from + length). */
  bytes(source: Uint8Array, from: number, length: number): void
  /** String, from text. Allocates only where the text is long or not ASCII. */
  text(value: string): void
  /** Bytes [from, from + length) of what was written, once more. */
  again(from: number, length: number): void
  /** UUID, from 16 bytes in the order in which it is written: ClickHouse keeps two little-endian halves. */
  uuid(source: Uint8Array, from: number): void
  patchU32(at: number, value: number): void
  patchI64(at: number, value: number): void
  reset(): void
}

const two32 = 4_294_967_296

/** A buffer that grew beyond this is given back at the next reset (bytes). */
export const keptBytes = 128 * 1024 * 1024

/** A growing buffer. Nothing is allocated by a write, but when the buffer doubles. */
export function rowBinaryWriter(initialBytes = 65_536): RowBinaryWriter {
  let buffer = new Uint8Array(Math.max(initialBytes, 64))
  let view = new DataView(buffer.buffer)
  let at = 0
  const encoder = new TextEncoder()

  function grow(bytes: number): void {
    let size = buffer.length * 2
    while (size < at + bytes) size *= 2
    const larger = new Uint8Array(size)
    larger.set(buffer.subarray(0, at))
    buffer = larger
    view = new DataView(buffer.buffer)
  }

  function putI64(position: number, value: number): void {
    const high = Math.floor(value / two32)
    view.setUint32(position, value - high * two32, true)
    view.setInt32(position + 4, high, true)
  }

  return {
    get length() {
      return at
    },
    get buffer() {
      return buffer
    },
    u8(value) {
      if (at === buffer.length) grow(1)
      buffer[at++] = value
    },
    u16(value) {
      if (at + 2 > buffer.length) grow(2)
      view.setUint16(at, value, true)
      at += 2
    },
    u32(value) {
      if (at + 4 > buffer.length) grow(4)
      view.setUint32(at, value, true)
      at += 4
    },
    i32(value) {
      if (at + 4 > buffer.length) grow(4)
      view.setInt32(at, value, true)
      at += 4
    },
    i64(value) {
      if (at + 8 > buffer.length) grow(8)
      putI64(at, value)
      at += 8
    },
    f64(value) {
      if (at + 8 > buffer.length) grow(8)
      view.setFloat64(at, value, true)
      at += 8
    },
    varuint(value) {
      if (at + 10 > buffer.length) grow(10)
      while (value > 127) {
        buffer[at++] = (value % 128) | 128
        value = Math.floor(value / 128)
      }
      buffer[at++] = value
    },
    bytes(source, from, length) {
      if (at + length + 10 > buffer.length) grow(length + 10)
      if (length < 128) buffer[at++] = length
      else {
        let rest = length
        while (rest > 127) {
          buffer[at++] = (rest & 127) | 128
          rest >>>= 7
        }
        buffer[at++] = rest
      }
      // A call into the runtime costs more than a short copy.
      if (length < 48) for (let i = 0; i < length; i++) buffer[at + i] = source[from + i]!
      else buffer.set(source.subarray(from, from + length), at)
      at += length
    },
    text(value) {
      const { length } = value
      if (length < 128) {
        if (at + length + 1 > buffer.length) grow(length + 1)
        const start = at + 1
        let i = 0
        for (; i < length; i++) {
          const code = value.charCodeAt(i)
          if (code > 127) break
          buffer[start + i] = code
        }
        if (i === length) {
          buffer[at] = length
          at = start + length
          return
        }
      }
      const utf8 = encoder.encode(value)
      this.bytes(utf8, 0, utf8.length)
    },
    again(from, length) {
      if (at + length > buffer.length) grow(length)
      buffer.copyWithin(at, from, from + length)
      at += length
    },
    uuid(source, from) {
      if (at + 16 > buffer.length) grow(16)
      for (let i = 0; i < 8; i++) {
        buffer[at + i] = source[from + 7 - i]!
        buffer[at + 8 + i] = source[from + 15 - i]!
      }
      at += 16
    },
    patchU32(position, value) {
      view.setUint32(position, value, true)
    },
    patchI64: putI64,
    reset() {
      at = 0
      // One block of a jump in time must not be paid for ever after.
      if (buffer.length <= keptBytes) return
      buffer = new Uint8Array(Math.max(initialBytes, 64))
      view = new DataView(buffer.buffer)
    },
  }
}

/** RowBinary of row objects, columns in the order of the field table. Throws where a value is not one of its column's. */
export function encodeRows<T extends FieldTable>(table: T, rows: readonly Row<T>[]): Uint8Array {
  const out = rowBinaryWriter()
  for (const row of rows) encodeRecord(out, table, row as Readonly<Record<string, unknown>>)
  return out.buffer.slice(0, out.length)
}

function encodeRecord(out: RowBinaryWriter, table: FieldTable, row: Readonly<Record<string, unknown>>): void {
  for (const [name, field] of Object.entries(table.fields)) encodeValue(out, field, row[name], name)
}

function encodeValue(out: RowBinaryWriter, field: Field, value: unknown, name: string): void {
  const { kind } = field
  if (value === undefined || (value === null && kind.of !== 'nullable')) throw new TypeError(`column ${name} has no value`)
  switch (kind.of) {
    case 'string':
      return out.text(value as string)
    case 'bytes':
      return out.bytes(value as Uint8Array, 0, (value as Uint8Array).length)
    case 'uuid':
      if ((value as Uint8Array).length !== 16)
        throw new RangeError(`column ${name}: a UUID has 16 bytes, not ${(value as Uint8Array).length}`)
      return out.uuid(value as Uint8Array, 0)
    case 'enumeration': {
      const code = kind.symbols.indexOf(value as string)
      if (code < 0) throw new RangeError(`column ${name}: '${value as string}' is none of ${kind.symbols.join(', ')}`)
      return out.u8(code)
    }
    case 'instant':
      return out.i64(whole(value as number, 64, true, name))
    case 'integer': {
      const number = whole(value as number, kind.bits, kind.signed, name)
      if (kind.bits === 64) return out.i64(number)
      if (kind.bits === 32) return kind.signed ? out.i32(number) : out.u32(number)
      return kind.bits === 16 ? out.u16(number) : out.u8(number)
    }
    case 'float64':
      return out.f64(value as number)
    case 'map': {
      const entries = Object.entries(value as Record<string, string>)
      out.varuint(entries.length)
      for (const [key, item] of entries) {
        out.text(key)
        out.text(item)
      }
      return
    }
    case 'list': {
      const items = value as readonly unknown[]
      out.varuint(items.length)
      for (const item of items) encodeValue(out, kind.item, item, name)
      return
    }
    case 'nullable':
      out.u8(value === null ? 1 : 0)
      if (value !== null) encodeValue(out, kind.inner, value, name)
      return
    case 'record':
      return encodeRecord(out, kind.record, value as Readonly<Record<string, unknown>>)
  }
}

/** The number itself, where it is whole and fits; 64 bits hold what a double holds exactly, ±2⁵³. */
function whole(value: number, bits: number, signed: boolean, name: string): number {
  const most = bits === 64 ? Number.MAX_SAFE_INTEGER : 2 ** (signed ? bits - 1 : bits) - 1
  const least = !signed ? 0 : bits === 64 ? -most : -most - 1
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new RangeError(`column ${name}: ${value} is no whole number from ${least} to ${most}`)
}

/** The rows that RowBinary bytes hold. Throws a RangeError where they end in the middle of one. */
export function decodeRows<T extends FieldTable>(table: T, bytes: Uint8Array): Row<T>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // A Buffer's slice is no copy.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // ClickHouse's strings are bytes: a mark at their start is theirs.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let at = 0

  const varuint = () => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = view.getUint8(at++)
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const chunk = (length: number) => {
    if (at + length > bytes.length) throw new RangeError(`rows end at byte ${bytes.length}, inside a value that begins at ${at}`)
    at += length
    return plain.slice(at - length, at)
  }
  const i64 = () => {
    at += 8
    return view.getInt32(at - 4, true) * two32 + view.getUint32(at - 8, true)
  }

  function decodeValue(field: Field): unknown {
    const { kind } = field
    switch (kind.of) {
      case 'string':
        return decoder.decode(chunk(varuint()))
      case 'bytes':
        return chunk(varuint())
      case 'uuid': {
        const halves = chunk(16)
        return Uint8Array.from([...halves.subarray(0, 8).toReversed(), ...halves.subarray(8).toReversed()])
      }
      case 'enumeration': {
        const symbol = kind.symbols[view.getUint8(at++)]
        if (symbol === undefined) throw new RangeError(`byte ${at - 1} is no code of ${kind.name}: the rows are of another table`)
        return symbol
      }
      case 'instant':
        return i64()
      case 'integer':
        if (kind.bits === 64) return i64()
        at += kind.bits / 8
        if (kind.bits === 32) return kind.signed ? view.getInt32(at - 4, true) : view.getUint32(at - 4, true)
        if (kind.bits === 16) return kind.signed ? view.getInt16(at - 2, true) : view.getUint16(at - 2, true)
        return kind.signed ? view.getInt8(at - 1) : view.getUint8(at - 1)
      case 'float64':
        at += 8
        return view.getFloat64(at - 8, true)
      case 'map': {
        const entries: [string, string][] = []
        for (let n = varuint(); n > 0; n--) entries.push([decoder.decode(chunk(varuint())), decoder.decode(chunk(varuint()))])
        return Object.fromEntries(entries)
      }
      case 'list': {
        const items: unknown[] = []
        for (let n = varuint(); n > 0; n--) items.push(decodeValue(kind.item))
        return items
      }
      case 'nullable':
        return view.getUint8(at++) === 1 ? null : decodeValue(kind.inner)
      case 'record':
        return decodeRecord(kind.record)
    }
  }

  function decodeRecord(of: FieldTable): Record<string, unknown> {
    return Object.fromEntries(Object.entries(of.fields).map(([name, field]) => [name, decodeValue(field)]))
  }

  const rows: Row<T>[] = []
  while (at < bytes.length) rows.push(decodeRecord(table) as Row<T>)
  return rows
}
