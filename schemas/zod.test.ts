import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyRow } from './arbitrary.ts'
import { encodeSingleObject } from './avro-encode.ts'
import { behaviorBatch } from './behavior-batch.ts'
import { everyKindTable } from './every-kind.ts'
import { bytesOfUuid, parseRow, zodParser } from './zod.ts'

const sample = (name: string) =>
  JSON.parse(readFileSync(new URL(`samples/${name}.json`, import.meta.url), 'utf8')) as Record<string, unknown>
const flush = sample('one-play')
const [event] = flush['events'] as Record<string, unknown>[]

test.each(['empty', 'one-play', 'purchase-and-search'])("the contract sample %s in JSON is the sample's bytes", (name) => {
  const bytes = readFileSync(new URL(`samples/${name}.bin`, import.meta.url))
  expect(Buffer.from(encodeSingleObject(behaviorBatch, zodParser(behaviorBatch).parse(sample(name))))).toEqual(bytes)
})

test('any row survives its JSON form', () => {
  const { raw: _, uuid: __, maybe_uuid: ___, event: ____, ratio: _____, floats: ______, ...fields } = everyKindTable.record.fields
  const plain = { name: 'Plain', fields }
  fc.assert(
    fc.property(anyRow(plain), (row) => {
      expect(parseRow(plain, JSON.parse(JSON.stringify(row)))).toEqual({ ok: true, row })
    }),
    { numRuns: 100 },
  )
})

test('a UUID is 32 hex digits, in either case, with all its dashes or none', () => {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => i * 17)
  for (const text of ['00112233445566778899aabbccddeeff', '00112233-4455-6677-8899-AABBCCDDEEFF']) expect(bytesOfUuid(text)).toEqual(bytes)
  for (const text of [
    '',
    '0011',
    '0011223344556677-8899aabbccddeeff',
    '00112233-44556677-8899-aabbccddeeff',
    'g0112233445566778899aabbccddeeff',
  ])
    expect(bytesOfUuid(text)).toBeUndefined()
})

test('what may be null, and the experiments, may be left out', () => {
  const { batch_id, user_id, device_id, platform, app_version, channel, region, sent_at } = flush
  const { event_id, behavior, occurred_at } = event!
  const short = {
    batch_id,
    user_id,
    device_id,
    platform,
    app_version,
    channel,
    region,
    sent_at,
    events: [{ event_id, behavior, occurred_at }],
  }
  const parsed = parseRow(behaviorBatch, short)
  expect(parsed).toMatchObject({ ok: true, row: { experiments: {}, events: [{ session_id: null, watch_ms: null, query: null }] } })
})

describe('a problem names its field, what is wanted and what came:', () => {
  test.each<[string, unknown, string[]]>([
    ['a UUID that is none', { ...flush, batch_id: 'xyz' }, ['batch_id: wants a UUID of 32 hex digits, got "xyz"']],
    ['a field that is missing', { ...flush, user_id: undefined }, ['user_id: is missing; it wants text']],
    [
      'a field that is not there',
      Object.fromEntries(Object.entries(flush).slice(1)),
      ['batch_id: is missing; it wants a UUID of 32 hex digits'],
    ],
    ['half a character', { ...flush, user_id: '\ud800' }, [String.raw`user_id: wants text, got "\ud800"`]],
    ['a symbol that is none', { ...flush, platform: 'tv' }, ['platform: wants one of android, ios, web, mini_program, server, got "tv"']],
    [
      'an instant too far',
      { ...flush, sent_at: 2 ** 52 + 1 },
      ['sent_at: wants whole milliseconds since 1970, within ±2^52, got 4503599627370497'],
    ],
    [
      'an instant in text',
      { ...flush, sent_at: '2026-01-01' },
      ['sent_at: wants whole milliseconds since 1970, within ±2^52, got "2026-01-01"'],
    ],
    ['a map of numbers', { ...flush, experiments: { a: 1 } }, ['experiments.a: wants text, got 1']],
    ['a list that is none', { ...flush, events: {} }, ['events: wants a list, got {}']],
    ['a field that nobody knows', { ...flush, colour: 'red' }, ['BehaviorBatch: has no field colour']],
    ['no object', [], ['BehaviorBatch: wants an object, got []']],
    ['no event', { ...flush, events: [null] }, ['events[0]: wants an object, got null']],
    [
      'two of an event',
      { ...flush, events: [event, { ...event, watch_ms: 2 ** 31, behavior: 'buy' }] },
      [
        'events[1].behavior: wants one of register, session_start, session_end, impression, click, play, like, comment, share, follow, search, purchase, got "buy"',
        'events[1].watch_ms: wants a whole number from -2147483648 to 2147483647, got 2147483648',
      ],
    ],
  ])('%s', (_, json, problems) => {
    expect(parseRow(behaviorBatch, json)).toEqual({ ok: false, problems })
  })
})

test('bytes are base64', () => {
  const table = { name: 'R', fields: { raw: everyKindTable.record.fields.raw } }
  expect(parseRow(table, { raw: 'AP8=' })).toEqual({ ok: true, row: { raw: Uint8Array.of(0, 255) } })
  expect(parseRow(table, { raw: 'AP8' })).toEqual({ ok: false, problems: ['raw: wants bytes in base64, got "AP8"'] })
})
