// The Log port of one simulated process, over the simulated brokers.
import { partitionOf } from '../../operators/hash.ts'
import { ownershipId } from '../adapters/shared/topic-rules.ts'
import { OffsetGone, OwnerLost, type Checkpoint, type Log, type OutRecord, type PartitionReader, type RecordBatch } from '../ports/log.ts'
import type { Chance } from './chance.ts'
import { committedFrom, type Addressed, type LogServer, type StoredRecord } from './log-server.ts'
import type { CallFault, Host, Network, World } from './world.ts'

/** What may happen to a call, drawn for each. */
export type FaultOf = (call: LogCall) => CallFault
export type LogCall = 'append' | 'read' | 'claim' | 'write' | 'commit' | 'progress'

const brokerAway = (why: string) => new Error(`broker: ${why}`)

export function simulatedLog(world: World, server: LogServer, host: Host, network: Network, chance: Chance, faultOf: FaultOf): Log {
  const call = <T>(what: LogCall, effect: () => T) => network.call(host, faultOf(what), effect, brokerAway)

  function address(topic: string, records: readonly OutRecord[]): Addressed[] {
    const count = server.topics.get(topic)!.partitions.length
    return records.map((record) => ({
      topic,
      record,
      partition: record.partition ?? (record.key === null ? 0 : partitionOf(record.key, count)),
    }))
  }

  function batchOf(partition: number, records: readonly StoredRecord[], nextOffset: number, endOffset: number): RecordBatch {
    return {
      partition,
      count: records.length,
      offsets: Float64Array.from(records, ({ offset }) => offset),
      timestampsMs: Float64Array.from(records, ({ timestampMs }) => timestampMs),
      keys: records.map(({ key }) => key),
      values: records.map(({ value }) => value),
      headers: records.map(({ headers }) => headers),
      nextOffset,
      endOffset,
    }
  }

  function open(topic: string, partition: number, from: number): PartitionReader {
    const at = server.partition(topic, partition)
    let next = from

    /** Resolves, in this process, once something may have been added or the time is over. */
    const woken = (ms: number) =>
      new Promise<void>((resolve) => {
        const wake = () => world.after(chance.between(1, 5), () => host.hear(resolve))
        at.wake.add(wake)
        world.after(ms, () => host.hear(resolve))
      })

    return {
      async next(waitMs) {
        const until = world.now() + waitMs
        for (;;) {
          const limit = chance.between(1, 25)
          const batch = await call('read', () => {
            if (next > at.end) throw new OffsetGone(`${topic}/${partition}: offset ${next} is not in the log, which ends at ${at.end}`)
            return committedFrom(server, at, next, limit)
          })
          const left = until - world.now()
          if (batch.records.length > 0 || left <= 0) {
            next = batch.next
            return batchOf(partition, batch.records, next, batch.end)
          }
          await woken(left)
        }
      },
      async close() {},
    }
  }

  const log: Log = {
    async createTopic({ topic, partitions, timestamps, compacted = false }) {
      await call('read', () => server.create(topic, partitions, timestamps, compacted))
    },
    async addPartitions(topic, count) {
      await call('read', () => server.grow(topic, count))
    },
    async describeTopic(topic) {
      return call('read', () => {
        const stored = server.topics.get(topic)
        if (stored === undefined) return undefined
        const { timestamps, compacted, partitions } = stored
        return { topic, timestamps, compacted, partitions: partitions.map(({ end }) => ({ begin: 0, end })) }
      })
    },
    listTopics: () => call('read', () => [...server.topics.keys()].toSorted()),
    async append(topic, records) {
      await call('append', () => server.append(address(topic, records)))
    },
    read: async (topic, partition, fromOffset) => open(topic, partition, fromOffset),
    async join(_group, topic, handlers) {
      const id = chance.uuid()
      await call('read', () => server.join(id, host, server.topics.get(topic)!.partitions.length, handlers))
      return {
        async close() {
          await call('read', () => server.leave(id))
        },
      }
    },
    async claim(claim) {
      const id = ownershipId(claim)
      const ownerId = chance.uuid()
      const epoch = await call('claim', () => server.fence(id))
      const ownOffset = await call('claim', () => server.own(claim, epoch, ownerId))
      let alive = true

      async function transact({ changelog, outbox }: Checkpoint): Promise<void> {
        const records = [
          ...address(
            claim.changelogTopic,
            changelog.map((record) => ({ ...record, partition: claim.partition })),
          ),
          ...outbox.flatMap(({ topic, records: messages }) => address(topic, messages)),
        ]
        if (records.length === 0) return
        const requests = chance.between(1, 4)
        const each = Math.ceil(records.length / requests)
        for (let from = 0; from < records.length; from += each)
          await call('write', () => server.write(id, epoch, records.slice(from, from + each)))
        await call('commit', () => server.commit(id, epoch))
      }

      return {
        ownerId,
        async *restore() {
          const reader = open(claim.changelogTopic, claim.partition, 0)
          for (;;) {
            const batch = await reader.next(1_000)
            const last = batch.count === 0 ? -1 : batch.offsets[batch.count - 1]!
            while (batch.count > 0 && batch.offsets[batch.count - 1]! > ownOffset) batch.count--
            if (batch.count > 0) yield batch
            if (last >= ownOffset || batch.nextOffset > ownOffset) return
          }
        },
        async commit(checkpoint) {
          if (!alive) throw new OwnerLost(`${id}: ${ownerId} is no longer the owner`)
          try {
            await transact(checkpoint)
          } catch (error) {
            alive = false
            throw error
          }
        },
        async reportProgress() {
          if (!alive) throw new OwnerLost(`${id}: ${ownerId} is no longer the owner`)
          await call('progress', () => {})
        },
        async close() {
          alive = false
        },
      }
    },
    async close() {},
  }
  return log
}
