// For tests: all that a topic holds, decoded.
import { naiveDecode } from '../../operators/naive/decode.ts'
import type { BehaviorBatch } from '../../schemas/behavior-batch.ts'
import type { Log } from '../ports/log.ts'
import { textHeaders } from '../text-headers.ts'

export type KeptRecord = {
  partition: number
  offset: number
  timestampMs: number
  key: string | null
  /** Undefined: a tick. */
  batch: BehaviorBatch | undefined
  headers: Record<string, string>
}

/** By partition, in order. */
export async function readTopic(log: Log, topic: string): Promise<KeptRecord[][]> {
  const { partitions } = (await log.describeTopic(topic))!
  return Promise.all(
    partitions.map(async ({ begin, end }, partition) => {
      const reader = await log.read(topic, partition, begin)
      const kept: KeptRecord[] = []
      try {
        while ((kept.at(-1)?.offset ?? begin - 1) + 1 < end) {
          const { count, offsets, timestampsMs, keys, values, headers } = await reader.next(10_000)
          if (count === 0) throw new Error(`${topic}/${partition}: nothing comes after ${kept.length} of ${end - begin} records`)
          for (let i = 0; i < count; i++) {
            const batch = values[i] === null ? undefined : naiveDecode(values[i]!)
            if (typeof batch === 'string') throw new Error(`${topic}/${partition}@${offsets[i]}: ${batch}`)
            const key = keys[i] === null ? null : Buffer.from(keys[i]!).toString()
            kept.push({ partition, offset: offsets[i]!, timestampMs: timestampsMs[i]!, key, batch, headers: textHeaders(headers[i]) })
          }
        }
      } finally {
        await reader.close()
      }
      return kept
    }),
  )
}
