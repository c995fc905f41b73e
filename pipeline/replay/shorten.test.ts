import fc from 'fast-check'
import { expect, test } from 'vitest'
import { naiveDecode } from '../../operators/naive/decode.ts'
import { encodeFlush } from '../../operators/testing/encode-flush.ts'
import { anyRow } from '../../schemas/arbitrary.ts'
import { behaviorBatch, type BehaviorBatch } from '../../schemas/behavior-batch.ts'
import { event, flush } from './hand-made.ts'
import { shortened } from './shorten.ts'

test('what is left reads as the flush with only these events', () => {
  fc.assert(
    fc.property(anyRow(behaviorBatch), fc.array(fc.nat(8)), (batch, some) => {
      const ordinals = new Set(some.filter((ordinal) => ordinal < batch.events.length))
      if (ordinals.size === 0) return
      const events = batch.events.filter((_, i) => ordinals.has(i))
      expect(shortened(encodeFlush(batch), ordinals)).toEqual(Buffer.from(encodeFlush({ ...batch, events })))
    }),
  )
})

test('of a thousand events any number can be left', () => {
  const batch = flush(
    'ann',
    Array.from({ length: 1_000 }, () => event()),
  )
  for (const left of [1, 63, 64, 127, 128, 999]) {
    const bytes = shortened(encodeFlush(batch), new Set(Array.from({ length: left }, (_, i) => 999 - i)))
    expect(naiveDecode(Uint8Array.from(bytes))).toEqual({ ...batch, events: batch.events.slice(-left) })
  }
})

test('events in several blocks, with and without lengths, are found', () => {
  const batch = flush('ann', [event(), event(), event()])
  const none = encodeFlush({ ...batch, events: [] }).subarray(0, -1)
  const [a, b, c] = batch.events.map((one) => encodeFlush({ ...batch, events: [one] }).subarray(none.length + 1, -1)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  // −2 items, of a false length; then 1 item; then the end.
  const value = Buffer.concat([none, Uint8Array.of(3, 0x82, 0x7f), a, b, Uint8Array.of(2), c, Uint8Array.of(0)])
  expect((naiveDecode(Uint8Array.from(value)) as BehaviorBatch).events).toEqual(batch.events)
  expect(naiveDecode(Uint8Array.from(shortened(value, new Set([1, 2]))))).toEqual({ ...batch, events: batch.events.slice(1) })
})
