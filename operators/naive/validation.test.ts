import { describe, expect, test } from 'vitest'
import type { Behavior, BehaviorBatch, BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { partitionOf } from '../hash.ts'
import { plainBatch, plainEvent, uuidOf } from '../testing/generate.ts'
import { judgeEvent, judgeFlush } from './validation.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const now = 1_790_000_000_000
const of = (behavior: Behavior, changes: Partial<BehaviorEvent> = {}) => ({ ...plainEvent(uuidOf(1), behavior, now), ...changes })
const judge = (event: BehaviorEvent, changes: Partial<Parameters<typeof judgeEvent>[1]> = {}) =>
  judgeEvent(event, { recordAt: now, sentAt: now, eventAt: now, clockAt: now, currency: 'CNY', ...changes })

describe('an event', () => {
  test.each<[string, BehaviorEvent, ReturnType<typeof judgeEvent>]>([
    ['register needs nothing', of('register'), 'ok'],
    ['session_start needs nothing', of('session_start'), 'ok'],
    ['session_end needs nothing', of('session_end'), 'ok'],
    ['play with all it needs', of('play'), 'ok'],
    ['play needs content_id', of('play', { content_id: null }), 'missing_field'],
    ['an empty string counts as missing', of('play', { content_id: '' }), 'missing_field'],
    ['play needs watch_ms', of('play', { watch_ms: null }), 'missing_field'],
    ['play needs duration_ms', of('play', { duration_ms: null }), 'missing_field'],
    ['play of nothing watched', of('play', { watch_ms: 0 }), 'ok'],
    ['play with watch_ms < 0', of('play', { watch_ms: -1 }), 'out_of_range'],
    ['play with duration_ms = 0', of('play', { duration_ms: 0 }), 'out_of_range'],
    ['play of 1 ms', of('play', { duration_ms: 1 }), 'ok'],
    ['watched longer than it lasts', of('play', { watch_ms: 99_999 }), 'ok'],
    ['impression needs content_id', of('impression', { content_id: null }), 'missing_field'],
    ['click needs content_id', of('click', { content_id: null }), 'missing_field'],
    ['like needs content_id', of('like', { content_id: '' }), 'missing_field'],
    ['comment needs content_id', of('comment', { content_id: null }), 'missing_field'],
    ['share needs content_id', of('share', { content_id: null }), 'missing_field'],
    ['follow needs creator_id', of('follow', { creator_id: null, content_id: 'v' }), 'missing_field'],
    ['search needs query', of('search', { query: '' }), 'missing_field'],
    ['purchase needs amount_minor', of('purchase', { amount_minor: null }), 'missing_field'],
    ['purchase needs a currency', of('purchase', { currency: null }), 'missing_field'],
    ['purchase in another currency', of('purchase', { currency: 'USD' }), 'currency'],
    ['a currency is spelt as configured', of('purchase', { currency: 'cny' }), 'currency'],
    ['purchase of 0', of('purchase', { amount_minor: 0 }), 'out_of_range'],
    ['purchase of 1e10', of('purchase', { amount_minor: 1e10 }), 'ok'],
    ['purchase of 1e10 + 1', of('purchase', { amount_minor: 1e10 + 1 }), 'out_of_range'],
    ['an amount elsewhere may be anything within 2^53', of('like', { amount_minor: -(2 ** 53), currency: 'USD' }), 'ok'],
    ['an amount beyond 2^53 is wrong anywhere', of('like', { amount_minor: 2 ** 54 }), 'out_of_range'],
    ['watch_ms < 0 is wrong anywhere', of('like', { watch_ms: -1 }), 'out_of_range'],
    ['duration_ms < 0 is wrong anywhere', of('search', { duration_ms: -1 }), 'out_of_range'],
    ['duration_ms = 0 is wrong in a play alone', of('search', { duration_ms: 0 }), 'ok'],
    ['512 bytes', of('search', { query: 'x'.repeat(512) }), 'ok'],
    ['513 bytes', of('search', { query: 'x'.repeat(513) }), 'field_too_long'],
    ['bytes count, not characters', of('search', { query: '口'.repeat(171) }), 'field_too_long'],
    ['a long string in a field that nobody needs', of('register', { session_id: 'x'.repeat(513) }), 'field_too_long'],
    ['occurred_at at 2^52', of('like', { occurred_at: 2 ** 52 }), 'ok'],
    ['occurred_at beyond 2^52', of('like', { occurred_at: 2 ** 52 + 1 }), 'out_of_range'],
    ['occurred_at beyond -2^52', of('like', { occurred_at: -(2 ** 52) - 1 }), 'out_of_range'],
    ['published_at beyond 2^52', of('like', { published_at: 2 ** 52 + 1 }), 'out_of_range'],
    ['missing comes before too long', of('like', { content_id: null, query: 'x'.repeat(513) }), 'missing_field'],
    ['too long comes before out of range', of('like', { query: 'x'.repeat(513), watch_ms: -1 }), 'field_too_long'],
    ['out of range comes before currency', of('purchase', { amount_minor: 0, currency: 'USD' }), 'out_of_range'],
  ])('%s', (_, event, verdict) => {
    expect(judge(event)).toBe(verdict)
  })

  test('sent_at beyond 2^52 makes each event of its flush out of range', () => {
    expect(judge(of('like'), { sentAt: 2 ** 52 + 1 })).toBe('out_of_range')
  })

  test('a record timestamp beyond 2^52 makes each event of its flush out of range', () => {
    expect(judge(of('like'), { recordAt: 2 ** 52 + 1, eventAt: 2 ** 52 + 1 })).toBe('out_of_range')
  })

  test('t more than 30 days before the clock is too old, exactly 30 days is not', () => {
    const oldest = now - 30 * 86_400_000
    expect(judge(of('like'), { eventAt: oldest })).toBe('ok')
    expect(judge(of('like'), { eventAt: oldest - 1 })).toBe('too_old')
    expect(judge(of('purchase', { currency: 'USD' }), { eventAt: oldest - 1 })).toBe('currency')
  })
})

describe('a flush', () => {
  const batch = plainBatch('ü', now, [of('like')])
  const long = 'x'.repeat(513)
  const many = (count: number) => Array.from({ length: count }, () => of('like'))
  test.each<[string, BehaviorBatch, string, ReturnType<typeof judgeFlush>]>([
    ['of the user whose key it has', batch, 'ü', 'ok'],
    ['with the key of another', batch, 'u', 'key_mismatch'],
    ['with a key that only begins so', batch, 'ü2', 'key_mismatch'],
    ['with a long device_id', { ...batch, device_id: long }, 'ü', 'flush_field_too_long'],
    ['with a long app_version', { ...batch, app_version: long }, 'ü', 'flush_field_too_long'],
    ['with a long channel', { ...batch, channel: long }, 'ü', 'flush_field_too_long'],
    ['with a long region', { ...batch, region: long }, 'ü', 'flush_field_too_long'],
    ['with a long user_id', { ...batch, user_id: long }, long, 'flush_field_too_long'],
    ['with a long experiment', { ...batch, experiments: { a: long } }, 'ü', 'flush_field_too_long'],
    ['with a long name of an experiment', { ...batch, experiments: { [long]: 'a' } }, 'ü', 'flush_field_too_long'],
    ['with 512 bytes', { ...batch, device_id: 'x'.repeat(512) }, 'ü', 'ok'],
    ['of 1,000 events', { ...batch, events: many(1_000) }, 'ü', 'ok'],
    ['of 1,001 events', { ...batch, events: many(1_001) }, 'ü', 'too_many_events'],
    ['too long comes before too many', { ...batch, events: many(1_001), region: long }, 'ü', 'flush_field_too_long'],
    ['another key comes before too long', { ...batch, region: long }, 'u', 'key_mismatch'],
  ])('%s', (_, value, key, verdict) => {
    const keyBytes = bytes(key)
    expect(judgeFlush(value, { key: keyBytes, partition: partitionOf(keyBytes, 4), partitionCount: 4 })).toBe(verdict)
  })

  test('in the partition of another key is wrong_partition', () => {
    const key = bytes('ü')
    const partition = (partitionOf(key, 4) + 1) % 4
    expect(judgeFlush({ ...batch, device_id: long }, { key, partition, partitionCount: 4 })).toBe('wrong_partition')
  })
})
