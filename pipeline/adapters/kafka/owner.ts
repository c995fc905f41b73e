// Ownership of a partition over Kafka's transactions: the transactional id fences, the changelog partition remembers.

import { OwnerLost, type Checkpoint, type ClaimOptions, type OutRecord, type PartitionOwner, type RecordBatch } from '../../ports/log.ts'
import { unlessAborted } from '../../unless-aborted.ts'
import { ownerRecord, ownershipId } from '../shared/topic-rules.ts'
import {
  closeCluster,
  coordinator,
  defaultTransactionTimeoutMs,
  isFenced,
  originOf,
  persist,
  rememberedLeaders,
  unlessGone,
  type KafkaClient,
  type Patience,
} from './client.ts'
import type { Fetcher } from './fetcher.ts'
import { initProducer, writeAll, type Addressed } from './producer.ts'
import { partitionId, type TopicPartition } from './wire.ts'

const restoreWaitMs = 500
/** Nothing comes though the own record is still ahead: told after so long, each time. */
const restoreSilenceMs = 10_000
/** The next owner aborts what is left open, so it is not worth more (ms). */
const abortPatienceMs = 1_000

export type OwnerDependencies = {
  client: KafkaClient
  fetcher: Fetcher
  /** Checks records and gives them their partitions; `into`: that of all. */
  address(topic: string, records: readonly OutRecord[], into?: number): Promise<Addressed[]>
  reportProgress(nextOffset: number): Promise<void>
}

/** The changelog topic must exist. */
export async function claimPartition(
  claim: ClaimOptions,
  { client, fetcher, address, reportProgress }: OwnerDependencies,
): Promise<PartitionOwner> {
  const transactionalId = ownershipId(claim)
  const timeoutMs = client.options.transactionTimeoutMs ?? defaultTransactionTimeoutMs
  const cluster = client.newCluster()
  const connected = { client, cluster, leaders: rememberedLeaders(cluster) }
  const ownerId = crypto.randomUUID()
  const changelog = { topic: claim.changelogTopic, partition: claim.partition }
  let alive = true
  const closing = new AbortController()

  const patience = (forMs = timeoutMs): Patience => ({
    forMs,
    given: () => !alive,
    onRetry: (error, attempt) => {
      if (attempt % 10 === 5) client.warn('the changelog cannot be written now, still trying', { transactionalId, error: error.message })
    },
  })
  /** A request to the transaction's coordinator: safe to send again, since it names producer and epoch. */
  const coordinated = (work: (broker: Awaited<ReturnType<typeof coordinator>>) => Promise<void>, forMs = timeoutMs) =>
    persist(patience(forMs), async () => {
      const broker = await coordinator(cluster, 'transaction', transactionalId, changelog.topic)
      await unlessGone(client, cluster, changelog.topic, broker, work(broker))
    })

  const giveUp = () => {
    alive = false
    void closeCluster(cluster).catch(() => {})
  }
  claim.signal?.throwIfAborted()
  claim.signal?.addEventListener('abort', giveUp)

  const fail = async (error: unknown): Promise<never> => {
    alive = false
    await closeCluster(cluster).catch(() => {}) // whatever it says, it is not used again
    if (error instanceof OwnerLost) throw error
    if (isFenced(error)) throw new OwnerLost(`${transactionalId}: a newer owner exists, or the transaction timed out`, { cause: error })
    throw new Error(`${transactionalId}: the transaction failed, its outcome is not known: ${originOf(error).message}`, { cause: error })
  }

  try {
    // This fences every earlier owner, and aborts what it left open.
    const session = await initProducer(cluster, { id: transactionalId, timeoutMs }, claim.changelogTopic, patience())
    const { producerId, producerEpoch } = session

    const transact = async (records: readonly Addressed[]): Promise<Map<string, number>> => {
      const added = new Set<string>()
      const add = async (partitions: TopicPartition[]) => {
        const missing = partitions.filter((partition) => !added.has(partitionId(partition)))
        if (missing.length === 0) return
        const topics = [...Map.groupBy(missing, ({ topic }) => topic)].map(([topic, items]) => ({
          topic,
          partitions: items.map(({ partition }) => partition),
        }))
        await coordinated((broker) => broker.addPartitionsToTxn({ transactionalId, producerId, producerEpoch, topics }))
        for (const partition of missing) added.add(partitionId(partition))
      }
      const end = (commit: boolean, forMs?: number) =>
        coordinated((broker) => broker.endTxn({ transactionalId, producerId, producerEpoch, transactionResult: commit }), forMs)
      let firstOffsets: Map<string, number>
      try {
        firstOffsets = await writeAll(connected, session, transactionalId, records, patience(), add)
      } catch (error) {
        // Readers of the outbox would wait for the next owner or the timeout otherwise; a fenced producer cannot abort, and need not.
        if (alive && added.size > 0 && !isFenced(error)) await end(false, abortPatienceMs).catch(() => {})
        throw error
      }
      await end(true)
      return firstOffsets
    }

    const own = await address(changelog.topic, [ownerRecord(ownerId, changelog.partition)])
    const ownOffset = (await transact(own)).get(partitionId(changelog)) ?? -1
    if (ownOffset < 0) throw new Error('the owner record was written, but not where: claim again')
    claim.signal?.removeEventListener('abort', giveUp)

    return {
      ownerId,
      async *restore(): AsyncGenerator<RecordBatch> {
        const opening = fetcher
          .ends(changelog.topic, [changelog.partition])
          .then(([range]) => fetcher.open(changelog.topic, changelog.partition, range?.begin ?? 0))
        const reader = await unlessAborted(closing.signal, opening).catch((error: unknown) => {
          void opening.then((late) => late.close()).catch(() => {})
          throw error
        })
        let silentMs = 0
        try {
          for (let done = false; !done;) {
            const batch = await reader.next(restoreWaitMs)
            closing.signal.throwIfAborted()
            const count = batch.count
            silentMs = count > 0 ? 0 : silentMs + restoreWaitMs
            if (silentMs > 0 && silentMs % restoreSilenceMs === 0)
              client.warn('the changelog cannot be read now, still trying', { ...changelog, from: batch.nextOffset, to: ownOffset })
            while (batch.count > 0 && (batch.offsets[batch.count - 1] as number) > ownOffset) batch.count--
            done = count > 0 && (batch.count < count || batch.offsets[count - 1] === ownOffset)
            yield batch
          }
        } finally {
          await reader.close()
        }
      },
      async commit({ changelog: state, outbox }: Checkpoint) {
        if (!alive) throw new OwnerLost(`${transactionalId}: ${ownerId} is no longer the owner`)
        try {
          const records = [
            await address(changelog.topic, state, changelog.partition),
            ...(await Promise.all(outbox.map(({ topic, records: messages }) => address(topic, messages)))),
          ].flat()
          if (!alive) throw new OwnerLost(`${transactionalId}: ${ownerId} was closed`)
          if (records.length > 0) await transact(records)
        } catch (error) {
          await fail(error)
        }
      },
      async reportProgress(nextOffset) {
        if (!alive) throw new OwnerLost(`${transactionalId}: ${ownerId} is no longer the owner`)
        await reportProgress(nextOffset)
      },
      async close() {
        closing.abort(new OwnerLost(`${transactionalId}: ${ownerId} was closed`))
        if (!alive) return
        alive = false
        await closeCluster(cluster)
      },
    }
  } catch (error) {
    claim.signal?.removeEventListener('abort', giveUp)
    claim.signal?.throwIfAborted()
    return fail(error)
  }
}
