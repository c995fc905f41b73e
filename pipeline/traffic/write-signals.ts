// Puts simulated customer signals into a log: a span of log time at once, or live, second by second.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log, OutRecord } from '../ports/log.ts'
import { moveClock } from '../ticks.ts'
import { signalsOf } from './generator/signals.ts'
import { topicTail } from './topic-tail.ts'

export type WriteSignalsOptions = { seed: number; eventsPerSecond: number; signal?: AbortSignal }

const recordsPerAppend = 2_000

/** Log time from `fromMs`, or from the topic's clock on where that is later, to `untilMs`; then its clock is there. Returns how many. */
export async function writeSignals(
  log: Log,
  topic: string,
  { seed, eventsPerSecond, fromMs, untilMs, signal }: WriteSignalsOptions & { fromMs: number; untilMs: number },
): Promise<number> {
  const { clockMs } = await topicTail(log, topic)
  let written = 0
  let waiting: OutRecord[] = []
  const append = async () => {
    if (waiting.length > 0) await log.append(topic, waiting)
    written += waiting.length
    waiting = []
  }
  const end = Math.floor(untilMs / 1_000)
  for (let second = Math.ceil(Math.max(fromMs, clockMs + 1) / 1_000); second < end && signal?.aborted !== true; second++) {
    waiting.push(...signalsOf(seed, second, eventsPerSecond))
    if (waiting.length >= recordsPerAppend) await append()
  }
  await append()
  if (signal?.aborted !== true && untilMs > clockMs) await moveClock(log, topic, untilMs)
  return written
}

/** Until aborted; the log stamps them. */
export async function liveSignals(
  log: Log,
  topic: string,
  { seed, eventsPerSecond, signal }: WriteSignalsOptions & { signal: AbortSignal },
): Promise<void> {
  let second = Math.floor(Date.now() / 1_000)
  while (!signal.aborted) {
    const now = Math.floor(Date.now() / 1_000)
    // After a stall the time in between is left out.
    for (second = Math.max(second, now - 30); second < now; second++) {
      const records = signalsOf(seed, second, eventsPerSecond)
      if (records.length > 0) await log.append(topic, records)
    }
    await sleep(1_000, undefined, { signal }).catch(() => {})
  }
}
