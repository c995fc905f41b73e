import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyRow } from './arbitrary.ts'
import { encodeSingleObject, singleObjectWriter } from './avro-encode.ts'
import { avroSchema, singleObjectHeader } from './avro.ts'
import { behaviorBatch, type BehaviorBatch } from './behavior-batch.ts'
import { everyKindTable } from './every-kind.ts'
import { fieldTable, instant, int64, uint32, type FieldTable } from './field.ts'
import { eventsTable } from './tables/events.ts'
import { tierChangeMessage } from './tables/tier-changes.ts'

// Avro's names are stricter than ClickHouse's.
const { choice: _, maybe_choice: __, ...kinds } = everyKindTable.record.fields
const records: FieldTable[] = [behaviorBatch, tierChangeMessage, eventsTable.record, fieldTable('Kinds', kinds)]

/** avsc wants Buffers. */
function withBuffers(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (Array.isArray(value)) return value.map(withBuffers)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withBuffers(item)]))
}

describe('single objects', () => {
  test.each(records.map((record) => [record.name, record] as const))(
    'of %s are those of the reference encoder, byte for byte',
    (_, record) => {
      const type = avsc.Type.forSchema(avroSchema(record) as avsc.Schema)
      const writer = singleObjectWriter(record)
      // Beyond 2⁵² the reference rounds.
      fc.assert(
        fc.property(anyRow(record, { maxInteger: 2 ** 52 }), (row) => {
          const bytes = writer.encode(row)
          expect(Buffer.from(bytes)).toEqual(Buffer.concat([singleObjectHeader(record), type.toBuffer(withBuffers(row))]))
        }),
        { numRuns: 100 },
      )
    },
  )

  test('hold whole numbers exactly, up to ±(2⁵³ − 1)', () => {
    const table = fieldTable('R', { at: instant(), n: int64() })
    const zigzag = (value: number): number[] => {
      let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
      const bytes: number[] = []
      for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
      return [...bytes, Number(rest)]
    }
    const edges = fc.constantFrom(
      ...[7, 13, 14, 20, 30, 31, 32, 52].flatMap((bits) => [2 ** bits, 2 ** bits - 1, -(2 ** bits), -(2 ** bits) - 1]),
    )
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), edges, fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER)), (n) => {
        expect([...encodeSingleObject(table, { at: n, n }).subarray(10)]).toEqual([...zigzag(n), ...zigzag(n)])
      }),
      { numRuns: 1_000 },
    )
  })

  test('are lent by a writer until its next call, and given by encodeSingleObject', () => {
    const table = fieldTable('R', { n: uint32() })
    const writer = singleObjectWriter(table)
    const lent = writer.encode({ n: 1 })
    const given = encodeSingleObject(table, { n: 1 })
    expect(lent).toEqual(given)
    writer.encode({ n: 2 })
    encodeSingleObject(table, { n: 3 })
    expect([lent[10], given[10]]).toEqual([4, 2])
  })

  const flush: BehaviorBatch = {
    batch_id: new Uint8Array(16), user_id: 'u', device_id: 'd', platform: 'ios', app_version: '1', channel: 'ad', region: 'CN-31', sent_at: 1,
    experiments: {}, events: [],
  } // prettier-ignore
  const event = {
    event_id: new Uint8Array(16), behavior: 'play', occurred_at: 1, session_id: null, content_id: 'v', creator_id: null, category: null,
    surface: null, published_at: null, watch_ms: 1, duration_ms: 2, amount_minor: null, currency: null, query: null,
  } as const // prettier-ignore

  test.each([
    ['platform', { ...flush, platform: 'tv' }, /^platform: "tv" is no Platform \(android, /],
    ['user_id', { ...flush, user_id: 7 }, /^user_id: 7 is no text/],
    ['batch_id', { ...flush, batch_id: new Uint8Array(15) }, /^batch_id: .* is no Uint8Array of 16 bytes/],
    ['sent_at', { ...flush, sent_at: 0.5 }, /^sent_at: 0.5 is no whole number/],
    ['experiments', { ...flush, experiments: { a: 1 } }, /^experiments\.a: 1 is no text/],
    ['events', { ...flush, events: undefined }, /^events: undefined is no list/],
    [
      'watch_ms',
      { ...flush, events: [event, { ...event, watch_ms: 2 ** 31 }] },
      /^events\[\]\.watch_ms: 2147483648 is no whole number from/,
    ],
    ['query', { ...flush, events: [{ ...event, query: undefined }] }, /^events\[\]\.query: undefined is no text/],
  ])('are not made of a wrong %s, which the error names', (_, row, message) => {
    expect(() => encodeSingleObject(behaviorBatch, row as never)).toThrow(message)
  })
})
