import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyRow } from './arbitrary.ts'
import { everyKindTable } from './every-kind.ts'
import { enumeration, fieldTable, float64, instant, int32, list, nullable, string, stringMap, uint64, uint8, uuid, word } from './field.ts'
import { decodeRows, encodeRows, keptBytes, rowBinaryWriter } from './row-binary.ts'
import { tables } from './tables/catalogue.ts'

describe('rows', () => {
  test.each([everyKindTable, ...tables].map(({ name, record }) => [name, record] as const))(
    'of %s are read as they were written',
    (_, record) => {
      fc.assert(
        fc.property(fc.array(anyRow(record), { maxLength: 4 }), (rows) => {
          expect(decodeRows(record, encodeRows(record, rows))).toEqual(rows)
        }),
        { numRuns: 50 },
      )
    },
  )

  test('are bytes as ClickHouse describes RowBinary', () => {
    const record = fieldTable('R', {
      text: string(), word: nullable(word()), none: nullable(word()), id: uuid(), choice: enumeration('C', ['a', 'b']), at: instant(),
      delta: int32(), total: uint64(), ratio: float64(), labels: stringMap(), list: list(uint8()),
    }) // prettier-ignore
    const id = Uint8Array.from({ length: 16 }, (_, i) => i)
    const rows = encodeRows(record, [
      { text: 'é', word: 'w', none: null, id, choice: 'b', at: -1, delta: -2, total: 2 ** 40, ratio: 1, labels: { k: 'v' }, list: [3, 4] },
    ])
    expect(Buffer.from(rows).toString('hex')).toBe(
      [
        '02c3a9', '000177', '01', '07060504030201000f0e0d0c0b0a0908', '01', 'ffffffffffffffff', 'feffffff', '0000000000010000',
        '000000000000f03f', '01016b0176', '020304',
      ].join(''),
    ) // prettier-ignore
  })

  test('that end inside a value are refused', () => {
    const record = fieldTable('R', { text: string(), at: instant() })
    const bytes = encodeRows(record, [{ text: 'abc', at: 1 }])
    for (let length = 1; length < bytes.length; length++) expect(() => decodeRows(record, bytes.subarray(0, length))).toThrow(RangeError)
  })

  test.each([
    [{ n: 256, c: 'a', id: new Uint8Array(16), t: 0 }, /column n: 256 is no whole number from 0 to 255/],
    [{ n: 1.5, c: 'a', id: new Uint8Array(16), t: 0 }, /column n: 1.5/],
    [{ n: 1, c: 'z', id: new Uint8Array(16), t: 0 }, /column c: 'z' is none of a, b/],
    [{ n: 1, c: 'a', id: new Uint8Array(15), t: 0 }, /column id: a UUID has 16 bytes, not 15/],
    [{ n: 1, c: 'a', id: new Uint8Array(16), t: NaN }, /column t: NaN/],
    [{ n: 1, c: 'a', id: new Uint8Array(16) }, /column t has no value/],
  ])('of a value that is not the column’s are refused, with the column’s name', (row, message) => {
    const record = fieldTable('R', { n: uint8(), c: enumeration('C', ['a', 'b']), id: uuid(), t: instant() })
    expect(() => encodeRows(record, [row as never])).toThrow(message)
  })
})

test('a writer grows as it must and keeps what it has, whatever is written at whatever size', () => {
  const write = fc.oneof(
    fc.tuple(fc.constant('u8' as const), fc.integer({ min: 0, max: 255 })),
    fc.tuple(fc.constant('u16' as const), fc.integer({ min: 0, max: 65_535 })),
    fc.tuple(fc.constant('u32' as const), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
    fc.tuple(fc.constant('i32' as const), fc.integer()),
    fc.tuple(fc.constant('i64' as const), fc.maxSafeInteger()),
    fc.tuple(fc.constant('f64' as const), fc.double()),
    fc.tuple(fc.constant('varuint' as const), fc.maxSafeNat()),
    fc.tuple(fc.constant('text' as const), fc.string({ unit: 'binary', maxLength: 200 })),
  )
  const naive = (value: [string, number | string]): Buffer => {
    const [kind, of] = value
    const out = Buffer.alloc(8)
    if (typeof of === 'string') return Buffer.concat([naive(['varuint', Buffer.byteLength(of)]), Buffer.from(of)])
    if (kind === 'u8') return Buffer.of(of)
    if (kind === 'u16') return out.subarray(0, out.writeUInt16LE(of))
    if (kind === 'u32') return out.subarray(0, out.writeUInt32LE(of))
    if (kind === 'i32') return out.subarray(0, out.writeInt32LE(of))
    if (kind === 'i64') return out.subarray(0, out.writeBigInt64LE(BigInt(of)))
    if (kind === 'f64') return out.subarray(0, out.writeDoubleLE(of))
    const bytes: number[] = []
    let rest = BigInt(of)
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    return Buffer.from([...bytes, Number(rest)])
  }
  fc.assert(
    fc.property(fc.array(write, { maxLength: 60 }), (values) => {
      const out = rowBinaryWriter(64)
      for (const [kind, value] of values) (out[kind] as (of: number | string) => void)(value)
      const expected = Buffer.concat(values.map(naive))
      expect(Buffer.from(out.buffer.subarray(0, out.length))).toEqual(expected)
    }),
    { numRuns: 300 },
  )
})

test('bytes are copied from inside a larger buffer, twice over, and what is patched stays in its place', () => {
  for (const length of [0, 1, 47, 48, 127, 128, 20_000]) {
    const source = Uint8Array.from({ length: length + 7 }, (_, i) => i % 251)
    const out = rowBinaryWriter(64)
    out.i64(0)
    out.u32(0)
    out.bytes(source, 5, length)
    const end = out.length
    out.again(12, end - 12)
    out.patchI64(0, -(2 ** 53) + 1)
    out.patchU32(8, 2 ** 32 - 1)
    const copy = Buffer.from(out.buffer.subarray(0, out.length))
    expect([copy.readBigInt64LE(0), copy.readUInt32LE(8)]).toEqual([-(2n ** 53n) + 1n, 2 ** 32 - 1])
    expect(copy.subarray(12, end)).toEqual(copy.subarray(end))
    expect(copy.subarray(end - length, end)).toEqual(Buffer.from(source.subarray(5, 5 + length)))
    out.reset()
    expect(out.length).toBe(0)
  }
})

test('a buffer that one large block made is given back at the reset, a usual one is kept', () => {
  const out = rowBinaryWriter(64)
  const piece = new Uint8Array(1 << 20)
  out.bytes(piece, 0, piece.length)
  out.reset()
  expect(out.buffer.length).toBeGreaterThan(1 << 20)
  for (let written = 0; written <= keptBytes; written += piece.length) out.bytes(piece, 0, piece.length)
  out.reset()
  expect([out.length, out.buffer.length]).toEqual([0, 64])
  out.u32(7)
  expect([...out.buffer.subarray(0, out.length)]).toEqual([7, 0, 0, 0])
})
