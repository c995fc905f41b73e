// Moves users between the partitions of a changelog: their states, seen ids and marks, as they stand at one clock.
import { murmur2 } from '../../operators/hash.ts'
import { splitMarks } from '../../operators/partition/marks-state.ts'
import { splitIds } from '../../operators/partition/state.ts'
import type { OutRecord, PartitionOwner } from '../ports/log.ts'
import {
  idsRecord,
  marksRecord,
  readChangelog,
  userRecord,
  type ChangelogHead,
  type ExpiringKey,
  type IdsKey,
  type MarksKey,
} from '../roles/process/checkpoint.ts'

/** A transaction of moved users or tombstones holds about so much (bytes). */
const chunkBytes = 8 * 1024 * 1024

export const partitionOfHash = (hash: number, count: number) => (hash & 0x7fffffff) % count

type Holding = { head: ChangelogHead; leaving: Map<string, Uint8Array | null>; ids: Held<IdsKey>[]; marks: Held<MarksKey>[] }
type Held<K extends ExpiringKey> = { at: K; value: Uint8Array }

/** Reads one partition; of its users, the values of those who leave it. Other partitions' users are left alone. */
async function readLeaving(owner: PartitionOwner, partition: number, from: number, to: number): Promise<Holding> {
  const leaving: Holding['leaving'] = new Map()
  const ids = new Map<string, Held<IdsKey>>()
  const marks = new Map<string, Held<MarksKey>>()
  const head = await readChangelog(owner.restore(), {
    user(key, idStart, value) {
      const hash = murmur2(key, idStart, key.length - idStart)
      if (partitionOfHash(hash, from) === partition && partitionOfHash(hash, to) !== partition)
        leaving.set(latin1(key.subarray(idStart)), value === null ? null : new Uint8Array(value))
    },
    ids(at, value) {
      if (value === null) ids.delete(at.key)
      else ids.set(at.key, { at, value: new Uint8Array(value) })
    },
    marks(at, value) {
      if (value === null) marks.delete(at.key)
      else marks.set(at.key, { at, value: new Uint8Array(value) })
    },
  })
  return { head, leaving, ids: [...ids.values()], marks: [...marks.values()] }
}

export type Moved = { head: ChangelogHead; users: number }

/**
 * Copies the users who leave `partition`, where a topic of `from` partitions gets `to`, into their new partitions. What it writes counts for
 * nobody yet: an owner passes over users of other partitions. Done again it writes the same keys, with newer values.
 */
export async function moveLeaving(
  owners: readonly PartitionOwner[],
  partition: number,
  from: number,
  to: number,
  check: (head: ChangelogHead) => void,
): Promise<Moved> {
  const { head, leaving, ids, marks } = await readLeaving(owners[partition]!, partition, from, to)
  check(head)
  const writers = new Map<number, ReturnType<typeof chunkWriter>>()
  const into = (target: number) => {
    let writer = writers.get(target)
    if (writer === undefined) writers.set(target, (writer = chunkWriter(owners[target]!)))
    return writer
  }
  for (const [id, value] of leaving) {
    const bytes = Buffer.from(id, 'latin1')
    await into(partitionOfHash(murmur2(bytes), to)).add({ ...userRecord(bytes, value ?? new Uint8Array()), value })
  }
  const placeOf = (hash: number) => {
    const target = partitionOfHash(hash, to)
    return partitionOfHash(hash, from) === partition && target !== partition ? target : undefined
  }
  for (const { at, value } of ids)
    for (const [target, part] of splitIds(value, placeOf)) {
      const generation = { hour: at.hour, lasting: at.lasting, ids: part }
      await into(target).add(idsRecord(generation, movedName(at, partition, from, to)).record)
    }
  for (const { at, value } of marks)
    for (const [target, part] of splitMarks(value, placeOf)) {
      const generation = { grain: at.grain, hour: at.hour, marks: part }
      await into(target).add(marksRecord(generation, movedName(at, partition, from, to)).record)
    }
  for (const writer of writers.values()) await writer.flush()
  return { head, users: [...leaving.values()].filter((value) => value !== null).length }
}

/** Unlike any other partition's, and the same each time. */
const movedName = ({ key }: ExpiringKey, partition: number, from: number, to: number) =>
  `${from}to${to}-${partition}/${key.split('/').slice(3).join('/')}`

/** Takes away the values of users who do not belong to the partition any more. Their ids and marks expire by themselves. */
export async function forgetLeft(owner: PartitionOwner, partition: number, count: number): Promise<number> {
  const left = new Set<string>()
  await readChangelog(owner.restore(), {
    user(key, idStart, value) {
      if (partitionOfHash(murmur2(key, idStart, key.length - idStart), count) === partition) return
      const id = latin1(key.subarray(idStart))
      if (value === null) left.delete(id)
      else left.add(id)
    },
    ids() {},
    marks() {},
  })
  const writer = chunkWriter(owner)
  for (const id of left) await writer.add({ ...userRecord(Buffer.from(id, 'latin1'), new Uint8Array()), value: null })
  await writer.flush()
  return left.size
}

function chunkWriter(owner: PartitionOwner) {
  let records: OutRecord[] = []
  let bytes = 0
  async function flush(): Promise<void> {
    if (records.length === 0) return
    await owner.commit({ changelog: records, outbox: [] })
    records = []
    bytes = 0
  }
  return {
    async add(record: OutRecord): Promise<void> {
      records.push(record)
      bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
      if (bytes >= chunkBytes) await flush()
    },
    flush,
  }
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
