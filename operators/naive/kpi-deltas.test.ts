import { expect, test } from 'vitest'
import type { Behavior } from '../../schemas/behavior-batch.ts'
import { kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import type { EventRow } from '../../schemas/tables/events.ts'
import { defaultSettings } from '../settings.ts'
import { plainBatch, plainEvent, uuidOf } from '../testing/generate.ts'
import { zone } from '../time/zone.ts'
import { naiveKpiDeltas } from './kpi-deltas.ts'

const at = (text: string) => Date.parse(`2026-06-${text}+08:00`)
const block = { blockAt: 77, nextOffset: 5, partitionCount: 4, rejectedAts: [] }
const noPast = () => ({ counted: new Set<string>(), registeredAt: () => null })
const row = (behavior: Behavior, eventAt: number, changes: Partial<EventRow> = {}): EventRow => {
  const { events: _, ...flush } = plainBatch('u', eventAt, [])
  return {
    ...flush, ...plainEvent(uuidOf(1), behavior, eventAt),
    partition: 0, first_offset: 0, part: 0, block_at: 0, offset: 0, ordinal: 0, operator_version: 1,
    record_at: eventAt, received_at: eventAt, clock_at: eventAt, event_at: eventAt, tier: 'paying', ...changes,
  } // prettier-ignore
}
const deltas = (events: EventRow[], name = 'Asia/Shanghai') =>
  naiveKpiDeltas(events, defaultSettings, zone(name), block, noPast()).map((delta) => {
    const measures = kpiMeasures.filter((measure) => delta[measure] > 0).map((measure) => `${measure} ${delta[measure]}`)
    return `${delta.grain} ${new Date(delta.bucket_at).toISOString().slice(5, 16)} ${delta.dimension}=${delta.value}: ${measures.join(', ')}`
  })

test('a block without deltas has its clock alone', () => {
  expect(naiveKpiDeltas([], defaultSettings, zone('UTC'), block, noPast())).toMatchObject([
    { dimension: 'clock', grain: 'minute', value: '', bucket_at: 77, next_offset: 5, partition_count: 4, events: 0 },
  ])
})

test('an event counts at three grains, in all, in each value of its dimensions, and in the tier of its user', () => {
  expect(deltas([row('like', at('15T00:10:30'), { category: 'art', surface: 'feed' })]).slice(0, -1)).toEqual(
    ['minute 06-14T16:10', 'hour 06-14T16:00', 'day 06-14T16:00'].flatMap((bucket) =>
      [
        'all=',
        'platform=android',
        'channel=organic',
        'region=CN-31',
        'app_version=8.0.0',
        'category=art',
        'surface=feed',
        'tier=paying',
      ].map((cell) => `${bucket} ${cell}: likes 1, events 1, active_users 1, engaged_users 1`),
    ),
  )
})

test('null touches no cell of its dimension; a value outside the list counts as other', () => {
  const cells = deltas([row('search', at('15T00:10:30'), { channel: 'skywriting', category: 'unheard' })])
  expect(cells.filter((cell) => /minute .* (channel|category|surface)=/.test(cell))).toEqual([
    'minute 06-14T16:10 channel=other: searches 1, events 1, active_users 1',
    'minute 06-14T16:10 category=other: searches 1, events 1, active_users 1',
  ])
})

test('additive measures add up, each behaviour in its own', () => {
  const t = at('15T00:10:30')
  const events = [
    row('play', t, { watch_ms: 900, duration_ms: 1_000 }),
    row('play', t, { watch_ms: 100, duration_ms: 1_000 }),
    row('like', t, { watch_ms: 900, duration_ms: 1_000, amount_minor: 7 }),
    row('purchase', t, { amount_minor: 19_900, watch_ms: 3 }),
    row('register', t),
    row('session_start', t),
    row('impression', t),
    row('click', t),
    row('comment', t),
    row('share', t),
    row('follow', t),
    row('session_end', t),
  ]
  expect(deltas(events)[0]).toBe(
    'minute 06-14T16:10 all=: plays 2, completes 1, watch_ms 1000, impressions 1, clicks 1, likes 1, comments 1, shares 1, follows 1, ' +
      'purchases 1, amount_minor 19900, registers 1, events 12, active_users 1, engaged_users 1, buyers 1',
  )
})

test('an event counts in the bucket of its own time; hours and days are of the zone', () => {
  const cells = deltas([row('like', at('15T00:10:30')), row('like', at('14T23:10:30'))]).filter((cell) => cell.includes('all='))
  expect(cells).toEqual([
    'minute 06-14T16:10 all=: likes 1, events 1, active_users 1, engaged_users 1',
    'hour 06-14T16:00 all=: likes 1, events 1, active_users 1, engaged_users 1',
    'day 06-14T16:00 all=: likes 1, events 1, active_users 1, engaged_users 1',
    'minute 06-14T15:10 all=: likes 1, events 1, active_users 1, engaged_users 1',
    'hour 06-14T15:00 all=: likes 1, events 1, active_users 1, engaged_users 1',
    'day 06-13T16:00 all=: likes 1, events 1, active_users 1, engaged_users 1',
  ])
  expect(deltas([row('like', at('15T00:10:30'))], 'Asia/Kolkata')[6]).toBe(
    'hour 06-14T15:30 all=: likes 1, events 1, active_users 1, engaged_users 1',
  )
})

test('a user counts once per bucket and cell; a session too, and none where an event names none', () => {
  const t = at('15T00:10:30')
  const events = [
    row('like', t, { session_id: 'a', surface: 'feed' }),
    row('like', t + 1, { session_id: 'a', surface: 'shop' }),
    row('play', t + 2, { session_id: 'b', watch_ms: 1, duration_ms: 9 }),
    row('play', t + 3, { user_id: 'v', session_id: 'a', watch_ms: 1, duration_ms: 9 }),
    row('play', t + 60_000, { watch_ms: 1, duration_ms: 9 }),
  ]
  const counts = (cell: string) => deltas(events).filter((line) => line.includes(cell)).map((line) => line.replace(/: .*?(active)/, ': $1')) // prettier-ignore
  expect(counts('all=')).toEqual([
    'minute 06-14T16:10 all=: active_users 2, engaged_users 1, sessions 3',
    'hour 06-14T16:00 all=: active_users 2, engaged_users 1, sessions 3',
    'day 06-14T16:00 all=: active_users 2, engaged_users 1, sessions 3',
    'minute 06-14T16:11 all=: active_users 1',
  ])
  expect(counts('minute 06-14T16:10 surface=')).toEqual([
    'minute 06-14T16:10 surface=feed: active_users 1, engaged_users 1, sessions 1',
    'minute 06-14T16:10 surface=shop: active_users 1, engaged_users 1, sessions 1',
  ])
})

test.each([
  [2 * 60 - 1, 'active_users 1', 'active_users 1'],
  [2 * 60, 'active_users 1', 'active_users 1'],
  [2 * 60 + 1, 'late_unmarked 1', 'active_users 1'],
  [48 * 60 + 10, 'late_unmarked 1', 'active_users 1'],
  [48 * 60 + 11, 'late_unmarked 1', 'late_unmarked 1'],
])('%i minutes late: %s in the minute, %s in the hour, and always counted in the day', (late, inMinute, inHour) => {
  const t = at('15T00:10:30')
  const lines = deltas([row('session_end', t - late * 60_000, { clock_at: t })]).filter((line) => line.includes('all='))
  expect(lines.map((line) => line.replace(/.*events 1, /, ''))).toEqual([inMinute, inHour, 'active_users 1'])
})

test('plays of fresh content, and of users in their first seven days', () => {
  const t = at('15T00:10:30')
  const day = 86_400_000
  const play = (published_at: number | null, registeredAt: number | null) =>
    naiveKpiDeltas(
      [row('play', t, { watch_ms: 9, duration_ms: 10, published_at })], defaultSettings, zone('Asia/Shanghai'), block,
      { counted: new Set(), registeredAt: () => registeredAt },
    )[0]! // prettier-ignore
  const fresh = [null, t - 7 * day, t - 7 * day + 1, t, t + day].map((published) => play(published, null).fresh_plays)
  expect(fresh).toEqual([0, 0, 1, 1, 1])
  const registered = [null, at('08T23:59:59'), at('09T00:00:00'), t, at('15T23:59:59'), at('16T00:00:00')].map((when) => play(null, when))
  expect(registered.map((row) => row.first_week_plays)).toEqual([0, 0, 1, 1, 1, 0])
  expect(registered.map((row) => row.first_week_completes)).toEqual([0, 0, 1, 1, 1, 0])
})

test('what was rejected counts by the clock, in all alone', () => {
  const rejectedAts = [at('15T00:10:30'), at('15T00:10:31')]
  const rows = naiveKpiDeltas([], defaultSettings, zone('UTC'), { ...block, rejectedAts }, noPast())
  expect(rows.map((row) => [row.grain, row.dimension, row.rejected])).toEqual([
    ['minute', 'all', 2], ['hour', 'all', 2], ['day', 'all', 2], ['minute', 'clock', 0],
  ]) // prettier-ignore
})

test('the clock is the last row', () => {
  expect(deltas([row('like', 0)]).at(-1)).toBe('minute 01-01T00:00 clock=: ')
})
