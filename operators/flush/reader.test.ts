// The fast reader against Avro's reference decoder: same values of every flush, same verdict on every broken one.
import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { avroSchema, singleObjectHeader } from '../../schemas/avro.ts'
import { behaviorBatch, behaviors, platforms } from '../../schemas/behavior-batch.ts'
import { maxEventsPerFlush } from '../../schemas/limits.ts'
import {
  BAD_HEADER,
  BAD_UTF8,
  currentHeader,
  flushReader,
  HAS_AMOUNT,
  HAS_DURATION,
  HAS_PUBLISHED,
  HAS_WATCH,
  OK,
  OTHER_SCHEMA,
  stringLength,
  stringStart,
  TOO_LONG,
  TRAILING_BYTES,
  TRUNCATED,
  type FlushColumns,
} from './reader.ts'
import { isUtf8 } from './utf8.ts'

const reference = avsc.Type.forSchema(avroSchema(behaviorBatch) as avsc.Schema)

type PlainEvent = Record<string, unknown> & { behavior: string }
type PlainFlush = Record<string, unknown> & { events: PlainEvent[] }

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes))
const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const longText = fc.oneof({ weight: 20, arbitrary: text }, { weight: 1, arbitrary: fc.string({ minLength: 513, maxLength: 20_000 }) })
const time = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
  fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  fc.integer({ min: -200, max: 200 }),
)
const int = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 300 }))
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const event = fc.record({
  event_id: id,
  behavior: fc.constantFrom(...behaviors),
  occurred_at: time,
  session_id: maybe(longText),
  content_id: maybe(text),
  creator_id: maybe(text),
  category: maybe(text),
  surface: maybe(text),
  published_at: maybe(time),
  watch_ms: maybe(int),
  duration_ms: maybe(int),
  amount_minor: maybe(time),
  currency: maybe(text),
  query: maybe(longText),
})
const flush = fc.record({
  batch_id: id,
  user_id: longText,
  device_id: text,
  platform: fc.constantFrom(...platforms),
  app_version: text,
  channel: text,
  region: text,
  sent_at: time,
  experiments: fc.dictionary(text, text, { maxKeys: 4 }),
  events: fc.array(event, { maxLength: 12 }),
})

const encode = (value: unknown): Buffer => Buffer.concat([singleObjectHeader(behaviorBatch), reference.toBuffer(value)])

/** Puts bytes somewhere inside a larger buffer, with rubbish around them. */
function placed(bytes: Uint8Array, at = 7): Uint8Array {
  const buffer = new Uint8Array(bytes.length + at + 9).fill(0xff)
  buffer.set(bytes, at)
  return buffer.subarray(at, at + bytes.length)
}

function plain(columns: FlushColumns): PlainFlush {
  const string = (at: number) =>
    Buffer.from(
      columns.bytes.subarray(stringStart(columns.bytes, at), stringStart(columns.bytes, at) + stringLength(columns.bytes, at)),
    ).toString()
  const optional = (at: number) => (at < 0 ? null : string(at))
  const number = (has: number, bit: number, value: number) => ((has & bit) === 0 ? null : value)
  const uuidAt = (at: number) => Buffer.from(columns.bytes.slice(at, at + 16))
  return {
    batch_id: uuidAt(columns.batchId),
    user_id: string(columns.user),
    device_id: string(columns.device),
    platform: platforms[columns.platform],
    app_version: string(columns.appVersion),
    channel: string(columns.channel),
    region: string(columns.region),
    sent_at: columns.sentAt,
    events: Array.from({ length: columns.events }, (_, i) => ({
      event_id: uuidAt(columns.eventId[i]!),
      behavior: behaviors[columns.behavior[i]!]!,
      occurred_at: columns.occurredAt[i]!,
      session_id: optional(columns.session[i]!),
      content_id: optional(columns.content[i]!),
      creator_id: optional(columns.creator[i]!),
      category: optional(columns.category[i]!),
      surface: optional(columns.surface[i]!),
      published_at: number(columns.has[i]!, HAS_PUBLISHED, columns.publishedAt[i]!),
      watch_ms: number(columns.has[i]!, HAS_WATCH, columns.watchMs[i]!),
      duration_ms: number(columns.has[i]!, HAS_DURATION, columns.durationMs[i]!),
      amount_minor: number(columns.has[i]!, HAS_AMOUNT, columns.amountMinor[i]!),
      currency: optional(columns.currency[i]!),
      query: optional(columns.query[i]!),
    })),
  }
}

const one = (over: Partial<PlainEvent> = {}): PlainEvent => ({
  event_id: Buffer.alloc(16, 1),
  behavior: 'play',
  occurred_at: 1_790_000_000_000,
  session_id: null,
  content_id: 'v',
  creator_id: null,
  category: null,
  surface: null,
  published_at: null,
  watch_ms: 1,
  duration_ms: 2,
  amount_minor: null,
  currency: null,
  query: null,
  ...over,
})
const flushOf = (events: PlainEvent[], over: Record<string, unknown> = {}) => ({
  batch_id: Buffer.alloc(16, 2),
  user_id: 'u',
  device_id: 'd',
  platform: 'ios',
  app_version: '1',
  channel: 'ad',
  region: 'CN-31',
  sent_at: 1_790_000_000_000,
  experiments: {},
  events,
  ...over,
})

describe('the fast reader', () => {
  test("the current header is the derived schema's", () => {
    expect(singleObjectHeader(behaviorBatch)).toEqual(currentHeader)
  })

  test('reads what the reference encoder wrote', () => {
    const reader = flushReader()
    fc.assert(
      fc.property(flush, fc.integer({ min: 0, max: 20 }), (value, at) => {
        expect(reader.read(placed(encode(value), at))).toBe(OK)
        const { experiments, ...rest } = value
        expect(plain(reader.columns)).toEqual({ ...rest, events: value.events.map((e) => ({ ...e })) })
        expect(reader.columns.experimentCount).toBe(Object.keys(experiments).length)
      }),
      { numRuns: 300 },
    )
  })

  test('every prefix of a flush is truncated, and every longer one has trailing bytes', () => {
    const reader = flushReader()
    const bytes = encode(flushOf([one(), one({ behavior: 'search', query: '口红' })], { experiments: { a: 'b' } }))
    for (let length = 10; length < bytes.length; length++) expect(reader.read(placed(bytes.subarray(0, length)))).toBe(TRUNCATED)
    for (let length = 0; length < 10; length++) expect(reader.read(placed(bytes.subarray(0, length)))).toBe(BAD_HEADER)
    expect(reader.read(placed(Buffer.concat([bytes, Buffer.alloc(1)])))).toBe(TRAILING_BYTES)
    expect(reader.read(placed(bytes))).toBe(OK)
  })

  test('any change of bytes ends in a verdict, never in a throw or an endless loop, and the next flush reads', () => {
    const reader = flushReader()
    const good = encode(flushOf([one(), one()]))
    fc.assert(
      fc.property(flush, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }), (value, changes) => {
        const bytes = Uint8Array.from(encode(value))
        for (const [at, byte] of changes) bytes[10 + (at % Math.max(1, bytes.length - 10))] = byte
        expect([OK, TRUNCATED, TRAILING_BYTES, BAD_UTF8]).toContain(reader.read(placed(bytes)))
        expect(reader.read(placed(good))).toBe(OK)
        expect(reader.columns.events).toBe(2)
      }),
      { numRuns: 500 },
    )
  })

  test('an array in several blocks, with and without their lengths, reads as one', () => {
    const whole = encode(flushOf([one({ query: 'a' }), one({ query: 'b' })]))
    const item = (name: string) => {
      const alone = encode(flushOf([one({ query: name })]))
      const none = encode(flushOf([]))
      return alone.subarray(none.length, alone.length - 1)
    }
    const head = encode(flushOf([])).slice(0, -1)
    const length = item('b').length
    const blocks = Buffer.concat(
      [head, [2], item('a'), [1, ((length * 2) & 127) | 128, length >> 6], item('b'), [0]].map((part) => Uint8Array.from(part)),
    )
    const reader = flushReader()
    expect(reader.read(placed(blocks))).toBe(OK)
    const inBlocks = plain(reader.columns)
    expect(reader.read(placed(whole))).toBe(OK)
    expect(inBlocks).toEqual(plain(reader.columns))
  })

  test('a string that is not UTF-8 spoils the flush, wherever it stands', () => {
    const reader = flushReader()
    for (const broken of ['\u{10ffff}x', 'ä']) {
      const bytes = Uint8Array.from(encode(flushOf([one({ session_id: broken })])))
      const at = Buffer.from(bytes).indexOf(Buffer.from(broken))
      bytes[at] = 0xff
      expect(reader.read(placed(bytes))).toBe(BAD_UTF8)
    }
  })

  test('a string of 513 bytes is noted: of an event on the event, of the flush on the flush', () => {
    const reader = flushReader()
    reader.read(placed(encode(flushOf([one(), one({ query: 'x'.repeat(513) }), one({ query: 'x'.repeat(512) })]))))
    expect([...reader.columns.has.subarray(0, 3)].map((has) => (has & TOO_LONG) !== 0)).toEqual([false, true, false])
    expect(reader.columns.flushTooLong).toBe(false)
    reader.read(placed(encode(flushOf([one()], { device_id: 'x'.repeat(513) }))))
    expect(reader.columns.flushTooLong).toBe(true)
    reader.read(placed(encode(flushOf([one()], { experiments: { k: 'x'.repeat(513) } }))))
    expect(reader.columns.flushTooLong).toBe(true)
  })

  test('5,000 events are decoded and counted, though only a thousand have a place', () => {
    const reader = flushReader()
    expect(reader.read(placed(encode(flushOf(Array.from({ length: 5_000 }, () => one())))))).toBe(OK)
    expect(reader.columns.events).toBe(5_000)
    expect(reader.columns.eventId.length).toBe(maxEventsPerFlush)
  })

  test('where a cut flush fails does not depend on what lies behind it', () => {
    const bytes = encode(flushOf([one(), one({ behavior: 'search', query: '口红' })], { experiments: { a: 'b' } }))
    for (let length = 10; length < bytes.length; length++) {
      const failedAt = [0x00, 0x02, 0x7f, 0xff].map((behind) => {
        const buffer = new Uint8Array(bytes.length + 40).fill(behind)
        buffer.set(bytes.subarray(0, length))
        const reader = flushReader()
        expect(reader.read(buffer.subarray(0, length))).toBe(TRUNCATED)
        return reader.columns.failedAt
      })
      expect(new Set(failedAt).size).toBe(1)
      expect(failedAt[0]).toBeLessThanOrEqual(length)
    }
  })

  test('a number below −2⁵² is read as it is, so that it can be refused', () => {
    const reader = flushReader()
    const good = encode(flushOf([one({ occurred_at: -(2 ** 52) })]))
    expect(reader.read(placed(good))).toBe(OK)
    expect(reader.columns.occurredAt[0]).toBe(-(2 ** 52))
    // −(2⁵² + 1) in zigzag is 2⁵³ + 1, which no double holds.
    const beyond = Buffer.from(good.toString('hex').replace('ffffffffffffff0f', '8180808080808010'), 'hex')
    expect(reader.read(placed(beyond))).toBe(OK)
    expect(reader.columns.occurredAt[0]).toBe(-(2 ** 52) - 1)
  })

  test('another fingerprint is another schema; another magic is no header', () => {
    const reader = flushReader()
    const bytes = Uint8Array.from(encode(flushOf([])))
    bytes[5]! ^= 1
    expect(reader.read(placed(bytes))).toBe(OTHER_SCHEMA)
    bytes[0] = 0
    expect(reader.read(placed(bytes))).toBe(BAD_HEADER)
  })
})

test('isUtf8 agrees with the strict decoder of the runtime', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const agrees = (bytes: Uint8Array) => {
    let good = true
    try {
      strict.decode(bytes)
    } catch {
      good = false
    }
    expect(isUtf8(bytes, 0, bytes.length), Buffer.from(bytes).toString('hex')).toBe(good)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 6 }), agrees), { numRuns: 2_000 })
  const edges = fc.constantFrom(0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5)
  fc.assert(fc.property(fc.array(edges, { maxLength: 5 }).map((bytes) => Uint8Array.from(bytes)), agrees), { numRuns: 5_000 }) // prettier-ignore
})
