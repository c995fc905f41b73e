import { createHash } from 'node:crypto'
import avsc from 'avsc'
import { beforeAll, describe, expect, test } from 'vitest'
import { murmur2 } from '../../../operators/hash.ts'
import { partitionOperator } from '../../../operators/partition/partition.ts'
import { defaultSettings } from '../../../operators/settings.ts'
import { ladder } from '../../../operators/tiers/ladder.ts'
import { avroSchema, singleObjectHeader } from '../../../schemas/avro.ts'
import { behaviorBatch, behaviors, type Behavior } from '../../../schemas/behavior-batch.ts'
import { faults } from './faults.ts'
import type { Flush } from './flush.ts'
import { readFlush, type ReadEvent, type ReadFlush } from './read-flush.ts'
import { traffic, type TrafficOptions } from './traffic.ts'

const dayMs = 86_400_000
const fromMs = Date.parse('2026-09-23T00:00+08:00')
const decoder = new TextDecoder()

function draw(options: Partial<TrafficOptions> & { events: number }, atATime = 997): Flush[] {
  const simulated = traffic({ seed: 11, fromMs, eventsPerSecond: 20, ...options })
  const flushes: Flush[] = []
  while (!simulated.done()) flushes.push(...simulated.next(Infinity, atATime))
  return flushes
}

const digest = (flushes: Flush[]) => {
  const hash = createHash('sha256')
  for (const { key, value, timestampMs } of flushes)
    hash
      .update(key ?? 'no key')
      .update(value ?? 'no value')
      .update(String(timestampMs))
  return hash.digest('hex')
}

const decoded = (flushes: Flush[]): (ReadFlush & { timestampMs: number })[] =>
  flushes.flatMap(({ value, timestampMs }) => {
    const flush = value === null ? undefined : readFlush(value)
    return flush === undefined ? [] : [{ ...flush, timestampMs }]
  })

const share = <T>(all: readonly T[], holds: (one: T) => boolean) => all.filter(holds).length / all.length

describe('chance', () => {
  test('the same seed gives the same bytes, however much is drawn at a time', () => {
    const once = draw({ events: 20_000, faults: 0.01 }, 5_000)
    const piecemeal = draw({ events: 20_000, faults: 0.01 }, 7)
    const simulated = traffic({ seed: 11, fromMs, eventsPerSecond: 20, events: 20_000, faults: 0.01 })
    const byTime: Flush[] = []
    for (let untilMs = fromMs; !simulated.done(); untilMs += 1_234) byTime.push(...simulated.next(untilMs, 50))
    expect(digest(piecemeal)).toBe(digest(once))
    expect(digest(byTime)).toBe(digest(once))
  })

  test('a later start gives the same people other events', () => {
    const first = decoded(draw({ events: 20_000 }))
    const later = decoded(draw({ events: 20_000, fromMs: fromMs + dayMs, registered: 200 }))
    const ids = new Set(first.flatMap((flush) => [flush.batchId, ...flush.events.map((event) => event.id)]))
    expect(later.filter((flush) => ids.has(flush.batchId) || flush.events.some((event) => ids.has(event.id)))).toEqual([])
    const deviceOf = new Map(first.map((flush) => [`${flush.user} ${flush.platform}`, flush.device]))
    const again = later.filter((flush) => deviceOf.has(`${flush.user} ${flush.platform}`))
    expect(again.length).toBeGreaterThan(100)
    expect(share(again, (flush) => deviceOf.get(`${flush.user} ${flush.platform}`) === flush.device)).toBeGreaterThan(0.9)
  })

  test('another seed gives other people', () => {
    const devices = new Set(decoded(draw({ events: 5_000 })).map((flush) => flush.device))
    expect(decoded(draw({ events: 5_000, seed: 12 })).filter((flush) => devices.has(flush.device))).toEqual([])
  })

  test('it ends with exactly the events that were asked for', () => {
    for (const events of [1, 12_345]) expect(draw({ events }).reduce((sum, flush) => sum + flush.events, 0)).toBe(events)
  })
})

describe('what a device sends', () => {
  let flushes: Flush[]
  let all: (ReadFlush & { timestampMs: number })[]
  beforeAll(() => {
    flushes = draw({ events: 150_000 })
    all = decoded(flushes)
  })

  test('every flush decodes, under its key, in order of arrival', () => {
    expect(all.length).toBe(flushes.length)
    expect(all.filter((flush, i) => flush.user !== decoder.decode(flushes[i]!.key!))).toEqual([])
    expect(all.filter((flush, i) => i > 0 && flush.timestampMs < all[i - 1]!.timestampMs)).toEqual([])
    expect(all.filter((flush) => flush.events.length === 0 || flush.events.length > 30)).toEqual([])
  })

  test('every flush is what Avro itself would write for what it reads in it', () => {
    const type = avsc.Type.forSchema(avroSchema(behaviorBatch) as avsc.Schema)
    const header = singleObjectHeader(behaviorBatch)
    const other = flushes.filter(({ value }) => {
      const body = Buffer.from(value!.subarray(header.length))
      return Buffer.compare(value!.subarray(0, header.length), header) !== 0 || !type.toBuffer(type.fromBuffer(body)).equals(body)
    })
    expect(other).toEqual([])
  })

  test('a flush is sent after about a minute or twenty events', () => {
    const spans = all
      .filter((flush) => flush.events.length < 20)
      .map((flush) => flush.events.at(-1)!.occurredAt - flush.events[0]!.occurredAt)
    expect(Math.max(...spans)).toBeLessThan(70_000)
  })

  test('ids are random UUIDs, and none comes twice but in a flush sent again', () => {
    const first = new Map<string, string>()
    const repeated = all.filter((flush) => {
      const again = first.get(flush.batchId)
      first.set(flush.batchId, JSON.stringify(flush.events))
      return again !== undefined && again !== JSON.stringify(flush.events)
    })
    expect(repeated).toEqual([])
    const distinct = [...new Map(all.map((flush) => [flush.batchId, flush])).values()]
    const ids = distinct.flatMap((flush) => flush.events.map((event) => event.id))
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((id) => !/^.{12}4.{3}[89ab].{15}$/.test(id))).toEqual([])
  })

  test('some flushes come twice: most at once with the same bytes, some hours later with a new sent_at', () => {
    const first = new Map<string, number>()
    const same: number[] = []
    const later: number[] = []
    all.forEach((flush, i) => {
      const before = first.get(flush.batchId)
      if (before === undefined) {
        first.set(flush.batchId, i)
        return
      }
      const waitedMs = flush.timestampMs - all[before]!.timestampMs
      if (Buffer.compare(flushes[i]!.value!, flushes[before]!.value!) === 0) same.push(waitedMs)
      else if (flush.sentAt > all[before]!.sentAt) later.push(waitedMs)
    })
    expect((same.length + later.length) / all.length).toBeGreaterThan(0.01)
    expect((same.length + later.length) / all.length).toBeLessThan(0.03)
    expect(Math.max(...same)).toBeLessThan(5_000)
    expect(later.length).toBeGreaterThan(50)
    // Within the hours in which an id is known to have been seen.
    expect(Math.max(...later)).toBeLessThan(24 * 3_600_000)
  })

  test('some flushes were made offline and come minutes to days later, with the instant of sending', () => {
    const late = all.filter((flush) => flush.sentAt - flush.events.at(-1)!.occurredAt > 100_000)
    expect(late.length / all.length).toBeGreaterThan(0.005)
    expect(late.length / all.length).toBeLessThan(0.05)
    expect(late.some((flush) => flush.sentAt - flush.events[0]!.occurredAt > 3 * 3_600_000)).toBe(true)
  })

  test('a few devices have a wrong clock, and always by the same', () => {
    const error = (flush: ReadFlush & { timestampMs: number }) => flush.sentAt - flush.timestampMs
    const byDevice = Map.groupBy(all, (flush) => flush.device)
    const wrong = [...byDevice.values()].filter((own) => Math.abs(error(own[0]!)) > 20_000)
    expect(wrong.length / byDevice.size).toBeGreaterThan(0.015)
    expect(wrong.length / byDevice.size).toBeLessThan(0.045)
    expect(wrong.some((own) => error(own[0]!) > 0) && wrong.some((own) => error(own[0]!) < 0)).toBe(true)
    const spread = wrong.flatMap((own) => own.map((flush) => Math.abs(error(flush) - error(own[0]!))))
    expect(Math.max(...spread)).toBeLessThan(10_000)
    expect(Math.max(...wrong.map((own) => Math.abs(error(own[0]!))))).toBeLessThan(dayMs + 10_000)
  })

  test('a session starts, is watched and ends, in order', () => {
    const distinct = [...new Map(all.map((flush) => [flush.batchId, flush])).values()]
    const events = distinct.flatMap((flush) => flush.events)
    const whole = [...Map.groupBy(events, (event) => event.session).values()].filter(
      (own) => own.some((event) => event.behavior === 'session_start') && own.some((event) => event.behavior === 'session_end'),
    )
    expect(whole.length).toBeGreaterThan(5_000)
    const outOfOrder = whole.filter((own) => {
      const sorted = own.toSorted((a, b) => a.occurredAt - b.occurredAt)
      return sorted[0]!.behavior !== 'session_start' || sorted.at(-1)!.behavior !== 'session_end'
    })
    expect(outOfOrder).toEqual([])
    const orphan = (event: ReadEvent, own: ReadEvent[]) =>
      event.behavior === 'play' && !own.some((other) => other.behavior === 'impression' && other.content === event.content)
    expect(whole.filter((own) => own.some((event) => orphan(event, own)))).toEqual([])
  })

  test('who registers was anonymous before on the same device, and registers once', () => {
    const registers = all.filter((flush) => flush.events.some((event) => event.behavior === 'register'))
    const distinct = new Map(registers.map((flush) => [flush.batchId, flush]))
    expect(new Set([...distinct.values()].map((flush) => flush.user)).size).toBe(distinct.size)
    expect(distinct.size).toBeGreaterThan(1_000)
    const anonymous = new Set(all.filter((flush) => flush.user.startsWith('a-')).map((flush) => flush.device))
    expect(share([...distinct.values()], (flush) => flush.user.startsWith('u') && anonymous.has(flush.device))).toBeGreaterThan(0.97)
  })

  test('nearly all values of dimensions are in the configured lists, and a few are not', () => {
    const { channel, region, app_version: appVersion, category, surface } = defaultSettings.dimensions
    const events = all.flatMap((flush) => flush.events)
    const known = [
      share(all, (flush) => channel.includes(flush.channel)),
      share(all, (flush) => region.includes(flush.region)),
      share(all, (flush) => appVersion.includes(flush.appVersion)),
      share(events, (event) => event.category === null || category.includes(event.category)),
      share(events, (event) => event.surface === null || surface.includes(event.surface)),
    ]
    for (const one of known) {
      expect(one).toBeGreaterThan(0.96)
      expect(one).toBeLessThan(1)
    }
  })

  test('lengths of videos lie where real ones do', () => {
    const lengths = [...new Map(all.flatMap((flush) => flush.events.map((event) => [event.content, event.durationMs]))).values()]
      .filter((length) => length !== null)
      .toSorted((a, b) => a - b)
    const at = (part: number) => lengths[Math.floor(lengths.length * part)]! / 1000
    expect(lengths.length).toBeGreaterThan(3_000)
    expect(at(0.25)).toBeGreaterThan(24)
    expect(at(0.25)).toBeLessThan(40)
    expect(at(0.5)).toBeGreaterThan(68)
    expect(at(0.5)).toBeLessThan(95)
    expect(at(0.9)).toBeGreaterThan(205)
    expect(at(0.9)).toBeLessThan(275)
  })
})

test('there is more to do in the evening than before dawn, by the zone’s clock', () => {
  const hours = new Float64Array(24)
  for (const flush of draw({ events: 60_000, eventsPerSecond: 60_000 / 86_400 / 2 }))
    hours[new Date(flush.timestampMs + 8 * 3_600_000).getUTCHours()]!++
  expect(hours[21]! / hours[4]!).toBeGreaterThan(5)
  const even = draw({ events: 60_000, eventsPerSecond: 60_000 / 86_400 / 2, rhythm: false })
  const halves = share(even, (flush) => new Date(flush.timestampMs).getUTCHours() < 12)
  expect(halves).toBeGreaterThan(0.42)
  expect(halves).toBeLessThan(0.58)
})

test('traffic comes at the rate asked for, from the first minute on', () => {
  const simulated = traffic({ seed: 3, fromMs, eventsPerSecond: 1_000, rhythm: false })
  const perMinute = [1, 2, 3, 4, 5].map((minute) => {
    const untilMs = fromMs + minute * 60_000
    const before = simulated.counts().events
    while (simulated.reachedMs() < untilMs) simulated.next(untilMs, 1_000)
    return simulated.counts().events - before
  })
  for (const events of perMinute) {
    expect(events).toBeGreaterThan(52_000)
    expect(events).toBeLessThan(68_000)
  }
})

test('an app that posts at once holds back no play but one with a reaction, or of a session without a network; as much happens as ever', () => {
  const flushes = decoded(draw({ events: 40_000, eventsPerSecond: 200, rhythm: false, flushMs: 0 }))
  const plays = flushes.flatMap((flush) =>
    flush.events.flatMap((event) => (event.behavior === 'play' ? [flush.sentAt - event.occurredAt] : [])),
  )
  expect(share(plays, (heldMs) => heldMs >= 0 && heldMs < 100)).toBeGreaterThan(0.85)
  expect(share(plays, (heldMs) => heldMs < 3_000)).toBeGreaterThan(0.97)
  const took = flushes.at(-1)!.timestampMs - flushes[0]!.timestampMs
  expect(40_000 / (took / 1000)).toBeGreaterThan(170)
  expect(40_000 / (took / 1000)).toBeLessThan(230)
})

test('an incident lowers its KPI in its channel for its time, and nowhere else', () => {
  const incident = { channel: 'organic', kpi: 'completion', drop: 0.5, fromMs: fromMs + 600_000, toMs: fromMs + 1_200_000 } as const
  const flushes = decoded(draw({ events: 400_000, eventsPerSecond: 400_000 / 1_800, incidents: [incident], rhythm: false }))
  const rate = (channel: (name: string) => boolean, during: boolean) => {
    const plays = flushes
      .filter((flush) => channel(flush.channel) && Math.abs(flush.sentAt - flush.timestampMs) < 10_000)
      .flatMap((flush) => flush.events)
      .filter(({ behavior, occurredAt: at }) => behavior === 'play' && (at > incident.fromMs + 120_000 && at < incident.toMs) === during)
      .filter(({ occurredAt: at }) => during || at < incident.fromMs || at > incident.toMs + 300_000)
    return share(plays, (play) => play.watchMs! * 10 >= play.durationMs! * 9)
  }
  const organic = (name: string) => name === 'organic'
  const others = (name: string) => name !== 'organic'
  expect(rate(organic, true) / rate(organic, false)).toBeLessThan(0.6)
  expect(rate(organic, true) / rate(organic, false)).toBeGreaterThan(0.4)
  expect(rate(others, true) / rate(others, false)).toBeGreaterThan(0.92)
})

test('faults are besides the good traffic, and each is rejected for its reason', () => {
  const good = draw({ events: 60_000 })
  const mixed = draw({ events: 60_000, faults: 0.05 })
  expect(digest(mixed.filter((flush) => flush.fault === undefined))).toBe(digest(good))
  expect(new Set(mixed.flatMap((flush) => flush.fault ?? []))).toEqual(new Set(faults))
  const wrong: string[] = []
  let found: string | undefined
  const operator = partitionOperator({
    settings: defaultSettings,
    partition: 0,
    partitionCount: 1,
    operators: 'all',
    resolve: () => 'unknown_schema',
    sink: {
      accepted() {},
      rejectedEvent: (_, __, ___, reason) => void (found = reason),
      rejectedRecord: (_, reason) => void (found = reason),
      features() {},
      tierChanged() {},
    },
  })
  mixed.forEach(({ key, value, timestampMs, fault }, offset) => {
    const empty = operator.counters.emptyFlushes
    found = undefined
    operator.apply(offset, timestampMs, key, value, undefined)
    if (operator.counters.emptyFlushes > empty) found = 'empty'
    if (found !== fault) wrong.push(`${fault} was ${found}`)
  })
  expect(wrong).toEqual([])
})

describe('a million events over 38 days', () => {
  const counts = Object.fromEntries(behaviors.map((name) => [name, 0])) as Record<Behavior, number>
  const tiers = new Map<string, number>()
  const promotions = new Map<string, number>()
  const perUser = new Map<number, number>()
  let completes = 0
  let demotions = 0
  let rejected = 0
  let accepted = 0
  let seconds = 0
  const buyers = new Set<number>()
  const activeHours = new Set<string>()
  const buyerHours = new Set<string>()

  beforeAll(() => {
    const simulated = traffic({ seed: 1, fromMs, eventsPerSecond: 1_000_000 / (38 * 86_400), events: 1_000_000 })
    const operator = partitionOperator({
      settings: { ...defaultSettings, decayRows: false },
      partition: 0,
      partitionCount: 1,
      operators: 'all',
      resolve: () => 'unknown_schema',
      sink: {
        accepted({ key }, flush, i, t) {
          const name = behaviors[flush.behavior[i]!]!
          const user = murmur2(key!)
          const hour = `${user} ${Math.floor(t / 3_600_000)}`
          counts[name]++
          accepted++
          perUser.set(user, (perUser.get(user) ?? 0) + 1)
          activeHours.add(hour)
          if (name === 'play' && flush.watchMs[i]! * 10 >= flush.durationMs[i]! * 9) completes++
          if (name === 'purchase') {
            buyers.add(user)
            buyerHours.add(hour)
          }
        },
        rejectedEvent: () => void rejected++,
        rejectedRecord: () => void rejected++,
        features() {},
        tierChanged(_, from, to) {
          if (to < from) demotions++
          else promotions.set(ladder[to]!.tier, (promotions.get(ladder[to]!.tier) ?? 0) + 1)
        },
      },
    })
    let offset = 0
    let lastMs = fromMs
    while (!simulated.done())
      for (const { key, value, timestampMs } of simulated.next(Infinity, 1_000)) {
        operator.apply(offset++, timestampMs, key, value, undefined)
        lastMs = timestampMs
      }
    operator.tick(lastMs + 60_000)
    seconds = (lastMs - fromMs) / 1000
    for (let slot = 0; slot < operator.users.count(); slot++) {
      const { tier } = ladder[operator.rung(slot)]!
      tiers.set(tier, (tiers.get(tier) ?? 0) + 1)
    }
  })

  test('nothing is rejected', () => expect(rejected).toBe(0))

  test('they take the time asked for, and come from more than 30,000 users, one of whom makes one in a hundred', () => {
    expect(seconds / 86_400).toBeGreaterThan(36)
    expect(seconds / 86_400).toBeLessThan(40)
    expect(perUser.size).toBeGreaterThan(30_000)
    const [hottest, second] = [...perUser.values()].toSorted((a, b) => b - a)
    expect(hottest! / accepted).toBeGreaterThan(0.008)
    expect(hottest! / accepted).toBeLessThan(0.02)
    expect(second! / accepted).toBeLessThan(0.002)
  })

  test('there are users on every tier, and some fall at the start of a month', () => {
    for (const { tier } of ladder) expect(tiers.get(tier) ?? 0, tier).toBeGreaterThan(30)
    expect(demotions).toBeGreaterThan(10)
    expect(promotions.get('loyal')).toBeGreaterThan(30)
  })

  test('rates are near their targets', () => {
    const near = (value: number, target: number, off: number) => {
      expect(value).toBeGreaterThan(target * (1 - off))
      expect(value).toBeLessThan(target * (1 + off))
    }
    near(completes / counts.play, 0.45, 0.05)
    near((counts.like + counts.comment + counts.share) / counts.play, 0.06, 0.1)
    near(counts.click / counts.impression, 0.018, 0.1)
    near(counts.share / counts.play, 0.01, 0.2)
    near(buyerHours.size / activeHours.size, 0.12, 0.25)
    near(counts.play / counts.impression, 0.93, 0.02)
  })

  test('all twelve behaviours occur, registrations and purchases in hundreds to thousands', () => {
    for (const name of behaviors) expect(counts[name], name).toBeGreaterThan(500)
    expect(counts.register).toBeGreaterThan(8_000)
    expect(counts.register).toBeLessThan(25_000)
    expect(counts.purchase).toBeGreaterThan(4_000)
    expect(counts.purchase).toBeLessThan(16_000)
    expect(buyers.size).toBeGreaterThan(2_000)
  })
})
