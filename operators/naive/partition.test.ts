import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch, type Behavior, type BehaviorBatch, type BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { defaultSettings, type OperatorSettings } from '../settings.ts'
import { partitionLogs, plainBatch, plainEvent, tick, uuidOf } from '../testing/generate.ts'
import { protocolLimits } from './blocks.ts'
import { naiveDecode } from './decode.ts'
import { zone } from '../time/zone.ts'
import { decayDelayMs } from './emission.ts'
import { naivePartition, type NaiveBlock, type NaiveRecord } from './partition.ts'
import { naiveTierHistory, tierOf } from './tier.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
/** A time of June 2026 in Shanghai. */
const at = (text: string) => Date.parse(`2026-06-${text}+08:00`)
const noon = at('15T12:00:00')
const shanghai = zone('Asia/Shanghai')
const hourMs = 3_600_000
const dayMs = 86_400_000
/** Its decay rows come 6 s after their boundaries. */
const user = 'foobar'

/** A log told step by step, and everything that came of it. */
function tell(changes: Partial<OperatorSettings> = {}) {
  const partition = naivePartition(
    { ...defaultSettings, ...changes },
    { partition: 0, partitionCount: 1, logId: 'log', limits: protocolLimits, decode: naiveDecode },
  )
  const blocks: NaiveBlock[] = []
  let offset = 0
  let ids = 0
  const append = (record: Omit<NaiveRecord, 'offset'>) => {
    const block = partition.record({ offset: offset++, ...record })
    if (block !== undefined) blocks.push(block)
  }
  const log = {
    append,
    event: (behavior: Behavior, occurredAt: number, more: Partial<BehaviorEvent> = {}): BehaviorEvent => ({
      ...plainEvent(uuidOf(++ids), behavior, occurredAt),
      ...more,
    }),
    /** A flush that a right device sends at once; `flush` may say otherwise. */
    send(timestampMs: number, events: BehaviorEvent[], flush: Partial<BehaviorBatch> = {}, headers?: Record<string, string>) {
      const batch = { ...plainBatch(user, timestampMs, events), ...flush }
      append({
        timestampMs,
        key: bytes(batch.user_id),
        value: encodeSingleObject(behaviorBatch, batch),
        headers: headers && Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, bytes(value)])),
      })
    },
    one: (timestampMs: number, behavior: Behavior, who = user) =>
      log.send(timestampMs, [log.event(behavior, timestampMs)], { user_id: who }),
    /** Moves the clock there by a control tick, which ends the block. */
    until(clockAt: number) {
      append({ timestampMs: clockAt, key: null, value: null, headers: tick() })
      return log
    },
    all: <T extends 'events' | 'rejected' | 'features' | 'tierChanges' | 'kpiDeltas'>(table: T): NaiveBlock[T][number][] =>
      blocks.flatMap((block) => block[table] as NaiveBlock[T][number][]),
    count: (name: 'duplicates' | 'emptyFlushes') => blocks.reduce((sum, block) => sum + block[name], 0),
    clock: partition.clock,
    blocks,
  }
  return log
}

const instants = (rows: { as_of: number }[]) => rows.map((row) => new Date(row.as_of).toISOString().slice(5, -1))

describe('time is in the log', () => {
  test('the clock is the largest record timestamp so far, and clock_at is the clock after the record', () => {
    const log = tell()
    log.one(noon, 'like')
    log.one(noon - 5_000, 'like')
    log.one(noon + 1, 'like')
    log.until(noon + 1)
    expect(log.all('events').map((row) => [row.record_at - noon, row.clock_at - noon, row.event_at - noon])).toEqual([
      [0, 0, 0],
      [-5_000, 0, -5_000],
      [1, 1, 1],
    ])
  })

  test('a tick moves the clock by its timestamp, and by header clock_at, never back', () => {
    const log = tell()
    log.until(1_000)
    expect(log.clock()).toBe(1_000)
    log.append({ timestampMs: 1_000, key: null, value: null, headers: tick('5000') })
    expect(log.clock()).toBe(5_000)
    log.append({ timestampMs: 1_000, key: null, value: null, headers: tick('4000') })
    log.append({ timestampMs: 1_000, key: null, value: null, headers: tick('soon') })
    expect(log.clock()).toBe(5_000)
    expect(log.blocks.map((block) => block.blockAt)).toEqual([1_000, 5_000, 5_000, 5_000])
  })

  test('only a control record may say clock_at', () => {
    const log = tell()
    log.send(1_000, [], {}, { clock_at: '9000' })
    expect(log.clock()).toBe(1_000)
  })

  test('a header received_at is when the flush was received; a wrong device clock cancels out', () => {
    const log = tell()
    const sentAt = Date.UTC(1970, 0, 2)
    log.send(noon, [log.event('like', sentAt - 300)], { sent_at: sentAt }, { received_at: String(noon - 2_000) })
    log.send(noon, [log.event('like', sentAt + 300)], { sent_at: sentAt }, { received_at: 'soon' })
    log.until(noon)
    expect(log.all('events').map((row) => [row.received_at - noon, row.event_at - noon])).toEqual([
      [-2_000, -2_300],
      [0, 0],
    ])
  })

  test('too old is by the clock, not by the record', () => {
    const log = tell()
    log.one(noon, 'like')
    log.send(noon - 10_000, [log.event('like', noon - 10_000 - 30 * dayMs + 9_999), log.event('like', noon - 30 * dayMs)], {
      sent_at: noon - 10_000,
    })
    log.until(noon)
    expect(log.all('rejected').map((row) => [row.reason, row.offset, row.ordinal])).toEqual([['too_old', 1, 0]])
    expect(log.all('events')).toHaveLength(2)
  })

  test('a record first moves the clock; timers due at or before it fire; then the record applies', () => {
    const log = tell()
    log.one(noon, 'like')
    log.one(noon + 5_000, 'like')
    log.until(noon + 10_000)
    expect(log.all('features').map((row) => [row.as_of - noon, row.likes_1h])).toEqual([
      [5_000, 1],
      [10_000, 2],
    ])
  })

  test('timers fire in order (due, user_id by bytes)', () => {
    const log = tell({ decayRows: false })
    for (const who of ['\u{1f600}', '\uffee', 'b', 'a']) log.one(noon, 'like', who)
    log.one(noon - 1, 'like', 'z')
    log.one(noon + 5_000, 'like', 'a')
    log.until(noon + dayMs)
    expect(log.all('features').map((row) => row.user_id)).toEqual(['a', 'b', 'z', '\uffee', '\u{1f600}', 'a'])
  })

  test('a purchase sent twice counts once, and the second is neither stored nor rejected', () => {
    const log = tell()
    const purchase = log.event('purchase', noon)
    log.send(noon, [purchase, purchase])
    log.send(noon + 1, [purchase])
    log.until(noon + dayMs)
    expect(log.all('events')).toHaveLength(1)
    expect(log.all('rejected')).toHaveLength(0)
    expect(log.count('duplicates')).toBe(2)
    expect(log.all('features')[0]).toMatchObject({ purchases: 1, purchases_1h: 1, amount_minor_1h: 19_900 })
  })

  test('the same id of another user is no duplicate', () => {
    const log = tell()
    const like = log.event('like', noon)
    log.send(noon, [like])
    log.send(noon, [like], { user_id: 'b' })
    log.until(noon)
    expect(log.all('events')).toHaveLength(2)
  })

  test('an id is a duplicate through the 24th hour after its own, by the clock; then it counts again', () => {
    const log = tell()
    const like = log.event('like', noon)
    log.send(noon + 59 * 60_000, [like])
    log.send(noon + 25 * hourMs - 1, [like])
    log.send(noon, [like]) // an old timestamp does not turn the clock back
    log.send(noon + 25 * hourMs, [like])
    log.until(noon + 25 * hourMs)
    expect(log.count('duplicates')).toBe(2)
    expect(log.all('events').map((row) => row.offset)).toEqual([0, 3])
  })

  test('an id rejected before is no duplicate', () => {
    const log = tell()
    const purchase = log.event('purchase', noon, { currency: 'USD' })
    log.send(noon, [purchase])
    log.send(noon, [{ ...purchase, currency: 'CNY' }])
    log.until(noon)
    expect(log.all('events')).toHaveLength(1)
    expect(log.count('duplicates')).toBe(0)
  })
})

describe('records that cannot count', () => {
  test('each is rejected with its reason, and its neighbours count', () => {
    const log = tell()
    const value = encodeSingleObject(behaviorBatch, plainBatch(user, noon, [log.event('like', noon)]))
    log.append({ timestampMs: noon, key: bytes(user), value: null })
    log.append({ timestampMs: noon, key: null, value: null })
    log.append({ timestampMs: noon, key: null, value })
    log.append({ timestampMs: noon, key: null, value: bytes('nothing') })
    log.append({ timestampMs: noon, key: Uint8Array.of(0xff), value: bytes('nothing') })
    log.append({ timestampMs: noon, key: bytes(user), value: value.slice(0, -1) })
    log.append({ timestampMs: noon, key: bytes('b'), value })
    log.append({ timestampMs: noon, key: bytes(user), value })
    log.until(noon)
    expect(log.all('rejected').map((row) => [row.offset, row.reason, row.user_id, row.value_bytes, row.value_head.length])).toEqual([
      [0, 'null_value', user, 0, 0],
      [1, 'null_value', null, 0, 0],
      [2, 'null_key', null, value.length, 64],
      [3, 'null_key', null, 7, 7],
      [4, 'bad_header', null, 7, 7],
      [5, 'truncated', user, value.length - 1, 64],
      [6, 'key_mismatch', 'b', value.length, 64],
    ])
    expect(log.all('events').map((row) => row.offset)).toEqual([7])
  })

  test('one bad event is rejected alone; the other events of its flush count', () => {
    const log = tell()
    log.send(noon, [log.event('like', noon), log.event('search', noon, { query: '' }), log.event('click', noon)])
    log.until(noon)
    expect(log.all('rejected').map((row) => [row.reason, row.ordinal, row.event_id])).toEqual([['missing_field', 1, uuidOf(2)]])
    expect(log.all('events').map((row) => [row.ordinal, row.behavior])).toEqual([
      [0, 'like'],
      [2, 'click'],
    ])
  })

  test('a record timestamp beyond 2^52 moves no clock', () => {
    const log = tell()
    log.one(noon, 'like')
    log.one(9e15, 'like')
    log.until(noon)
    expect(log.clock()).toBe(noon)
    expect(log.all('rejected').map((row) => [row.reason, row.clock_at])).toEqual([['out_of_range', noon]])
  })

  test('an empty flush is counted, nothing else', () => {
    const log = tell()
    log.one(noon, 'like')
    log.until(noon + 5_000)
    log.send(noon + 5_000, [])
    log.until(noon + 10_000)
    expect(log.count('emptyFlushes')).toBe(1)
    expect(log.all('features')).toHaveLength(1)
    expect(log.all('rejected')).toHaveLength(0)
  })

  test('a user comes into being with their first accepted event', () => {
    const log = tell()
    log.send(noon, [log.event('search', noon, { query: null })])
    log.until(noon + 5_000)
    expect(log.all('features')).toHaveLength(0)
    log.send(noon + 6_000, [log.event('search', noon, { query: null })])
    log.one(noon + 7_000, 'like')
    log.until(noon + 20_000)
    expect(instants(log.all('features'))).toEqual(['06-15T04:00:10.000'])
  })
})

describe('features', () => {
  test('for each interval in which a flush arrived one row, holding exactly the accepted events with clock_at before it', () => {
    const log = tell({ decayRows: false })
    log.one(noon, 'like')
    log.one(noon + 4_999, 'like')
    log.one(noon + 5_000, 'like')
    log.until(noon + hourMs)
    expect(log.all('features').map((row) => [row.as_of - noon, row.likes_1h])).toEqual([
      [5_000, 2],
      [10_000, 3],
    ])
  })

  test('a flush of duplicates only, or of rejected events only, brings a row too', () => {
    const log = tell({ decayRows: false })
    const like = log.event('like', noon)
    log.send(noon, [like])
    log.send(noon + 10_000, [like])
    log.send(noon + 20_000, [log.event('like', noon, { content_id: null })])
    log.until(noon + hourMs)
    expect(instants(log.all('features'))).toEqual(['06-15T04:00:05.000', '06-15T04:00:15.000', '06-15T04:00:25.000'])
  })

  test('a row comes when the clock reaches its as_of, not a millisecond before', () => {
    const log = tell()
    log.one(noon, 'like')
    expect(log.until(noon + 4_999).all('features')).toHaveLength(0)
    expect(log.until(noon + 5_000).all('features')).toHaveLength(1)
  })

  test('an idle user gets a row when a tile leaves a window', () => {
    const log = tell()
    log.one(noon + 60_000, 'like')
    log.until(noon + 40 * dayMs)
    expect(decayDelayMs(user)).toBe(6_000)
    expect(log.all('features').map((row) => [row.likes_1h, row.likes_24h, row.likes_7d, row.likes_30d])).toEqual([
      [1, 1, 1, 1],
      [0, 1, 1, 1],
      [0, 0, 1, 1],
      [0, 0, 0, 1],
      [0, 0, 0, 0],
    ])
    expect(instants(log.all('features'))).toEqual([
      '06-15T04:01:05.000',
      '06-15T05:05:06.000',
      '06-16T05:00:06.000',
      '06-22T06:00:06.000',
      '07-16T00:00:06.000',
    ])
  })

  test('where a regular row has the same as_of, one row', () => {
    const log = tell({ emitMs: 2_000 })
    log.one(noon + 60_000, 'like')
    log.one(noon + hourMs + 5 * 60_000 + 4_000, 'like')
    log.until(noon + hourMs + 5 * 60_000 + 59_000)
    expect(log.all('features').map((row) => [instants([row])[0], row.likes_1h])).toEqual([
      ['06-15T04:01:02.000', 1],
      ['06-15T05:05:06.000', 1],
    ])
  })

  test('a late event lands in the tile of its own time, and leaves with it', () => {
    const log = tell()
    log.send(noon + 60_000, [log.event('like', noon - 50 * 60_000)])
    log.until(noon + 30 * 60_000)
    expect(log.all('features').map((row) => [instants([row])[0], row.likes_1h])).toEqual([
      ['06-15T04:01:05.000', 1],
      ['06-15T04:15:06.000', 0],
    ])
  })

  test('values outside the configured lists count as other, and are stored as sent', () => {
    const log = tell()
    log.send(noon, [log.event('like', noon, { category: 'unheard', surface: 'billboard' })], {
      channel: 'skywriting',
      region: 'US-CA',
      app_version: '0',
    })
    log.until(noon + 5_000)
    expect(log.all('features')[0]).toMatchObject({
      channel: 'other',
      region: 'other',
      app_version: 'other',
      platform: 'android',
      top_categories: ['other'],
    })
    expect(log.all('events')[0]).toMatchObject({
      channel: 'skywriting',
      region: 'US-CA',
      app_version: '0',
      category: 'unheard',
      surface: 'billboard',
    })
    expect(
      log
        .all('kpiDeltas')
        .filter((row) => ['channel', 'region', 'app_version', 'category', 'surface'].includes(row.dimension))
        .map((row) => row.value),
    ).toEqual(Array.from({ length: 15 }, () => 'other'))
  })
})

describe('tiers', () => {
  test('promotion is immediate: one change a record, as_of its clock; the events of the record have the tier before', () => {
    const log = tell()
    log.send(noon, [log.event('like', noon), log.event('register', noon), log.event('purchase', noon)])
    log.one(noon + 1, 'like')
    log.until(noon + 5_000)
    expect(log.all('tierChanges')).toMatchObject([
      {
        user_id: user, from: 'prospect', to: 'paying', as_of: noon, recency_score: 5, frequency_score: 1, monetary_score: 2,
        reason: 'paying: 1 purchases in the last 30 days (needs 1)',
      },
    ]) // prettier-ignore
    expect(log.all('events').map((row) => row.tier)).toEqual(['prospect', 'prospect', 'prospect', 'paying'])
    expect(log.all('features')[0]!.tier).toBe('paying')
    expect(log.all('kpiDeltas').filter((row) => row.dimension === 'tier' && row.grain === 'day').map((row) => [row.value, row.events])).toEqual([
      ['prospect', 3],
      ['paying', 1],
    ]) // prettier-ignore
  })

  test('a user who does not register stays prospect, and their arrival is no change', () => {
    const log = tell()
    log.one(noon, 'purchase')
    log.until(noon + 5_000)
    expect(log.all('tierChanges')).toEqual([])
    expect(log.all('features')[0]!.tier).toBe('prospect')
  })

  test('the monthly evaluation comes for every user, event or none, at 00:00 on the 1st in the zone, and it alone demotes', () => {
    const log = tell({ decayRows: false })
    log.send(at('01T10:00:00'), [log.event('register', at('01T10:00:00')), log.event('purchase', at('01T10:00:00'))])
    log.one(at('01T10:00:00'), 'register', 'b')
    log.until(at('30T23:59:59.999'))
    expect(log.all('tierChanges')).toHaveLength(2)
    const july = at('30T00:00:00') + dayMs
    log.until(july)
    // The 30 days to 30 June begin on the 1st.
    expect(log.all('tierChanges')).toHaveLength(2)
    const august = july + 31 * dayMs
    log.until(august + 5_000)
    expect(log.all('tierChanges').slice(2)).toMatchObject([
      {
        user_id: user,
        from: 'paying',
        to: 'new',
        as_of: august,
        reason: 'paying no longer holds: 0 purchases in the last 30 days (needs 1)',
      },
    ])
  })

  test('at one instant and user the evaluation comes before the row, which shows the new tier', () => {
    const log = tell({ decayRows: false })
    const august = at('30T00:00:00') + 32 * dayMs
    log.send(at('20T10:00:00'), [log.event('register', at('20T10:00:00')), log.event('purchase', at('20T10:00:00'))])
    log.send(august - 1, [log.event('search', august, { query: null })])
    log.until(august)
    expect(log.all('features').map((row) => row.tier)).toEqual(['paying', 'new'])
    expect(log.all('features').at(-1)!.as_of).toBe(august)
  })

  test('a record at the instant of an evaluation comes after it', () => {
    const log = tell({ decayRows: false })
    const july = at('30T00:00:00') + dayMs
    log.one(at('20T10:00:00'), 'register')
    log.one(july, 'purchase')
    log.until(july)
    expect(log.all('tierChanges').map((change) => [change.from, change.to, change.as_of === july])).toEqual([
      ['prospect', 'new', false],
      ['new', 'paying', true],
    ])
  })

  test('a clock that passes several months at once evaluates at each', () => {
    const log = tell({ decayRows: false })
    for (const day of ['10', '11', '12']) log.one(at(`${day}T10:00:00`), day === '10' ? 'register' : 'purchase')
    log.until(at('12T10:00:00') + 200 * dayMs)
    expect(log.all('tierChanges').map((change) => [change.to, instants([change])[0]])).toEqual([
      ['new', '06-10T02:00:00.000'],
      ['paying', '06-11T02:00:00.000'],
      ['new', '07-31T16:00:00.000'],
    ])
  })

  test('changes are those that a look at each user alone finds', () => {
    fc.assert(
      fc.property(partitionLogs({ maxSteps: 60, settings: { zone: 'Asia/Shanghai', decayRows: false } }), (log) => {
        const partition = naivePartition(log.settings, { ...log, logId: 'log', limits: protocolLimits, decode: naiveDecode })
        const blocks = log.records.flatMap((record) => partition.record(record) ?? [])
        const events = blocks.flatMap((block) => block.events)
        const changes = blocks.flatMap((block) => block.tierChanges)
        for (const user of new Set(events.map((event) => event.user_id))) {
          const own = events
            .filter((event) => event.user_id === user)
            .map((event) => ({
              offset: event.offset,
              clockAt: event.clock_at,
              eventAt: event.event_at,
              day: Math.floor((event.event_at + 8 * hourMs) / dayMs),
              behavior: event.behavior,
              amountMinor: event.amount_minor,
            }))
          const alone = naiveTierHistory(own, shanghai, partition.clock())
          expect(changes.filter((change) => change.user_id === user).map(({ from, to, as_of }) => ({ from, to, as_of }))).toEqual(
            alone.map(({ from, to, asOf }) => ({ from: tierOf(from), to: tierOf(to), as_of: asOf })),
          )
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('blocks', () => {
  test("a block's rows carry its partition, first_offset, part and block_at; its clock is the last row of its KPI deltas", () => {
    const log = tell()
    log.one(noon, 'like')
    log.until(noon + 10)
    log.until(noon + 5_000)
    expect(log.blocks.map((block) => [block.firstOffset, block.nextOffset, block.blockAt - noon])).toEqual([
      [0, 2, 10],
      [2, 3, 5_000],
    ])
    expect(log.blocks[0]!.events[0]).toMatchObject({ partition: 0, first_offset: 0, part: 0, block_at: noon + 10 })
    expect(log.blocks[1]!.features[0]).toMatchObject({ first_offset: 2, block_at: noon + 5_000 })
    expect(log.blocks[1]!.kpiDeltas).toMatchObject([{ dimension: 'clock', bucket_at: noon + 5_000, next_offset: 3, partition_count: 1 }])
    expect(log.blocks[1]!.tokens).toEqual(['log/behavior-events/0/2-3/user_features/0', 'log/behavior-events/0/2-3/kpi_deltas/0'])
  })

  test('an undecodable record counts as one event, a flush as all of its events, valid or not', () => {
    const blocksOf = (records: NaiveRecord[]) => {
      const partition = naivePartition(defaultSettings, {
        partition: 0, partitionCount: 1, logId: 'log', decode: naiveDecode, limits: { ...protocolLimits, blockEvents: 3 },
      }) // prettier-ignore
      return records.flatMap((record) => partition.record(record) ?? []).map((block) => [block.firstOffset, block.nextOffset])
    }
    const flush = (offset: number, count: number) => {
      const events = Array.from({ length: count }, (_, i) => ({ ...plainEvent(uuidOf(i), 'like', noon), content_id: null }))
      return { offset, timestampMs: noon, key: bytes('u'), value: encodeSingleObject(behaviorBatch, plainBatch('u', noon, events)) }
    }
    const broken = (offset: number) => ({ offset, timestampMs: noon, key: bytes('u'), value: bytes('x') })
    const nothing = (offset: number) => ({ offset, timestampMs: noon, key: bytes('u'), value: null })
    expect(blocksOf([flush(0, 2), broken(1), nothing(2), flush(3, 0), broken(4), { ...flush(5, 1), key: null }, flush(6, 5)])).toEqual([
      [0, 2],
      [2, 6],
      [6, 7],
    ])
  })
})
