// Everything that a topic holds, record by record, as a read_committed reader gets it.
import type { Log } from '../ports/log.ts'
import { textHeaders } from '../text-headers.ts'

export type KeptRecord = {
  partition: number
  offset: number
  timestampMs: number
  key: Uint8Array | null
  value: Uint8Array | null
  headers: Readonly<Record<string, string>>
}

/** A log that gives nothing for so long has lost what it said it has (ms). */
const patienceMs = 60_000

/** Does nothing where the topic does not exist. Throws where the log does not give what it says it has. Key and value are borrowed until the visitor returns. */
export async function readRecords(log: Log, topic: string, visit: (record: KeptRecord) => void): Promise<void> {
  const description = await log.describeTopic(topic)
  for (const [partition, { begin, end }] of (description?.partitions ?? []).entries()) {
    const reader = await log.read(topic, partition, begin)
    try {
      for (let next = begin; next < end;) {
        const batch = await reader.next(patienceMs)
        for (let i = 0; i < batch.count; i++) {
          visit({
            partition,
            offset: batch.offsets[i]!,
            timestampMs: batch.timestampsMs[i]!,
            key: batch.keys[i]!,
            value: batch.values[i]!,
            headers: textHeaders(batch.headers[i]),
          })
        }
        if (batch.nextOffset <= next) throw new Error(`${topic}/${partition}: nothing comes after offset ${next}, of ${end}`)
        next = batch.nextOffset
      }
    } finally {
      await reader.close()
    }
  }
}
