// Rejected records sent again, on the embedded log and engine.
import { expect, test } from 'vitest'
import { systemClock } from '../adapters/system-clock.ts'
import type { OutRecord, TimestampType } from '../ports/log.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { moveClock } from '../ticks.ts'
import {
  careless,
  encode,
  event,
  everything,
  flush,
  fragile,
  good,
  idsOf,
  learned,
  purchase,
  recordsFrom,
  startMs,
  unknown,
  userOf,
  utf8,
  world,
} from './hand-made.ts'
import type { Filter } from './sources.ts'

const { engine, log } = await embeddedParts('replay')

async function begun(topic: string, timestamps: TimestampType = 'create') {
  const one = world(log, engine.store(topic.replaceAll('-', '_')), topic, timestamps)
  await one.begin()
  return one
}

test('flushes of a schema that becomes known count once, with the times at which they happened', async () => {
  const topic = await begun('unknown-schema')
  const known = flush(userOf(0), [event()])
  const unknowns = [0, 1, 0, 1].map((partition, n) => flush(userOf(partition, n), [event(), event()]))
  await topic.send(known)
  await topic.sendUnknown(...unknowns)
  await topic.send(flush(userOf(1), []))
  await topic.process()
  expect(await topic.stored()).toEqual(idsOf(known))

  const figures = await topic.replay()
  expect(figures).toMatchObject({ records: 4, flushesAppended: 4, eventsAppended: 8, stillRejected: {} })
  await topic.process({ resolve: learned })
  expect(await topic.stored()).toEqual(idsOf(known, ...unknowns))
  expect(await topic.verify()).toEqual(good)
}, 120_000)

const userBytes = (of: { user_id: string }) => utf8(of.user_id)

test('of a flush with one event that a fault had rejected only that event comes again, days later; a flush of such ones whole', async () => {
  const topic = await begun('fixed-rule')
  const mixed = flush(userOf(0), [event(), fragile(), event()])
  const wrong = flush(userOf(1), [fragile(), fragile()])
  await topic.sendUnknown(mixed, wrong)
  await topic.process({ resolve: careless })
  expect((await topic.stored()).length).toBe(2)
  // The ids of what was accepted are forgotten by then.
  topic.pass(3 * 86_400_000)
  const later = [flush(userOf(0), [event()]), flush(userOf(1), [event()])]
  await topic.send(...later)
  await topic.process({ resolve: learned })
  const before = await topic.ends()

  const figures = await topic.replay()
  expect(figures).toMatchObject({ records: 2, flushesAppended: 2, flushesShortened: 1, eventsAppended: 3, eventsAlreadyThere: 0 })
  const appended = (await recordsFrom(log, topic.topic, before)).filter(({ value }) => value !== null)
  expect(appended.filter(({ value }) => Buffer.from(value!).equals(unknown(encode(wrong))))).toHaveLength(1)
  expect(appended).toHaveLength(2)
  await topic.process({ resolve: learned })
  expect(await topic.stored()).toEqual(idsOf(mixed, wrong, ...later))
  const [row] = await topic.query<{ at: number; n: number }>(
    `SELECT toUnixTimestamp64Milli(max(event_at)) AS at, count() AS n FROM events WHERE query = 'fragile' AND experiments['feed'] = 'b'`,
  )
  expect(row).toEqual({ at: startMs + 2_000, n: 3 })
  expect(await topic.verify()).toEqual(good)
}, 120_000)

test('a record in the wrong partition or without a key goes where it belongs; a key of somebody else is left alone', async () => {
  const topic = await begun('wrong-partition')
  const astray = flush(userOf(0), [event()])
  const nameless = flush(userOf(1), [event()])
  const foreign = flush(userOf(0), [event()])
  await topic.append([
    { key: userBytes(astray), value: encode(astray), partition: 1 },
    { key: null, value: encode(nameless), partition: 0 },
    { key: utf8(userOf(0, 1)), value: encode(foreign) },
  ])
  await topic.process()
  expect(await topic.stored()).toEqual([])
  expect(await topic.replay()).toMatchObject({ records: 3, eventsAppended: 2, stillRejected: { key_mismatch: 1 } })
  await topic.process()
  expect(await topic.stored()).toEqual(idsOf(astray, nameless))
  expect(await topic.verify()).toEqual(good)
}, 120_000)

test('what the SDK has sent again meanwhile is left out, and nothing is done while that may be unprocessed', async () => {
  const topic = await begun('sent-again')
  const one = flush(userOf(0), [event(), event()])
  const other = flush(userOf(1), [event()])
  await topic.sendUnknown(one, other)
  await topic.process()
  await topic.send({ ...one, sent_at: startMs + 60_000 })
  const before = await topic.ends()
  await expect(topic.replay()).rejects.toThrow(
    'what lies unprocessed in topic sent-again may hold the same events (partition 0 is processed to offset',
  )
  expect(await topic.ends()).toEqual(before)
  await topic.process()
  expect(await topic.replay()).toMatchObject({ records: 2, eventsAppended: 1, eventsAlreadyThere: 2 })
  await topic.process({ resolve: learned })
  expect(await topic.stored()).toEqual(idsOf(one, other))
  expect(await topic.verify()).toEqual(good)
}, 120_000)

test('an event that was rejected twice is appended once; a second replay, and one of offsets that were processed, add nothing', async () => {
  const topic = await begun('twice')
  const one = flush(userOf(0), [event(), event()])
  await topic.sendUnknown(one, one, { ...one, events: one.events.toReversed() })
  await topic.process()
  expect(await topic.replay()).toMatchObject({ records: 3, flushesAppended: 1, eventsAppended: 2, eventsRepeated: 4 })
  await topic.process({ resolve: learned })
  const ends = await topic.ends()
  for (const source of [everything, { kind: 'range', partition: 0, from: 0, to: undefined }] as const) {
    const figures = await topic.replay({ source })
    expect(figures).toMatchObject({ eventsAppended: 0, flushesAppended: 0, stillRejected: {} })
    expect(figures.eventsAlreadyThere).toBeGreaterThan(0)
  }
  expect(await topic.ends()).toEqual(ends)
  expect(await topic.stored()).toEqual(idsOf(one))
}, 120_000)

test('a dry run changes nothing, and says what the run then does', async () => {
  const topic = await begun('dry-run')
  const one = flush(userOf(0), [event(), purchase('EUR')])
  await topic.sendUnknown(one, flush(userOf(1), [event()]))
  await topic.append([{ key: utf8('x'), value: Uint8Array.of(1, 2, 3) }])
  await topic.process()
  const before = await topic.ends()
  const told = await topic.replay({ dryRun: true })
  expect(await topic.ends()).toEqual(before)
  expect(told).toMatchObject({ records: 3, flushesAppended: 2, flushesShortened: 1, eventsAppended: 2 })
  expect(told.stillRejected).toEqual({ currency: 1, bad_header: 1 })
  expect(await topic.replay()).toEqual(told)
  expect(await topic.ends()).not.toEqual(before)
}, 120_000)

test('killed anywhere, run again: each event once, and the users of the first run get their rows', async () => {
  const topic = await begun('killed')
  const unknowns = Array.from({ length: 12 }, (_, n) => flush(userOf(n % 2, n >> 1), [event(), event()]))
  await topic.send(flush(userOf(0), [event()]))
  await topic.sendUnknown(...unknowns)
  await topic.process()
  const stored = (await topic.stored()).length
  for (const until of [0, 5, 12]) {
    // So many records of the append are in the log when the program dies.
    const dying = { ...log, append: async (to: string, records: OutRecord[]) => {
      if (records.some(({ value }) => value === null)) throw new Error('killed')
      await log.append(to, records.slice(0, until))
      if (until < records.length) throw new Error('killed')
    } } // prettier-ignore
    await expect(topic.replay({ log: dying })).rejects.toThrow('killed')
    if (until > 0) await expect(topic.replay()).rejects.toThrow('what lies unprocessed')
    await topic.process({ resolve: learned })
  }
  expect((await topic.stored()).length).toBe(stored + 24)
  const rows = 'SELECT uniqExact(user_id) AS n FROM user_features'
  const [before] = await topic.query<{ n: number }>(rows)
  // All events are there, but no record has brought the end of their interval.
  expect(before!.n).toBe(1)
  expect(await topic.replay()).toMatchObject({ eventsAppended: 0, eventsAlreadyThere: 24 })
  const ends = await topic.ends()
  await topic.process({ resolve: learned })
  expect((await topic.query<{ n: number }>(rows))[0]!.n).toBe(12)
  expect(await topic.stored()).toHaveLength(stored + 24)
  expect(await topic.verify()).toEqual(good)
  await topic.replay()
  expect(await topic.ends()).toEqual(ends)
}, 240_000)

test('what is too old by now, garbage, and what the rejected topic has no bytes of, is told and stays out', async () => {
  const topic = await begun('stays-out')
  const old = flush(userOf(0), [event()])
  const large = flush(userOf(0), [event({ currency: 'x'.repeat(1_100_000) }), event()])
  await topic.sendUnknown(old)
  topic.pass(31 * 86_400_000)
  const at = await topic.ends()
  const recent = flush(userOf(0), [event({ occurred_at: startMs + 3 })], { sent_at: startMs + 7 })
  await topic.sendUnknown(large, recent)
  await topic.append([
    { key: utf8(userOf(0)), value: new Uint8Array(300).fill(7) },
    { key: utf8(userOf(0)), value: null },
  ])
  await topic.process()
  const rejected = `${topic.topic}.rejected`
  await log.append(rejected, [{ key: null, value: Uint8Array.of(1), timestampMs: topic.now(), headers: { topic: utf8('other') } }])

  const told: unknown[] = []
  const figures = await topic.replay({ onNotReplayable: (...what) => void told.push(what) })
  expect(figures).toMatchObject({ records: 6, eventsAppended: 1 })
  expect(figures.stillRejected).toEqual({ too_old: 1, bad_header: 1, null_value: 1 })
  expect(figures.notReplayable).toEqual({ digest_only: 1, no_origin: 1 })
  expect(told).toContainEqual(['digest_only', 0, at[0]])
  await topic.process({ resolve: learned })

  // The input topic still holds it: by its offset it can be had.
  const range = await topic.replay({ source: { kind: 'range', partition: 0, from: at[0]!, to: at[0]! + 1 } })
  expect(range).toMatchObject({ records: 1, eventsAppended: 1, flushesShortened: 1, stillRejected: { field_too_long: 1 } })
  await topic.process({ resolve: learned })
  expect(await topic.stored()).toEqual(idsOf({ ...large, events: [large.events[1]!] }, recent))
  expect(await topic.verify()).toEqual(good)
}, 120_000)

test('reasons and times choose among the rejected records', async () => {
  const topic = await begun('chosen')
  const early = flush(userOf(0), [event()])
  const late = flush(userOf(0), [fragile(), purchase('EUR')])
  await topic.append([{ key: null, value: encode(early) }])
  const between = topic.now() + 1
  await topic.sendUnknown(late)
  await topic.process({ resolve: careless })
  const chosen = (filter: Partial<Filter>) =>
    topic.replay({ dryRun: true, source: { kind: 'rejected', filter: { ...everything.filter, ...filter } } })
  expect(await chosen({ untilMs: between })).toMatchObject({ records: 1, eventsAppended: 1 })
  expect(await chosen({ sinceMs: between })).toMatchObject({ records: 1, eventsAppended: 1, stillRejected: { currency: 1 } })
  expect(await chosen({ reasons: new Set(['missing_field']) })).toMatchObject({ records: 1, eventsAppended: 1, stillRejected: {} })
  expect(await chosen({ reasons: new Set(['currency']) })).toMatchObject({ records: 1, eventsAppended: 0 })
  expect(await chosen({ reasons: new Set(['bad_utf8']) })).toMatchObject({ records: 0 })
  expect(await chosen({})).toMatchObject({ records: 2, eventsAppended: 2 })
}, 120_000)

test('the clock of a history stays where it is, but for the end of the interval', async () => {
  const topic = await begun('clock')
  await topic.sendUnknown(flush(userOf(0), [event()]))
  topic.pass(7_300)
  await topic.send(flush(userOf(0), [event()]))
  await topic.process()
  const before = await topic.ends()
  await topic.replay()
  const records = (await recordsFrom(log, topic.topic, before)).map(({ partition, timestampMs, value }) => [
    partition,
    timestampMs,
    value !== null,
  ])
  expect(records).toEqual([
    [0, topic.now(), true],
    [0, Math.ceil(topic.now() / 5_000) * 5_000, false],
  ])
}, 120_000)

test('an offset that the log does not hold is refused, with what it holds', async () => {
  const topic = await begun('no-offset')
  await topic.send(flush(userOf(0), [event()]))
  await topic.process()
  const [end] = await topic.ends()
  const range = (partition: number, from: number, to?: number) => topic.replay({ source: { kind: 'range', partition, from, to } })
  await expect(range(0, end! + 1)).rejects.toThrow(`no-offset/0 holds the offsets from 0 up to, not including, ${end}`)
  await expect(range(0, 0, end! + 1)).rejects.toThrow('choose --from and --to among them')
  // Before anything is waited for.
  await topic.send(flush(userOf(0), [event()]))
  await expect(range(2, 0)).rejects.toThrow('topic no-offset has partitions 0 to 1, no 2')
  await expect(range(0, 0)).rejects.toThrow(/: let `reelpulse process` come to the end first, with `--until-end`$/)
}, 120_000)

test('on a live topic it waits until the process role has come to the end, and moves no clock', async () => {
  const topic = await begun('live', 'append')
  const unknowns = [flush(userOf(0), [event()]), flush(userOf(1), [event()])]
  await topic.sendUnknown(...unknowns)
  await topic.process()
  await topic.sendUnknown(unknowns[0]!)
  const before = await topic.ends()

  const waiting = Promise.withResolvers<string>()
  const replaying = topic.replay({ waitMs: 100_000, onWaiting: waiting.resolve })
  expect(await waiting.promise).toMatch(/^partition 0 is processed to offset \d+ of \d+$/)
  expect(await topic.ends()).toEqual(before)
  await topic.process()
  expect(await replaying).toMatchObject({ records: 3, eventsAppended: 2, eventsRepeated: 1 })
  const appended = (await recordsFrom(log, topic.topic, before)).filter(({ headers }) => headers?.['clock_at'] !== undefined)
  expect(appended).toEqual([])
  await topic.process({ resolve: learned })
  expect(await topic.stored()).toEqual(idsOf(...unknowns))
}, 120_000)

test('a replay that has taken an hour looks again whether all is processed', async () => {
  const topic = await begun('long', 'append')
  await topic.sendUnknown(flush(userOf(0), [event()]), flush(userOf(1), [event()]))
  await topic.process()
  let passedMs = 0
  const clock = { ...systemClock, now: () => Date.now() + passedMs }
  const onProgress = () => void (passedMs += 3_600_001)
  await expect(topic.replay({ clock, onProgress, waitMs: 0 })).rejects.toThrow('what lies unprocessed in topic long')
  await topic.process({ resolve: learned })
  expect(await topic.replay()).toMatchObject({ eventsAppended: 1, eventsAlreadyThere: 1 })
}, 120_000)

test('a tick that nobody has processed is not waited for: it holds no events, and its clock counts', async () => {
  const topic = await begun('ticked')
  await topic.sendUnknown(flush(userOf(0), [event()]))
  await topic.process()
  await moveClock(log, topic.topic, startMs + 86_400_000)
  const before = await topic.ends()
  expect(await topic.replay()).toMatchObject({ eventsAppended: 1 })
  const [appended] = await recordsFrom(log, topic.topic, before)
  expect(appended!.timestampMs).toBe(startMs + 86_400_000)
}, 120_000)

test('settings other than those that the topic is processed with are refused', async () => {
  const topic = await begun('other-settings')
  await topic.send(flush(userOf(0), [event()]))
  await topic.process()
  await expect(topic.replay({ settings: { ...topic.settings, currency: 'EUR' } })).rejects.toThrow(
    'topic other-settings is processed with --currency CNY and --emit-s 5, and this was given EUR and 5',
  )
}, 120_000)
