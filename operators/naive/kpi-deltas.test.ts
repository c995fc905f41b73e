import { expect, test } from 'vitest'
import type { Behavior } from '../../schemas/behavior-batch.ts'
import { kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import type { EventRow } from '../../schemas/tables/events.ts'
import { defaultSettings } from '../settings.ts'
import { plainBatch, plainEvent, uuidOf } from '../testing/generate.ts'
import { zone } from '../time/zone.ts'
import { naiveKpiDeltas } from './kpi-deltas.ts'

const at = (text: string) => Date.parse(`2026-06-${text}+08:00`)
const block = { blockAt: 77, nextOffset: 5, partitionCount: 4 }
const row = (behavior: Behavior, eventAt: number, changes: Partial<EventRow> = {}): EventRow => {
  const { events: _, ...flush } = plainBatch('u', eventAt, [])
  return {
    ...flush, ...plainEvent(uuidOf(1), behavior, eventAt),
    partition: 0, first_offset: 0, part: 0, block_at: 0, offset: 0, ordinal: 0, operator_version: 1,
    record_at: eventAt, received_at: eventAt, clock_at: eventAt, event_at: eventAt, tier: 'paying', ...changes,
  } // prettier-ignore
}
const deltas = (events: EventRow[], name = 'Asia/Shanghai') =>
  naiveKpiDeltas(events, defaultSettings, zone(name), block).map((delta) => {
    const measures = kpiMeasures.filter((measure) => delta[measure] > 0).map((measure) => `${measure} ${delta[measure]}`)
    return `${delta.grain} ${new Date(delta.bucket_at).toISOString().slice(5, 16)} ${delta.dimension}=${delta.value}: ${measures.join(', ')}`
  })

test('a block without deltas has its clock alone', () => {
  expect(naiveKpiDeltas([], defaultSettings, zone('UTC'), block)).toMatchObject([
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
      ].map((cell) => `${bucket} ${cell}: likes 1, events 1`),
    ),
  )
})

test('null touches no cell of its dimension; a value outside the list counts as other', () => {
  const cells = deltas([row('search', at('15T00:10:30'), { channel: 'skywriting', category: 'unheard' })])
  expect(cells.filter((cell) => /minute .* (channel|category|surface)=/.test(cell))).toEqual([
    'minute 06-14T16:10 channel=other: searches 1, events 1',
    'minute 06-14T16:10 category=other: searches 1, events 1',
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
      'purchases 1, amount_minor 19900, registers 1, events 12',
  )
})

test('an event counts in the bucket of its own time; hours and days are of the zone', () => {
  const cells = deltas([row('like', at('15T00:10:30')), row('like', at('14T23:10:30'))]).filter((cell) => cell.includes('all='))
  expect(cells).toEqual([
    'minute 06-14T16:10 all=: likes 1, events 1',
    'hour 06-14T16:00 all=: likes 1, events 1',
    'day 06-14T16:00 all=: likes 1, events 1',
    'minute 06-14T15:10 all=: likes 1, events 1',
    'hour 06-14T15:00 all=: likes 1, events 1',
    'day 06-13T16:00 all=: likes 1, events 1',
  ])
  expect(deltas([row('like', at('15T00:10:30'))], 'Asia/Kolkata')[6]).toBe('hour 06-14T15:30 all=: likes 1, events 1')
})

test('the clock is the last row', () => {
  expect(deltas([row('like', 0)]).at(-1)).toBe('minute 01-01T00:00 clock=: ')
})
