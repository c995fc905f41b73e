// Topics of a Kafka cluster: created as specified, and what a writer must know of them.

import kafkajs, { type Admin } from 'kafkajs'
import type { PartitionMetadata } from 'kafkajs/src/cluster/index.js'
import type { ClusterDescription, TopicDescription, TopicSpec } from '../../ports/log.ts'
import { checkSpec, defaultMaxMessageBytes, mustGrow, refuseMismatch, type TopicRules } from '../shared/topic-rules.ts'
import {
  closeCluster,
  defaultPatienceMs,
  defaultTransactionTimeoutMs,
  originOf,
  partitionsOf,
  persist,
  type KafkaClient,
  type Patience,
} from './client.ts'
import type { Fetcher } from './fetcher.ts'

/** A topic's limit counts a batch's framing as well; the port's counts a record's key, value and headers. */
export const framingBytes = 512
const rulesKeptMs = 60_000

export type Topics = {
  create(spec: TopicSpec): Promise<void>
  addPartitions(topic: string, count: number): Promise<void>
  describe(topic: string): Promise<TopicDescription | undefined>
  list(): Promise<string[]>
  describeCluster(): Promise<ClusterDescription>
  /** As `describe` told last, or up to a minute old. Throws where the topic does not exist. */
  rules(topic: string): Promise<TopicRules>
  close(): Promise<void>
}

type Found = Omit<TopicDescription, 'partitions'> & TopicRules

const topicConfigs = [
  'cleanup.policy',
  'message.timestamp.type',
  'max.message.bytes',
  'retention.ms',
  'retention.bytes',
  'min.insync.replicas',
  'unclean.leader.election.enable',
]
const maxTransactionTimeout = 'transaction.max.timeout.ms'

export function kafkaTopics(client: KafkaClient, fetcher: Fetcher): Topics {
  const cluster = client.newCluster()
  let connecting: Promise<Admin> | undefined
  const known = new Map<string, { rules: TopicRules; until: number }>()
  let closed = false

  const patience: Patience = {
    forMs: client.options.patienceMs ?? defaultPatienceMs,
    given: () => closed,
    // Soon, and then now and again: a wrong address shows long before patience ends.
    onRetry: (error, attempt) => {
      if (attempt % 6 === 3)
        client.warn('still waiting for the brokers', { brokers: client.options.brokers, attempt, error: error.message })
    },
  }

  const admin = (): Promise<Admin> => {
    connecting ??= (async () => {
      const made = client.admin()
      await made.connect()
      return made
    })()
    connecting.catch(() => (connecting = undefined))
    return connecting
  }

  async function configsOf(type: kafkajs.ConfigResourceTypes, name: string, configNames: readonly string[]): Promise<Map<string, string>> {
    const resources = [{ type, name, configNames: [...configNames] }]
    const described = await (await admin()).describeConfigs({ resources, includeSynonyms: false })
    return new Map(described.resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]))
  }

  async function find(topic: string): Promise<Found | undefined> {
    return persist(patience, async () => {
      let kept: PartitionMetadata[]
      try {
        kept = await partitionsOf(cluster, topic)
        // A broker may know a new topic before it knows its partitions.
        if (kept.length === 0) throw new NotYet(`topic ${topic} is not known in whole yet`)
      } catch (error) {
        if (originOf(error).type === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined
        throw error
      }
      const configs = await configsOf(kafkajs.ConfigResourceTypes.TOPIC, topic, topicConfigs)
      const cleanup = configs.get('cleanup.policy') ?? 'delete'
      const limit = (name: string): number | undefined => {
        const value = Number(configs.get(name) ?? -1)
        return cleanup.includes('delete') && value >= 0 ? value : undefined
      }
      const retentionMs = limit('retention.ms')
      const retentionBytes = limit('retention.bytes')
      return {
        topic,
        partitions: kept.length,
        timestamps: configs.get('message.timestamp.type') === 'LogAppendTime' ? 'append' : 'create',
        compacted: cleanup.includes('compact'),
        maxMessageBytes: Number(configs.get('max.message.bytes') ?? defaultMaxMessageBytes) - framingBytes,
        ...(retentionMs === undefined ? {} : { retentionMs }),
        ...(retentionBytes === undefined ? {} : { retentionBytes }),
        replication: {
          replicas: Math.min(...kept.map(({ replicas }) => replicas.length)),
          inSync: Math.min(...kept.map(({ isr }) => isr.length)),
          minInSync: Number(configs.get('min.insync.replicas') ?? 1),
          uncleanElection: configs.get('unclean.leader.election.enable') === 'true',
        },
      }
    })
  }

  async function describe(topic: string): Promise<TopicDescription | undefined> {
    const found = await find(topic)
    if (!found) return undefined
    known.set(topic, { rules: found, until: performance.now() + rulesKeptMs })
    const partitions = await fetcher.ends(
      topic,
      Array.from({ length: found.partitions }, (_, partition) => partition),
    )
    return { ...found, partitions }
  }

  return {
    describe,

    async create(spec) {
      checkSpec(spec)
      const existing = await describe(spec.topic)
      if (existing) return refuseMismatch(spec, existing)
      await persist(patience, async () => {
        await (
          await admin()
        ).createTopics({
          waitForLeaders: true,
          topics: [
            {
              topic: spec.topic,
              numPartitions: spec.partitions,
              replicationFactor: client.options.replicationFactor ?? -1,
              configEntries: configOf(spec),
            },
          ],
        })
      })
      // Brokers learn of a topic one after another; and someone else may have been quicker to create it.
      const made = await persist(patience, async () => {
        const found = await describe(spec.topic)
        if (!found) throw new NotYet(`topic ${spec.topic} was created, but is not known to every broker`)
        return found
      })
      refuseMismatch(spec, made)
    },

    async addPartitions(topic, count) {
      const has = (await describe(topic))?.partitions.length
      if (has === undefined) throw new Error(`topic ${topic} does not exist on ${client.options.brokers.join(',')}: create it first`)
      if (!mustGrow(topic, has, count)) return
      await persist(patience, async () => {
        // Asked again after an answer that was lost, the brokers would refuse.
        if (((await describe(topic))?.partitions.length ?? 0) >= count) return
        await (await admin()).createPartitions({ topicPartitions: [{ topic, count }] })
      })
      await persist(patience, async () => {
        if (((await describe(topic))?.partitions.length ?? 0) < count)
          throw new NotYet(`not every broker knows of ${topic}'s new partitions`)
      })
    },

    async list() {
      const names = await (await admin()).listTopics()
      return names.filter((name) => !name.startsWith('__')).toSorted()
    },

    async describeCluster() {
      return persist(patience, async () => {
        const { brokers } = await (await admin()).describeCluster()
        const configs = await configsOf(kafkajs.ConfigResourceTypes.BROKER, String(brokers[0]?.nodeId), [maxTransactionTimeout])
        const found = configs.get(maxTransactionTimeout)
        return {
          brokers: brokers.length,
          maxTransactionTimeoutMs: found === undefined ? undefined : Number(found),
          transactionTimeoutMs: client.options.transactionTimeoutMs ?? defaultTransactionTimeoutMs,
        }
      })
    },

    async rules(topic) {
      const found = known.get(topic)
      if (found && found.until > performance.now()) return found.rules
      const rules = await find(topic)
      if (!rules) throw new Error(`topic ${topic} does not exist on ${client.options.brokers.join(',')}: create it first`)
      known.set(topic, { rules, until: performance.now() + rulesKeptMs })
      return rules
    },

    async close() {
      closed = true
      await closeCluster(cluster)
      await (await connecting?.catch(() => undefined))?.disconnect()
    },
  }
}

class NotYet extends Error {
  override name = 'NotYet'
  readonly type = 'NOT_YET'
  readonly retriable = true
}

/**
 * Kafka compacts no segment that is still written to, and by default that is a gigabyte or a week: a restart would read all of it. A
 * tombstone stays for a day, so that whoever began to read before it was written still meets it.
 */
const compaction = {
  'segment.bytes': String(128 * 1024 * 1024),
  'segment.ms': '3600000',
  'min.cleanable.dirty.ratio': '0.3',
  'max.compaction.lag.ms': '86400000',
  'delete.retention.ms': '86400000',
}

/** Kafka 4 refuses CreateTime timestamps more than an hour ahead, and deletes those longer past than its default retention. */
function configOf(spec: TopicSpec): { name: string; value: string }[] {
  const settings: Record<string, string> = {
    'cleanup.policy': spec.compacted ? 'compact' : 'delete',
    'message.timestamp.type': spec.timestamps === 'append' ? 'LogAppendTime' : 'CreateTime',
    'retention.ms': String(spec.retentionMs ?? -1),
    'retention.bytes': '-1',
    'max.message.bytes': String((spec.maxMessageBytes ?? defaultMaxMessageBytes) + framingBytes),
  }
  if (spec.compacted) Object.assign(settings, compaction)
  if (spec.timestamps === 'create') settings['message.timestamp.after.max.ms'] = '9223372036854775807'
  return Object.entries(settings).map(([name, value]) => ({ name, value }))
}
