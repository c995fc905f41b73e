// When a partition's state is kept, and with it the messages that its records made: one transaction each time.
import { operatorVersion, type OperatorSettings } from '../../../operators/settings.ts'
import type { Clock } from '../../ports/clock.ts'
import type { OutRecord, PartitionOwner } from '../../ports/log.ts'
import { checkpointWriter } from './checkpoint.ts'
import { outboxBytes, outboxRecord, type OutboxMessage, type OutboxTopics } from './outbox.ts'
import type { Restored } from './restore.ts'
import type { PartitionWork } from './work.ts'

/** Changed state, or messages waiting, that force a checkpoint (bytes). */
const checkpointBytes = 32 * 1024 * 1024
/** What a changed user's state is taken to weigh before it is written (bytes). */
const userStateBytes = 600
const idBytes = 8
/** What a mark is taken to weigh: a user's id, when, and cells. */
const markBytes = 32

export type CheckpointerOptions = {
  owner: PartitionOwner
  work: PartitionWork
  restored: Restored
  partitionCount: number
  settings: OperatorSettings
  /** Infinity, for benchmarks: never, not even at the end. */
  checkpointMs: number
  clock: Clock
  source: { topic: string; partition: number }
  topics: OutboxTopics
  /** Waits until every block applied so far is inserted; throws where one cannot be, or the partition is no longer ours. */
  inserted(): Promise<void>
}

export type Checkpointer = {
  /** Messages of a block that ended; `idBase` and the place name each, the same in every replay. */
  keep(messages: readonly OutboxMessage[], idBase: string): void
  /** A block ended: there is something to keep. */
  blockEnded(): void
  /** By the clock: something is to be kept, and its time has come. */
  isDue(): boolean
  /** Too much is waiting to wait for its time. */
  isFull(): boolean
  /** At a block's end. `clean`: nothing will be inserted beyond it. */
  checkpoint(nextOffset: number, clean: boolean): Promise<void>
  /** A clean stop has to say so, where the last checkpoint did not or something came after it. */
  needsCleanOne(): boolean
  lastAt(): number
  /** Whether this owner has made one. */
  hasKept(): boolean
  /** Of the messages that wait for the next checkpoint. */
  waitingBytes(): number
}

export function checkpointer(options: CheckpointerOptions): Checkpointer {
  const { owner, work, restored, partitionCount, settings, clock, source, topics } = options
  const recordsOf = checkpointWriter(work.kept, restored.idKeys)
  let outbox: { message: OutboxMessage; id: string }[] = []
  let outboxSize = 0
  let lastAt = clock.now()
  let keptEvents = 0
  let dirty = false
  let kept = false
  let isClean = restored.checkpoint?.clean === true

  return {
    keep(messages, idBase) {
      messages.forEach((message, i) => {
        outbox.push({ message, id: `${idBase}/${i}` })
        outboxSize += outboxBytes(message)
      })
    },
    blockEnded() {
      dirty = true
    },
    isDue: () => dirty && clock.now() - lastAt >= options.checkpointMs,
    isFull() {
      if (options.checkpointMs === Infinity) return false
      const changedBytes =
        work.kept.changed().length * userStateBytes + (work.counters.events - keptEvents) * idBytes + work.kept.newMarks() * markBytes
      return outboxSize >= checkpointBytes || changedBytes >= checkpointBytes
    },
    async checkpoint(nextOffset, clean) {
      await options.inserted()
      const changelog = recordsOf({
        nextOffset,
        clock: work.clock(),
        operatorVersion,
        partitionCount,
        settings,
        clean,
        holes: restored.checkpoint?.holes,
      })
      await owner.commit({ changelog, outbox: byTopic(outbox, topics, source) })
      await owner.reportProgress(nextOffset)
      outbox = []
      outboxSize = 0
      dirty = false
      kept = true
      isClean = clean
      lastAt = clock.now()
      keptEvents = work.counters.events
    },
    needsCleanOne: () => options.checkpointMs !== Infinity && (dirty || (!isClean && work.clock() > -Infinity)),
    lastAt: () => lastAt,
    hasKept: () => kept,
    waitingBytes: () => outboxSize,
  }
}

function byTopic(outbox: { message: OutboxMessage; id: string }[], topics: OutboxTopics, source: CheckpointerOptions['source']) {
  const tierChanges: OutRecord[] = []
  const rejected: OutRecord[] = []
  for (const { message, id } of outbox) (message.kind === 'tier_change' ? tierChanges : rejected).push(outboxRecord(message, id, source))
  return [
    { topic: topics.tierChanges, records: tierChanges },
    { topic: topics.rejected, records: rejected },
  ].flatMap(({ topic, records }) => (topic === undefined || records.length === 0 ? [] : [{ topic, records }]))
}
