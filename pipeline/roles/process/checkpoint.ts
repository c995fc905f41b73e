// The form of a partition's changelog: what a checkpoint writes, and how it is read back.
//
//   key                          value
//   log                          log_id (JSON): which log this is; the first record that an owner writes
//   user/<user_id>               the user's state (operators/partition/state.ts)
//   ids/<kind>/<hour>/<offset>/<n>  ids accepted in that hour and first kept at that checkpoint; a tombstone once the hour expired.
//                                `repartition` puts `<from>to<to>-<partition>/` before <offset>: where they were moved from
//   marks/<grain>/<hour>/<offset>/<n>  who was newly counted in which KPI cells, first kept at that checkpoint, in the hour of its clock
//                                (operators/partition/marks-state.ts); else as ids
//   checkpoint                   where to go on (JSON), the last record of its transaction
//
// Owner records (header `reelpulse: owner`) are the log adapter's.
import { byteWriter, putBytes, room, taken, type ByteWriter } from '../../../operators/bytes.ts'
import type { OperatorSettings } from '../../../operators/settings.ts'
import type { OutRecord, RecordBatch } from '../../ports/log.ts'
import { lastingHours, recentHours } from '../../../operators/partition/partition.ts'
import type { KeptState } from '../../../operators/partition/kept-state.ts'
import { marksKeptHours, type MarksGeneration } from '../../../operators/partition/marks-state.ts'
import { takeNewIds, type IdGeneration } from '../../../operators/partition/state.ts'
import { together } from '../../../operators/partition/user-finder.ts'
import { grains, type Grain } from '../../../schemas/tables/kpi-deltas.ts'

/** Of the checkpoint record. A newer program adds fields, which this one passes over, and raises it only where that would be wrong. */
const checkpointVersion = 1

export type CheckpointRecord = {
  nextOffset: number
  clock: number
  operatorVersion: number
  partitionCount: number
  /** What the state was made with; undefined: by a program that did not say. */
  settings: OperatorSettings | undefined
  /** Nothing was inserted beyond it: another operator version may go on from here. */
  clean: boolean
  /** What `reelpulse skip` passed over, the newest last; no more than `mostHoles`. Each checkpoint carries it on. */
  holes?: readonly Hole[] | undefined
}

export const mostHoles = 20

/** Offsets [from, to) of the input partition that were given up; `at`: when (ms). */
export type Hole = { from: number; to: number; at: number }

const text = (value: string) => new TextEncoder().encode(value)
const json = (value: unknown) => text(JSON.stringify(value))
const parse = <T>(value: Uint8Array) => JSON.parse(new TextDecoder().decode(value)) as T

const userPrefix = text('user/')

export const logRecord = (logId: string): OutRecord => ({ key: text('log'), value: json({ logId }) })

export const checkpointRecord = (checkpoint: CheckpointRecord): OutRecord => ({
  key: text('checkpoint'),
  value: json({ version: checkpointVersion, ...checkpoint }),
})

/** A user's key, from the id's bytes [start, start + length) of a larger run of them. */
function writeUserKey(keys: ByteWriter, ids: Uint8Array, start: number, length: number): Uint8Array {
  room(keys, userPrefix.length + length)
  putBytes(keys, userPrefix, 0, userPrefix.length)
  putBytes(keys, ids, start, length)
  return taken(keys)
}

/** In a buffer of its own. */
export function userKey(userId: Uint8Array): Uint8Array {
  const key = { bytes: new Uint8Array(userPrefix.length + userId.length), start: 0, at: 0 }
  return writeUserKey(key, userId, 0, userId.length)
}

export const userRecord = (userId: Uint8Array, value: Uint8Array): OutRecord => ({ key: userKey(userId), value })
export const isUserRecord = ({ key }: OutRecord): boolean => key !== null && isUser(key)

export type IdsKey = { lasting: boolean; hour: number; key: string }
export type MarksKey = { grain: Grain; hour: number; key: string }
/** Of what is written once and goes by itself. */
export type ExpiringKey = IdsKey | MarksKey

/** `name`: unlike that of any other value of the hour, and the same in every replay. */
export function idsRecord({ lasting, hour, ids }: IdGeneration, name: string): { record: OutRecord; at: IdsKey } {
  const key = `ids/${lasting ? 'lasting' : 'recent'}/${hour}/${name}`
  return { record: { key: text(key), value: ids }, at: { lasting, hour, key } }
}

export function marksRecord({ grain, hour, marks }: MarksGeneration, name: string): { record: OutRecord; at: MarksKey } {
  const key = `marks/${grain}/${hour}/${name}`
  return { record: { key: text(key), value: marks }, at: { grain, hour, key } }
}

/** An hour after the operators forgot them. */
const isExpired = (at: ExpiringKey, hour: number) =>
  hour - at.hour > ('grain' in at ? marksKeptHours[at.grain] : at.lasting ? lastingHours : recentHours) + 1

/**
 * Makes the records of checkpoints: the users who changed since the last one, the ids accepted since and the marks made since, tombstones
 * for those that have expired, and the checkpoint record last. `kept`: keys of the ids and marks that are in the changelog already.
 */
export function checkpointWriter(state: KeptState, kept: readonly ExpiringKey[]): (checkpoint: CheckpointRecord) => OutRecord[] {
  const userKeys = byteWriter()
  const { users } = state
  const keyOf = (slot: number) => writeUserKey(userKeys, users.ids(), users.idStart(slot), users.idLength(slot))
  let keys: ExpiringKey[] = [...kept]
  return (checkpoint) => {
    const records: OutRecord[] = []
    // In the order of their slots, what is kept of one lies close to what is kept of the next.
    for (const slot of state.changed().toSorted()) records.push({ key: keyOf(slot), value: state.writeUser(slot) })
    state.clearChanged()
    for (const [n, generation] of takeNewIds(state).entries()) {
      const { record, at } = idsRecord(generation, `${checkpoint.nextOffset}/${n}`)
      records.push(record)
      keys.push(at)
    }
    for (const [n, generation] of state.takeMarks().entries()) {
      const { record, at } = marksRecord(generation, `${checkpoint.nextOffset}/${n}`)
      records.push(record)
      keys.push(at)
    }
    const hour = Math.floor(checkpoint.clock / 3_600_000)
    for (const at of keys) if (isExpired(at, hour)) records.push(tombstone(at.key))
    keys = keys.filter((at) => !isExpired(at, hour))
    records.push(checkpointRecord(checkpoint))
    return records
  }
}

export const tombstone = (key: string): OutRecord => ({ key: text(key), value: null })

/** Written by a program that knows more than this one: nothing that is tried again will help. */
export class UnknownChangelog extends Error {
  override name = 'UnknownChangelog'
}

/** What the values of a changelog are handed to, in the order of the log. Keys and values are borrowed; null is a tombstone. */
export type ChangelogHandlers = {
  /** Keys that come next, users' mostly: their ids are what follows `idStart`. */
  ahead?(keys: readonly (Uint8Array | null)[], from: number, count: number, idStart: number): void
  /** The user's id is the rest of the key from `idStart`. */
  user(key: Uint8Array, idStart: number, value: Uint8Array | null, offset: number): void
  ids(at: IdsKey, value: Uint8Array | null, offset: number): void
  marks(at: MarksKey, value: Uint8Array | null, offset: number): void
}

/** What a changelog says besides its values, up to what was read. */
export type ChangelogHead = {
  logId: string | undefined
  /** The last one: what was read is as it was then. */
  checkpoint: CheckpointRecord | undefined
}

/**
 * Reads a changelog batch by batch and keeps nothing but its head. Only whole transactions are delivered, and each is one checkpoint,
 * so the values that came are those of the last checkpoint. Throws UnknownChangelog where a record is none that this program knows,
 * and a RangeError, which says the offset, where a handler does.
 */
export function changelogReader(handlers: ChangelogHandlers): { take(batch: RecordBatch): void; head: ChangelogHead } {
  const head: ChangelogHead = { logId: undefined, checkpoint: undefined }

  function takeNamed(name: string, value: Uint8Array | null, offset: number): void {
    const [first, kind, hour] = name.split('/')
    if (first === 'ids' && (kind === 'recent' || kind === 'lasting') && Number.isInteger(Number(hour)))
      return handlers.ids({ lasting: kind === 'lasting', hour: Number(hour), key: name }, value, offset)
    const grain = grains.find((one) => one === kind)
    if (first === 'marks' && grain !== undefined && Number.isInteger(Number(hour)))
      return handlers.marks({ grain, hour: Number(hour), key: name }, value, offset)
    if (name === 'checkpoint' && value !== null) head.checkpoint = checkpointOf(value, offset)
    else if (name === 'log' && value !== null) head.logId = parse<{ logId: string }>(value).logId
    else
      throw new UnknownChangelog(
        `changelog offset ${offset} has the unknown key '${name.slice(0, 40)}': was it written by a newer version?`,
      )
  }

  return {
    head,
    take(batch) {
      for (let i = 0; i < batch.count; i++) {
        if (i % together === 0) handlers.ahead?.(batch.keys, i, Math.min(together, batch.count - i), userPrefix.length)
        const key = batch.keys[i] ?? null
        if (batch.headers[i]?.['reelpulse'] !== undefined || key === null) continue
        const value = batch.values[i] ?? null
        const offset = batch.offsets[i]!
        try {
          if (isUser(key)) handlers.user(key, userPrefix.length, value, offset)
          else takeNamed(latin1(key), value, offset)
        } catch (error) {
          throw brokenValue(error, offset, key)
        }
      }
    },
  }
}

const ignored: ChangelogHandlers = { user() {}, ids() {}, marks() {} }

function checkpointOf(value: Uint8Array, offset: number): CheckpointRecord {
  const found = parse<Partial<CheckpointRecord> & { version?: number }>(value)
  const { version = 1, nextOffset, clock, partitionCount, operatorVersion = 1, settings, clean = false, holes } = found
  if (version > checkpointVersion)
    throw new UnknownChangelog(
      `changelog offset ${offset} has a checkpoint of version ${version}; this program knows ${checkpointVersion}: run the version that wrote it, or a newer one`,
    )
  if (nextOffset === undefined || clock === undefined || partitionCount === undefined)
    throw new UnknownChangelog(
      `changelog offset ${offset} has a checkpoint that does not say where to go on: was it written by a newer version?`,
    )
  return { nextOffset, clock, operatorVersion, partitionCount, settings, clean, ...(holes === undefined ? {} : { holes }) }
}

/** What is wrong with a value, and where it stands; any other error is as it was. */
export function brokenValue(error: unknown, offset: number, key: Uint8Array | string): unknown {
  if (!(error instanceof RangeError)) return error
  const name = typeof key === 'string' ? key : new TextDecoder().decode(key)
  return new RangeError(`the value of '${name}' at changelog offset ${offset}: ${error.message}`, { cause: error })
}

/** Reads a whole changelog; what it says besides its values. */
export async function readChangelog(batches: AsyncIterable<RecordBatch>, handlers = ignored): Promise<ChangelogHead> {
  const { take, head } = changelogReader(handlers)
  for await (const batch of batches) take(batch)
  return head
}

function isUser(key: Uint8Array): boolean {
  for (let i = 0; i < userPrefix.length; i++) if (key[i] !== userPrefix[i]) return false
  return true
}

/** Loses no byte, whatever they are. */
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
