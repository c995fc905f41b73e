// The two logs that the benchmark reads, on a real broker.
import { kafkaLog } from '../adapters/kafka-log.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { kafkaBackend } from '../testing/kafka-broker.ts'
import type { Sizes } from './bench.ts'
import type { Rig } from './runs.ts'

/** The brokers that are named, or one of our own until `close`. */
export async function brokersFor(named: string | undefined): Promise<{ brokers: string; close(): Promise<void> }> {
  if (named !== undefined) return { brokers: named, close: async () => {} }
  const backend = await kafkaBackend()
  if ('missing' in backend) throw new Error(`the benchmark reads from a real broker: ${backend.missing}, or --brokers`)
  const kafka = await backend.start()
  return { brokers: kafka.brokers, close: () => kafka.stop() }
}

export type BenchLogs = { brokers: string; topics: Sizes; close(): Promise<void> }

/** Of the simulated logs, in log time. */
export const eventsPerSecond = 8_000
/** A simulated flush holds about so many events. */
const eventsPerFlush = 4

/** A topic of that name that is there already is taken as it is: both generators are deterministic. */
export async function prepareLogs(wish: {
  brokers: string | undefined
  flushes: number
  /** A second log of twice as many, for slopes. */
  two?: boolean
  rig: Rig | undefined
  note: (line: string) => void
  /** Of the simulated logs; four where it is not said. */
  partitions?: number
}): Promise<BenchLogs> {
  const { flushes, two = true, rig, note, partitions = 4 } = wish
  const { brokers, close } = await brokersFor(wish.brokers)
  const kind = rig === undefined ? 'simulated' : 'rolling'
  const names = (two ? [flushes, flushes * 2] : [flushes]).map((count) => ({
    topic: `bench-${kind}-${count}${partitions === 4 ? '' : `-${partitions}`}`,
    count,
  }))
  const log = kafkaLog({ brokers: brokers.split(','), clientId: 'reelpulse-bench' })
  try {
    for (const { topic, count } of names) {
      if ((await log.describeTopic(topic)) !== undefined) continue
      note(`writing ${topic}: ${count} flushes`)
      if (rig !== undefined) await rig.generate(brokers, topic, count)
      else
        await writeTraffic(log, topic, {
          seed: 1,
          fromMs: Date.UTC(2026, 9, 31, 15, 59),
          eventsPerSecond,
          partitions,
          rhythm: false,
          events: count * eventsPerFlush,
        })
    }
  } finally {
    await log.close()
  }
  return {
    brokers,
    topics: [names[0]!.topic, names.at(-1)!.topic],
    close,
  }
}
