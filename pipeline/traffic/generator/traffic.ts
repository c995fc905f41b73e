// Simulated SDK traffic as a pure function: a seed and a start in, flushes in order of arrival out. No clock, no other chance.
//
// Sessions begin at random (more in the evening), each by one person. A session is one slot in a few typed arrays: its stream of
// chance, its place in time, what comes next. When a flush closes is found by running the session ahead without writing; when the
// flush arrives, the session is run again from the same place and writes. So nothing waits as bytes, and a flush that is sent
// again is the same slot run again.
import { currentHeader } from '../../../operators/flush/reader.ts'
import { zone } from '../../../operators/time/zone.ts'
import { behaviors, platforms } from '../../../schemas/behavior-batch.ts'
import { faultyFlush } from './faults.ts'
import type { Flush } from './flush.ts'
import type { Incident, IncidentKpi } from './incident.ts'
import {
  appVersionWeights, behavior, buyers, channelWeights, device, experiments, hourlyRhythm, platformWeights, queries, regionWeights, surfaceWeights,
} from './marginals.ts' // prettier-ignore
import { hotPerson, people } from './people.ts'
import { foldSeed, hash, logEven, mix, picker, stream, unit, weightsOf } from './random.ts'
import { timers } from './timers.ts'
import { videos } from './videos.ts'
import {
  avroMap, avroString, putByte, putBytes, putHex, putLong, putNumbered, putUuid, renew, someString, wire,
} from './wire.ts' // prettier-ignore

export type TrafficOptions = {
  /** Who the people and videos are; with `fromMs`, what happens. */
  readonly seed: number
  /** Log time of the start. */
  readonly fromMs: number
  /** Mean, over log time. */
  readonly eventsPerSecond: number
  /** How many different people there are to begin with; new ones go on registering after that. */
  readonly users?: number
  /** How many had registered before the start: their `register` is in the log already. */
  readonly registered?: number
  /** Fewer at night, more in the evening; else even. */
  readonly rhythm?: boolean
  /** IANA name: whose day the rhythm follows. */
  readonly zone?: string
  /** Faulty messages, as a share of the good flushes; they are sent besides those. */
  readonly faults?: number
  readonly incidents?: readonly Incident[]
  /** Ends with exactly this many valid events, those of flushes that are sent again included. */
  readonly events?: number
  /** A flush is sent once it has this many events … */
  readonly flushEvents?: number
  /** … or this long after its first one (ms); 0: at once, a video with what follows from it. */
  readonly flushMs?: number
}

export type Traffic = {
  /**
   * The next flushes that arrive before `untilMs`, in order of their timestamps, at most `maxFlushes`. Fewer, even none, does not mean
   * that all are out: see `reachedMs`. How much is drawn at a time makes no difference to what comes.
   */
  next(untilMs: number, maxFlushes: number): Flush[]
  /** Everything that arrives before this is out. */
  reachedMs(): number
  /** `events` is reached. */
  done(): boolean
  /** Totals so far. */
  counts(): { flushes: number; events: number; retries: number; late: number; faults: number; registered: number; open: number }
}

export const defaultUsers = 60_000
export const defaultFlushMs = 60_000

/** Of `users`, those who register sooner or later. */
const registrantShare = 0.65
/** Sessions in which someone registers: so many at first, falling as fewer are left, and never fewer than these. */
const registerPerSession = 0.25
const registerPerSessionLeast = 0.004
const visitorShare = 0.2
/** Sessions of people who will register soon, still anonymous. */
const futureShare = 0.04
const hotShare = 0.015
/** Sessions of people who registered lately. */
const honeymoonShare = 0.2
const favouriteShare = 0.45
const secondDeviceUse = 0.4
/** How long a card takes on average, with the watching (measured). */
const meanCardMs = 59_000
/** Registered people are numbered from here in user ids. */
export const firstUserNumber = 10_000_000
const userLetter = 117 // u
const anonymousLetter = 97 // a
const deviceLetter = 100 // d
const sessionLetter = 115 // s
const videoLetter = 118 // v
const creatorLetter = 99 // c

const code = Object.fromEntries(behaviors.map((name, index) => [name, index])) as Record<(typeof behaviors)[number], number>

// A slot's integers and instants.
const N = { rng: 0, serial: 4, person: 5, flags: 6, cards: 7, video: 8, watch: 9, ordinal: 10, flush: 11, planned: 12, toRegister: 13, toSearch: 14, surface: 15 } // prettier-ignore
const intsPerSlot = 16
const F = { at: 0, onlineAt: 1, sentAt: 2, dueAt: 3 }
const instantsPerSlot = 4
/** session_start is still to come. */
const STARTING = 1
/** Events go under the registered id. */
const REGISTERED = 2
const BUYING = 4
const SECOND_DEVICE = 8
/** Sent again: runs once more and is gone. */
const AGAIN = 16
const LATE = 32

export function traffic(options: TrafficOptions): Traffic {
  const { fromMs, eventsPerSecond, rhythm = true, faults = 0, incidents = [], flushEvents = 20, flushMs = defaultFlushMs } = options
  const registrants = Math.max(1, Math.round((options.users ?? defaultUsers) * registrantShare))
  const visitors = Math.max(1, (options.users ?? defaultUsers) - registrants)
  const wantedEvents = options.events ?? Infinity
  const seed = foldSeed(options.seed)
  const run = hash(seed, foldSeed(fromMs), 0x7)
  const persons = people(seed)
  const yearMs = 365 * 86_400_000
  const shown = videos(seed, Math.floor(fromMs / yearMs) * yearMs)

  // Everything that has few values, as bytes.
  const platformCodes = platformWeights.map(([name]) => platforms.indexOf(name) * 2)
  const versionBytes = appVersionWeights.map(([name]) => avroString(name))
  const channelBytes = channelWeights.map(([name]) => avroString(name))
  const channelNames = channelWeights.map(([name]) => name)
  const regionBytes = regionWeights.map(([name]) => avroString(name))
  const experimentBytes = experiments.map(([entries]) => avroMap(entries))
  const surfaceBytes = surfaceWeights.map(([name]) => someString(name))
  const categoryBytes = shown.categories.map((name) => (name === null ? Uint8Array.of(0) : someString(name)))
  const queryBytes = queries.map(([text]) => someString(text))
  const currencyBytes = someString('CNY')
  const pickSurface = picker(weightsOf(surfaceWeights))
  const pickQuery = picker(weightsOf(queries))

  const key0 = hash(run, 0, 1)
  const key1 = hash(run, 0, 2)
  const key2 = hash(run, 0, 3)
  const key3 = hash(run, 0, 4)

  // The session at work, copied from its slot and back.
  const chance = stream()
  const ints = new Int32Array(intsPerSlot)
  const instants = new Float64Array(instantsPerSlot)
  let slotInts = new Int32Array(intsPerSlot * 1024)
  let slotInstants = new Float64Array(instantsPerSlot * 1024)
  let slots = 0
  const free: number[] = []
  const due = timers()

  const load = (slot: number) => {
    for (let i = 0, from = slot * intsPerSlot; i < intsPerSlot; i++) ints[i] = slotInts[from + i]!
    for (let i = 0, from = slot * instantsPerSlot; i < instantsPerSlot; i++) instants[i] = slotInstants[from + i]!
    for (let i = 0; i < 4; i++) chance.state[i] = ints[N.rng + i]!
  }
  const store = (slot: number) => {
    for (let i = 0; i < 4; i++) ints[N.rng + i] = chance.state[i]!
    for (let i = 0, to = slot * intsPerSlot; i < intsPerSlot; i++) slotInts[to + i] = ints[i]!
    for (let i = 0, to = slot * instantsPerSlot; i < instantsPerSlot; i++) slotInstants[to + i] = instants[i]!
  }
  const newSlot = (): number => {
    const reused = free.pop()
    if (reused !== undefined) return reused
    if (slots * intsPerSlot === slotInts.length) {
      const moreInts = new Int32Array(slotInts.length * 2)
      moreInts.set(slotInts)
      slotInts = moreInts
      const moreInstants = new Float64Array(slotInstants.length * 2)
      moreInstants.set(slotInstants)
      slotInstants = moreInstants
    }
    return slots++
  }

  const isDuring = (kpi: IncidentKpi, person: number, atMs: number): number => {
    let factor = 1
    for (const one of incidents) {
      if (one.kpi !== kpi || atMs < one.fromMs || atMs >= one.toMs) continue
      if (one.channel === undefined || one.channel === channelNames[persons.channel(person)]) factor *= 1 - one.drop
    }
    return factor
  }
  const scale = (kpi: IncidentKpi, atMs: number) => (incidents.length === 0 ? 1 : isDuring(kpi, ints[N.person]!, atMs))

  // Bytes out. A flush is written at the end of the present piece of memory; pieces are never reused.
  const room = 2048 + (flushEvents + 8) * 256
  const out = wire(0)
  /** Events still to be written of the flush at work; 0 while running ahead. */
  let toWrite = 0
  let clockErrorMs = 0

  const putId = (serial: number, ordinal: number) => {
    const a = mix(serial ^ key0)
    const b = mix(ordinal ^ mix(a ^ key1))
    const c = mix((a + Math.imul(b, 0x9e3779b1)) ^ key2)
    const d = mix(b ^ mix(c ^ key3))
    // The layout of a random (version 4) UUID.
    putUuid(out, a, (b & ~0xf000) | 0x4000, (c & 0x3fffffff) | 0x80000000, d)
  }

  /** Counts the event, and writes it where the flush is being written. Arguments at or below -1 are null. */
  const emit = (what: number, atMs: number, video: number, watchMs: number, amountMinor: number, query: number) => {
    const ordinal = ints[N.ordinal]!
    ints[N.ordinal] = ordinal + 1
    if (toWrite === 0) return
    toWrite--
    const serial = ints[N.serial]!
    putId(serial, ordinal)
    putByte(out, what * 2)
    putLong(out, atMs + clockErrorMs)
    putByte(out, 2)
    putHex(out, sessionLetter, mix(serial ^ key2), mix(serial ^ key3))
    if (video >= 0) {
      putByte(out, 2)
      putNumbered(out, videoLetter, video, 6)
      putByte(out, 2)
      putNumbered(out, creatorLetter, shown.creator[video]!, 6)
      putBytes(out, categoryBytes[shown.category[video]!]!)
    } else {
      putByte(out, 0)
      putByte(out, 0)
      putByte(out, 0)
    }
    if (what === code.session_start || what === code.session_end || what === code.register) putByte(out, 0)
    else putBytes(out, surfaceBytes[ints[N.surface]!]!)
    if (what === code.impression || what === code.play) {
      putByte(out, 2)
      putLong(out, shown.publishedAt[video]!)
    } else putByte(out, 0)
    if (watchMs >= 0) {
      putByte(out, 2)
      putLong(out, watchMs)
      putByte(out, 2)
      putLong(out, shown.durationMs[video]!)
    } else {
      putByte(out, 0)
      putByte(out, 0)
    }
    if (amountMinor > 0) {
      putByte(out, 2)
      putLong(out, amountMinor)
      putBytes(out, currencyBytes)
    } else {
      putByte(out, 0)
      putByte(out, 0)
    }
    if (query >= 0) putBytes(out, queryBytes[query]!)
    else putByte(out, 0)
  }

  /** When the flush at work closed, and whether the session closed with it. */
  let closedAt = 0
  let over = false

  const pickVideo = (): number => {
    const person = ints[N.person]!
    const at = chance.unit()
    const category =
      at < favouriteShare ? shown.pickCategory(persons.favourite(person, at < favouriteShare / 3)) : shown.pickCategory(chance.unit())
    return shown.pick(category, chance.unit())
  }

  /** How long the video at hand will be watched (ms), or -1: passed at once. */
  const watchOf = (video: number): number => {
    if (chance.unit() >= behavior.playPerImpression) return -1
    const durationMs = shown.durationMs[video]!
    const person = ints[N.person]!
    const likely = behavior.completePerPlay + 0.08 * persons.patience(person) - behavior.completeSlope * Math.log(durationMs / 81_200)
    const completes = chance.unit() < Math.min(0.95, Math.max(0.05, likely)) * scale('completion', instants[F.at]!)
    const share = chance.unit()
    if (!completes) return Math.floor(durationMs * 0.899 * share ** 1.8)
    // Some let it run again.
    return Math.ceil(durationMs * (share < 0.1 ? 1 + share * 8 : 0.9 + 0.1 * share))
  }

  const playedTo = (video: number, watchMs: number) => {
    let atMs = instants[F.at]! + watchMs
    emit(code.play, atMs, video, watchMs, -1, -1)
    const completed = watchMs * 10 >= shown.durationMs[video]! * 9
    const { completePerPlay: mean, reactionIfComplete: more } = behavior
    const factor = (completed ? more : (1 - mean * more) / (1 - mean)) * scale('interaction', atMs)
    // One draw decides all: the reactions lie beside one another on it.
    let drawn = chance.unit() / factor
    const reactions = behavior.likePerPlay + behavior.commentPerPlay + behavior.sharePerPlay + behavior.followPerPlay
    if (drawn < reactions) {
      atMs += 300 + (chance.bits() & 2047)
      if (drawn < behavior.likePerPlay) emit(code.like, atMs, video, -1, -1, -1)
      else if ((drawn -= behavior.likePerPlay) < behavior.commentPerPlay) emit(code.comment, atMs, video, -1, -1, -1)
      else if ((drawn -= behavior.commentPerPlay) < behavior.sharePerPlay) emit(code.share, atMs, video, -1, -1, -1)
      else emit(code.follow, atMs, video, -1, -1, -1)
    }
    instants[F.at] = atMs
  }

  const amountOf = (person: number): number => {
    const share = 0.01 + 0.98 * chance.unit()
    const amount = persons.usualAmountMinor(person) * Math.exp(0.3 * Math.log(share / (1 - share)))
    return Math.min(5_000_000, Math.max(100, Math.round(amount / 100) * 100))
  }

  /** What was done before someone registers goes under the anonymous id; the rest, from `register` on, under theirs. */
  const takeIdentity = () => {
    if (ints[N.toRegister] === 0 && ints[N.video]! < 0 && (ints[N.flags]! & STARTING) === 0) ints[N.flags]! |= REGISTERED
  }

  const nextCard = () => {
    ints[N.video] = -1
    ints[N.watch] = 0
    ints[N.cards]!--
    if (ints[N.toRegister]! > 0) ints[N.toRegister]!--
    if (ints[N.toSearch]! > 0) ints[N.toSearch]!--
    instants[F.at]! += 150 + (chance.bits() & 1023)
  }

  /** Runs the session at work to where its next flush closes; returns how many events that flush has. */
  const runFlush = (): number => {
    const first = ints[N.ordinal]!
    let firstAt = -1
    let lastAt = 0
    over = false
    takeIdentity()
    for (;;) {
      const count = ints[N.ordinal]! - first
      const atMs = instants[F.at]!
      const watchMs = ints[N.watch]!
      const video = ints[N.video]!
      if (count > 0) {
        if (firstAt < 0) firstAt = lastAt
        if (count >= flushEvents) {
          closedAt = lastAt
          return count
        }
        if (atMs + watchMs >= firstAt + flushMs) {
          closedAt = Math.max(lastAt, firstAt + flushMs)
          return count
        }
      }
      if ((ints[N.flags]! & STARTING) !== 0) {
        ints[N.flags]! &= ~STARTING
        emit(code.session_start, atMs, -1, -1, -1, -1)
        lastAt = atMs
        instants[F.at] = atMs + 200 + (chance.bits() & 1023)
      } else if (video >= 0) {
        playedTo(video, watchMs)
        lastAt = instants[F.at]!
        nextCard()
      } else if (ints[N.toRegister] === 0) {
        if ((ints[N.flags]! & REGISTERED) === 0) {
          closedAt = atMs
          return count
        }
        ints[N.toRegister] = -1
        emit(code.register, atMs, -1, -1, -1, -1)
        lastAt = atMs
        instants[F.at] = atMs + 800 + (chance.bits() & 4095)
      } else if (ints[N.cards] === 0) {
        let endAt = atMs
        if ((ints[N.flags]! & BUYING) !== 0) {
          const bought = pickVideo()
          const amount = amountOf(ints[N.person]!)
          endAt += 2_000 + (chance.bits() & 4095)
          if (chance.unit() < scale('conversion', endAt)) emit(code.purchase, endAt, bought, -1, amount, -1)
          endAt += 1_000
        }
        emit(code.session_end, endAt, -1, -1, -1, -1)
        instants[F.at] = endAt
        closedAt = endAt
        over = true
        return ints[N.ordinal]! - first
      } else if (ints[N.toSearch] === 0) {
        ints[N.toSearch] = -1
        emit(code.search, atMs, -1, -1, -1, pickQuery(chance.unit()))
        lastAt = atMs
        instants[F.at] = atMs + 1_500 + (chance.bits() & 4095)
      } else {
        const next = pickVideo()
        emit(code.impression, atMs, next, -1, -1, -1)
        lastAt = atMs
        if (chance.unit() < behavior.clickPerImpression * scale('click_through', atMs)) {
          lastAt = atMs + 300 + (chance.bits() & 511)
          emit(code.click, lastAt, next, -1, -1, -1)
        }
        instants[F.at] = lastAt + 200
        ints[N.video] = next
        ints[N.watch] = watchOf(next)
        // A card passed at once leaves nothing to report: a flush never begins with what has no event.
        if (ints[N.watch]! < 0) nextCard()
      }
    }
  }

  const latencyMs = (serial: number, flush: number) => Math.round(logEven(25, 900, unit(hash(run, serial, 1000 + flush))))

  /** Finds when the next flush of the session at work arrives, and sets the timer. */
  const plan = (slot: number) => {
    store(slot)
    const count = runFlush()
    const at = slot * intsPerSlot
    const serial = ints[N.serial]!
    const flush = ints[N.flush]!
    const onlineAt = instants[F.onlineAt]!
    let sentAt = closedAt + 5 + (hash(run, serial, 3000 + flush) & 63)
    // Back on the net: what had piled up goes out at once, one flush after the other.
    if (onlineAt > sentAt) {
      sentAt = onlineAt
      slotInts[at + N.flags]! |= LATE
    }
    const latency = latencyMs(serial, flush)
    const dueAt = Math.max(sentAt + latency, instants[F.dueAt]! + 20)
    slotInts[at + N.planned] = count
    slotInstants[slot * instantsPerSlot + F.sentAt] = dueAt - latency
    slotInstants[slot * instantsPerSlot + F.dueAt] = dueAt
    due.add(dueAt, slot)
  }

  const counts = { flushes: 0, events: 0, retries: 0, late: 0, faults: 0, registered: options.registered ?? 0, open: 0 }
  let serial = 0

  const pickRegistered = (atMs: number): number => {
    const { registered } = counts
    let person = 0
    for (let tries = 0; tries < 64; tries++) {
      person =
        chance.unit() < honeymoonShare
          ? registered - 1 - Math.floor(-Math.log(1 - chance.unit()) * registered * 0.04)
          : Math.floor(chance.unit() * registered)
      if (person < 0) person = 0
      if (person !== hotPerson && chance.unit() < persons.presence(person, atMs)) return person
    }
    return person
  }

  const beginSession = (atMs: number, underWay: boolean) => {
    chance.start(hash(run, serial, 11), hash(run, serial, 12))
    ints.fill(0)
    instants.fill(0)
    ints[N.serial] = serial++
    ints[N.video] = -1
    ints[N.toRegister] = -1
    ints[N.toSearch] = -1
    let flags = underWay ? 0 : STARTING
    const cards = Math.min(80, 1 + Math.floor(Math.log(1 - chance.unit()) / Math.log(1 - 1 / behavior.cardsPerSession)))
    const drawn = chance.unit()
    const registers = Math.max(registerPerSessionLeast, registerPerSession * (1 - counts.registered / registrants))
    let person: number
    if (!underWay && (drawn < registers || counts.registered === 0)) {
      person = counts.registered++
      ints[N.toRegister] = Math.floor(chance.unit() ** 2 * (cards + 1))
    } else {
      const who = chance.unit()
      if (who < visitorShare || counts.registered === 0) person = -1 - Math.floor(chance.unit() * visitors)
      else if (who < visitorShare + futureShare) person = counts.registered + Math.floor(chance.unit() * registrants * 0.02)
      else {
        person = who < visitorShare + futureShare + hotShare ? hotPerson : pickRegistered(atMs)
        flags |= REGISTERED
      }
    }
    const second = person !== hotPerson && persons.hasSecondDevice(person) && chance.unit() < secondDeviceUse && (flags & REGISTERED) !== 0
    if (second) flags |= SECOND_DEVICE
    const registered = (flags & REGISTERED) !== 0 || ints[N.toRegister]! >= 0
    if (registered && chance.unit() < buyers[persons.buyer(person)]!.perSession) flags |= BUYING
    if (chance.unit() < behavior.searchPerSession) ints[N.toSearch] = Math.floor(chance.unit() * cards)
    ints[N.person] = person
    ints[N.flags] = flags
    ints[N.cards] = cards
    ints[N.surface] = pickSurface(chance.unit())
    instants[F.at] = atMs
    const offline = chance.unit()
    const away = chance.unit()
    if (offline < device.offlineShare && ints[N.toRegister]! < 0)
      instants[F.onlineAt] = Math.round(atMs + logEven(device.offlineMs[0], device.offlineMs[1], away))
    plan(newSlot())
  }

  /** Writes the flush of the session at work, which is due. */
  const writeFlush = (timestampMs: number): Flush => {
    if (out.bytes.length - out.at < room) renew(out, Math.max(1 << 20, room * 4))
    takeIdentity()
    const start = out.at
    const person = ints[N.person]!
    const flags = ints[N.flags]!
    const second = (flags & SECOND_DEVICE) !== 0
    const high = persons.deviceHigh(person, second)
    const low = persons.deviceLow(person, second)
    clockErrorMs = persons.clockErrorMs(person, second)
    const count = Math.min(ints[N.planned]!, wantedEvents - counts.events)
    putBytes(out, currentHeader)
    putId(ints[N.serial]!, -1 - ints[N.flush]!)
    const keyAt = out.at + 1
    if ((flags & REGISTERED) !== 0) putNumbered(out, userLetter, firstUserNumber + person, 8)
    else putHex(out, anonymousLetter, high, low)
    const keyEnd = out.at
    putHex(out, deviceLetter, high, low)
    putByte(out, platformCodes[persons.platform(person, second)]!)
    putBytes(out, versionBytes[persons.appVersion(person, second)]!)
    putBytes(out, channelBytes[persons.channel(person)]!)
    putBytes(out, regionBytes[persons.region(person)]!)
    putLong(out, instants[F.sentAt]! + clockErrorMs)
    putBytes(out, experimentBytes[persons.experiments(person)]!)
    putLong(out, count)
    toWrite = count
    runFlush()
    toWrite = 0
    putByte(out, 0)
    counts.flushes++
    counts.events += count
    if ((flags & LATE) !== 0) counts.late++
    return { key: out.bytes.subarray(keyAt, keyEnd), value: out.bytes.subarray(start, out.at), timestampMs, events: count }
  }

  /** The flush arrived, but the device did not hear of it: its slot as it was, to be run once more. */
  const sendAgain = (slot: number, dueAt: number) => {
    const serial = slotInts[slot * intsPerSlot + N.serial]!
    const flush = slotInts[slot * intsPerSlot + N.flush]!
    if (unit(hash(run, serial, 5000 + flush)) >= device.retryShare) return
    const again = newSlot()
    slotInts.copyWithin(again * intsPerSlot, slot * intsPerSlot, (slot + 1) * intsPerSlot)
    slotInstants.copyWithin(again * instantsPerSlot, slot * instantsPerSlot, (slot + 1) * instantsPerSlot)
    slotInts[again * intsPerSlot + N.flags]! |= AGAIN
    const atOnce = unit(hash(run, serial, 7000 + flush)) < device.retryAtOnceShare
    const [least, most] = atOnce ? device.retryAtOnceMs : device.retryLateMs
    const againAt = dueAt + Math.round(logEven(least, most, unit(hash(run, serial, 9000 + flush))))
    if (!atOnce) {
      slotInstants[again * instantsPerSlot + F.sentAt] = againAt - latencyMs(serial, flush)
      slotInts[again * intsPerSlot + N.flags]! |= LATE
    }
    due.add(againAt, again)
  }

  // The rhythm of the day, by straight lines between the middles of its hours.
  const days = rhythm ? zone(options.zone ?? 'Asia/Shanghai') : undefined
  let dayFrom = 0
  let dayTo = 0
  const meanRhythm = hourlyRhythm.reduce((sum, one) => sum + one, 0) / 24
  const rhythmAt = (atMs: number): number => {
    if (days === undefined) return 1
    if (atMs < dayFrom || atMs >= dayTo) {
      const day = days.dayOf(atMs)
      dayFrom = days.startOfDay(day)
      dayTo = days.startOfDay(day + 1)
    }
    const hours = ((atMs - dayFrom) / (dayTo - dayFrom)) * 24 + 23.5
    const hour = Math.floor(hours)
    const part = hours - hour
    return (hourlyRhythm[hour % 24]! * (1 - part) + hourlyRhythm[(hour + 1) % 24]! * part) / meanRhythm
  }

  const arrivals = stream()
  arrivals.start(hash(run, 1, 21), hash(run, 2, 22))
  const { cardsPerSession, playPerImpression, likePerPlay, commentPerPlay, sharePerPlay, followPerPlay } = behavior
  const perPlay = 1 + likePerPlay + commentPerPlay + sharePerPlay + followPerPlay
  const eventsPerSession =
    (2.19 + cardsPerSession * (1 + behavior.clickPerImpression + playPerImpression * perPlay) + behavior.searchPerSession) *
    (1 + device.retryShare)
  const sessionsPerMs = eventsPerSecond / 1000 / eventsPerSession
  // Sessions are under way at the start. Their number of cards has no memory, so one in its middle is like one at its beginning: so
  // many begin, without a session_start, in the minutes before, that with those that begin then anyway there are as many as ever.
  const underWayMs = 180_000
  const sessionsLong = underWayMs / (cardsPerSession * meanCardMs)
  const underWayFactor = 1 + 1 / (Math.exp(sessionsLong) - 1)
  const afterMs = (atMs: number) =>
    atMs - Math.log(1 - arrivals.unit()) / (sessionsPerMs * rhythmAt(atMs) * (atMs < fromMs ? underWayFactor : 1))
  let arrivesAt = afterMs(fromMs - underWayMs)
  let reached = fromMs - underWayMs
  let faultSerial = 0

  return {
    next(untilMs, maxFlushes) {
      const flushes: Flush[] = []
      // Bounds the work of a call where little comes out of it.
      for (let steps = maxFlushes * 2 + 64; steps > 0 && flushes.length < maxFlushes && counts.events < wantedEvents; steps--) {
        const dueAt = due.firstAt()
        const at = Math.min(dueAt, arrivesAt)
        if (at >= untilMs) {
          reached = Math.max(reached, untilMs)
          return flushes
        }
        reached = at
        if (arrivesAt <= dueAt) {
          const atMs = Math.floor(arrivesAt)
          arrivesAt = afterMs(arrivesAt)
          beginSession(atMs, atMs < fromMs)
          continue
        }
        const slot = due.take()
        load(slot)
        const again = (ints[N.flags]! & AGAIN) !== 0
        if (dueAt < fromMs) runFlush()
        else {
          const flush = writeFlush(dueAt)
          flushes.push(flush)
          if (again) counts.retries++
          else sendAgain(slot, dueAt)
          if (faults > 0 && unit(hash(run, faultSerial++, 31)) < faults) {
            counts.faults++
            flushes.push(faultyFlush(flush, hash(run, faultSerial, 32), dueAt))
          }
        }
        if (again || over) free.push(slot)
        else {
          ints[N.flush]!++
          instants[F.dueAt] = dueAt
          ints[N.flags]! &= ~LATE
          plan(slot)
        }
      }
      return flushes
    },
    reachedMs: () => reached,
    done: () => counts.events >= wantedEvents,
    counts: () => ({ ...counts, open: due.size() }),
  }
}
