// One partition's operators, composed: records in, in the order of the log; accepted events, rows and changes out to a
// sink. No clock but the log's, no I/O: everything here is a function of the records and of the settings.
import { behaviors } from '../../schemas/behavior-batch.ts'
import { maxEventsPerFlush } from '../../schemas/limits.ts'
import { eventRejects, type EventReject, type RecordReject } from '../../schemas/rejects.ts'
import { tiers } from '../../schemas/tiers.ts'
import { affinities } from '../affinity/affinity.ts'
import { affinityWeights } from '../affinity/weights.ts'
import { seenIds } from '../dedup/seen-ids.ts'
import { emissionSchedule } from '../emission/schedule.ts'
import { ACCEPTED, eventJudge, isTooOld, PLAY, PURCHASE, REGISTER, TOO_OLD } from '../flush/judge.ts'
import {
  BAD_HEADER, BAD_UTF8, flushReader, OK, OTHER_SCHEMA, stringLength, stringStart, TRAILING_BYTES, TRUNCATED, HAS_AMOUNT, HAS_PUBLISHED, HAS_WATCH,
  type FlushColumns,
} from '../flush/reader.ts' // prettier-ignore
import { murmur2 } from '../hash.ts'
import { kpiDeltas, type KpiDeltas } from '../kpi/deltas.ts'
import { sessionHash } from '../kpi/session-hash.ts'
import { lifetimes, noFacts, type LifetimeFacts } from '../lifetime/lifetime.ts'
import { rollingWindows, type RollingWindows } from '../rolling/window.ts'
import type { OperatorSettings } from '../settings.ts'
import { nextRung } from '../tiers/evaluate.ts'
import { correctedTime } from '../time/corrected.ts'
import { zone } from '../time/zone.ts'
import { dictionary } from '../users/dictionary.ts'
import { grown, userRegistry } from '../users/registry.ts'
import type { Headers } from './headers.ts'
import { recordIntake, type RecordContext } from './record.ts'
import type { PartitionState } from './state.ts'

/** Hours after its own in which an id is a duplicate; purchases and registrations are remembered for 31 days. */
export const recentHours = 24
export const lastingHours = 31 * 24
const hourMs = 3_600_000
/** What a partition puts out. Everything handed over is borrowed. */
export type PartitionSink = {
  /** Event i of the flush was accepted, with corrected time `t`; `rung` is the user's tier before the record. */
  accepted(record: RecordContext, flush: FlushColumns, i: number, t: number, rung: number): void
  rejectedEvent(record: RecordContext, flush: FlushColumns, i: number, reason: EventReject): void
  rejectedRecord(record: RecordContext, reason: RecordReject, detail: string): void
  /** A row of the user is due: the state is as of `asOf`. */
  features(slot: number, asOf: number): void
  tierChanged(slot: number, from: number, to: number, asOf: number, lastDay: number, facts: LifetimeFacts): void
}

export type PartitionOptions = {
  settings: OperatorSettings
  partition: number
  partitionCount: number
  /**
   * `rolling`: decoding, validation, duplicates, windows and emission, nothing else (the benchmark's first figure).
   * `all`: these and lifetimes, affinities, tiers and KPI deltas.
   */
  operators: 'rolling' | 'all'
  sink: PartitionSink
  /** The same flush in the current schema, of a value in another known one; or why there is none. */
  resolve(value: Uint8Array): Uint8Array | RecordReject
}

export type PartitionCounters = { records: number; flushes: number; emptyFlushes: number; events: number; duplicates: number; rows: number }

export type PartitionOperator = ReturnType<typeof partitionOperator>

const outcomeReasons: Partial<Record<number, RecordReject>> = {
  [BAD_HEADER]: 'bad_header',
  [TRUNCATED]: 'truncated',
  [TRAILING_BYTES]: 'trailing_bytes',
  [BAD_UTF8]: 'bad_utf8',
}

export function partitionOperator(options: PartitionOptions) {
  const { settings, partition, partitionCount, sink, resolve } = options
  const all = options.operators === 'all'
  const { decayRows } = settings
  const days = zone(settings.zone)
  const dictionaries = {
    channel: dictionary(settings.dimensions.channel),
    region: dictionary(settings.dimensions.region),
    app_version: dictionary(settings.dimensions.app_version),
    category: dictionary(settings.dimensions.category),
    surface: dictionary(settings.dimensions.surface),
  }
  const weightOf = behaviors.map((behavior) => affinityWeights[behavior] ?? 0)

  let capacity = 1024
  const users = userRegistry(resize, capacity)
  const windows: RollingWindows = rollingWindows(capacity)
  const recentIds = seenIds(recentHours, capacity)
  const lastingIds = seenIds(lastingHours, capacity)
  const schedule = emissionSchedule(settings.emitMs, users, capacity)
  const lives = lifetimes(all ? capacity : 1, [
    dictionaries.channel.otherCode,
    dictionaries.region.otherCode,
    dictionaries.app_version.otherCode,
  ])
  const tastes = affinities(dictionaries.category.names, all ? capacity : 1)
  const kpis: KpiDeltas = kpiDeltas(days, dictionaries)
  const session = new Int32Array(2)
  let rungs = new Uint8Array(capacity)
  const usersByRung = new Int32Array(tiers.length)
  let changedFlags = new Uint8Array(capacity)
  let changed = new Int32Array(capacity)
  let changedCount = 0
  const facts = noFacts()

  const reader = flushReader()
  const flush = reader.columns
  const judge = eventJudge(settings)

  let clock = -Infinity
  let hour = -Infinity
  let nextEvaluation = Infinity
  /** Nothing happens by the clock alone before this. */
  let nextDue = Infinity
  const counters: PartitionCounters = { records: 0, flushes: 0, emptyFlushes: 0, events: 0, duplicates: 0, rows: 0 }
  const { record, take } = recordIntake({ at: () => clock, move: moveClock })

  function resize(size: number): void {
    capacity = size
    windows.resize(size)
    recentIds.resize(size)
    lastingIds.resize(size)
    schedule.resize(size)
    rungs = grown(rungs, size)
    changedFlags = grown(changedFlags, size)
    changed = grown(changed, size)
    if (all) {
      lives.resize(size)
      tastes.resize(size)
    }
  }

  function markChanged(slot: number): void {
    if (changedFlags[slot] === 1) return
    changedFlags[slot] = 1
    changed[changedCount++] = slot
  }

  function moveClock(to: number): void {
    if (to <= clock) return
    if (clock === -Infinity) {
      if (all) nextEvaluation = days.nextMonthStart(to)
      setNextDue()
    }
    while (nextDue <= to) fireNext()
    clock = to
    const hourNow = Math.floor(to / hourMs)
    if (hourNow !== hour) {
      hour = hourNow
      recentIds.advance(hour)
      lastingIds.advance(hour)
    }
  }

  function setNextDue(): void {
    nextDue = Math.min(schedule.dueAt(), nextEvaluation)
  }

  function fireNext(): void {
    const at = nextDue
    if (nextEvaluation === at) {
      evaluateAll(at)
      nextEvaluation = days.nextMonthStart(at)
    }
    const asOf = schedule.take(at)
    if (!Number.isNaN(asOf)) {
      const slots = schedule.slots()
      const count = schedule.count()
      for (let i = 0; i < count; i++) {
        const slot = slots[i]!
        windows.slide(slot, asOf)
        if (decayRows) schedule.planDecay(slot, windows.nextLeave(slot))
        sink.features(slot, asOf)
      }
      counters.rows += count
    }
    setNextDue()
  }

  /** The monthly evaluation, for every user, in the order of their ids: it alone demotes. */
  function evaluateAll(at: number): void {
    const count = users.count()
    const order = Int32Array.from({ length: count }, (_, slot) => slot)
    users.sort(order, count)
    const lastDay = days.dayOf(at - 1)
    for (const slot of order) settle(slot, at, lastDay, true)
  }

  function settle(slot: number, asOf: number, lastDay: number, monthly: boolean): void {
    lives.facts(slot, lastDay, facts)
    const from = rungs[slot]!
    const to = nextRung(from, facts, monthly)
    if (to === from) return
    rungs[slot] = to
    usersByRung[from]!--
    usersByRung[to]!++
    markChanged(slot)
    sink.tierChanged(slot, from, to, asOf, lastDay, facts)
  }

  function reject(reason: RecordReject, detail: string): void {
    if (all) kpis.addRejected(clock)
    sink.rejectedRecord(record, reason, detail)
  }

  function decode(value: Uint8Array): boolean {
    let outcome = reader.read(value)
    if (outcome === OTHER_SCHEMA) {
      const resolved = resolve(value)
      if (typeof resolved === 'string') {
        reject(resolved, 'no schema of this fingerprint is known, or its body does not read as it')
        return false
      }
      outcome = reader.read(resolved)
    }
    if (outcome === OK) return true
    reject(outcomeReasons[outcome] ?? 'bad_header', `at byte ${flush.failedAt - value.byteOffset} of ${value.length}`)
    return false
  }

  function sameKey(key: Uint8Array, from: number, length: number): boolean {
    if (key.length !== length) return false
    const { bytes } = flush
    for (let i = 0; i < length; i++) if (key[i] !== bytes[from + i]) return false
    return true
  }

  /** Applies one record; the items that it adds to the block (schemas/limits.ts). */
  function apply(
    offset: number,
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: Headers | undefined,
  ): number {
    counters.records++
    if (!take(offset, timestampMs, key, value, headers)) return 0
    if (value === null) {
      reject('null_value', 'the record has no value and is no control record')
      return 1
    }
    if (key === null) {
      reject('null_key', 'the record has no key; it must be the user_id')
      return 1
    }
    if (!decode(value)) return 1
    const items = flush.events
    const from = stringStart(flush.bytes, flush.user)
    const length = stringLength(flush.bytes, flush.user)
    const hash = murmur2(key, 0, key.length)
    if (!sameKey(key, from, length)) reject('key_mismatch', "the record's key is not the flush's user_id")
    else if ((hash & 0x7fffffff) % partitionCount !== partition)
      reject('wrong_partition', `the key belongs to partition ${(hash & 0x7fffffff) % partitionCount} of ${partitionCount}`)
    else if (flush.flushTooLong) reject('flush_field_too_long', 'a string of the flush is longer than 512 bytes')
    else if (items > maxEventsPerFlush) reject('too_many_events', `${items} events; a flush holds at most ${maxEventsPerFlush}`)
    else if (items === 0) counters.emptyFlushes++
    else applyFlush(from, length, hash)
    return items
  }

  function applyFlush(from: number, length: number, hash: number): void {
    counters.flushes++
    const items = flush.events
    const { view, eventId, behavior, occurredAt, has, watchMs, durationMs, amountMinor } = flush
    const { recordAt, receivedAt } = record
    const { sentAt } = flush
    let slot = users.find(flush.bytes, from, length, hash)
    if (slot >= 0) windows.slide(slot, clock)
    let rung = slot < 0 ? 0 : rungs[slot]!
    let accepted = 0
    for (let i = 0; i < items; i++) {
      let verdict = judge(flush, i)
      const t = correctedTime(receivedAt, recordAt, sentAt, occurredAt[i]!)
      if (verdict === ACCEPTED && isTooOld(t, clock)) verdict = TOO_OLD
      if (verdict !== ACCEPTED) {
        if (all) kpis.addRejected(clock)
        sink.rejectedEvent(record, flush, i, eventRejects[verdict]!)
        continue
      }
      if (slot < 0) {
        slot = users.intern(flush.bytes, from, length, hash)
        usersByRung[0]!++
        rung = 0
      }
      // 64 bits of the id: two sums over its words that no change of one word leaves alone.
      const id = eventId[i]!
      const a = view.getInt32(id)
      const b = view.getInt32(id + 4)
      const c = view.getInt32(id + 8)
      const d = view.getInt32(id + 12)
      const x = (Math.imul(a, 0x9e3779b1) + Math.imul(b, 0x85ebca77)) | 0
      const y = (Math.imul(c, 0xc2b2ae3d) + Math.imul(d, 0x27d4eb2f)) | 0
      const z = (Math.imul(a, 0x165667b1) + Math.imul(c, 0x7feb352d)) | 0
      const w = (Math.imul(b, 0x846ca68b) + Math.imul(d, 0x2c1b3c6d)) | 0
      let low = x ^ ((y << 15) | (y >>> 17))
      low ^= low >>> 16
      const high = z ^ ((w << 11) | (w >>> 21))
      if (recentIds.has(slot, low, high) || lastingIds.has(slot, low, high)) {
        counters.duplicates++
        continue
      }
      const code = behavior[i]!
      if (code === PURCHASE || code === REGISTER) lastingIds.add(slot, low, high)
      else recentIds.add(slot, low, high)
      const watched = code === PLAY && (has[i]! & HAS_WATCH) !== 0 ? watchMs[i]! : 0
      const completes = code === PLAY && watched * 10 >= durationMs[i]! * 9
      const amount = code === PURCHASE && (has[i]! & HAS_AMOUNT) !== 0 ? amountMinor[i]! : 0
      windows.add(slot, t, clock, code, completes, watched, amount)
      if (all) applyToRest(slot, i, t, code, completes, watched, amount, rung, accepted === 0)
      accepted++
    }
    counters.events += accepted
    if (slot < 0) return
    schedule.arrived(slot, clock)
    if (decayRows) schedule.planDecay(slot, windows.nextLeave(slot))
    markChanged(slot)
    if (all && accepted > 0) {
      kpis.endFlush()
      settle(slot, clock, days.dayOf(clock), false)
    }
    setNextDue()
  }

  function codeOf(name: 'channel' | 'region' | 'app_version', at: number): number {
    return dictionaries[name].codeOf(flush.bytes, stringStart(flush.bytes, at), stringLength(flush.bytes, at))
  }

  function applyToRest(
    slot: number,
    i: number,
    t: number,
    code: number,
    completes: boolean,
    watched: number,
    amount: number,
    rung: number,
    first: boolean,
  ): void {
    // prettier-ignore
    if (first) {
      const channel = codeOf('channel', flush.channel)
      const region = codeOf('region', flush.region)
      const appVersion = codeOf('app_version', flush.appVersion)
      lives.setLast(slot, flush.platform, channel, region, appVersion)
      kpis.beginFlush(slot, clock, flush.platform, channel, region, appVersion, rung)
    }
    const { bytes } = flush
    const categoryAt = flush.category[i]!
    const surfaceAt = flush.surface[i]!
    const category =
      categoryAt < 0 ? -1 : dictionaries.category.codeOf(bytes, stringStart(bytes, categoryAt), stringLength(bytes, categoryAt))
    const surface = surfaceAt < 0 ? -1 : dictionaries.surface.codeOf(bytes, stringStart(bytes, surfaceAt), stringLength(bytes, surfaceAt))
    lives.add(slot, t, days.dayOf(t), code === REGISTER, code === PURCHASE, amount)
    const weight = weightOf[code]!
    if (category >= 0 && weight !== 0) {
      const weighs = weight === 'share_watched' ? Math.min(1, watched / flush.durationMs[i]!) : weight
      if (weighs > 0) tastes.add(slot, category, weighs, t)
    }
    const sessionAt = flush.session[i]!
    if (sessionAt >= 0) sessionHash(bytes, stringStart(bytes, sessionAt), stringLength(bytes, sessionAt), session)
    const counts = kpis.event
    counts.t = t
    counts.behavior = code
    counts.completes = completes
    counts.watchMs = watched
    counts.amountMinor = amount
    counts.category = category
    counts.surface = surface
    counts.publishedAt = (flush.has[i]! & HAS_PUBLISHED) === 0 ? NaN : flush.publishedAt[i]!
    counts.registeredAt = lives.registeredAt(slot)
    counts.hasSession = sessionAt >= 0
    counts.sessionLow = session[0]!
    counts.sessionHigh = session[1]!
    kpis.add()
    sink.accepted(record, flush, i, t, rung)
  }

  return {
    apply,
    /** Clock after the last record, ms; −Infinity before the first. */
    clock: () => clock,
    counters,
    users,
    windows,
    lives,
    tastes,
    kpis,
    days,
    dictionaries,
    rung: (slot: number) => rungs[slot]!,
    /** Users on each rung. Borrowed. */
    usersByRung,
    /** Fires what is due up to an instant, as a tick of that clock would (the benchmark's end). */
    tick: moveClock,
    /** For checkpoints (state.ts). */
    state: {
      get clock() { return clock },
      set clock(at: number) {
        clock = at
        hour = Math.floor(at / hourMs)
        if (all) nextEvaluation = days.nextMonthStart(at)
      },
      users, windows, lives, tastes, schedule, recentIds, lastingIds, kpis,
      decayRows,
      otherCodes: {
        channel: dictionaries.channel.otherCode, region: dictionaries.region.otherCode,
        app_version: dictionaries.app_version.otherCode, category: dictionaries.category.otherCode,
      },
      belongs: (hash) => (hash & 0x7fffffff) % partitionCount === partition,
      rung: (slot) => rungs[slot]!,
      setRung(slot, rung) {
        rungs[slot] = rung
        usersByRung[rung]!++
      },
      clear(slot) {
        usersByRung[rungs[slot]!]!--
        rungs[slot] = 0
        windows.clear(slot)
        lives.clear(slot)
        tastes.clear(slot)
      },
      setNextDue,
      markChanged,
      changed: () => changed.subarray(0, changedCount),
      clearChanged() {
        for (let i = 0; i < changedCount; i++) changedFlags[changed[i]!] = 0
        changedCount = 0
      },
    } satisfies PartitionState as PartitionState, // prettier-ignore
  }
}
