// Field table → Avro schema, its parsing canonical form and fingerprint (Avro 1.12, "Parsing Canonical Form for Schemas",
// "Schema Fingerprints", "Single-object encoding").
import type { Field, FieldTable } from './field.ts'

const namespace = 'reelpulse'

export type AvroSchema = string | readonly AvroSchema[] | { readonly [key: string]: unknown }

/** The Avro schema of a record; a named type is written out where it first occurs, and named after that. */
export function avroSchema(table: FieldTable): AvroSchema {
  return recordSchema(table, new Set())
}

function recordSchema(table: FieldTable, seen: Set<string>): AvroSchema {
  const top = seen.size === 0
  seen.add(table.name)
  return {
    type: 'record',
    name: table.name,
    ...(top ? { namespace } : {}),
    ...(table.doc === undefined ? {} : { doc: table.doc }),
    fields: Object.entries(table.fields).map(([name, field]) => ({
      name,
      type: fieldSchema(field, seen),
      ...(field.kind.of === 'nullable' ? { default: null } : field.kind.of === 'map' ? { default: {} } : {}),
      ...(field.doc === undefined ? {} : { doc: field.doc }),
    })),
  }
}

function fieldSchema(field: Field, seen: Set<string>): AvroSchema {
  const { kind } = field
  const named = (name: string, schema: AvroSchema): AvroSchema => {
    if (seen.has(name)) return name
    seen.add(name)
    return schema
  }
  switch (kind.of) {
    case 'string':
      return 'string'
    case 'bytes':
      return 'bytes'
    case 'uuid':
      return named('Uuid', { type: 'fixed', name: 'Uuid', size: 16 })
    case 'enumeration':
      return named(kind.name, { type: 'enum', name: kind.name, symbols: kind.symbols })
    case 'instant':
      return { type: 'long', logicalType: 'timestamp-millis' }
    case 'integer':
      return kind.bits === 64 || (kind.bits === 32 && !kind.signed) ? 'long' : 'int'
    case 'float64':
      return 'double'
    case 'map':
      return { type: 'map', values: 'string' }
    case 'list':
      return { type: 'array', items: fieldSchema(kind.item, seen) }
    case 'nullable':
      return ['null', fieldSchema(kind.inner, seen)]
    case 'record':
      return seen.has(kind.record.name) ? kind.record.name : recordSchema(kind.record, seen)
  }
}

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])

/** What remains of a schema when everything that does not change its encoding is taken away. `space`: of names without one. */
export function canonicalForm(schema: AvroSchema, space: string = namespace): string {
  if (typeof schema === 'string')
    return JSON.stringify(primitives.has(schema) || schema.includes('.') || space === '' ? schema : `${space}.${schema}`)
  if (Array.isArray(schema)) return `[${(schema as readonly AvroSchema[]).map((branch) => canonicalForm(branch, space)).join(',')}]`
  const of = schema as { [key: string]: unknown }
  const type = of['type'] as string
  if (primitives.has(type)) return JSON.stringify(type)
  let inner = typeof of['namespace'] === 'string' ? of['namespace'] : space
  const parts: string[] = []
  if (typeof of['name'] === 'string') {
    const dot = of['name'].lastIndexOf('.')
    const name = dot >= 0 || inner === '' ? of['name'] : `${inner}.${of['name']}`
    // A full name carries its namespace, for the names within as well.
    if (dot >= 0) inner = of['name'].slice(0, dot)
    parts.push(`"name":${JSON.stringify(name)}`)
  }
  parts.push(`"type":${JSON.stringify(type)}`)
  if (Array.isArray(of['fields'])) {
    const fields = of['fields'] as { name: string; type: AvroSchema }[]
    parts.push(`"fields":[${fields.map((f) => `{"name":${JSON.stringify(f.name)},"type":${canonicalForm(f.type, inner)}}`).join(',')}]`)
  }
  if (Array.isArray(of['symbols'])) parts.push(`"symbols":${JSON.stringify(of['symbols'])}`)
  if (of['items'] !== undefined) parts.push(`"items":${canonicalForm(of['items'] as AvroSchema, inner)}`)
  if (of['values'] !== undefined) parts.push(`"values":${canonicalForm(of['values'] as AvroSchema, inner)}`)
  if (typeof of['size'] === 'number') parts.push(`"size":${of['size']}`)
  return `{${parts.join(',')}}`
}

const empty = 0xc15d213aa4d7a795n
const crcTable = Array.from({ length: 256 }, (_, i) => {
  let fingerprint = BigInt(i)
  for (let bit = 0; bit < 8; bit++) fingerprint = (fingerprint >> 1n) ^ ((fingerprint & 1n) === 1n ? empty : 0n)
  return fingerprint
})

/** CRC-64-AVRO of a schema's canonical form. */
export function fingerprint(schema: AvroSchema): bigint {
  let crc = empty
  for (const byte of new TextEncoder().encode(canonicalForm(schema))) crc = (crc >> 8n) ^ crcTable[Number((crc ^ BigInt(byte)) & 255n)]!
  return crc
}

/** The fingerprint as sixteen hex digits, the highest first. */
export function fingerprintHex(schema: AvroSchema): string {
  return fingerprint(schema).toString(16).padStart(16, '0')
}

const headers = new WeakMap<FieldTable, Uint8Array>()

/** C3 01 and the fingerprint, little endian: what a single-object value of the record begins with. */
export function singleObjectHeader(table: FieldTable): Uint8Array {
  let header = headers.get(table)
  if (header === undefined) {
    header = singleObjectHeaderOf(avroSchema(table))
    headers.set(table, header)
  }
  return header
}

/** The same, of any schema. */
export function singleObjectHeaderOf(schema: AvroSchema): Uint8Array {
  const header = Uint8Array.of(0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0)
  new DataView(header.buffer).setBigUint64(2, fingerprint(schema), true)
  return header
}
