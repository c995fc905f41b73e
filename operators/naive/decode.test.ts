import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import { plainBatch, plainEvent, uuidOf } from '../testing/generate.ts'
import { naiveDecode } from './decode.ts'

const now = 1_790_000_000_000
const batch = {
  ...plainBatch('用户', now, [plainEvent(uuidOf(1), 'play', now - 5), { ...plainEvent(uuidOf(2), 'purchase', -1), amount_minor: 2 ** 40 }]),
  experiments: { colour: 'red', __proto__x: '' },
}
const bytes = encodeSingleObject(behaviorBatch, batch)

test('reads what was written', () => {
  expect(naiveDecode(bytes)).toEqual(batch)
})

test('the first flush of the contract’s schema, byte by byte', () => {
  const hex = `c301ba4f20b135a67f9f${'00'.repeat(16)}0275 0264 04 06382e30 0261 0272 02 00 00`.replaceAll(' ', '')
  expect(naiveDecode(Uint8Array.from(Buffer.from(hex, 'hex')))).toEqual({
    batch_id: new Uint8Array(16), user_id: 'u', device_id: 'd', platform: 'web', app_version: '8.0', channel: 'a', region: 'r',
    sent_at: 1, experiments: {}, events: [],
  }) // prettier-ignore
})

test('every prefix is a bad header or truncated, every longer value has trailing bytes', () => {
  for (let length = 0; length < 10; length++) expect(naiveDecode(bytes.slice(0, length))).toBe('bad_header')
  for (let length = 10; length < bytes.length; length++) expect(naiveDecode(bytes.slice(0, length))).toBe('truncated')
  expect(naiveDecode(Uint8Array.of(...bytes, 0))).toBe('trailing_bytes')
})

test('another fingerprint is another schema', () => {
  for (let at = 2; at < 10; at++) expect(naiveDecode(Uint8Array.from(bytes).with(at, bytes[at]! ^ 1))).toBe('unknown_schema')
})

test('a string that is not UTF-8 spoils the flush', () => {
  const at = Buffer.from(bytes).indexOf('用')
  expect(naiveDecode(Uint8Array.from(bytes).with(at, 0xff))).toBe('bad_utf8')
})

test('any bytes end in a verdict', () => {
  const changes = fc.array(fc.tuple(fc.nat(bytes.length - 11), fc.nat(255)), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(changes, (changes) => {
      const changed = Uint8Array.from(bytes)
      for (const [at, byte] of changes) changed[10 + at] = byte
      const result = naiveDecode(changed)
      expect(typeof result === 'object' || ['truncated', 'trailing_bytes', 'bad_utf8'].includes(result)).toBe(true)
    }),
  )
})
