// The process role: joins the group, and runs an owner for each partition that it is given.
import type { PartitionOptions } from '../../../operators/partition/partition.ts'
import type { OperatorSettings } from '../../../operators/settings.ts'
import type { Clock } from '../../ports/clock.ts'
import { OffsetGone, TopicMismatch, TopicMissing, type Log } from '../../ports/log.ts'
import { StoreRefused, type Store } from '../../ports/store.ts'
import { UnknownChangelog } from './checkpoint.ts'
import type { PartitionLimits, PartitionNames } from './partition-options.ts'
import type { PartitionProgress } from './partition-progress.ts'
import { PartitionStopped, partitionsChanged, runPartition } from './partition-run.ts'
import type { WorkMaker } from './work.ts'
import { partitionStatuses, type PartitionStatus } from './partition-status.ts'

export type ProcessOptions = {
  log: Log
  store: Store
  topic: string
  names: PartitionNames
  settings: OperatorSettings
  blockSpanMs: number
  checkpointMs: number
  resolve: PartitionOptions['resolve']
  /** What is done with the records. Default: behaviour. */
  work?: WorkMaker
  clock: Clock
  /** Makes a log_id. Default: a random UUID. */
  newId?: () => string
  onProgress?: (progress: PartitionProgress) => void
  tell(level: 'info' | 'warn' | 'error', message: string, facts: Readonly<Record<string, unknown>>): void
  limits?: PartitionLimits
  /** For benchmarks: the offset, by partition, up to which each owner processes before it returns (partition-options.ts). */
  drainTo?: readonly number[]
}

export type ProcessRole = {
  /** Finishes every open block, checkpoints, leaves the group. Waits some seconds, not for ever, for a store or brokers that are away. */
  stop(): Promise<void>
  /** Resolves when every partition that is assigned now has returned: all have, where `drainTo` is given. */
  drained(): Promise<void>
  /** Of the partitions that this member has now, in their order. */
  status(): PartitionStatus[]
}

/** Time between two tries to own a partition whose last owner here failed (ms). */
const retryMs = 1_000
/** A failure that is the same each time is told once in so many. */
const toldAgainAfter = 30
/** Time between two looks at the topic's partition count (ms). */
const countLookMs = 30_000
/** A message of the topics that the role writes is at most this large (bytes). */
export const maxMessageBytes = 4 * 1024 * 1024

/** A stop says after so long that it still waits, and after so long more waits no longer (ms). */
const tellAfterMs = 3_000
const stopPatienceMs = 15_000
const unfinished = 'stopped without a last checkpoint'
const doneAgain = 'what is beyond the one before is done again at the next start'

class Stopped extends Error {
  override name = 'Stopped'
}

/** Starts the role. Topics that it writes are created as needed; the input topic must exist. */
export async function startProcess(options: ProcessOptions): Promise<ProcessRole> {
  const { log, topic, names, tell, clock } = options
  const input = await log.describeTopic(topic)
  if (input === undefined)
    throw new TopicMissing(`topic ${topic} does not exist: create it, or run \`reelpulse simulate\` or \`reelpulse import\` first`)
  const partitionCount = input.partitions.length
  const { timestamps } = input
  const tierChanges = names.outbox.tierChanges === undefined ? [] : [names.outbox.tierChanges]
  // `repartition` raises the changelog first and topic tier-changes last: until it is through, one of them has the old count.
  for (const written of [names.changelog, ...tierChanges]) {
    const found = await log.describeTopic(written)
    if (found !== undefined && found.partitions.length !== partitionCount)
      throw new PartitionStopped(partitionsChanged(topic, found.partitions.length, partitionCount))
  }
  const derived = { timestamps, maxMessageBytes } as const
  await log.createTopic({ topic: names.changelog, partitions: partitionCount, timestamps: 'append', compacted: true, maxMessageBytes })
  for (const written of tierChanges) await log.createTopic({ topic: written, partitions: partitionCount, ...derived })
  await log.createTopic({ topic: names.outbox.rejected, partitions: partitionCount, ...derived })

  const running = new Map<number, { abort: AbortController; done: Promise<void> }>()
  const statuses = partitionStatuses(clock)
  const stop = new AbortController()
  /** Its reason: what says that the topic's partitions are others now. */
  const changed = new AbortController()

  function assigned(partition: number): void {
    const before = running.get(partition)
    if (stop.signal.aborted || before?.abort.signal.aborted === false) return
    const abort = new AbortController()
    statuses.tell(partition, 'restoring')
    // Given back while the last run is still on its way out: one owner at a time.
    const done = (before?.done ?? Promise.resolve()).then(() => own(partition, abort.signal))
    const entry: { abort: AbortController; done: Promise<void> } = {
      abort,
      done: done.finally(() => {
        if (running.get(partition) === entry) running.delete(partition)
      }),
    }
    running.set(partition, entry)
  }

  function revoked(partition: number): void {
    running.get(partition)?.abort.abort()
    statuses.forget(partition)
  }

  /** Throws where the topic has other partitions now than the role began with: its users belong elsewhere. */
  async function checkCount(): Promise<void> {
    const count = (await log.describeTopic(topic))?.partitions.length ?? partitionCount
    if (count !== partitionCount) throw new PartitionStopped(partitionsChanged(topic, partitionCount, count))
  }

  /** Now and again, so that a running owner learns of it too. What cannot be asked now is asked again. */
  async function watchCount(): Promise<void> {
    while (!stop.signal.aborted && !changed.signal.aborted) {
      await clock.sleep(countLookMs, stop.signal).catch(() => {})
      if (stop.signal.aborted) return
      await checkCount().catch((error: unknown) => {
        if (error instanceof PartitionStopped) changed.abort(error)
      })
    }
  }

  /** Owns the partition until it is revoked or the role stops. Whatever fails takes the partition's memory with it. */
  async function own(partition: number, abort: AbortSignal): Promise<void> {
    let told = ''
    let untold = 0
    while (!abort.aborted && !stop.signal.aborted) {
      try {
        changed.signal.throwIfAborted()
        await checkCount()
        await runPartition({
          ...options, stop: stop.signal,
          abort: AbortSignal.any([abort, changed.signal]),
          target: { topic, partition, partitionCount, timestamps },
          report(progress) {
            if (!abort.aborted) statuses.report(progress)
            options.onProgress?.(progress)
          },
          drainTo: options.drainTo?.[partition],
        }) // prettier-ignore
        if (options.drainTo !== undefined) return
      } catch (error) {
        if (abort.aborted) break
        const message = error instanceof Error ? error.message : String(error)
        if (stop.signal.aborted && isPassing(error)) {
          if (error !== stop.signal.reason) tell('warn', `${unfinished}, ${doneAgain}`, { partition, error: message })
          break
        }
        if (!isPassing(error)) {
          statuses.tell(partition, 'stopped', message)
          tell('error', 'the partition has stopped, and stays so until the program is started again', { partition, error: message })
          return
        }
        statuses.tell(partition, 'retrying', message)
        // A full disk, say, fails alike every second until somebody makes room.
        untold = message === told ? untold + 1 : 0
        if (untold % toldAgainAfter === 0) tell('warn', 'the partition is taken again, as a new owner', { partition, error: message })
        told = message
        await clock.sleep(retryMs, AbortSignal.any([abort, stop.signal])).catch(() => {})
      }
    }
    if (!abort.aborted) statuses.forget(partition)
  }

  const membership = await log.join(names.group, topic, { assigned, revoked })
  const watching = watchCount()
  return {
    async stop() {
      stop.abort(new Stopped('the role stops'))
      const ended = Promise.all([watching, ...[...running.values()].map(({ done }) => done)]).then(() => true)
      const waited = new AbortController()
      const within = (ms: number) =>
        Promise.race([
          ended,
          clock.sleep(ms, waited.signal).then(
            () => false,
            () => true,
          ),
        ])
      if (!(await within(tellAfterMs))) {
        tell('warn', 'waiting for what is in flight to land', { partitions: [...running.keys()] })
        if (!(await within(stopPatienceMs))) {
          // The store or the brokers are away. Not waited for: a call that is under way ends when the log and the store are closed.
          tell('warn', `${unfinished}, ${doneAgain}`, { partitions: [...running.keys()] })
          for (const { abort } of running.values()) abort.abort(stop.signal.reason)
        }
      }
      waited.abort()
      await membership.close()
    },
    async drained() {
      await Promise.all([...running.values()].map(({ done }) => done))
    },
    status: statuses.all,
  }
}

/**
 * May the next owner have more luck? A broker, a connection, an owner that came after us: yes. What only a person can cure,
 * and our own bugs: no.
 */
function isPassing(error: unknown): boolean {
  const lasting = [
    PartitionStopped,
    UnknownChangelog,
    StoreRefused,
    OffsetGone,
    TopicMismatch,
    TypeError,
    RangeError,
    ReferenceError,
    SyntaxError,
  ]
  return error instanceof Error && !lasting.some((kind) => error instanceof kind)
}
