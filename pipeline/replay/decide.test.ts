import { expect, test } from 'vitest'
import { naiveDecode } from '../../operators/naive/decode.ts'
import { encodeFlush } from '../../operators/testing/encode-flush.ts'
import { defaultSettings } from '../../operators/settings.ts'
import type { BehaviorBatch } from '../../schemas/behavior-batch.ts'
import { textHeaders } from '../text-headers.ts'
import { decide, eventKey, recentKeys } from './decide.ts'
import { encode, event, flush, idsOf, learned, purchase, startMs, unknown, utf8 } from './hand-made.ts'
import { judgeCandidates } from './judge.ts'
import type { Candidate } from './sources.ts'

const options = { settings: defaultSettings, resolve: learned, clocks: [startMs + 60_000, -Infinity] }

function candidate(batch: BehaviorBatch, over: Partial<Candidate> = {}): Candidate {
  return {
    partition: 0,
    offset: 7,
    key: utf8(batch.user_id),
    value: encodeFlush(batch),
    arrivedAt: startMs + 9,
    ordinals: undefined,
    ...over,
  }
}
const decided = (candidates: readonly Candidate[], there: readonly string[] = [], appended = recentKeys(100)) =>
  judgeCandidates(candidates, options).map((judged) => decide(judged, (key) => there.includes(key), appended, learned))

test('a shortened flush has the wanted events and everything else unchanged, also one of another schema', () => {
  const batch = flush('用户\u0000', [event(), purchase('EUR'), event({ query: '\ufeff', amount_minor: -(2 ** 53) }), purchase('CNY')])
  for (const value of [encodeFlush(batch), unknown(encodeFlush(batch))]) {
    const [decision] = decided([candidate(batch, { value, ordinals: new Set([1, 2, 3]) })])
    expect(decision).toMatchObject({ events: 2, alreadyThere: 0, repeated: 0 })
    expect(naiveDecode(Uint8Array.from(decision!.record!.value!))).toEqual({ ...batch, events: [batch.events[2], batch.events[3]] })
  }
})

test('a flush of which all is wanted keeps its bytes, whatever its schema, and says where it came from and when', () => {
  const batch = flush('ann', [event(), event()])
  const value = unknown(encode(batch))
  const record = decided([candidate(batch, { value })])[0]!.record!
  expect(record.value).toBe(value)
  expect(Object.entries(textHeaders(record.headers))).toEqual([
    ['received_at', String(startMs + 9)],
    ['replay_of', '0/7'],
  ])
})

test('an event that an earlier batch of the replay appended, or that is there, is left out; another user may have the same id', () => {
  const [first, second] = [flush('ann', [event()]), flush('ann', [event()])]
  const both = flush('ann', [...first.events, ...second.events])
  const theirs = { ...both, user_id: 'bob' }
  const appended = recentKeys(100)
  expect(decided([candidate(first)], [], appended)).toMatchObject([{ events: 1 }])
  expect(decided([candidate(both)], [eventKey(utf8('ann'), idsOf(second)[0]!)], appended)).toMatchObject([
    { record: undefined, events: 0, alreadyThere: 1, repeated: 1 },
  ])
  expect(decided([candidate(theirs)], [], appended)).toMatchObject([{ events: 2 }])
})

test('a record goes to a partition no earlier than its time there, and no earlier than it arrived', () => {
  const late = startMs + 3_600_000
  const users = Array.from({ length: 20 }, (_, i) => flush(`user-${i}`, [event()]))
  const judged = judgeCandidates(
    users.map((batch, i) => candidate(batch, { arrivedAt: i % 2 === 0 ? late : startMs + 9 })),
    options,
  )
  for (const { candidate: of, partition, timestampMs } of judged)
    expect(timestampMs).toBe(partition === 0 ? Math.max(startMs + 60_000, of.arrivedAt) : of.arrivedAt)
  expect(new Set(judged.map(({ partition }) => partition))).toEqual(new Set([0, 1]))
  expect(judged.flatMap(({ accepted }) => accepted)).toHaveLength(20)
})

test('of the keys that were appended at least the newest are known, and no more than twice as many kept', () => {
  const keys = recentKeys(10)
  for (let i = 0; i < 1_000; i++) {
    keys.add(`key ${i}`)
    const known = Array.from({ length: i + 1 }, (_, j) => keys.has(`key ${j}`)).filter(Boolean).length
    expect(known).toBeLessThanOrEqual(20)
    for (let j = Math.max(0, i - 9); j <= i; j++) expect(keys.has(`key ${j}`)).toBe(true)
  }
})
