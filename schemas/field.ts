// What a record is: one field table, from which the Avro schema, the zod parser, the ClickHouse DDL, the RowBinary
// encoder and the TypeScript row type follow (avro.ts, zod.ts, ddl.ts, row-binary.ts and `Row` below).

/** One field's type. `T` is the type of its value in a row object. */
export type Field<T = unknown> = {
  readonly kind: FieldKind
  readonly doc?: string
  /** Only for the compiler: the value's type. Never set. */
  readonly value?: T
}

export type FieldKind =
  | { readonly of: 'string'; readonly lowCardinality: boolean }
  | { readonly of: 'bytes' }
  | { readonly of: 'uuid' }
  | { readonly of: 'enumeration'; readonly name: string; readonly symbols: readonly string[] }
  | { readonly of: 'instant' } // milliseconds since the epoch, UTC
  | { readonly of: 'integer'; readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean }
  | { readonly of: 'float64' }
  | { readonly of: 'map' } // string to string
  | { readonly of: 'list'; readonly item: Field }
  | { readonly of: 'nullable'; readonly inner: Field }
  | { readonly of: 'record'; readonly record: FieldTable }

export type Fields = Readonly<Record<string, Field>>

export type FieldTable<F extends Fields = Fields> = {
  /** PascalCase; the Avro record's name. */
  readonly name: string
  readonly doc?: string
  readonly fields: F
}

export type Row<T extends FieldTable> = { [K in keyof T['fields']]: NonNullable<T['fields'][K]['value']> | NullOf<T['fields'][K]> }
type NullOf<F extends Field> = null extends F['value'] ? null : never

export function fieldTable<const F extends Fields>(name: string, fields: F, doc?: string): FieldTable<F> {
  return doc === undefined ? { name, fields } : { name, fields, doc }
}

const field = <T>(kind: FieldKind, doc?: string): Field<T> => (doc === undefined ? { kind } : { kind, doc })

export const string = (doc?: string) => field<string>({ of: 'string', lowCardinality: false }, doc)
/** A string with few distinct values: LowCardinality in ClickHouse, a plain string elsewhere. */
export const word = (doc?: string) => field<string>({ of: 'string', lowCardinality: true }, doc)
/** Any bytes: Avro bytes, String in ClickHouse. */
export const bytes = (doc?: string) => field<Uint8Array>({ of: 'bytes' }, doc)
/** 16 bytes, in the order in which a UUID is written. */
export const uuid = (doc?: string) => field<Uint8Array>({ of: 'uuid' }, doc)
export const enumeration = <const S extends readonly string[]>(name: string, symbols: S, doc?: string) =>
  field<S[number]>({ of: 'enumeration', name, symbols }, doc)
export const instant = (doc?: string) => field<number>({ of: 'instant' }, doc)
export const int32 = (doc?: string) => field<number>({ of: 'integer', bits: 32, signed: true }, doc)
export const int64 = (doc?: string) => field<number>({ of: 'integer', bits: 64, signed: true }, doc)
export const uint8 = (doc?: string) => field<number>({ of: 'integer', bits: 8, signed: false }, doc)
export const uint16 = (doc?: string) => field<number>({ of: 'integer', bits: 16, signed: false }, doc)
export const uint32 = (doc?: string) => field<number>({ of: 'integer', bits: 32, signed: false }, doc)
export const uint64 = (doc?: string) => field<number>({ of: 'integer', bits: 64, signed: false }, doc)
export const float64 = (doc?: string) => field<number>({ of: 'float64' }, doc)
export const stringMap = (doc?: string) => field<Readonly<Record<string, string>>>({ of: 'map' }, doc)
export const list = <T>(item: Field<T>, doc?: string) => field<readonly T[]>({ of: 'list', item }, doc)
export const nullable = <T>(inner: Field<T>, doc?: string) => field<T | null>({ of: 'nullable', inner }, doc ?? inner.doc)
export const nested = <T extends FieldTable>(record: T, doc?: string) => field<Row<T>>({ of: 'record', record }, doc)
