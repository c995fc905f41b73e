// Writing with idempotence and transactions. kafkajs's producer is not used: of two sends under way it can lose one and write the
// other twice when a connection breaks between them, and it forgets what it knows of a transaction once it has failed.

import type Cluster from 'kafkajs/src/cluster/index.js'
import type { OutRecord } from '../../ports/log.ts'
import { recordBytes } from '../shared/topic-rules.ts'
import {
  closeCluster,
  coordinator,
  leadersOf,
  persist,
  rememberedLeaders,
  unlessGone,
  type KafkaClient,
  type Leaders,
  type Patience,
} from './client.ts'
import { encodeBatch, recordOverheadBytes } from './record-batches.ts'
import { errorCode, KafkaRefusal, partitionId, produceTo, type PartitionBatch, type TopicPartition } from './wire.ts'

/** A record with its partition chosen and the size that a batch of its topic may have. */
export type Addressed = TopicPartition & { record: OutRecord; maxBatchBytes: number }

export type ProducerSession = {
  producerId: number
  producerEpoch: number
  /** By partition, of the next batch. */
  sequences: Map<string, number>
}

/** Of one request: large enough that a round trip does not matter, small enough to be sent again. */
const maxRequestBytes = 8_000_000

/** Kafka's batch header, and room for what its own limit counts besides. */
const batchOverheadBytes = 128

export async function initProducer(
  cluster: Cluster,
  transactional: { id: string; timeoutMs: number } | undefined,
  topic: string,
  patience: Patience,
): Promise<ProducerSession> {
  return persist(patience, async () => {
    const id = transactional?.id
    // Any broker hands out an id to a producer without transactions.
    const broker = id === undefined ? await anyBroker(cluster, topic) : await coordinator(cluster, 'transaction', id, topic)
    const { producerId, producerEpoch } = await broker.initProducerId({
      transactionalId: id,
      transactionTimeout: transactional?.timeoutMs ?? 60_000,
    })
    return { producerId: Number(producerId), producerEpoch, sequences: new Map<string, number>() }
  })
}

async function anyBroker(cluster: Cluster, topic: string) {
  await leadersOf(cluster, topic)
  return cluster.brokerPool.findConnectedBroker()
}

export type Connected = { client: KafkaClient; cluster: Cluster; leaders: Leaders }

type Pending = TopicPartition & { id: string; records: OutRecord[]; bytes: number; sequence: number; batch: Buffer }

/**
 * Writes records of a session, in requests of whole batches. After an error nothing is known of the records not yet acknowledged and the
 * session must not be used again. `beforeRequest` is told the partitions that a request writes to.
 */
export async function writeAll(
  { client, cluster, leaders }: Connected,
  session: ProducerSession,
  transactionalId: string | null,
  records: readonly Addressed[],
  patience: Patience,
  beforeRequest: (partitions: TopicPartition[]) => Promise<void> = async () => {},
): Promise<Map<string, number>> {
  const firstOffsets = new Map<string, number>()
  for (let from = 0; from < records.length;) {
    const [pending, to] = nextRequest(records, from)
    from = to
    const nowMs = Date.now()
    for (const item of pending) {
      item.sequence = session.sequences.get(item.id) ?? 0
      const { producerId, producerEpoch } = session
      item.batch = encodeBatch(
        item.records,
        { producerId, producerEpoch, firstSequence: item.sequence, transactional: transactionalId !== null },
        nowMs,
      )
    }
    await beforeRequest(pending)
    let left = pending
    // The same bytes under the same sequence numbers until they are acknowledged: the broker takes them once.
    await persist(patience, async () => {
      const failures: KafkaRefusal[] = []
      const requests = await byLeader(cluster, leaders, left)
      const answers = await Promise.allSettled(
        requests.map(([broker, batches]) =>
          unlessGone(client, cluster, (left[0] as Pending).topic, broker, produceTo(broker, transactionalId, batches)),
        ),
      )
      const done = new Set<string>()
      for (const answer of answers) {
        if (answer.status === 'rejected') continue
        for (const { topic, partition, code, baseOffset } of answer.value) {
          const id = partitionId({ topic, partition })
          if (code === errorCode.none || code === errorCode.duplicateSequence) {
            done.add(id)
            if (!firstOffsets.has(id)) firstOffsets.set(id, code === errorCode.none ? baseOffset : -1)
          } else failures.push(new KafkaRefusal(code, { topic, partition }))
        }
      }
      left = left.filter(({ id }) => !done.has(id))
      if (left.length === 0) return
      leaders.forget()
      const final = failures.find(({ retriable }) => !retriable)
      if (final) throw final
      throw answers.find((answer) => answer.status === 'rejected')?.reason ?? failures[0] ?? new KafkaRefusal(13, left[0] as Pending)
    })
    for (const { id, sequence, records: written } of pending) session.sequences.set(id, nextSequence(sequence, written.length))
  }
  return firstOffsets
}

/** Int32 that goes round to 0, as org.apache.kafka's DefaultRecordBatch.incrementSequence. */
const nextSequence = (sequence: number, count: number): number => (sequence + count) % 2_147_483_648

/** The records from `from` on that fit into one request: one batch a partition, and none overtakes another of its partition. */
function nextRequest(records: readonly Addressed[], from: number): [Pending[], number] {
  const pending = new Map<string, Pending>()
  let bytes = 0
  let to = from
  let batch: Pending | undefined
  for (; to < records.length; to++) {
    const { topic, partition, record, maxBatchBytes } = records[to] as Addressed
    const size = recordBytes(record) + recordOverheadBytes
    // A checkpoint's records are all of one partition: no name is made for each.
    if (batch?.partition !== partition || batch.topic !== topic) batch = pending.get(partitionId({ topic, partition }))
    if (to > from && bytes + size > maxRequestBytes) break
    if (batch && batch.bytes + size > maxBatchBytes - batchOverheadBytes) break
    bytes += size
    if (batch) {
      batch.records.push(record)
      batch.bytes += size
    } else {
      const id = partitionId({ topic, partition })
      batch = { topic, partition, id, records: [record], bytes: size, sequence: 0, batch: Buffer.alloc(0) }
      pending.set(id, batch)
    }
  }
  return [[...pending.values()], to]
}

async function byLeader(cluster: Cluster, leaders: Leaders, pending: readonly Pending[]) {
  const groups = new Map<number, PartitionBatch[]>()
  for (const { topic, partition, batch } of pending) {
    const leader = (await leaders.of(topic)).get(partition)
    if (leader === undefined || leader < 0) {
      leaders.forget()
      throw new KafkaRefusal(5, { topic, partition })
    }
    const group = groups.get(leader)
    if (group) group.push({ topic, partition, batch })
    else groups.set(leader, [{ topic, partition, batch }])
  }
  try {
    return await Promise.all(
      [...groups].map(async ([nodeId, batches]) => [await cluster.brokerPool.findBroker({ nodeId }), batches] as const),
    )
  } catch (error) {
    leaders.forget()
    throw error
  }
}

export type Appender = {
  append(records: readonly Addressed[]): Promise<void>
  close(): Promise<void>
}

/** As long as Kafka's Java client tries. */
const deliveryTimeoutMs = 120_000

/** Appends without transactions. One request is under way at a time; what waits meanwhile goes with the next. */
export function appender(client: KafkaClient): Appender {
  const cluster = client.newCluster()
  const connected = { client, cluster, leaders: rememberedLeaders(cluster) }
  const queue: { records: readonly Addressed[]; resolve: () => void; reject: (error: Error) => void }[] = []
  let session: ProducerSession | undefined
  let working: Promise<void> | undefined
  let closing = false
  let closed = false

  async function work(): Promise<void> {
    while (queue.length > 0) {
      const topic = queue[0]?.records[0]?.topic
      const calls: typeof queue = []
      for (let bytes = 0; queue[0] && queue[0].records[0]?.topic === topic && (calls.length === 0 || bytes < maxRequestBytes);) {
        const call = queue.shift() as (typeof queue)[number]
        for (const { record } of call.records) bytes += recordBytes(record)
        calls.push(call)
      }
      const patience: Patience = {
        forMs: deliveryTimeoutMs,
        given: () => closed,
        onRetry: (error, attempt) => {
          if (attempt === 5) client.warn(`cannot append to ${topic}, still trying`, { error: error.message })
        },
      }
      try {
        session ??= await initProducer(cluster, undefined, topic as string, patience)
        const all = calls.flatMap(({ records }) => records)
        await writeAll(connected, session, null, all, patience)
        for (const { resolve } of calls) resolve()
      } catch (error) {
        session = undefined
        for (const { reject } of calls) {
          const message = `appending to ${topic} failed, whether its records were written is not known: ${(error as Error).message}`
          reject(new Error(message, { cause: error }))
        }
      }
    }
    working = undefined
  }

  return {
    append: (records) =>
      new Promise((resolve, reject) => {
        if (closing) {
          reject(new Error('the Kafka log is closed'))
          return
        }
        if (records.length === 0) {
          resolve()
          return
        }
        queue.push({ records, resolve, reject })
        working ??= Promise.resolve().then(work)
      }),
    async close() {
      closing = true
      // What was accepted is written if it can be; a cluster that is away is not waited for.
      if (working) await Promise.race([working, new Promise((resolve) => setTimeout(resolve, 10_000).unref())])
      closed = true
      await closeCluster(cluster)
    },
  }
}
