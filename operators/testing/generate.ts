// Nasty partition logs for properties: few users, times on the edges where the figures change, everything that can be wrong.
import fc from 'fast-check'
import { encodeFlush } from './encode-flush.ts'
import { behaviors, platforms, type BehaviorBatch, type BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { maxEventsPerFlush, maxInstant, maxStringBytes, tooOldMs } from '../../schemas/limits.ts'
import { windows } from '../../schemas/measures.ts'
import type { RecordReject } from '../../schemas/rejects.ts'
import { murmur2, partitionOf } from '../hash.ts'
import { defaultSettings, type OperatorSettings } from '../settings.ts'
import { zone as zoneNamed, type Zone } from '../time/zone.ts'

export type LogRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: Readonly<Record<string, Uint8Array>> | undefined
}

export type PartitionLog = {
  readonly settings: OperatorSettings
  readonly partition: number
  readonly partitionCount: number
  readonly records: LogRecord[]
  /** What each record is, in words. A failing log is printed so. */
  readonly story: string[]
}

export type LogOptions = {
  /** Steps of the log; one is one record. */
  readonly minSteps?: number
  readonly maxSteps?: number
  /** At most 20. The first is the hot one. */
  readonly users?: number
  readonly settings?: Partial<OperatorSettings>
}

/** Lists short enough that unlisted values are common, and ties and overflows of the top five too. */
const testDimensions: OperatorSettings['dimensions'] = {
  channel: ['organic', 'ad'],
  region: ['CN-11', 'CN-31'],
  app_version: ['8.0.0', '8.1.0'],
  category: ['art', 'cars', 'comedy', 'dance', 'food', 'games', 'music'],
  surface: ['feed', 'search'],
}

/** Just before a month, a day or a change of the clocks begins somewhere. */
const beginnings = [
  '2026-01-31T15:59:50Z', '2026-03-08T06:59:00Z', '2025-11-02T04:58:00Z', '2024-02-28T23:59:59Z', '2018-11-04T02:59:00Z', '2026-06-15T08:00:00Z', '1970-02-28T15:00:00Z',
].map((text) => Date.parse(text)) // prettier-ignore
const zones = ['Asia/Shanghai', 'UTC', 'America/New_York', 'America/Sao_Paulo', 'Asia/Kolkata']

const hourMs = 3_600_000
const dayMs = 86_400_000

// ---------------------------------------------------------------------------------------------------------------------
// A log is a list of steps, each small and independent of the others, so that fast-check can shrink it; `tell` makes
// records of them, with the clock and the events sent so far in mind.

const edge = fc.constantFrom(-1, 0, 1)
/** Null but once in so many. */
const seldom = <T>(times: number, what: fc.Arbitrary<T>) => fc.oneof({ weight: times - 1, arbitrary: fc.constant(null) }, what)

const advance = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('stay') }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('by'), ms: fc.integer({ min: 1, max: 8_000 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pace'), share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('to'),
      unit: fc.constantFrom('emit', 'minute', 'hop 1h', 'hop 24h', 'hop 7d', 'hop 30d', 'zone hour', 'zone day'),
      ahead: fc.integer({ min: 1, max: 3 }),
      delta: edge,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('month'), delta: edge }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('tile leaves'),
      pick: fc.nat(50),
      window: fc.nat(windows.length - 1),
      delayed: fc.boolean(),
      delta: edge,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump'), ms: fc.integer({ min: dayMs, max: 40 * dayMs }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('back'), ms: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 3 * dayMs })) }) },
) // prettier-ignore
type Advance = typeof advance extends fc.Arbitrary<infer T> ? T : never

const lateness = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('none') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ms'), ms: fc.integer({ min: 1, max: 10_000 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('tile edge'), window: fc.nat(windows.length - 1), back: fc.integer({ min: 0, max: 31 }), delta: edge }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('tail'), window: fc.nat(windows.length - 1), hops: fc.integer({ min: -1, max: 1 }), onTile: fc.boolean(), delta: edge }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('oldest'), delta: edge }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ms'), ms: fc.integer({ min: 0, max: 31 * dayMs }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('zone day'), days: fc.integer({ min: 0, max: 8 }), delta: edge }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('future'), ms: fc.integer({ min: 1, max: 400 * dayMs }) }) },
) // prettier-ignore
type Lateness = typeof lateness extends fc.Arbitrary<infer T> ? T : never

const faults = [
  'no content', 'empty content', 'no watch', 'no duration', 'no creator', 'no query', 'no amount', 'no currency', 'empty currency',
  'long content', 'long query', 'long session', 'long category', 'wide text', 'published', 'published low', 'occurred', 'occurred low',
  'watch -1', 'duration -1', 'duration 0', 'amount 0', 'amount -1', 'amount 1e10+1', 'amount 2^54', 'amount -2^54', 'USD', 'cny', 'several',
] as const // prettier-ignore

const event = fc.record({
  behavior: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...behaviors) },
    { weight: 2, arbitrary: fc.constantFrom('play' as const, 'purchase' as const, 'register' as const) },
  ),
  lateness,
  /** Null: a new id; else one sent before by anyone (0: the latest). */
  again: seldom(6, fc.nat(8)),
  category: fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...testDimensions.category) }, fc.constantFrom(null, null, 'unheard', 'of', '')),
  surface: fc.constantFrom(null, 'feed', 'search', 'billboard'),
  // Around 90 %, and around all of it.
  watch: fc.constantFrom([0, 1], [9, 10], [899, 1000], [900, 1000], [901, 1000], [1, 1], [30_000, 10_000], [12_345, 54_321], [2_147_483_647, 2_147_483_647]),
  amount: fc.constantFrom(1, 9_900, 19_900, 49_999, 50_000, 100_000, 1e10),
  /** Fields that the behaviour does not need are there all the same. */
  chatty: fc.boolean(),
  fault: seldom(10, fc.constantFrom(...faults)),
}) // prettier-ignore
type EventStep = typeof event extends fc.Arbitrary<infer T> ? T : never

const receivedAt = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: 'none' } as const) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('before' as const), ms: fc.oneof(fc.integer({ min: -2, max: 2_000 }), fc.integer({ min: 0, max: 2 * dayMs })) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('after' as const), ms: fc.integer({ min: 1, max: dayMs }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('text' as const),
      text: fc.constantFrom('', 'soon', '1e3', ' 12', '+12', '0x10', '12.5', '12345678901234567', '4503599627370496', '4503599627370497', '-5', '-', '-4503599627370497', '0'),
    }),
  },
) // prettier-ignore

const deviceClock = fc.oneof(
  { weight: 16, arbitrary: fc.constant({ kind: 'right' } as const) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('off' as const), ms: fc.integer({ min: -40 * dayMs, max: 40 * dayMs }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      at: fc.constantFrom(0, Date.UTC(2100, 0, 1), -1, maxInstant, maxInstant + 2, -maxInstant, -maxInstant - 2, 2 ** 62),
    }),
  },
)

const flushStep = fc.record({
  kind: fc.constant('flush' as const),
  user: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(19) }),
  events: fc.array(event, { minLength: 1, maxLength: 4 }),
  platform: fc.constantFrom(...platforms),
  channel: fc.constantFrom('organic', 'ad', 'skywriting', ''),
  region: fc.constantFrom('CN-11', 'CN-31', 'US-CA'),
  appVersion: fc.constantFrom('8.0.0', '8.1.0', '0.0.1-dev'),
  receivedAt,
  deviceClock,
})

const brokenKinds = [
  'no bytes', 'one byte', 'short header', 'other magic', 'other schema', 'cut', 'cut to header', 'one byte more', 'bad utf8', 'bad utf8 in an event',
] as const // prettier-ignore
const spoiltKinds = [
  'null value', 'null value and key', 'null key', 'null key, undecodable', 'other key', 'key not utf8', 'other partition', 'other partition, other key',
  'long device', 'long experiment', 'long experiment key', 'text of 512', 'empty', 'empty with other key', 'empty of a stranger',
] as const // prettier-ignore
const largeKinds = ['too many', 'too many and too long', 'a thousand'] as const

const action = fc.oneof(
  { weight: 30, arbitrary: flushStep },
  {
    // The id of an earlier event again, on either side of the hour in which it is forgotten.
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('resend' as const),
      pick: fc.nat(20),
      hours: fc.constantFrom(null, 0, 1, 24, 25, 744, 745),
      delta: fc.constantFrom(-1, 0, 1_000),
      behavior: fc.option(fc.constantFrom(...behaviors), { freq: 2 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('repeat' as const), pick: fc.nat(10) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('tick' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('moving tick' as const),
      ahead: fc.oneof(fc.integer({ min: -1_000, max: 10_000 }), fc.integer({ min: 0, max: 40 * dayMs })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('odd tick' as const),
      text: fc.constantFrom('', 'now', '12345678901234567', '4503599627370497', '-1', '1.5', '0'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('broken' as const), flush: flushStep, how: fc.constantFrom(...brokenKinds), cut: fc.nat(1_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('spoilt' as const),
      flush: flushStep,
      how: fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...spoiltKinds) }, { weight: 1, arbitrary: fc.constantFrom(...largeKinds) }),
    }),
  },
) // prettier-ignore

const step = fc.record({ advance, action, gap: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 5 })) })
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Logs of one partition. Each ends with a moving tick far ahead, so that every row that is due has come and every block is cut. */
export function partitionLogs(options: LogOptions = {}): fc.Arbitrary<PartitionLog> {
  const world = fc.record({
    beginAt: fc.constantFrom(...beginnings),
    zone: fc.constantFrom(...zones),
    emitMs: fc.constantFrom(1_000, 5_000, 60_000, 7_000),
    /** What a long step is: seconds between records keep users in a few tiles, days make them rise and fall. */
    paceMs: fc.constantFrom(10_000, 3 * hourMs, 2 * dayMs, 6 * dayMs),
    decayRows: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.constant(false)),
    partitionCount: fc.constantFrom(1, 3),
    firstOffset: fc.constantFrom(0, 0, 7),
    restMs: fc.constantFrom(0, 61_000, 2 * hourMs, 32 * dayMs, 100 * dayMs),
  })
  return fc
    .tuple(world, fc.array(step, { minLength: options.minSteps ?? 1, maxLength: options.maxSteps ?? 60, size: 'max' }))
    .map(([world, steps]) => tell(world, steps, options))
}

/** The same log for the same seed: for long ones, which need no shrinking. */
export function samplePartitionLog(seed: number, steps: number, options: LogOptions = {}): PartitionLog {
  const [log] = fc.sample(partitionLogs({ ...options, minSteps: steps, maxSteps: steps }), { seed, numRuns: 1 })
  return log!
}

// ---------------------------------------------------------------------------------------------------------------------

type World = {
  beginAt: number
  zone: string
  emitMs: number
  paceMs: number
  decayRows: boolean
  partitionCount: number
  firstOffset: number
  restMs: number
}
type Sent = { user: string; event: BehaviorEvent; clockAt: number; eventAt: number }

function tell(world: World, steps: readonly Step[], options: LogOptions): PartitionLog {
  const settings: OperatorSettings = {
    ...defaultSettings,
    emitMs: world.emitMs,
    decayRows: world.decayRows,
    zone: world.zone,
    dimensions: testDimensions,
    ...options.settings,
  }
  const zone = zoneNamed(settings.zone)
  const partition = partitionOf(utf8.encode('here'), world.partitionCount)
  const users = userNames(options.users ?? 4, partition, world.partitionCount)

  let clock = world.beginAt
  let offset = world.firstOffset
  let ids = 0
  const records: LogRecord[] = []
  const story: string[] = []
  const sent: Sent[] = []
  const flushes: Pick<LogRecord, 'key' | 'value' | 'headers'>[] = []

  const append = (what: string, record: Omit<LogRecord, 'offset'>) => {
    records.push({ offset, ...record })
    story.push(`${offset} @${iso(record.timestampMs)} ${what}`)
  }

  for (const { advance, action, gap } of steps) {
    // A log begins at its first offset; later ones have gaps, as transaction markers leave them.
    if (records.length > 0) offset += gap
    let timestampMs = recordTime(advance, { clock, paceMs: world.paceMs, settings, zone, sent })
    if (action.kind === 'resend' && action.hours !== null && sent.length > 0) {
      const { clockAt } = latest(sent, action.pick)
      timestampMs = Math.max(timestampMs, (Math.floor(clockAt / hourMs) + action.hours) * hourMs + action.delta)
    }
    clock = Math.max(clock, timestampMs)
    const now = { clock, timestampMs, zone, users, sent, newId: () => uuidOf(++ids) }

    switch (action.kind) {
      case 'flush': {
        const { headers, batch, what } = makeFlush(action, now)
        const record = { key: utf8.encode(batch.user_id), value: encodeFlush(batch), headers }
        flushes.push(record)
        append(what, { timestampMs, ...record })
        break
      }
      case 'resend': {
        const again = sent.length === 0 ? undefined : latest(sent, action.pick)
        const event = again?.event ?? plainEvent(uuidOf(++ids), 'like', timestampMs)
        const user = again?.user ?? users[0]!
        const behavior = action.behavior ?? event.behavior
        const batch = plainBatch(user, timestampMs, [{ ...plainEvent(event.event_id, behavior, timestampMs) }])
        sent.push({ user, event: batch.events[0]!, clockAt: clock, eventAt: timestampMs })
        append(`${name(user)} sends id ${idOf(event.event_id)} again, a ${behavior}`, {
          timestampMs,
          key: utf8.encode(user),
          value: encodeFlush(batch),
          headers: undefined,
        })
        break
      }
      case 'repeat':
        if (flushes.length === 0) append('tick', { timestampMs, key: null, value: null, headers: tick() })
        else append(`a flush once more`, { timestampMs, ...latest(flushes, action.pick) })
        break
      case 'tick':
        append('tick', { timestampMs, key: null, value: null, headers: tick() })
        break
      case 'moving tick': {
        const to = clock + action.ahead
        append(`tick to ${iso(to)}`, { timestampMs, key: null, value: null, headers: tick(String(to)) })
        clock = Math.max(clock, to)
        break
      }
      case 'odd tick':
        append(`tick with clock_at '${action.text}'`, { timestampMs, key: null, value: null, headers: tick(action.text) })
        break
      case 'broken': {
        const { headers, batch } = makeFlush(action.flush, { ...now, sent: [...sent] })
        const value = breakBytes(batch, action.how, action.cut)
        append(`undecodable: ${action.how}`, { timestampMs, key: utf8.encode(batch.user_id), value, headers })
        break
      }
      case 'spoilt': {
        const { headers, batch } = makeFlush(action.flush, { ...now, sent: [...sent] })
        const record = spoil(batch, action.how, { partition, partitionCount: world.partitionCount, newId: now.newId, timestampMs })
        append(`spoilt: ${action.how}, for ${name(batch.user_id)}`, { timestampMs, headers, ...record })
        break
      }
    }
  }
  offset++
  append(`last tick, to ${iso(clock + world.restMs)}`, {
    timestampMs: clock,
    key: null,
    value: null,
    headers: tick(String(clock + world.restMs)),
  })

  const log = { settings, partition, partitionCount: world.partitionCount, records, story }
  const words = () => `${settings.zone}, emit ${settings.emitMs} ms, decay ${settings.decayRows}\n${story.join('\n')}`
  return Object.defineProperty(log, fc.toStringMethod, { value: words, enumerable: false })
}

function recordTime(
  advance: Advance,
  now: { clock: number; paceMs: number; settings: OperatorSettings; zone: Zone; sent: readonly Sent[] },
): number {
  const { clock, zone } = now
  switch (advance.kind) {
    case 'stay':
      return clock
    case 'by':
    case 'jump':
      return clock + advance.ms
    case 'pace':
      return clock + Math.ceil(advance.share * now.paceMs)
    case 'back':
      return clock - advance.ms
    case 'to': {
      const { unit, ahead, delta } = advance
      if (unit === 'zone day') return zone.startOfDay(zone.dayOf(clock) + ahead) + delta
      if (unit === 'zone hour') return zone.startOfHour(clock) + ahead * hourMs + delta
      const hop = windows.find((window) => `hop ${window.name}` === unit)?.hopMs
      const length = hop ?? (unit === 'emit' ? now.settings.emitMs : 60_000)
      return (Math.floor(clock / length) + ahead) * length + delta
    }
    case 'month':
      return zone.nextMonthStart(clock) + advance.delta
    case 'tile leaves': {
      if (now.sent.length === 0) return clock
      const { user, eventAt } = latest(now.sent, advance.pick)
      const { hopMs, spanMs } = windows[advance.window]!
      const boundary = (Math.floor(eventAt / hopMs) + 1) * hopMs + spanMs
      const delay = advance.delayed ? ((murmur2(utf8.encode(user)) & 0x7fffffff) % 60) * 1000 : 0
      return Math.max(clock, boundary + delay + advance.delta)
    }
    default:
      return clock
  }
}

/** The corrected time that an event is meant to have. */
function targetTime(lateness: Lateness, now: { clock: number; base: number; zone: Zone }): number {
  const { clock, base, zone } = now
  switch (lateness.kind) {
    case 'ms':
      return base - lateness.ms
    case 'tile edge': {
      const { hopMs } = windows[lateness.window]!
      return (Math.floor(base / hopMs) - lateness.back) * hopMs + lateness.delta
    }
    case 'tail': {
      const { hopMs, spanMs } = windows[lateness.window]!
      const tail = lateness.onTile ? Math.floor((clock - spanMs) / hopMs) * hopMs : clock - spanMs
      return tail + lateness.hops * hopMs + lateness.delta
    }
    case 'oldest':
      return clock - tooOldMs + lateness.delta
    case 'zone day':
      return zone.startOfDay(zone.dayOf(clock) - lateness.days) + lateness.delta
    case 'future':
      return base + lateness.ms
    default:
      return base
  }
}

type Now = { clock: number; timestampMs: number; zone: Zone; users: readonly string[]; sent: Sent[]; newId: () => Uint8Array }
type FlushStep = typeof flushStep extends fc.Arbitrary<infer T> ? T : never

function makeFlush(step: FlushStep, now: Now): { headers: LogRecord['headers']; batch: BehaviorBatch; what: string } {
  const { timestampMs } = now
  const user = now.users[step.user % now.users.length]!
  const text = receivedText(step.receivedAt, timestampMs)
  const headers = text === undefined ? undefined : { received_at: utf8.encode(text), traceparent: utf8.encode('00-x') }
  // Only well-formed ones: what a malformed one means is not the generator's to say.
  const received = step.receivedAt.kind === 'before' || step.receivedAt.kind === 'after' ? Number(text) : timestampMs
  const base = Math.min(received, timestampMs)
  const clockOfDevice = step.deviceClock
  const sentAt = clockOfDevice.kind === 'set' ? clockOfDevice.at : base + (clockOfDevice.kind === 'off' ? clockOfDevice.ms : 0)

  const told: string[] = []
  const events = step.events.map((spec) => {
    const eventAt = targetTime(spec.lateness, { ...now, base })
    const again = spec.again === null || now.sent.length === 0 ? undefined : latest(now.sent, spec.again).event.event_id
    const event = makeEvent(spec, again ?? now.newId(), sentAt - (base - eventAt))
    now.sent.push({ user, event, clockAt: now.clock, eventAt: Math.min(eventAt, base) })
    told.push(`${event.behavior} ${idOf(event.event_id)} t=${iso(Math.min(eventAt, base))}${spec.fault === null ? '' : ` (${spec.fault})`}`)
    return event
  })
  const batch: BehaviorBatch = {
    ...plainBatch(user, sentAt, events),
    platform: step.platform,
    channel: step.channel,
    region: step.region,
    app_version: step.appVersion,
  }
  return { headers, batch, what: `${name(user)}: ${told.join(', ')}` }
}

function receivedText(spec: FlushStep['receivedAt'], timestampMs: number): string | undefined {
  switch (spec.kind) {
    case 'none':
      return undefined
    case 'before':
      return String(timestampMs - spec.ms)
    case 'after':
      return String(timestampMs + spec.ms)
    case 'text':
      return spec.text
  }
}

function makeEvent(spec: EventStep, eventId: Uint8Array, occurredAt: number): BehaviorEvent {
  const event = plainEvent(eventId, spec.behavior, occurredAt)
  const [watchMs, durationMs] = spec.watch as [number, number]
  return {
    ...event,
    category: spec.category,
    surface: spec.surface,
    ...(spec.behavior === 'play' || spec.chatty ? { watch_ms: watchMs, duration_ms: durationMs } : {}),
    ...(spec.behavior === 'purchase' || spec.chatty ? { amount_minor: spec.amount } : {}),
    ...(spec.chatty ? { session_id: 's', creator_id: 'c', query: '口红', currency: 'CNY', published_at: 0, content_id: 'v' } : {}),
    ...(spec.fault === null ? {} : faultOf(spec.fault)),
  }
}

/** What a fault changes. Whether it makes an event invalid depends on its behaviour. */
function faultOf(fault: (typeof faults)[number]): Partial<BehaviorEvent> {
  const long = 'x'.repeat(maxStringBytes + 1)
  switch (fault) {
    case 'no content':
      return { content_id: null }
    case 'empty content':
      return { content_id: '' }
    case 'no watch':
      return { watch_ms: null }
    case 'no duration':
      return { duration_ms: null }
    case 'no creator':
      return { creator_id: null }
    case 'no query':
      return { query: '' }
    case 'no amount':
      return { amount_minor: null }
    case 'no currency':
      return { currency: null }
    case 'empty currency':
      return { currency: '' }
    case 'long content':
      return { content_id: long }
    case 'long query':
      return { query: long }
    case 'long session':
      return { session_id: '口'.repeat(171) } // 513 bytes, 171 characters
    case 'long category':
      return { category: long }
    case 'wide text':
      return { content_id: '口'.repeat(170) + 'xx', query: 'x'.repeat(maxStringBytes) } // just fits
    case 'published':
      return { published_at: maxInstant + 2 }
    case 'published low':
      return { published_at: -maxInstant - 2 }
    case 'occurred':
      return { occurred_at: maxInstant + 2 }
    case 'occurred low':
      return { occurred_at: -maxInstant - 2 }
    case 'watch -1':
      return { watch_ms: -1 }
    case 'duration -1':
      return { duration_ms: -1 }
    case 'duration 0':
      return { duration_ms: 0 }
    case 'amount 0':
      return { amount_minor: 0 }
    case 'amount -1':
      return { amount_minor: -1 }
    case 'amount 1e10+1':
      return { amount_minor: 1e10 + 1 }
    case 'amount 2^54':
      return { amount_minor: 2 ** 54 }
    case 'amount -2^54':
      return { amount_minor: -(2 ** 54) }
    case 'USD':
      return { currency: 'USD' }
    case 'cny':
      return { currency: 'cny' }
    case 'several':
      return { content_id: null, session_id: long, watch_ms: -1, currency: 'USD', occurred_at: 0 }
  }
}

/** A flush that is not a flush. The marker stands in the value, in the device id and in the last event's query. */
function breakBytes(batch: BehaviorBatch, how: (typeof brokenKinds)[number], cut: number): Uint8Array {
  const inEvent = how === 'bad utf8 in an event'
  const marked: BehaviorBatch = {
    ...batch,
    device_id: inEvent ? 'd' : marker,
    events: batch.events.map((event) => ({ ...event, query: inEvent ? marker : event.query })),
  }
  const bytes = encodeFlush(marked)
  switch (how) {
    case 'no bytes':
      return bytes.slice(0, 0)
    case 'one byte':
      return bytes.slice(0, 1)
    case 'short header':
      return bytes.slice(0, 9)
    case 'other magic':
      return bytes.with(1, 2)
    case 'other schema':
      return bytes.with(9, bytes[9]! ^ 1)
    case 'cut':
      return bytes.slice(0, 10 + (cut % (bytes.length - 10)))
    case 'cut to header':
      return bytes.slice(0, 10)
    case 'one byte more':
      return Uint8Array.of(...bytes, 0)
    case 'bad utf8':
    case 'bad utf8 in an event':
      return bytes.with(indexOf(bytes, utf8.encode(marker)), 0xff)
  }
}
const marker = '~marker~'

/** What a reader says of each kind of broken bytes. */
export const brokenReasons: Readonly<Record<(typeof brokenKinds)[number], RecordReject>> = {
  'no bytes': 'bad_header',
  'one byte': 'bad_header',
  'short header': 'bad_header',
  'other magic': 'bad_header',
  'other schema': 'unknown_schema',
  cut: 'truncated',
  'cut to header': 'truncated',
  'one byte more': 'trailing_bytes',
  'bad utf8': 'bad_utf8',
  'bad utf8 in an event': 'bad_utf8',
}

/** Records that a decoder reads, or need not, and that are wrong as a whole, or as large or as empty as may be. */
function spoil(
  batch: BehaviorBatch,
  how: (typeof spoiltKinds)[number] | (typeof largeKinds)[number],
  now: { partition: number; partitionCount: number; newId: () => Uint8Array; timestampMs: number },
): Pick<LogRecord, 'key' | 'value'> {
  const key = utf8.encode(batch.user_id)
  const long = 'x'.repeat(maxStringBytes + 1)
  const record = (changes: Partial<BehaviorBatch> = {}, otherKey = key) => ({
    key: otherKey,
    value: encodeFlush({ ...batch, ...changes }),
  })
  const many = (count: number) => Array.from({ length: count }, () => plainEvent(now.newId(), 'session_start', batch.sent_at))
  switch (how) {
    case 'null value':
      return { key, value: null }
    case 'null value and key':
      return { key: null, value: null }
    case 'null key':
      return { key: null, value: record().value }
    case 'null key, undecodable':
      return { key: null, value: utf8.encode('nothing') }
    case 'other key':
      return record({}, utf8.encode(`${batch.user_id}?`))
    case 'key not utf8':
      return record({}, Uint8Array.of(0xff, 0xfe))
    case 'other partition':
    case 'other partition, other key': {
      // With one partition there is no other: a flush of a stranger.
      let stranger = 'stranger'
      while (now.partitionCount > 1 && partitionOf(utf8.encode(stranger), now.partitionCount) === now.partition) stranger += "'"
      return record({ user_id: how === 'other partition' ? stranger : batch.user_id }, utf8.encode(stranger))
    }
    case 'long device':
      return record({ device_id: long })
    case 'long experiment':
      return record({ experiments: { a: 'b', colour: long } })
    case 'long experiment key':
      return record({ experiments: { [long]: 'b' } })
    case 'text of 512':
      return record({ device_id: 'x'.repeat(maxStringBytes), experiments: { ['k'.repeat(maxStringBytes)]: 'v'.repeat(maxStringBytes) } })
    case 'too many':
      return record({ events: many(maxEventsPerFlush + 1) })
    case 'too many and too long':
      return record({ events: many(maxEventsPerFlush + 1), app_version: long })
    case 'a thousand':
      return record({ sent_at: now.timestampMs, events: many(maxEventsPerFlush) })
    case 'empty':
      return record({ events: [] })
    case 'empty with other key':
      return record({ events: [] }, utf8.encode('?'))
    case 'empty of a stranger': {
      let stranger = 'quiet'
      while (partitionOf(utf8.encode(stranger), now.partitionCount) !== now.partition) stranger += "'"
      return record({ user_id: stranger, events: [] }, utf8.encode(stranger))
    }
  }
}

/** An event that is valid for its behaviour, with nothing beside. */
export function plainEvent(eventId: Uint8Array, behavior: BehaviorEvent['behavior'], occurredAt: number): BehaviorEvent {
  return {
    event_id: eventId,
    behavior,
    occurred_at: occurredAt,
    session_id: null,
    content_id: ['play', 'impression', 'click', 'like', 'comment', 'share'].includes(behavior) ? 'video' : null,
    creator_id: behavior === 'follow' ? 'creator' : null,
    category: null,
    surface: null,
    published_at: null,
    watch_ms: behavior === 'play' ? 10_000 : null,
    duration_ms: behavior === 'play' ? 10_000 : null,
    amount_minor: behavior === 'purchase' ? 19_900 : null,
    currency: behavior === 'purchase' ? 'CNY' : null,
    query: behavior === 'search' ? 'shoes' : null,
  }
}

export function plainBatch(userId: string, sentAt: number, events: readonly BehaviorEvent[]): BehaviorBatch {
  return {
    batch_id: new Uint8Array(16),
    user_id: userId,
    device_id: 'device',
    platform: 'android',
    app_version: '8.0.0',
    channel: 'organic',
    region: 'CN-31',
    sent_at: sentAt,
    experiments: {},
    events,
  }
}

/** Headers of a control tick. */
export function tick(clockAt?: string): Record<string, Uint8Array> {
  return { reelpulse: utf8.encode('tick'), ...(clockAt === undefined ? {} : { clock_at: utf8.encode(clockAt) }) }
}

/** 16 bytes that differ for every n, in their first as in their last half. */
export function uuidOf(n: number): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.imul(n, 0x9e3779b1) >>> 0)
  view.setUint32(12, n)
  return bytes
}

/** Names whose order in bytes is not that of UTF-16, one that begins another, an empty one; all of the partition. */
function userNames(count: number, partition: number, partitionCount: number): string[] {
  const wanted = ['hot', '\u{1f600}', '\uffee', 'ho', 'é', 'Z', '']
  return Array.from({ length: count }, (_, i) => {
    let user = wanted[i] ?? `u${i}`
    while (partitionOf(utf8.encode(user), partitionCount) !== partition) user += '+'
    return user
  })
}

/** Columns of a run of records, as a log's reader gives them. */
export function recordBatch(partition: number, records: readonly LogRecord[]) {
  return {
    partition,
    count: records.length,
    offsets: Float64Array.from(records, (record) => record.offset),
    timestampsMs: Float64Array.from(records, (record) => record.timestampMs),
    keys: records.map((record) => record.key),
    values: records.map((record) => record.value),
    headers: records.map((record) => record.headers),
    nextOffset: (records.at(-1)?.offset ?? -1) + 1,
    endOffset: (records.at(-1)?.offset ?? -1) + 1,
  }
}

const utf8 = new TextEncoder()
const latest = <T>(items: readonly T[], pick: number): T => items[items.length - 1 - (pick % items.length)]!
const iso = (at: number) => (Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : String(at))
const name = (user: string) => JSON.stringify(user)
const idOf = (id: Uint8Array) => `#${new DataView(id.buffer, id.byteOffset).getUint32(12)}`

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at + part.length <= bytes.length; at++) if (part.every((byte, i) => bytes[at + i] === byte)) return at
  throw new RangeError('the marker is not in the value')
}
