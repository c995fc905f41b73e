// Brings a partition's state back from its changelog, as a stream: each value goes into the operators as it is read, so that a restore
// takes no more memory than the state itself, and its ids once more.
import { byteWriter, putBytes, room, taken } from '../../../operators/bytes.ts'
import type { KeptState } from '../../../operators/partition/kept-state.ts'
import type { Clock } from '../../ports/clock.ts'
import type { PartitionOwner, RecordBatch } from '../../ports/log.ts'
import { brokenValue, changelogReader, userKey, type ChangelogHead, type ExpiringKey, type IdsKey, type MarksKey } from './checkpoint.ts'

export type Restored = ChangelogHead & {
  /** Keys of the ids and marks that the changelog holds. */
  idKeys: ExpiringKey[]
  users: number
  /** Values of users of other partitions: what an interrupted `repartition` left behind. */
  passedOver: number
}

/** A Buffer's own `slice` copies nothing, and would keep the whole response that it is a part of. */
const copyOf = (bytes: Uint8Array) => new Uint8Array(bytes)

/** Values that wait for a later one of the same user (bytes, those counted that one has replaced). */
const laterLimit = 64 * 1024 * 1024

/**
 * Takes a changelog's batches in their order. Ids are held until the end, by key: their generations go in by the hour, and in a
 * changelog they may stand in any order (a repartition writes old hours behind newer ones), as may the tombstones of any of them.
 */
export function restorer(state: KeptState) {
  const reader = state.reader()
  const ids = new Map<string, { at: IdsKey; value: Uint8Array; offset: number }>()
  const marks = new Map<string, { at: MarksKey; value: Uint8Array; offset: number }>()
  // Who was put already and comes again is likely to come once more: the busy are written at each checkpoint, and compaction is late.
  const later = new Map<number, { value: Uint8Array; offset: number }>()
  let laterBytes = 0
  const kept = byteWriter() // many share a buffer: an allocation for each would cost more
  let passedOver = 0

  function putLater(): void {
    for (const [slot, { value, offset }] of later) {
      state.clear(slot)
      try {
        reader.put(slot, value)
      } catch (error) {
        throw brokenValue(error, offset, userKey(state.users.id(slot)))
      }
    }
    later.clear()
    laterBytes = 0
  }

  const { take, head } = changelogReader({
    ahead: reader.warm,
    user(key, idStart, value, offset) {
      if (value === null) {
        const slot = reader.slotOf(key, idStart)
        if (slot >= 0) reader.remove(slot)
        later.delete(slot)
        return
      }
      const known = state.users.count()
      const slot = reader.slotFor(key, idStart)
      if (slot < 0) {
        passedOver++
        return
      }
      if (slot === known) return reader.put(slot, value)
      room(kept, value.length)
      putBytes(kept, value, 0, value.length)
      later.set(slot, { value: taken(kept), offset })
      laterBytes += value.length
      if (laterBytes > laterLimit) putLater()
    },
    ids(at, value, offset) {
      if (value === null) ids.delete(at.key)
      else ids.set(at.key, { at, value: copyOf(value), offset })
    },
    marks(at, value, offset) {
      if (value === null) marks.delete(at.key)
      else marks.set(at.key, { at, value: copyOf(value), offset })
    },
  })
  let begin = -1
  return {
    take(batch: RecordBatch): void {
      if (batch.count === 0) return
      if (begin < 0) begin = batch.offsets[0]!
      reader.expect(batch.count, (batch.endOffset - begin) / Math.max(1, batch.offsets[0]! - begin))
      take(batch)
    },
    users: () => state.users.count(),
    done(): Restored {
      putLater()
      const { checkpoint } = head
      if (checkpoint === undefined && (state.users.count() > 0 || ids.size > 0 || marks.size > 0))
        throw new RangeError('the changelog holds state and no checkpoint: was a repartition interrupted? Run it again')
      const held = [...ids.values()].toSorted((a, b) => a.at.hour - b.at.hour)
      for (const { at, value, offset } of held) {
        try {
          reader.putIds({ hour: at.hour, lasting: at.lasting, ids: value })
        } catch (error) {
          throw brokenValue(error, offset, at.key)
        }
      }
      if (checkpoint !== undefined) reader.done(checkpoint.clock)
      for (const { at, value, offset } of marks.values()) state.putMarks(at.grain, value, (error) => brokenValue(error, offset, at.key))
      const idKeys = [...held, ...marks.values()].map(({ at }) => at)
      return { ...head, idKeys, users: state.users.count(), passedOver }
    },
  }
}

/** How far a restore is. Offsets that compaction or a marker has left empty count as records that were read. */
export type RestoreProgress = { records: number; ofRecords: number; users: number }

export type RestoreOptions = {
  partition: number
  /** Aborted: throw. */
  abort: AbortSignal
  /** Aborted: return undefined. */
  stop: AbortSignal
  clock: Clock
  report(progress: RestoreProgress): void
  tell(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void
}

/** Time between two lines about a restore that is under way (ms). */
const tellMs = 3_000

/** Restores from all that the owner may see; undefined where it was stopped before the end. */
export async function restorePartition(owner: PartitionOwner, state: KeptState, options: RestoreOptions): Promise<Restored | undefined> {
  const { partition, abort, stop, clock, report, tell } = options
  const into = restorer(state)
  const startedAt = clock.now()
  let toldAt = startedAt
  let begin = -1
  let progress: RestoreProgress = { records: 0, ofRecords: 0, users: 0 }
  for await (const batch of owner.restore()) {
    abort.throwIfAborted()
    if (stop.aborted) return undefined
    if (batch.count > 0) {
      if (begin < 0) begin = batch.offsets[0]!
      into.take(batch)
      progress = progressOf(batch, begin, into.users())
      report(progress)
    }
    if (clock.now() - toldAt < tellMs) continue
    toldAt = clock.now()
    tell('info', 'restoring the state from the changelog', { partition, ...progress })
  }
  abort.throwIfAborted()
  const restored = into.done()
  if (restored.users > 0 || restored.passedOver > 0)
    tell('info', 'the state is restored', {
      partition,
      users: restored.users,
      records: progress.records,
      ...(restored.passedOver > 0 ? { of_other_partitions: restored.passedOver } : {}),
      seconds: Math.round(clock.now() - startedAt) / 1000,
    })
  return restored
}

function progressOf(batch: RecordBatch, begin: number, users: number): RestoreProgress {
  const ofRecords = Math.max(batch.endOffset, batch.nextOffset) - begin
  return { records: Math.min(ofRecords, batch.nextOffset - begin), ofRecords, users }
}
