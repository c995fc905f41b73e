// Flushes of other writer schemas than the current one.
import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { flushOutcomes, flushReader, OK, stringLength, stringStart, TOO_LONG } from '../../operators/flush/reader.ts'
import { avroSchema, singleObjectHeaderOf, type AvroSchema } from '../../schemas/avro.ts'
import { behaviorBatch, behaviorEvent } from '../../schemas/behavior-batch.ts'
import { fieldTable, int32, list, nested, nullable, string, stringMap } from '../../schemas/field.ts'
import { bodyChecker } from './avro-check.ts'
import { flushResolver } from './avro-resolver.ts'

const { experiments: _, ...withoutExperiments } = behaviorBatch.fields
const older = avroSchema(fieldTable('BehaviorBatch', withoutExperiments))
const newer = avroSchema(
  fieldTable('BehaviorBatch', {
    network: nullable(string()),
    tags: list(stringMap()),
    ...behaviorBatch.fields,
    events: list(nested(fieldTable('BehaviorEvent', { rank: nullable(int32()), ...behaviorEvent.fields, note: nullable(string()) }))),
  }),
)
const current = avroSchema(behaviorBatch)

const event = {
  event_id: Buffer.alloc(16, 7), behavior: 'purchase', occurred_at: -5, session_id: null, content_id: '内容', creator_id: '', category: null,
  surface: null, published_at: 2 ** 52, watch_ms: -(2 ** 31), duration_ms: 2 ** 31 - 1, amount_minor: 19_900, currency: 'CNY', query: null,
  rank: 3, note: 'n',
} // prettier-ignore
const flush = {
  batch_id: Buffer.alloc(16, 1), user_id: '用户', device_id: '\ufeffd\ufffd', platform: 'web', app_version: '1', channel: 'ad', region: 'CN-31',
  sent_at: 1_790_000_000_000, experiments: { a: 'b' }, network: 'wifi', tags: [{ x: 'y' }], events: [event, event],
} // prettier-ignore

const typeOf = (schema: AvroSchema) => avsc.Type.forSchema(schema as avsc.Schema)
const written = (schema: AvroSchema, value: object = flush) => Buffer.concat([singleObjectHeaderOf(schema), typeOf(schema).toBuffer(value)])

describe.each([
  ['an older schema, without experiments', older, { ...flush, experiments: {} }],
  ['a newer one, with fields that we do not know', newer, flush],
])('%s', (_name, schema, means) => {
  const resolve = flushResolver([older, newer])

  test('reads as the current one, byte for byte', () => {
    expect(resolve(written(schema))).toEqual(written(current, means))
  })

  test('a body that is cut anywhere is truncated, a longer one has trailing bytes', () => {
    const bytes = written(schema)
    for (let length = 10; length < bytes.length; length++) expect(resolve(bytes.subarray(0, length)), `at ${length}`).toBe('truncated')
    expect(resolve(Buffer.concat([bytes, Buffer.of(0)]))).toBe('trailing_bytes')
  })

  test('broken UTF-8 is told, also beside a genuine U+FFFD', () => {
    const spoilt = written(schema)
    spoilt[spoilt.indexOf(Buffer.from('内容'))] = 0xff
    expect(resolve(spoilt)).toBe('bad_utf8')
  })

  test('any change of bytes ends in a verdict, and what resolves can be read', () => {
    const reader = flushReader()
    const good = written(schema)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(good.length - 11), fc.nat(255)), { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = Buffer.from(good)
        for (const [at, byte] of changes) bytes[10 + at] = byte
        const resolved = resolve(bytes)
        const verdict = typeof resolved === 'string' ? resolved : reader.read(resolved)
        expect(['truncated', 'trailing_bytes', 'bad_utf8', OK]).toContain(verdict)
      }),
      { numRuns: 500 },
    )
  })
})

test('on a flush of the current schema, whatever its bytes, resolver and fast reader are of one mind', () => {
  const reader = flushReader()
  const resolve = flushResolver([current])
  const check = bodyChecker(current)
  const good = written(current)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(good.length - 11), fc.nat(255)), { maxLength: 6 }), fc.nat(good.length - 10), (changes, cut) => {
      const bytes = Buffer.from(good.subarray(0, cut < 40 ? good.length - cut : good.length))
      for (const [at, byte] of changes) bytes[10 + (at % (bytes.length - 10))] = byte
      // The fast reader passes over the byte lengths of blocks; for Avro's resolution, which skips by them, they must be right.
      fc.pre(check(bytes, 10) !== 'block_size')
      const resolved = resolve(bytes)
      expect(typeof resolved === 'string' ? resolved : 'ok').toBe(flushOutcomes[reader.read(bytes)])
    }),
    { numRuns: 2_000 },
  )
})

test('a number that no event may have reaches the judge as it was written, and not as a broken flush', () => {
  // sent_at of ten bytes, the least long: 8 × 0xff, …
  const small = written(older, { ...flush, events: [] })
  const at = small.length - 1 - 6 // before events' 0; 1,790,000,000,000 takes six bytes
  const least = Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)
  const resolved = flushResolver([older])(Buffer.concat([small.subarray(0, at), least, Buffer.of(0)]))
  const reader = flushReader()
  expect(reader.read(resolved as Uint8Array)).toBe(OK)
  expect(reader.columns.sentAt).toBe(-(2 ** 63))
})

test('a count of items that cannot be there costs nothing', () => {
  const none = written(older, { ...flush, events: [] })
  for (const count of [
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
    [0xff, 0xff, 0xff, 0xff, 0x7f, 0x02],
  ])
    expect(flushResolver([older])(Buffer.concat([none.subarray(0, -1), Buffer.from(count)]))).toBe('truncated')
})

test('a false byte length of a block that is skipped leads nowhere', () => {
  const tagless = written(newer, { ...flush, tags: [] })
  const at = 10 + 1 + 1 + 4 // network: branch, length, 'wifi'
  const block = (size: number[]) => Buffer.concat([tagless.subarray(0, at), Buffer.from([1, ...size, 0, 0]), tagless.subarray(at + 1)])
  const resolve = flushResolver([newer])
  expect(resolve(block([2]))).toEqual(written(current))
  expect(resolve(block([1]))).toBe('truncated')
  expect(resolve(block([0]))).toBe('truncated')
})

test('a string that is too long is still too long, and its event still the only one', () => {
  const reader = flushReader()
  const long = { ...event, query: 'x'.repeat(513) }
  expect(reader.read(flushResolver([older])(written(older, { ...flush, events: [event, long] })) as Uint8Array)).toBe(OK)
  expect([...reader.columns.has.subarray(0, 2)].map((has) => has & TOO_LONG)).toEqual([0, TOO_LONG])
  const { bytes, user } = reader.columns
  expect(Buffer.from(bytes).toString('utf8', stringStart(bytes, user), stringStart(bytes, user) + stringLength(bytes, user))).toBe('用户')
})

test('a fingerprint that nobody told us is an unknown schema, and nine bytes are no header', () => {
  expect(flushResolver([older])(written(newer))).toBe('unknown_schema')
  expect(flushResolver([older])(written(older).subarray(0, 9))).toBe('bad_header')
})

test('a writer that the current schema cannot read is refused at the start', () => {
  const { channel: __, ...fields } = behaviorBatch.fields
  expect(() => flushResolver([avroSchema(fieldTable('BehaviorBatch', fields))])).toThrow(/channel/)
})
