// For tests: any row of a field table, edges of its types included.
import fc from 'fast-check'
import type { Field, FieldTable, Row } from './field.ts'

export type ArbitraryOptions = {
  /** Furthest instant from the epoch (ms). */
  readonly maxInstant?: number
  /** Furthest 64-bit whole number from 0. */
  readonly maxInteger?: number
}

export function anyRow<T extends FieldTable>(table: T, options: ArbitraryOptions = {}): fc.Arbitrary<Row<T>> {
  return anyRecord(table, options) as fc.Arbitrary<Row<T>>
}

function anyRecord(table: FieldTable, options: ArbitraryOptions): fc.Arbitrary<unknown> {
  const fields = Object.entries(table.fields).map(([name, field]) => [name, anyValue(field, options)] as const)
  return fc.record(Object.fromEntries(fields), { noNullPrototype: true })
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', minLength: 100, maxLength: 300 }),
  fc.constantFrom('', '\ufeffmarked', '\0', "it's `a` \\ b", '__proto__', '7', '用户', '\u{1f600}', 'x'.repeat(127), 'x'.repeat(128)),
)

function anyValue(field: Field, options: ArbitraryOptions): fc.Arbitrary<unknown> {
  const { kind } = field
  switch (kind.of) {
    case 'string':
      return text
    case 'bytes':
      return fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 120, maxLength: 200 }))
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 })
    case 'enumeration':
      return fc.constantFrom(...kind.symbols)
    case 'instant':
      return fc.integer({ min: -(options.maxInstant ?? 2 ** 52), max: options.maxInstant ?? 2 ** 52 })
    case 'integer': {
      const max = kind.bits === 64 ? (options.maxInteger ?? Number.MAX_SAFE_INTEGER) : 2 ** (kind.signed ? kind.bits - 1 : kind.bits) - 1
      const min = !kind.signed ? 0 : kind.bits === 64 ? -max : -max - 1
      return fc.oneof(
        fc.integer({ min, max }),
        fc.integer({ min: Math.max(min, -300), max: Math.min(max, 300) }),
        fc.constantFrom(min, max),
      )
    }
    case 'float64':
      return fc.double({ noNaN: true })
    case 'map':
      return fc.dictionary(text, text, { maxKeys: 5, noNullPrototype: true })
    case 'list':
      return fc.array(anyValue(kind.item, options), { maxLength: 5 })
    case 'nullable':
      return fc.option(anyValue(kind.inner, options), { nil: null })
    case 'record':
      return anyRecord(kind.record, options)
  }
}
