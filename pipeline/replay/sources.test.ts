import { expect, test } from 'vitest'
import { outboxRecord } from '../roles/process/outbox.ts'
import { everything, utf8 } from './hand-made.ts'
import { fromInput, fromRejected, type KeptRecord } from './sources.ts'

const message = {
  kind: 'rejected', offset: 41, reasons: [{ ordinal: 0, reason: 'currency' }, { ordinal: 3, reason: 'too_old' }], key: utf8('ann'),
  value: Uint8Array.of(1), recordAt: 1_000, receivedAt: 900,
} as const // prettier-ignore

function rejected(
  over: Partial<Parameters<typeof outboxRecord>[0]> = {},
  headers: Record<string, Uint8Array | undefined> = {},
): KeptRecord {
  const record = outboxRecord({ ...message, ...over } as Parameters<typeof outboxRecord>[0], 'id', { topic: 'shop', partition: 2 })
  const all = Object.entries({ ...record.headers, ...headers }).filter(([, value]) => value !== undefined)
  const { key, value } = record
  return { partition: 0, offset: 5, timestampMs: 1_000, key, value, headers: Object.fromEntries(all) as Record<string, Uint8Array> }
}
const read = (record: KeptRecord) => fromRejected(record, 'shop', everything.filter)

test('what the process role puts aside reads as the record that it was, with the events that were rejected', () => {
  expect(read(rejected())).toEqual({
    kind: 'candidate',
    candidate: { partition: 2, offset: 41, key: utf8('ann'), value: Uint8Array.of(1), arrivedAt: 900, ordinals: new Set([0, 3]) },
  })
  expect(read(rejected({ reasons: [{ ordinal: -1, reason: 'unknown_schema' }], receivedAt: 5_000 }))).toMatchObject({
    kind: 'candidate',
    candidate: { ordinals: undefined, arrivedAt: 1_000 },
  })
})

const cases: (readonly [name: string, record: KeptRecord, what: object])[] = [
  [
    'a value of which only a digest is kept',
    rejected({ value: new Uint8Array(1_000_001) }),
    { kind: 'not_replayable', why: 'digest_only', partition: 2, offset: 41 },
  ],
  [
    'a key of which only a digest is kept',
    rejected({ key: new Uint8Array(1_000_001) }),
    { kind: 'not_replayable', why: 'digest_only', partition: 2, offset: 41 },
  ],
  ['no value', rejected({ value: null }), { kind: 'null_value' }],
  ...(
    [
      ['another topic', { topic: utf8('other') }],
      ['no topic', { topic: undefined }],
      ['no reason', { reason: undefined }],
      ['a partition below 0', { partition: utf8('-1') }],
      ['an offset that is none', { offset: utf8('x') }],
      ['no time', { record_at: undefined }],
      ['no time of receipt', { received_at: utf8('') }],
      ['a list of events that does not read', { events: utf8('0:currency,x') }],
    ] as const
  ).map(([name, headers]) => [name, rejected({}, headers), { kind: 'not_replayable', why: 'no_origin', partition: 0, offset: 5 }] as const),
]
test.each(cases)('%s', (_name, record, what) => {
  expect(read(record)).toEqual(what)
}) // prettier-ignore

const input = (over: Partial<KeptRecord>): KeptRecord => ({
  partition: 1, offset: 9, timestampMs: 1_000, key: utf8('ann'), value: Uint8Array.of(1), headers: undefined, ...over,
}) // prettier-ignore

test.each([
  ['a record', input({}), { kind: 'candidate', candidate: { partition: 1, offset: 9, arrivedAt: 1_000, ordinals: undefined } }],
  ['one that was received before', input({ headers: { received_at: utf8('700') } }), { candidate: { arrivedAt: 700 } }],
  ['one that says it was received after', input({ headers: { received_at: utf8('7000') } }), { candidate: { arrivedAt: 1_000 } }],
  ['a tick', input({ key: null, value: null, headers: { reelpulse: utf8('tick') } }), { kind: 'passed_over' }],
  ['no value', input({ value: null }), { kind: 'null_value' }],
  ['a time that moves no clock', input({ timestampMs: -1 }), { kind: 'not_replayable', why: 'no_time', partition: 1, offset: 9 }],
])('of the input topic: %s', (_name, record, what) => {
  expect(fromInput(record)).toMatchObject(what)
})
