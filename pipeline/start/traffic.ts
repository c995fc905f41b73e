// The three kinds of simulated traffic that `npm start` can bring.
import { signalsTopicOf } from '../config/names.ts'
import type { Log } from '../ports/log.ts'
import { planSimulation } from '../traffic/plan.ts'
import { topicTail } from '../traffic/topic-tail.ts'
import { liveSignals, writeSignals } from '../traffic/write-signals.ts'
import { liveTraffic, writeTraffic } from '../traffic/write-traffic.ts'

export type StartTraffic = {
  readonly title: string
  readonly timestamps: 'append' | 'create'
  /** It brings customer signals too, in a topic beside (signalsTopicOf). */
  readonly signals: boolean
  /** Resolves when it is over, or aborted. */
  run(log: Log, topic: string, signal: AbortSignal): Promise<void>
}

/** As it would come from an app, at a rate, stamped by the log. */
export function live(rate: number, seed: number, flushMs: number): StartTraffic {
  return {
    title: `live traffic, ${rate} events a second`,
    timestamps: 'append',
    signals: true,
    async run(log, topic, signal) {
      await Promise.all([
        liveTraffic(log, topic, { rate, seed, faults, flushMs, signal }),
        liveSignals(log, signalsTopicOf(topic), { eventsPerSecond: rate, seed, signal }),
      ])
    },
  }
}

/** A number of events over the simulator's default span of log time, which ends before today, as fast as they can be written. */
export function drained(events: number, seed: number, nowMs: number, zoneName: string): StartTraffic {
  return {
    title: `${events} simulated events`,
    timestamps: 'create',
    signals: true,
    async run(log, topic, signal) {
      const plan = planSimulation({ events }, nowMs, zoneName)
      if (plan.kind !== 'span') throw new Error('a number of events is a span of log time')
      const { eventsPerSecond, fromMs } = plan
      const written = await writeTraffic(log, topic, {
        seed,
        signal,
        events,
        faults,
        eventsPerSecond,
        fromMs,
      })
      const span = { fromMs: written.fromMs, untilMs: written.reachedMs }
      await writeSignals(log, signalsTopicOf(topic), { seed, eventsPerSecond, signal, ...span })
    },
  }
}

/** Hours of log time before the incident. */
const quietMs = 6 * 3_600_000
const incidentMs = 15 * 60_000
/** Enough plays a minute in the channel for its ratio to mean something. */
const incidentRate = 60
const incidentDrop = 0.5
/** After the quiet hours log time goes on at this many times wall time. */
const speed = 30
/** Broken messages besides the good ones, as a share of these. */
const faults = 0.001

/** Six hours of log time at once; then one channel's completion drops, while log time goes on at thirty times its speed. */
export function incident(channel: string, seed: number, nowMs: number): StartTraffic {
  return {
    title: `6 h of simulated log time, then completion of channel ${channel} drops by half; log time runs at ${speed} times its speed`,
    timestamps: 'create',
    signals: false,
    async run(log, topic, signal) {
      const tail = await topicTail(log, topic)
      const startMs = Math.max(tail.clockMs + 1, Math.floor(nowMs / 60_000) * 60_000 - quietMs)
      const dropAt = startMs + quietMs
      await writeTraffic(log, topic, {
        seed,
        signal,
        eventsPerSecond: incidentRate,
        rhythm: false,
        faults,
        fromMs: startMs,
        spanMs: Number.MAX_SAFE_INTEGER - startMs,
        incidents: () => [{ channel, kpi: 'completion', drop: incidentDrop, fromMs: dropAt, toMs: dropAt + incidentMs }],
        paced: { afterMs: dropAt, speed },
      })
    },
  }
}
