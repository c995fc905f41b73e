// Reading partitions without a group: one fetch at a time per broker, for all readers that have room, one response ahead of them.

import type Cluster from 'kafkajs/src/cluster/index.js'
import { OffsetGone, type PartitionReader } from '../../ports/log.ts'
import { recordColumns } from '../shared/record-columns.ts'
import {
  closeCluster,
  defaultPatienceMs,
  leadersOf,
  mayPass,
  originOf,
  pause,
  persist,
  readUncommitted,
  unlessGone,
  type KafkaClient,
} from './client.ts'
import { decodeRecordSet, type RecordSet } from './record-batches.ts'
import { errorCode, fetchFrom, KafkaRefusal, partitionId, type FetchedPartition, type TopicPartition } from './wire.ts'

/** Larger responses cost no less a message, and a reader's records keep the whole response in memory. */
const maxBytes = 8 * 1024 * 1024
const maxBytesPerPartition = 2 * 1024 * 1024
/** How long a broker may hold a fetch for which it has nothing; also how late a reader that just opened may join in. */
const idleWaitMs = 500
/** While some readers have no room, since one that gets room must not wait behind a fetch for the others. */
const busyWaitMs = 5

export type PartitionEnds = { begin: number; end: number }

export type Fetcher = {
  /** Retries while the cluster is out of reach, for up to `forMs`. */
  ends(topic: string, partitions: readonly number[], forMs?: number): Promise<PartitionEnds[]>
  open(topic: string, partition: number, fromOffset: number): Promise<PartitionReader>
  close(): Promise<void>
}

type Reading = TopicPartition & {
  id: string
  /** Of the next fetch. */
  fetchOffset: number
  endOffset: number
  ready: RecordSet | undefined
  failure: Error | undefined
  /** Node id of the leader; undefined: to be found. */
  leader: number | undefined
  wake: () => void
}

export function fetcher(client: KafkaClient): Fetcher {
  const cluster = client.newCluster()
  const readings = new Map<number, Reading>()
  const loops = new Map<number, { wake: () => void }>()
  let readers = 0
  let locating: Promise<void> | undefined
  let closed = false

  async function ends(
    topic: string,
    partitions: readonly number[],
    forMs = client.options.patienceMs ?? defaultPatienceMs,
  ): Promise<PartitionEnds[]> {
    return persist({ forMs, given: () => closed }, async () => listOffsets(cluster, topic, partitions, await leadersOf(cluster, topic)))
  }

  /** Finds the leaders that are not known and sees that each has a loop, for as long as it takes. */
  function locate(): void {
    locating ??= (async () => {
      for (let attempt = 0; !closed; attempt++) {
        const lost = [...readings.values()].filter(({ leader, failure }) => leader === undefined && !failure)
        if (lost.length === 0) break
        for (const topic of new Set(lost.map((reading) => reading.topic))) {
          const ours = lost.filter((reading) => reading.topic === topic)
          try {
            const leaders = await leadersOf(cluster, topic)
            for (const reading of ours) reading.leader = leaders.get(reading.partition)
          } catch (error) {
            if (attempt === 5) client.warn(`cannot find who leads topic ${topic}, still trying`, { error: originOf(error).message })
            if (!mayPass(error)) for (const reading of ours) fail(reading, error as Error)
          }
        }
        for (const { leader } of lost) if (leader !== undefined) startLoop(leader)
        if (lost.some(({ leader, failure }) => leader === undefined && !failure)) await pause(Math.min(2_000, 50 * 2 ** attempt))
      }
      locating = undefined
    })()
  }

  function fail(reading: Reading, error: Error): void {
    reading.failure = error
    reading.wake()
  }

  function lose(reading: Reading): void {
    reading.leader = undefined
    locate()
  }

  function startLoop(leader: number): void {
    const running = loops.get(leader)
    if (running) {
      running.wake()
      return
    }
    const loop = { wake: () => {} }
    loops.set(leader, loop)
    void fetchLoop(leader, loop).finally(() => {
      loops.delete(leader)
      // A reading may have been given this leader between the loop's last look and its end.
      if ([...readings.values()].some((reading) => reading.leader === leader && !reading.failure) && !closed) startLoop(leader)
    })
  }

  async function fetchLoop(leader: number, loop: { wake: () => void }): Promise<void> {
    let waitMs = idleWaitMs
    let turn = 0
    while (!closed) {
      const mine = [...readings.values()].filter((reading) => reading.leader === leader && !reading.failure)
      if (mine.length === 0) return
      const hungry = mine.filter(({ ready }) => !ready)
      if (hungry.length === 0) {
        await new Promise<void>((resolve) => (loop.wake = resolve))
        // Others of the same response are about to take theirs, and can share the next request.
        await new Promise((resolve) => setImmediate(resolve))
        waitMs = busyWaitMs
        continue
      }
      // A broker reads a partition once a request, so of two readers of one the second waits its turn.
      const asked = new Map<string, Reading>()
      turn++
      for (let i = 0; i < hungry.length; i++) {
        const reading = hungry[(turn + i) % hungry.length] as Reading
        if (!asked.has(reading.id)) asked.set(reading.id, reading)
      }
      if (asked.size === mine.length) waitMs = idleWaitMs
      else waitMs = Math.min(idleWaitMs, Math.max(busyWaitMs, waitMs === idleWaitMs ? busyWaitMs : 2 * waitMs))
      // The broker fills the response from the front, and whoever comes first gets their next batch whole, however large.
      const wanted = [...asked.values()].map(({ topic, partition, fetchOffset }) => ({ topic, partition, offset: fetchOffset }))
      try {
        const broker = await cluster.brokerPool.findBroker({ nodeId: leader })
        const answer = fetchFrom(broker, wanted, { maxWaitMs: waitMs, maxBytes, maxBytesPerPartition })
        for (const fetched of await unlessGone(client, cluster, (hungry[0] as Reading).topic, broker, answer)) {
          const reading = asked.get(partitionId(fetched))
          if (reading) take(reading, fetched)
        }
      } catch (error) {
        if (closed) return
        if (!mayPass(error)) {
          for (const reading of asked.values()) fail(reading, error as Error)
          return
        }
        for (const reading of mine) reading.leader = undefined
        await pause(50)
        locate()
        return
      }
    }
  }

  function take(reading: Reading, { code, endOffset, set }: FetchedPartition): void {
    if (code === errorCode.none) {
      reading.endOffset = endOffset
      if (set.nextOffset === reading.fetchOffset) return // nothing, or not even a whole batch because others came first
      reading.fetchOffset = set.nextOffset
      reading.ready = set
      reading.wake()
      return
    }
    const refusal = new KafkaRefusal(code, reading)
    if (code === errorCode.offsetOutOfRange) {
      // kafkajs would go on at the log's end or start, without a word. What is missing must be seen.
      fail(reading, new OffsetGone(`${reading.id}: offset ${reading.fetchOffset} is no longer, or not yet, in the log`, { cause: refusal }))
    } else if (refusal.retriable) lose(reading)
    else fail(reading, refusal)
  }

  async function open(topic: string, partition: number, fromOffset: number): Promise<PartitionReader> {
    const [range] = (await ends(topic, [partition])) as [PartitionEnds]
    const id = partitionId({ topic, partition })
    if (!(fromOffset >= range.begin && fromOffset <= range.end)) {
      throw new OffsetGone(`${id}: offset ${fromOffset} is outside the log, which has [${range.begin}, ${range.end}]`)
    }
    const key = readers++
    const columns = recordColumns(partition, range.end)
    const reading: Reading = {
      topic,
      partition,
      id,
      fetchOffset: fromOffset,
      endOffset: range.end,
      ready: undefined,
      failure: undefined,
      leader: undefined,
      wake: () => {},
    }
    let next = fromOffset
    let isOpen = true
    readings.set(key, reading)
    locate()

    return {
      async next(waitMs) {
        const until = performance.now() + waitMs
        columns.count = 0
        while (isOpen && !closed) {
          if (reading.ready) {
            const set = reading.ready
            reading.ready = undefined
            // Ask for what follows before these records are worked on.
            if (reading.leader !== undefined) loops.get(reading.leader)?.wake()
            decodeRecordSet(set, next, columns)
            next = set.nextOffset
            if (columns.count > 0) break
            continue
          }
          if (reading.failure) throw reading.failure
          const left = until - performance.now()
          if (left <= 0) break
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, left)
            reading.wake = () => {
              clearTimeout(timer)
              resolve()
            }
          })
        }
        columns.nextOffset = next
        columns.endOffset = Math.max(reading.endOffset, next)
        return columns
      },
      async close() {
        isOpen = false
        readings.delete(key)
        columns.count = 0
        reading.wake()
        if (reading.leader !== undefined) loops.get(reading.leader)?.wake()
      },
    }
  }

  return {
    ends,
    open,
    async close() {
      closed = true
      for (const reading of readings.values()) reading.wake()
      for (const loop of loops.values()) loop.wake()
      await closeCluster(cluster)
    },
  }
}

async function listOffsets(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  leaders: ReadonlyMap<number, number>,
): Promise<PartitionEnds[]> {
  const byLeader = new Map<number, number[]>()
  for (const partition of partitions) {
    const leader = leaders.get(partition)
    if (leader === undefined) throw new KafkaRefusal(5, { topic, partition })
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition])
  }
  const result = new Map<number, PartitionEnds>(partitions.map((partition) => [partition, { begin: 0, end: 0 }]))
  for (const [leader, mine] of byLeader) {
    const broker = await cluster.brokerPool.findBroker({ nodeId: leader })
    for (const [edge, timestamp] of [
      ['begin', -2],
      ['end', -1],
    ] as const) {
      const { responses } = await broker.listOffsets({
        isolationLevel: readUncommitted,
        topics: [{ topic, partitions: mine.map((partition) => ({ partition, timestamp })) }],
      })
      for (const { partitions: found } of responses) {
        for (const { partition, offset } of found) (result.get(partition) as PartitionEnds)[edge] = Number(offset)
      }
    }
  }
  return partitions.map((partition) => result.get(partition) as PartitionEnds)
}
