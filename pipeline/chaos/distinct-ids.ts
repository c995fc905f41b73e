// The distinct event ids that a topic holds, counted without keeping them as text: millions fit.
import { flushReader, OK } from '../../operators/flush/reader.ts'
import type { Log } from '../ports/log.ts'

export type DistinctIds = {
  /** Events of flushes that decode, those sent again included. */
  events: number
  distinct: number
  /** Sum of the first 24 bits of each distinct id: not equal where another id took one's place. */
  sum: number
}

/** Everything that the topic holds now. Two ids that share their first 64 bits count as one. */
export async function distinctIds(log: Log, topic: string): Promise<DistinctIds> {
  const description = (await log.describeTopic(topic))!
  const flushes = flushReader()
  let ids = new BigUint64Array(1 << 20)
  let words = new Uint32Array(ids.buffer)
  let count = 0
  for (const [partition, { begin, end }] of description.partitions.entries()) {
    const reader = await log.read(topic, partition, begin)
    try {
      for (let at = begin; at < end;) {
        const batch = await reader.next(1_000)
        at = batch.nextOffset
        for (let i = 0; i < batch.count; i++) {
          const value = batch.values[i]
          if (value === null || value === undefined || flushes.read(value) !== OK) continue
          const { bytes, events, eventId } = flushes.columns
          for (let e = 0; e < events; e++) {
            if (count === ids.length) {
              const larger = new BigUint64Array(count * 2)
              larger.set(ids)
              ids = larger
              words = new Uint32Array(ids.buffer)
            }
            const from = eventId[e]!
            words[count * 2] = wordAt(bytes, from + 4)
            words[count * 2 + 1] = wordAt(bytes, from)
            count++
          }
        }
      }
    } finally {
      await reader.close()
    }
  }
  const sorted = ids.subarray(0, count).toSorted()
  let distinct = 0
  let sum = 0
  for (let i = 0; i < count; i++) {
    if (i > 0 && sorted[i] === sorted[i - 1]) continue
    distinct++
    sum += Number(sorted[i]! >> 40n)
  }
  return { events: count, distinct, sum }
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

/** The same of table `events`. */
export const storedIdsSql =
  'SELECT sum(copies) AS events, count() AS distinct, sum(intDiv(reinterpretAsUInt32(reverse(unhex(substring(toString(event_id), 1, 8)))), 256)) AS sum ' +
  'FROM (SELECT event_id, count() AS copies FROM events GROUP BY event_id)'
