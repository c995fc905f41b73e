// Field table → zod parser of a record's JSON form, which people and HTTP clients write: UUIDs in hex, with or without
// dashes; bytes in base64; enumerations by name; instants in milliseconds; what may be null may be left out.
import { z } from 'zod'
import type { Field, FieldTable, Row } from './field.ts'
import { maxInstant } from './limits.ts'

const parsers = new WeakMap<FieldTable, z.ZodType>()

/** Parses JSON values into row objects. Issues name the field (`events[3].watch_ms`); an unknown field is one. */
export function zodParser<T extends FieldTable>(table: T): z.ZodType<Row<T>> {
  let parser = parsers.get(table)
  if (parser === undefined) parsers.set(table, (parser = recordParser(table)))
  return parser as z.ZodType<Row<T>>
}

export type Parsed<T> = { readonly ok: true; readonly row: T } | { readonly ok: false; readonly problems: readonly string[] }

/** The row, or one line per problem: where, and what is wanted there. */
export function parseRow<T extends FieldTable>(table: T, json: unknown): Parsed<Row<T>> {
  const result = zodParser(table).safeParse(json)
  if (result.success) return { ok: true, row: result.data }
  return { ok: false, problems: result.error.issues.map(({ path, message }) => `${placeOf(path) || table.name}: ${message}`) }
}

function placeOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((place, step) => {
    if (typeof step === 'number') return `${place}[${step}]`
    return place === '' ? String(step) : `${place}.${String(step)}`
  }, '')
}

function recordParser(table: FieldTable): z.ZodType {
  const entries = Object.entries(table.fields).map(([name, field]) => [name, fieldParser(field)] as const)
  return z.strictObject(Object.fromEntries(entries), {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return `has no ${issue.keys.length > 1 ? 'fields' : 'field'} ${issue.keys.join(', ')}`
      return wants('an object', issue.input)
    },
  })
}

const wants = (what: string, got: unknown) => (got === undefined ? `is missing; it wants ${what}` : `wants ${what}, got ${told(got)}`)

function told(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? typeof value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

/** A value that passes `reads`, which gives undefined where it does not. */
function reading<T>(what: string, reads: (value: unknown) => T | undefined): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const read = reads(value)
    if (read !== undefined) return read
    context.addIssue({ code: 'custom', message: wants(what, value) })
    return z.NEVER
  })
}

const wholeFrom = (least: number, most: number) => (value: unknown) =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : undefined

function fieldParser(field: Field): z.ZodType {
  const { kind } = field
  switch (kind.of) {
    case 'string':
      // Half of a surrogate pair has no UTF-8.
      return reading('text', (value) => (typeof value === 'string' && value.isWellFormed() ? value : undefined))
    case 'bytes':
      return reading('bytes in base64', (value) => (typeof value === 'string' ? bytesOfBase64(value) : undefined))
    case 'uuid':
      return reading('a UUID of 32 hex digits', (value) => (typeof value === 'string' ? bytesOfUuid(value) : undefined))
    case 'enumeration':
      return reading(`one of ${kind.symbols.join(', ')}`, (value) => kind.symbols.find((symbol) => symbol === value))
    case 'instant':
      return reading('whole milliseconds since 1970, within ±2^52', wholeFrom(-maxInstant, maxInstant))
    case 'integer': {
      const most = kind.bits === 64 ? Number.MAX_SAFE_INTEGER : 2 ** (kind.signed ? kind.bits - 1 : kind.bits) - 1
      const least = !kind.signed ? 0 : kind.bits === 64 ? -most : -most - 1
      return reading(`a whole number from ${least} to ${most}`, wholeFrom(least, most))
    }
    case 'float64':
      return reading('a number', (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined))
    case 'map':
      return mapParser.default(() => ({}))
    case 'list':
      return z.array(fieldParser(kind.item), { error: (issue) => wants('a list', issue.input) })
    case 'nullable':
      return fieldParser(kind.inner).nullable().default(null)
    case 'record':
      return recordParser(kind.record)
  }
}

/** Not zod's record: that loses a key `__proto__`. */
const mapParser = z.unknown().transform((value, context) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: wants('an object of texts', value) })
    return z.NEVER
  }
  const entries = Object.entries(value)
  for (const [key, item] of entries) {
    if (typeof item !== 'string' || !item.isWellFormed()) context.addIssue({ code: 'custom', path: [key], message: wants('text', item) })
    if (!key.isWellFormed()) context.addIssue({ code: 'custom', message: `key ${told(key)} is no text` })
  }
  return Object.fromEntries(entries) as Record<string, string>
})

/** The 16 bytes of a UUID in hex, with or without dashes, in either case; undefined where it is none. */
export function bytesOfUuid(text: string): Uint8Array | undefined {
  const match = /^([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})$/i.exec(text)
  if (match === null) return undefined
  const hex = text.replaceAll('-', '')
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16))
}

function bytesOfBase64(text: string): Uint8Array | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined
  return Uint8Array.from(atob(text), (digit) => digit.charCodeAt(0))
}
