// What a topic already holds, as far as the simulator must know it to go on: how late it is there, and who has registered.
import { decimal } from '../../operators/partition/headers.ts'
import type { Log } from '../ports/log.ts'
import { firstUserNumber } from './generator/traffic.ts'

export type TopicTail = {
  /** The largest clock of its partitions; -Infinity where it is empty. */
  clockMs: number
  /** How many simulated users have registered, by the largest number in the newest keys (they register in the order of their numbers). */
  registered: number
}

const firstLook = 4_000

/** Reads each partition's newest records; further back where there are only ticks in them. */
export async function topicTail(log: Log, topic: string): Promise<TopicTail> {
  const description = await log.describeTopic(topic)
  const tail: TopicTail = { clockMs: -Infinity, registered: 0 }
  for (const [partition, { begin, end }] of (description?.partitions ?? []).entries()) {
    let to = end
    for (let look = firstLook; to > begin; look *= 4) {
      const from = Math.max(begin, to - look)
      const found = await newestIn(log, topic, partition, from, to, tail)
      to = from
      if (found) break
    }
  }
  return tail
}

/** [from, to) of a partition; whether a registered user was in it. */
async function newestIn(log: Log, topic: string, partition: number, from: number, to: number, tail: TopicTail): Promise<boolean> {
  const reader = await log.read(topic, partition, from)
  let found = false
  try {
    for (let next = from; next < to;) {
      const batch = await reader.next(5_000)
      // Transaction markers at the very end are no records: nothing comes.
      if (batch.count === 0) break
      for (let i = 0; i < batch.count; i++) {
        if (batch.offsets[i]! >= to) break
        const clockAt = decimal(batch.headers[i]?.['clock_at'])
        tail.clockMs = Math.max(
          tail.clockMs,
          batch.timestampsMs[i]!,
          batch.keys[i] === null && !Number.isNaN(clockAt) ? clockAt : -Infinity,
        )
        const number = userNumber(batch.keys[i] ?? null)
        if (number < 0) continue
        found = true
        tail.registered = Math.max(tail.registered, number + 1)
      }
      next = batch.offsets[batch.count - 1]! + 1
    }
  } finally {
    await reader.close()
  }
  return found
}

/** Which registrant a key names; -1: none. */
function userNumber(key: Uint8Array | null): number {
  if (key === null || key.length !== 9 || key[0] !== 0x75) return -1
  const digits = decimal(key.subarray(1))
  return Number.isNaN(digits) || digits < firstUserNumber ? -1 : digits - firstUserNumber
}
