// The Log port on Kafka. kafkajs 2.2.4 makes the connections and speaks most of the protocol; only this adapter imports it.

import { partitionOf } from '../../operators/hash.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { ClaimOptions, GroupHandlers, Log, OutRecord, PartitionOwner } from '../ports/log.ts'
import { kafkaClient, type KafkaLogOptions } from './kafka/client.ts'
import { fetcher } from './kafka/fetcher.ts'
import { joinGroup, type GroupMembership } from './kafka/membership.ts'
import { claimPartition } from './kafka/owner.ts'
import { appender, type Addressed } from './kafka/producer.ts'
import { framingBytes, kafkaTopics } from './kafka/topics.ts'
import { checkRecords } from './shared/topic-rules.ts'

export type { KafkaLogOptions } from './kafka/client.ts'

/** Connects with the first call. */
export function kafkaLog(options: KafkaLogOptions): Log {
  const client = kafkaClient(options)
  const reading = fetcher(client)
  const topics = kafkaTopics(client, reading)
  const appending = appender(client)
  const memberships = new Map<string, GroupMembership>()
  const owners = new Set<PartitionOwner>()
  let turn = 0

  /** `into`: the partition of all that do not name one. */
  async function address(topic: string, records: readonly OutRecord[], into?: number): Promise<Addressed[]> {
    if (records.length === 0) return []
    const rules = await topics.rules(topic)
    checkRecords(rules, records)
    const keyless = turn++ % rules.partitions
    const maxBatchBytes = rules.maxMessageBytes + framingBytes
    return records.map((record) => ({
      topic,
      partition: record.partition ?? into ?? (record.key ? partitionOf(record.key, rules.partitions) : keyless),
      record,
      maxBatchBytes,
    }))
  }

  async function join(group: string, topic: string, handlers: GroupHandlers): Promise<GroupMembership> {
    const { partitions } = await topics.rules(topic)
    const membership = await joinGroup(client, { group, topic, partitions, handlers, sessionTimeoutMs: options.sessionTimeoutMs ?? 30_000 })
    const key = `${group}/${topic}`
    memberships.set(key, membership)
    return {
      async close() {
        if (memberships.get(key) === membership) memberships.delete(key)
        await membership.close()
      },
      commitOffset: membership.commitOffset,
    }
  }

  return {
    createTopic: topics.create,
    addPartitions: topics.addPartitions,
    describeTopic: topics.describe,
    listTopics: topics.list,
    describeCluster: topics.describeCluster,

    async append(topic, records) {
      await appending.append(await address(topic, records))
    },

    async read(topic, partition, fromOffset) {
      const { partitions } = await topics.rules(topic)
      if (!(partition >= 0 && partition < partitions)) throw new Error(`topic ${topic} has no partition ${partition}, it has ${partitions}`)
      return reading.open(topic, partition, fromOffset)
    },

    join,

    async claim(claim: ClaimOptions) {
      const claiming = async () => {
        const { partitions } = await topics.rules(claim.topic)
        await topics.create({ topic: claim.changelogTopic, partitions, timestamps: 'append', compacted: true })
        return claimPartition(claim, {
          client,
          fetcher: reading,
          address,
          async reportProgress(nextOffset) {
            // Without membership in a group there is no lag of its to monitor.
            await memberships.get(`${claim.group}/${claim.topic}`)?.commitOffset(claim.partition, nextOffset)
          },
        })
      }
      const owner = await unlessAborted(claim.signal, claiming())
      owners.add(owner)
      const { close } = owner
      owner.close = async () => {
        owners.delete(owner)
        await close()
      }
      return owner
    },

    async close() {
      await Promise.all([...memberships.values()].map((membership) => membership.close()))
      await Promise.all([...owners].map((owner) => owner.close()))
      await appending.close()
      await reading.close()
      await topics.close()
      await client.close()
    },
  }
}
