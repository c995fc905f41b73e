// Logs of one partition that are hard to get right: times around every border, wrong clocks, repeats, late and broken flushes.
// A log is made from seeds, one for each step, so that a test that fails can shrink it by leaving steps out.
import { encodeFlush } from './encode-flush.ts'
import { behaviors, platforms, type BehaviorBatch, type BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { maxInstant } from '../../schemas/limits.ts'
import { windows } from '../../schemas/measures.ts'
import { partitionOf } from '../hash.ts'
import { zone as zoneNamed } from '../time/zone.ts'
import type { LogRecord } from './generate.ts'
import { seeded } from './seeded.ts'

export type NastyOptions = {
  readonly partition: number
  readonly partitionCount: number
  /** Its days and months are borders as well. */
  readonly zone: string
  readonly emitMs: number
}

const secondMs = 1000
const minuteMs = 60_000
const hourMs = 3_600_000
const dayMs = 86_400_000

const utf8 = new TextEncoder()
const text = (value: string) => utf8.encode(value)

/** A step's choices: all from one seed. */
function choices(seed: number) {
  const next = seeded(seed)
  const below = (n: number) => Math.floor(next() * n)
  return {
    below,
    one: <T>(of: readonly T[]): T => of[below(of.length)]!,
    /** True once in n times. */
    oncein: (n: number) => below(n) === 0,
    /** A small number mostly; `most` at most. */
    few: (most: number) => Math.floor(next() ** 3 * (most + 1)),
    uuid: () => Uint8Array.from({ length: 16 }, () => below(256)),
  }
}
type Choices = ReturnType<typeof choices>

// In UTF-8 the order of these is not that of UTF-16; one begins as another, one with a byte order mark.
const stems = ['u', 'u1', '用户', '\u{1f600}', '\uffee', '\ufeff']

/** One id a stem that belongs to the partition; and one that does not. */
export function nastyUsers(partition: number, partitionCount: number): { users: string[]; stranger: string } {
  const find = (stem: string, fits: (partition: number) => boolean) => {
    for (let n = 0; ; n++) if (fits(partitionOf(text(`${stem}${n}`), partitionCount))) return `${stem}${n}`
  }
  return { users: stems.map((stem) => find(stem, (p) => p === partition)), stranger: find('x', (p) => p !== partition) }
}

type Sent = { user: string; event: BehaviorEvent; clock: number; batch: BehaviorBatch }

/** The records that the steps make, in order. Steps know what those before them sent, and the clock. */
export function nastyLog(steps: readonly number[], options: NastyOptions): LogRecord[] {
  const { users, stranger } = nastyUsers(options.partition, options.partitionCount)
  const zone = zoneNamed(options.zone)
  const records: LogRecord[] = []
  const sent: Sent[] = []
  let offset = 0
  let clock = -1

  function append(record: Partial<LogRecord>, c: Choices): void {
    const { timestampMs = Math.max(0, clock), key = null, value = null, headers } = record
    records.push({ offset, timestampMs, key, value, headers })
    clock = Math.max(clock, timestampMs)
    offset += c.oncein(12) ? 1 + c.few(5) : 1
  }

  function start(c: Choices): number {
    return (
      c.one([
        Date.UTC(2026, 0, 31, 15, 59, 50), // ten seconds before February in Shanghai
        Date.UTC(2026, 2, 8, 6, 59, 30), // before summer time in New York
        Date.UTC(2026, 10, 1, 5, 50), // before its end, which is also the month's first day
        Date.UTC(2025, 11, 31, 23, 59, 59, 990),
        Date.UTC(2026, 8, 5, 3, 59, 58), // before summer time in Santiago, at a midnight that is not
        0,
      ]) + c.below(3)
    )
  }

  /** A border after the instant: of emission, of a hop, of a day or a month, of a decay row. */
  function borderAfter(at: number, c: Choices): number {
    const multiples = [options.emitMs, minuteMs, hourMs, ...windows.map((w) => w.hopMs)]
    const kind = c.below(multiples.length + 4)
    if (kind < multiples.length) return (Math.floor(at / multiples[kind]!) + 1) * multiples[kind]!
    if (kind === multiples.length) return zone.startOfDay(zone.dayOf(at) + 1)
    if (kind === multiples.length + 1) return zone.nextMonthStart(at)
    return (Math.floor(at / 300_000) + 1) * 300_000 + c.below(60) * secondMs
  }

  const nudge = (c: Choices) => c.one([-1, 0, 0, 1])

  /** Where the clock goes with the next record: mostly nowhere far. */
  function nextTime(c: Choices): number {
    if (clock < 0) return start(c)
    switch (c.below(16)) {
      case 0:
        return Math.max(0, clock - c.one([1, 500, minuteMs, 3 * hourMs, 40 * dayMs])) // behind the clock
      case 1:
        return clock + c.below(10) * minuteMs
      case 2:
        return clock + c.below(5) * hourMs + c.below(3)
      case 3:
        return clock + (1 + c.few(3)) * dayMs
      case 4:
        return c.oncein(4) ? clock + (4 + c.few(96)) * dayMs + c.below(dayMs) : clock + secondMs
      case 5:
      case 6:
      case 7:
      case 8:
        return Math.max(clock, borderAfter(clock, c) + nudge(c))
      case 9:
        return clock
      default:
        return clock + c.few(4000)
    }
  }

  /** How long before its arrival an event happened. */
  function lag(arrived: number, c: Choices): number {
    switch (c.below(14)) {
      case 0:
        return c.below(400) * secondMs
      case 1:
        return c.below(30) * hourMs
      case 2:
        return c.below(8 * 24) * hourMs
      case 3:
        return c.below(30 * 24) * hourMs
      case 4:
        return 30 * dayMs + (clock - arrived) * -1 + nudge(c) // at the border of too_old
      case 5:
        return c.one([31, 40, 1000, 20_000]) * dayMs
      case 6:
      case 7: {
        // t at a border, somewhere in the windows' reach
        const back = c.one([minuteMs, hourMs, dayMs, 7 * dayMs, 29 * dayMs])
        return Math.max(0, arrived - borderAfter(arrived - c.below(back), c) + nudge(c))
      }
      case 8: {
        // t at the tail of a window
        const window = c.one(windows)
        return Math.max(0, arrived - Math.floor((clock - window.spanMs) / window.hopMs) * window.hopMs + nudge(c))
      }
      case 9:
        return -c.below(2 * hourMs) // from the future: clamped
      default:
        return c.few(5000)
    }
  }

  function event(c: Choices, occurredAt: number, wanted?: Partial<BehaviorEvent>): BehaviorEvent {
    const behavior = wanted?.behavior ?? c.one([...behaviors, 'play', 'play', 'purchase'] as const)
    const duration = c.one([1, 10, 1000, 15_000, 2 ** 31 - 1])
    const made: BehaviorEvent = {
      event_id: c.uuid(),
      behavior,
      occurred_at: occurredAt,
      session_id: c.oncein(2) ? 's' : null,
      content_id: 'v1',
      creator_id: c.oncein(2) || behavior === 'follow' ? 'creator' : null,
      category: c.one([null, 'music', 'music', 'dance', 'food', 'pets', 'art', 'home', 'anime', 'other', 'unheard of', '', '__proto__']),
      surface: c.one([null, 'feed', 'search', 'live', 'shop', 'nowhere', 'constructor', '']),
      published_at: c.one([null, 0, occurredAt, -maxInstant]),
      watch_ms:
        behavior === 'play' ? c.one([0, Math.floor(duration * 0.9), Math.ceil(duration * 0.9), duration, Math.floor(duration / 3)]) : null,
      duration_ms: behavior === 'play' ? duration : null,
      amount_minor: behavior === 'purchase' ? c.one([1, 19_900, 49_999, 50_000, 1e10]) : null,
      currency: behavior === 'purchase' ? 'CNY' : null,
      query: behavior === 'search' || c.oncein(9) ? 'cats' : null,
    }
    // On other behaviours these are kept, and count for nothing.
    if (c.oncein(10)) Object.assign(made, { watch_ms: 77, duration_ms: made.behavior === 'play' ? made.duration_ms : 0 })
    if (c.oncein(10) && behavior !== 'purchase') Object.assign(made, { amount_minor: c.one([-5, 0, 7, 2e10]), currency: 'USD' })
    return { ...made, ...wanted }
  }

  /** One of every way in which an event can be invalid, or nearly. */
  function spoil(good: BehaviorEvent, c: Choices): BehaviorEvent {
    const long = 'é'.repeat(256)
    return {
      ...good,
      ...c.one<Partial<BehaviorEvent>>([
        { content_id: null },
        { content_id: '' },
        { creator_id: null },
        { creator_id: '' },
        { query: null },
        { query: '' },
        { watch_ms: null },
        { duration_ms: null },
        { amount_minor: null },
        { currency: null },
        { currency: '' },
        { currency: 'USD' },
        { currency: 'CNYX' },
        { session_id: `${long}x` },
        { content_id: `${long}x` },
        { category: `${long}x`, content_id: null },
        { surface: long },
        { query: `${long}x` },
        { currency: `${long}x` },
        { watch_ms: -1 },
        { watch_ms: 2 ** 31 },
        { duration_ms: 0 },
        { duration_ms: -1 },
        { duration_ms: 2 ** 31 },
        { amount_minor: 0 },
        { amount_minor: -1 },
        { amount_minor: 1e10 + 1 },
        { amount_minor: 2 ** 53 },
        { amount_minor: 2 ** 54 },
        { occurred_at: maxInstant + 1 },
        { occurred_at: -maxInstant - 1 },
        { occurred_at: maxInstant },
        { occurred_at: -maxInstant },
        { published_at: maxInstant + 1 },
        { published_at: maxInstant },
      ]),
    }
  }

  function receivedAt(recordAt: number, c: Choices): { at: number; headers: LogRecord['headers'] } {
    if (!c.oncein(3)) return { at: recordAt, headers: undefined }
    if (c.oncein(2)) {
      const at = c.one([recordAt - 1, recordAt - c.below(3 * hourMs), recordAt - c.below(40 * dayMs), recordAt + 5000, 0, maxInstant])
      return { at: Math.min(at, recordAt), headers: { received_at: text(String(at)), traceparent: text('00-1') } }
    }
    const broken = c.one([
      '',
      '-',
      'soon',
      '1e12',
      ' 12',
      '+12',
      '1.5',
      '12345678901234567',
      '00001767225600000',
      '9007199254740993',
      '١٢',
      '0x10',
      '12 ',
    ])
    return { at: recordAt, headers: { received_at: text(broken) } }
  }

  function batchOf(user: string, sentAt: number, events: BehaviorEvent[], c: Choices): BehaviorBatch {
    return {
      batch_id: c.uuid(),
      user_id: user,
      device_id: `device of ${user}`,
      platform: c.one(platforms),
      app_version: c.one(['8.0.0', '8.6.0', '8.6.0', '9.9.9', '']),
      channel: c.one(['organic', 'ad', 'kol', 'other', 'rumour', 'é'.repeat(256)]),
      region: c.one(['CN-31', 'CN-11', 'CN-82', 'US-NY', 'cn-31']),
      sent_at: sentAt,
      experiments: c.one<Record<string, string>>([{}, { layout: 'b' }, { layout: 'a', ranking: '', ['__proto__']: 'x' }]),
      events,
    }
  }

  function send(batch: BehaviorBatch, timestampMs: number, headers: LogRecord['headers'], c: Choices): void {
    append({ timestampMs, key: text(batch.user_id), value: encodeFlush(batch), headers }, c)
    for (const one of batch.events) sent.push({ user: batch.user_id, event: one, clock, batch })
  }

  /** A flush of the user: some events, of which some are late, some broken, some sent before. */
  function flush(c: Choices, user: string, timestampMs: number, wanted?: Partial<BehaviorEvent>): void {
    clock = Math.max(clock, timestampMs)
    const { at, headers } = receivedAt(timestampMs, c)
    const deviceClock = at + c.one([0, 0, 0, 1, -50 * 365 * dayMs, 70 * 365 * dayMs, -at])
    const events: BehaviorEvent[] = []
    for (let n = wanted === undefined ? 1 + c.few(6) : 1; n > 0; n--) {
      const made = event(c, deviceClock - lag(at, c), wanted)
      const earlier = sent.length > 0 ? c.one(sent) : undefined
      if (earlier !== undefined && c.oncein(8)) events.push({ ...made, event_id: earlier.event.event_id })
      else if (events.length > 0 && c.oncein(12)) events.push({ ...made, event_id: events[0]!.event_id })
      else events.push(c.oncein(7) && wanted === undefined ? spoil(made, c) : made)
    }
    send(batchOf(user, c.oncein(60) ? maxInstant + 1 : deviceClock, events, c), timestampMs, headers, c)
  }

  /** An id again, in the last hour in which it is known, or the first in which it is not. */
  function repeat(c: Choices): void {
    if (sent.length === 0) return
    const earlier = c.oncein(3) ? c.one(sent) : sent[sent.length - 1 - c.below(Math.min(sent.length, 12))]!
    const lasting = earlier.event.behavior === 'purchase' || earlier.event.behavior === 'register'
    const hours = lasting && c.oncein(2) ? 744 : 24
    const border = (Math.floor(earlier.clock / hourMs) + hours + 1) * hourMs
    const at = Math.max(clock, c.one([border - 1, border, border + 1, clock]))
    if (c.oncein(3)) send(earlier.batch, at, undefined, c)
    else {
      const again = { ...event(c, at), event_id: earlier.event.event_id }
      send(batchOf(c.oncein(8) ? c.one(users) : earlier.user, at, [again, event(c, at)], c), at, undefined, c)
    }
  }

  /** Some days of a user who registers, comes back every day, and buys: up to the top of the ladder, and then nothing. */
  function life(c: Choices): void {
    const user = c.one(users)
    if (c.oncein(2)) flush(c, user, nextTime(c), { behavior: 'register' })
    const days = c.one([2, 3, 4, 9, 10])
    for (let day = 0; day < days; day++) {
      const at = clock + dayMs + c.one([-hourMs, 0, 1, c.below(hourMs)])
      const behavior = c.oncein(2) ? 'purchase' : 'play'
      const { at: arrived, headers } = receivedAt(at, c)
      const made = event(c, arrived, behavior === 'purchase' ? { behavior, amount_minor: c.one([19_900, 34_000, 60_000]) } : { behavior })
      send(batchOf(user, arrived, [made], c), at, headers, c)
    }
    if (c.oncein(2)) tick(c, clock + c.one([7, 14, 31, 60, 91]) * dayMs)
  }

  function tick(c: Choices, at: number): void {
    const headers: Record<string, Uint8Array> = { reelpulse: text('tick') }
    let moved = clock
    let timestampMs = at
    if (c.oncein(2)) {
      const to = c.one([at, clock - 5, Math.max(0, clock)])
      headers['clock_at'] = c.oncein(5) ? text(c.one(['', 'now', '-1', '1e13', `${at}.5`])) : text(String(to))
      if (/^[0-9]{1,16}$/.test(String.fromCharCode(...headers['clock_at']))) moved = Math.max(clock, to)
      timestampMs = Math.max(0, clock)
    }
    append({ timestampMs, headers }, c)
    clock = Math.max(clock, moved)
  }

  /** A record that is no flush at all, or one that is rejected whole. */
  function broken(c: Choices): void {
    const user = c.one(users)
    const timestampMs = nextTime(c)
    const { headers } = receivedAt(timestampMs, c)
    const key = text(user)
    const batch = batchOf(user, timestampMs, [event(c, timestampMs), event(c, timestampMs)], c)
    const value = encodeFlush(batch)
    const long = 'x'.repeat(513)
    const whole = (changed: Partial<BehaviorBatch>) => encodeFlush({ ...batch, ...changed })
    const patched = (at: number, byte: number) => value.map((was, i) => (i === at ? byte : was))
    const record = { timestampMs, key, value, headers }
    switch (c.below(22)) {
      case 0:
        return append({ ...record, value: new Uint8Array(0) }, c)
      case 1:
        return append({ ...record, value: text('{"user_id": "u"}') }, c)
      case 2:
        return append({ ...record, value: value.slice(0, 9) }, c)
      case 3:
        return append({ ...record, value: patched(1, 2) }, c)
      case 4:
        return append({ ...record, value: patched(2 + c.below(8), 0x55) }, c)
      case 5:
        return append({ ...record, value: value.slice(0, 10 + c.below(value.length - 10)) }, c)
      case 6:
        return append({ ...record, value: Uint8Array.from([...value, 0]) }, c)
      case 7:
        return append({ ...record, value: patched(28, c.one([0xff, 0xc0, 0xed])) }, c) // inside user_id
      case 8:
        return append({ ...record, value: null }, c)
      case 9:
        return append({ ...record, key: null }, c)
      case 10:
        return append({ ...record, key: text(c.one(users)) }, c)
      case 11:
        return append({ ...record, key: Uint8Array.of(0xff, 0xfe) }, c)
      case 12:
        return append({ ...record, key: text(stranger), value: whole({ user_id: stranger }) }, c)
      case 13:
        return append({ ...record, value: whole({ device_id: long }) }, c)
      case 14:
        return append({ ...record, value: whole({ experiments: { a: 'b', [c.oncein(2) ? long : 'k']: long } }) }, c)
      case 15:
        if (!c.oncein(4)) return append({ ...record, value: whole({ region: long }) }, c)
        return append({ ...record, value: whole({ events: Array.from({ length: 1001 }, () => event(c, timestampMs)) }) }, c)
      case 16:
        return append({ ...record, key: null, value: null, headers: { reelpulse: text(c.one(['tock', '', 'ticks'])) } }, c)
      case 17:
        return append({ ...record, headers: { ...headers, reelpulse: text('tick') } }, c) // a flush all the same
      case 18:
        return append({ ...record, key: null, value: null }, c)
      case 19:
        return append({ ...record, key: new Uint8Array(0), value: whole({ user_id: '' }) }, c)
      default:
        return append({ ...record, value: whole({ events: [] }) }, c) // empty: no error
    }
  }

  for (const seed of steps) {
    const c = choices(seed)
    const user = c.oncein(2) ? users[0]! : c.one(users)
    switch (c.below(14)) {
      case 0:
      case 1:
        tick(c, nextTime(c))
        break
      case 2:
      case 3:
        broken(c)
        break
      case 4:
      case 5:
        repeat(c)
        break
      case 6:
        life(c)
        break
      default:
        flush(c, user, nextTime(c))
    }
  }
  return records
}

/** Seeds of as many steps, from one seed. */
export function nastySteps(seed: number, count: number): number[] {
  const c = choices(seed)
  return Array.from({ length: count }, () => c.below(2 ** 31))
}
