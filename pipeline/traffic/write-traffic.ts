// Puts simulated traffic into a log: a span of log time as fast as it goes, or live traffic by the wall clock.
import { setTimeout as sleepFor } from 'node:timers/promises'
import type { Log } from '../ports/log.ts'
import { moveClock } from '../ticks.ts'
import { inputTopic } from './input-topic.ts'
import { topicTail } from './topic-tail.ts'
import type { Flush } from './generator/flush.ts'
import { traffic, type Traffic, type TrafficOptions } from './generator/traffic.ts'

export type TrafficProgress = {
  /** Flushes and events appended, and bytes of their values. */
  flushes: number
  events: number
  bytes: number
  /** Of the flushes: sent again, sent late, and messages made wrong besides them. */
  retries: number
  late: number
  faults: number
  /** Users who have ever registered. */
  registered: number
  /** Log time of the start and of what is appended. */
  fromMs: number
  reachedMs: number
}

type Common = Omit<TrafficOptions, 'fromMs' | 'registered' | 'incidents' | 'events'> & {
  /** Of a topic that has to be created. Default 4. */
  partitions?: number
  /** Told the start, because that may follow from what the topic holds. */
  incidents?: (startMs: number) => TrafficOptions['incidents'] & {}
  onProgress?: (progress: TrafficProgress) => void
  /** Aborted: stops after what is under way. */
  signal?: AbortSignal
}

export type WriteTrafficOptions = Common & {
  /** Log time of the start, where the topic is empty or earlier than this; else it goes on at the topic's clock. */
  fromMs: number
  /** Where it is an error for the topic to be later than `fromMs`. */
  exactFrom?: boolean
  /** Ends after exactly so many events … */
  events?: number
  /** … or so much log time; with both, whichever comes first. */
  spanMs?: number
  /** From a log time on, no faster than this many times the wall clock, with the topic's clock moved every second. */
  paced?: { readonly afterMs: number; readonly speed: number }
}

/** The topic's clock is past the wanted start. */
export class TopicIsLater extends Error {
  override name = 'TopicIsLater'
}

const recordsPerAppend = 2_000
const pacedSliceMs = 1_000
/** Live: so few that drawing them takes a few milliseconds. */
const recordsPerSlice = 500
/** At the end the clock is moved past the last flush to a multiple of this, so that the interval that holds it ends. */
const settleMs = 10_000

/**
 * Writes a span of log time with CreateTime timestamps, and at its end a tick on every partition that moves the clock. Started again
 * on the same topic it goes on after the topic's clock, with the same users and other events.
 */
export async function writeTraffic(log: Log, topic: string, options: WriteTrafficOptions): Promise<TrafficProgress> {
  const { partitions = 4, spanMs = Infinity, events, onProgress } = options
  const stopped = () => options.signal?.aborted === true
  if (events === undefined && spanMs === Infinity) throw new Error('writeTraffic needs events, spanMs or both')
  await inputTopic(log, { topic, partitions, timestamps: 'create' })
  const tail = await topicTail(log, topic)
  if (options.exactFrom === true && tail.clockMs >= options.fromMs)
    throw new TopicIsLater(
      `${topic} is at ${new Date(tail.clockMs).toISOString()} already, and time does not go back in a topic: start later than that, or use another topic`,
    )
  const fromMs = Math.max(options.fromMs, tail.clockMs + 1)
  const simulated = traffic({
    ...options,
    fromMs,
    registered: tail.registered,
    incidents: options.incidents?.(fromMs) ?? [],
    ...(events === undefined ? {} : { events }),
  })
  const writer = appender(log, topic, simulated, fromMs, onProgress)
  const untilMs = fromMs + spanMs
  const { paced } = options
  const fastUntilMs = paced === undefined ? untilMs : Math.min(untilMs, paced.afterMs)
  const more = (until: number) => !simulated.done() && simulated.reachedMs() < until && !stopped()
  while (more(fastUntilMs)) await writer.append(simulated.next(fastUntilMs, recordsPerAppend))
  if (paced !== undefined) {
    let dueMs = Date.now()
    for (let sliceEnd = fastUntilMs; more(untilMs);) {
      await moveClock(log, topic, Math.max(sliceEnd, writer.lastMs()))
      dueMs += pacedSliceMs
      await sleepFor(Math.max(0, dueMs - Date.now()))
      sliceEnd = Math.min(untilMs, sliceEnd + pacedSliceMs * paced.speed)
      while (more(sliceEnd)) await writer.append(simulated.next(sliceEnd, recordsPerAppend))
    }
  }

  const endMs = Math.max(stopped() || simulated.done() ? fromMs : untilMs, Math.ceil((writer.lastMs() + 1) / settleMs) * settleMs)
  await moveClock(log, topic, endMs)
  return writer.progress(endMs)
}

export type LiveTrafficOptions = Omit<Common, 'eventsPerSecond' | 'rhythm'> & {
  /** Events per second of wall time. */
  rate: number
  /** The wall clock, in ms, and how to wait. */
  now?: () => number
  sleep?: (ms: number) => Promise<unknown>
}

const sliceMs = 100
/** Time lost in a stall is made up for at this many times the rate … */
const catchUp = 1.5
/** … unless it is more than this: then, as after a laptop's sleep, traffic begins anew. */
const giveUpMs = 30_000

/** Writes at a rate until aborted. Never works for long without letting others run. Creates the topic with LogAppendTime. */
export async function liveTraffic(log: Log, topic: string, options: LiveTrafficOptions): Promise<TrafficProgress> {
  const { partitions = 4, rate, onProgress, now = Date.now, sleep = (ms: number) => sleepFor(ms) } = options
  const stopped = () => options.signal?.aborted === true
  if ((await log.describeTopic(topic)) === undefined) await log.createTopic({ topic, partitions, timestamps: 'append' })
  const tail = await topicTail(log, topic)
  const begin = (fromMs: number, registered: number) =>
    traffic({ ...options, eventsPerSecond: rate, rhythm: false, fromMs, registered, incidents: options.incidents?.(fromMs) ?? [] })

  let wallMs = now()
  let simulatedMs = Math.max(wallMs, tail.clockMs + 1)
  /** How far simulated time is ahead of the wall clock by intent: a topic of the future stays one. */
  const aheadMs = simulatedMs - wallMs
  let simulated = begin(simulatedMs, tail.registered)
  const writer = appender(log, topic, simulated, simulatedMs, onProgress)
  while (!stopped()) {
    const elapsedMs = now() - wallMs
    wallMs += elapsedMs
    const behindMs = wallMs + aheadMs - simulatedMs
    if (behindMs > giveUpMs) {
      simulatedMs += behindMs
      simulated = begin(simulatedMs, simulated.counts().registered)
      writer.follow(simulated)
    } else simulatedMs += Math.max(0, Math.min(behindMs, catchUp * Math.max(sliceMs, Math.min(elapsedMs, 5 * sliceMs))))
    while (simulated.reachedMs() < simulatedMs && !stopped()) {
      await writer.append(simulated.next(simulatedMs, recordsPerSlice))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await sleep(Math.max(0, sliceMs - (now() - wallMs)))
  }
  return writer.progress(simulatedMs)
}

function appender(log: Log, topic: string, first: Traffic, fromMs: number, onProgress?: (progress: TrafficProgress) => void) {
  let simulated = first
  let bytes = 0
  let lastMs = fromMs
  const before = { flushes: 0, events: 0, retries: 0, late: 0, faults: 0 }
  const progress = (reachedMs: number): TrafficProgress => {
    const now = simulated.counts()
    return {
      flushes: before.flushes + now.flushes,
      events: before.events + now.events,
      retries: before.retries + now.retries,
      late: before.late + now.late,
      faults: before.faults + now.faults,
      registered: now.registered,
      bytes,
      fromMs,
      reachedMs,
    }
  }
  return {
    async append(flushes: Flush[]): Promise<void> {
      if (flushes.length === 0) return
      for (const flush of flushes) bytes += flush.value?.length ?? 0
      await log.append(topic, flushes)
      lastMs = flushes.at(-1)!.timestampMs
      onProgress?.(progress(lastMs))
    },
    /** Goes on with another traffic: its counts add to those so far. */
    follow(next: Traffic) {
      const now = simulated.counts()
      for (const key of ['flushes', 'events', 'retries', 'late', 'faults'] as const) before[key] += now[key]
      simulated = next
    },
    lastMs: () => lastMs,
    progress,
  }
}
