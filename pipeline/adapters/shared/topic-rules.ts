// What both logs hold about topics and their records, so that a record that one takes the other takes too.

import { TopicMismatch, type OutRecord, type TopicDescription, type TopicSpec } from '../../ports/log.ts'

/** Kafka's own default of max.message.bytes. */
export const defaultMaxMessageBytes = 1_048_588

export function checkSpec(spec: TopicSpec): void {
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(spec.topic) || spec.topic === '.' || spec.topic === '..') {
    throw new Error(`topic name ${JSON.stringify(spec.topic)}: want 1 to 249 of a-z A-Z 0-9 . _ -`)
  }
  if (!Number.isInteger(spec.partitions) || spec.partitions < 1) {
    throw new Error(`topic ${spec.topic}: partitions is ${spec.partitions}, want a whole number of at least 1`)
  }
}

/** Retention and message size are an operator's to change; what changes the meaning of the records is not. */
export function refuseMismatch(spec: TopicSpec, found: TopicDescription): void {
  const differences: string[] = []
  const compare = (what: string, wanted: unknown, is: unknown) => {
    if (wanted !== is) differences.push(`${what} is ${String(is)}, want ${String(wanted)}`)
  }
  compare('partitions', spec.partitions, found.partitions.length)
  compare('timestamps', spec.timestamps, found.timestamps)
  compare('compacted', spec.compacted ?? false, found.compacted)
  if (differences.length > 0) throw new TopicMismatch(`topic ${spec.topic} exists, but ${differences.join('; ')}`)
}

/** False where there is nothing to add. Throws where the topic would have to lose partitions, which none can. */
export function mustGrow(topic: string, has: number, count: number): boolean {
  if (has > count) throw new TopicMismatch(`topic ${topic} has ${has} partitions, which is more than ${count}: a topic cannot lose any`)
  return has < count
}

export const recordBytes = (record: OutRecord): number => {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const name in record.headers) bytes += name.length + (record.headers[name]?.length ?? 0)
  return bytes
}

export type TopicRules = Pick<TopicDescription, 'topic' | 'timestamps' | 'compacted'> & { partitions: number; maxMessageBytes: number }

/** Throws before anything is written, so that a batch with one bad record leaves nothing. Returns nothing. */
export function checkRecords(rules: TopicRules, records: readonly OutRecord[]): void {
  const refuse = (index: number, why: string): never => {
    throw new Error(`topic ${rules.topic}, record ${index + 1} of ${records.length}: ${why}`)
  }
  records.forEach((record, index) => {
    if (rules.timestamps === 'create' && !Number.isSafeInteger(record.timestampMs)) {
      refuse(index, `timestampMs is ${record.timestampMs}, but this topic has CreateTime and needs whole milliseconds`)
    }
    if (rules.compacted && record.key === null) refuse(index, 'a compacted topic needs a key')
    if (record.partition !== undefined && !(record.partition >= 0 && record.partition < rules.partitions)) {
      refuse(index, `partition ${record.partition} does not exist, there are ${rules.partitions}`)
    }
    const bytes = recordBytes(record)
    if (bytes > rules.maxMessageBytes) {
      refuse(index, `${bytes} bytes exceed the topic's maximum of ${rules.maxMessageBytes}`)
    }
  })
}

/** The zero byte keeps the key apart from any that a changelog's writer would choose. */
const ownerKey = new TextEncoder().encode('\0owner')

/** What `claim` commits; see PartitionOwner. */
export function ownerRecord(ownerId: string, partition: number): OutRecord {
  const utf8 = new TextEncoder()
  return {
    key: ownerKey,
    value: utf8.encode(JSON.stringify({ owner_id: ownerId })),
    headers: { reelpulse: utf8.encode('owner') },
    partition,
  }
}

export const ownershipId = (claim: { group: string; topic: string; partition: number }): string =>
  `${claim.group}/${claim.topic}/${claim.partition}`
