// All records of a partition, to be written elsewhere: a test's other log of the same history.
import type { Log, OutRecord } from '../ports/log.ts'

/** `offset`: where it lies here. */
export type Copied = OutRecord & { offset: number }

export async function copiedRecords(log: Log, topic: string, partition: number): Promise<Copied[]> {
  const { begin, end } = (await log.describeTopic(topic))!.partitions[partition]!
  const reader = await log.read(topic, partition, begin)
  const copied: Copied[] = []
  try {
    for (let next = begin; next < end;) {
      const batch = await reader.next(1_000)
      if (batch.count === 0) break
      next = batch.nextOffset
      for (let i = 0; i < batch.count; i++)
        copied.push({
          offset: batch.offsets[i]!,
          timestampMs: batch.timestampsMs[i]!,
          key: batch.keys[i]?.slice() ?? null,
          value: batch.values[i]?.slice() ?? null,
          headers: Object.fromEntries(Object.entries(batch.headers[i] ?? {}).map(([name, value]) => [name, value.slice()])),
        })
    }
  } finally {
    await reader.close()
  }
  return copied
}

export const withoutOffset = ({ offset: _, ...record }: Copied): OutRecord => record
