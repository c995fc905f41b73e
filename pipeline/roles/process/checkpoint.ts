// The form of a partition's changelog: what a checkpoint writes, and how it is read back.
//
//   key                          value
//   log                          log_id (JSON): which log this is; the first record that an owner writes
//   user/<user_id>               the user's state (operators/partition/state.ts)
//   ids/<kind>/<hour>/<offset>/<n>  ids accepted in that hour and first kept at that checkpoint; a tombstone once the hour expired
//   checkpoint                   where to go on (JSON), the last record of its transaction
//
// Owner records (header `reelpulse: owner`) are the log adapter's.
import type { OutRecord, RecordBatch } from '../../ports/log.ts'
import type { IdGeneration } from '../../../operators/partition/state.ts'

export type CheckpointRecord = {
  nextOffset: number
  clock: number
  operatorVersion: number
  partitionCount: number
  /** Nothing was inserted beyond it: another operator version may go on from here. */
  clean: boolean
}

const text = (value: string) => new TextEncoder().encode(value)
const json = (value: unknown) => text(JSON.stringify(value))
const parse = <T>(value: Uint8Array) => JSON.parse(new TextDecoder().decode(value)) as T

const userPrefix = text('user/')

export const logRecord = (logId: string): OutRecord => ({ key: text('log'), value: json({ logId }) })

export const checkpointRecord = (checkpoint: CheckpointRecord): OutRecord => ({ key: text('checkpoint'), value: json(checkpoint) })

export function userRecord(userId: Uint8Array, value: Uint8Array): OutRecord {
  const key = new Uint8Array(userPrefix.length + userId.length)
  key.set(userPrefix)
  key.set(userId, userPrefix.length)
  return { key, value }
}

export type IdsKey = { lasting: boolean; hour: number; key: string }

const idsKey = (lasting: boolean, hour: number, nextOffset: number, n: number) =>
  `ids/${lasting ? 'lasting' : 'recent'}/${hour}/${nextOffset}/${n}`

/** `n`: place of the value among the checkpoint's. */
export function idsRecord(generation: IdGeneration, nextOffset: number, n: number): { record: OutRecord; at: IdsKey } {
  const key = idsKey(generation.lasting, generation.hour, nextOffset, n)
  return { record: { key: text(key), value: generation.ids }, at: { lasting: generation.lasting, hour: generation.hour, key } }
}

export const tombstone = (key: string): OutRecord => ({ key: text(key), value: null })

/** Written by a program that knows more than this one: nothing that is tried again will help. */
export class UnknownChangelog extends Error {
  override name = 'UnknownChangelog'
}

/** What a changelog partition says, up to its end. */
export type Changelog = {
  logId: string | undefined
  checkpoint: CheckpointRecord | undefined
  /** Latest value of each user, by the id's bytes as latin-1 text (a key that loses nothing). */
  users: Map<string, Uint8Array>
  /** Generations of ids still there, in the order of their hours. */
  ids: { at: IdsKey; ids: Uint8Array }[]
}

/** Reads a changelog. Throws UnknownChangelog where a record is none that this program knows. */
export async function readChangelog(batches: AsyncIterable<RecordBatch>, onProgress?: (records: number) => void): Promise<Changelog> {
  const changelog: Changelog = { logId: undefined, checkpoint: undefined, users: new Map(), ids: [] }
  const ids = new Map<string, { at: IdsKey; ids: Uint8Array }>()
  let records = 0
  for await (const batch of batches) {
    for (let i = 0; i < batch.count; i++) {
      const key = batch.keys[i]
      const value = batch.values[i] ?? null
      if (batch.headers[i]?.['reelpulse'] !== undefined || key === null || key === undefined) continue
      const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
      if (name.startsWith('user/')) {
        if (value === null) changelog.users.delete(name.slice(5))
        else changelog.users.set(name.slice(5), value.slice())
      } else if (name.startsWith('ids/')) {
        const [, kind, hour] = name.split('/')
        if (value === null) ids.delete(name)
        else ids.set(name, { at: { lasting: kind === 'lasting', hour: Number(hour), key: name }, ids: value.slice() })
      } else if (name === 'checkpoint' && value !== null) changelog.checkpoint = parse<CheckpointRecord>(value)
      else if (name === 'log' && value !== null) changelog.logId = parse<{ logId: string }>(value).logId
      else if (name !== 'owner')
        throw new UnknownChangelog(
          `changelog record ${batch.offsets[i]} has the unknown key '${name.slice(0, 40)}': was it written by a newer version?`,
        )
    }
    records += batch.count
    onProgress?.(records)
  }
  changelog.ids = [...ids.values()].toSorted((a, b) => a.at.hour - b.at.hour)
  return changelog
}

export const userIdOf = (latin1: string): Uint8Array => Buffer.from(latin1, 'latin1')
