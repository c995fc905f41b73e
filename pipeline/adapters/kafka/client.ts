// Connections to a Kafka cluster: kafkajs's, with what it gets wrong about them put right.

import kafkajs, { type Admin, type KafkaConfig, type logCreator, type SASLOptions } from 'kafkajs'
import Cluster, { type Broker, type PartitionMetadata } from 'kafkajs/src/cluster/index.js'
import loggers from 'kafkajs/src/loggers/index.js'
import { socketFactory } from './connection.ts'

export type KafkaLogOptions = {
  /** `host:port` of some brokers of the cluster. */
  brokers: string[]
  clientId?: string
  ssl?: KafkaConfig['ssl']
  sasl?: SASLOptions
  /** Of topics that are created; undefined: the cluster's default. */
  replicationFactor?: number
  /** A member that is not heard of for so long loses its partitions. */
  sessionTimeoutMs?: number
  /** While the brokers are out of reach, what is asked of topics is asked again for so long. Default 60 s; Infinity: for ever. */
  patienceMs?: number
  /** The cluster aborts a transaction that is open for so long. */
  transactionTimeoutMs?: number
  log?: (level: 'debug' | 'info' | 'warn', message: string, fields: Record<string, unknown>) => void
}

export type KafkaClient = {
  options: KafkaLogOptions
  admin(): Admin
  /**
   * A set of connections of its own. Brokers answer the requests of one connection one after another, so long polls need theirs.
   * A request that is not answered within the time is asked again, of another broker where another will do.
   */
  newCluster(requestTimeoutMs?: number): Cluster
  /** Whether the other brokers count it as away. Asked over connections of its own, whose requests are given up soon. */
  isGone(topic: string, nodeId: number): Promise<boolean>
  close(): Promise<void>
  warn(message: string, fields: Record<string, unknown>): void
  debug(message: string, fields: Record<string, unknown>): void
}

export const defaultTransactionTimeoutMs = 60_000
export const defaultPatienceMs = 60_000

export const coordinatorOf = { group: 0, transaction: 1 }
export const readUncommitted = 0

export function kafkaClient(options: KafkaLogOptions): KafkaClient {
  const report = options.log ?? (() => {})
  // What kafkajs calls an error is mostly a retry; what is one reaches our caller.
  const logCreator: logCreator =
    () =>
    ({ namespace, log: { message, ...fields } }) =>
      report('debug', `kafkajs ${namespace}: ${message}`, fields)
  const shared = {
    brokers: options.brokers,
    clientId: options.clientId ?? 'reelpulse',
    ...(options.ssl !== undefined && { ssl: options.ssl }),
    ...(options.sasl !== undefined && { sasl: options.sasl }),
    connectionTimeout: 10_000,
    authenticationTimeout: 10_000,
    socketFactory,
  }
  const newCluster = (requestTimeoutMs = 10_000) =>
    new Cluster({
      ...shared,
      requestTimeout: requestTimeoutMs,
      logger: loggers.createLogger({ level: kafkajs.logLevel.WARN, logCreator }),
      metadataMaxAge: 300_000,
      // Whoever needs an answer asks again for as long as it wants one (see `persist`), so kafkajs itself gives up early.
      retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 200 },
      allowAutoTopicCreation: false,
      isolationLevel: readUncommitted,
    })
  let watching: Cluster | undefined
  return {
    options,
    newCluster,
    async isGone(topic, nodeId) {
      watching ??= newCluster(betweenLooksMs)
      await leadersOf(watching, topic)
      return watching.brokerPool.metadata?.brokers.every((broker) => broker.nodeId !== nodeId) === true
    },
    async close() {
      if (watching) await closeCluster(watching)
    },
    admin: () => {
      const retry = { retries: 8, initialRetryTime: 100, maxRetryTime: 2_000 }
      return new kafkajs.Kafka({
        ...shared,
        requestTimeout: 30_000,
        logLevel: kafkajs.logLevel.WARN,
        logCreator,
        retry,
      } as KafkaConfig).admin()
    },
    warn: (message, fields) => report('warn', message, fields),
    debug: (message, fields) => report('debug', message, fields),
  }
}

/** Closes at once, whatever is under way: kafkajs would wait for answers, and a long poll has none for a while. */
export async function closeCluster(cluster: Cluster): Promise<void> {
  const { brokers, seedBroker } = cluster.brokerPool
  for (const broker of new Set([...Object.values(brokers), ...(seedBroker ? [seedBroker] : [])])) {
    for (const connection of broker.connectionPool.pool) connection.rejectRequests(new Error('the connection was closed by us'))
  }
  await cluster.disconnect()
}

type KafkaError = Error & { type?: string; code?: number; retriable?: boolean }

/** kafkajs wraps errors in errors; the first cause says what happened. */
export function originOf(error: unknown): KafkaError {
  let origin = error as KafkaError
  while (origin.cause instanceof Error) origin = origin.cause as KafkaError
  return origin
}

const passing = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'CONCURRENT_TRANSACTIONS',
  'NOT_CONTROLLER',
  'REQUEST_TIMED_OUT',
])

/** Whether asking again may help: the cluster is changing or out of reach, rather than refusing. */
export function mayPass(error: unknown): boolean {
  const origin = originOf(error)
  if (origin.type !== undefined) return origin.retriable === true || passing.has(origin.type)
  // kafkajs stumbles over its own metadata while brokers come and go, and gives up on a coordinator that is still being chosen.
  if (origin instanceof TypeError || origin.name === 'KafkaJSGroupCoordinatorNotFound') return true
  return origin.name.startsWith('KafkaJS') && origin.retriable !== false
}

const fencedCodes = new Set([47, 90]) // INVALID_PRODUCER_EPOCH; PRODUCER_FENCED, which kafkajs does not know
export const isFenced = (error: unknown): boolean => fencedCodes.has(originOf(error).code ?? 0)

export type Patience = {
  /** Undefined: for ever. */
  forMs?: number
  /** Once it returns true, nothing is tried again. */
  given?: () => boolean
  onRetry?: (error: KafkaError, attempt: number) => void
}

/** Does it until it is done, refused, or patience ends; waits from 50 ms to 2 s between attempts. */
export async function persist<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
  const until = patience.forMs === undefined ? Infinity : performance.now() + patience.forMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!mayPass(error) || patience.given?.() || performance.now() >= until) throw error
      patience.onRetry?.(originOf(error), attempt)
      await pause(Math.min(2_000, 25 * 2 ** Math.min(attempt, 10)))
    }
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * A topic's partitions as they are now, none where it is not known yet; connects where necessary. Topics are asked for one at a
 * time: one that was deleted fails a kafkajs metadata request for all.
 */
export async function partitionsOf(cluster: Cluster, topic: string): Promise<PartitionMetadata[]> {
  await cluster.connect()
  await cluster.brokerPool.refreshMetadata([topic])
  // At once: whoever asks for another topic next replaces it.
  return cluster.brokerPool.metadata?.topicMetadata.find((metadata) => metadata.topic === topic)?.partitionMetadata ?? []
}

/** Who leads each partition of a topic now. */
export async function leadersOf(cluster: Cluster, topic: string): Promise<Map<number, number>> {
  return new Map((await partitionsOf(cluster, topic)).map(({ partitionId, leader }) => [partitionId, leader]))
}

/** Between two looks whether the cluster has gone on without the broker that we wait for. */
const betweenLooksMs = 2_000

/**
 * Waits for a broker's answer. One that hangs, or whose machine is gone, gives none, and its connection stays open; but the others know soon
 * that it is away. Then its connection is broken, which ends the wait, and it is forgotten, so that nobody asks it where another would do.
 */
export async function unlessGone<T>(client: KafkaClient, cluster: Cluster, topic: string, broker: Broker, answer: Promise<T>): Promise<T> {
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    if (await client.isGone(topic, broker.nodeId).catch(() => false)) {
      cluster.removeBroker(broker.connectionPool)
      await broker.disconnect()
    }
    looking = false
  }
  const timer = setInterval(() => void look(), betweenLooksMs)
  try {
    return await answer
  } finally {
    clearInterval(timer)
  }
}

export type Leaders = { of(topic: string): Promise<ReadonlyMap<number, number>>; forget(): void }

/** Remembers the leaders for five minutes, or until one turns out to be wrong. */
export function rememberedLeaders(cluster: Cluster): Leaders {
  const known = new Map<string, { leaders: ReadonlyMap<number, number>; until: number }>()
  return {
    async of(topic) {
      const found = known.get(topic)
      if (found && found.until > performance.now()) return found.leaders
      const leaders = await leadersOf(cluster, topic)
      known.set(topic, { leaders, until: performance.now() + 300_000 })
      return leaders
    },
    forget() {
      known.clear()
    },
  }
}

/** `topic` is any that exists: kafkajs learns of brokers only with topics, and without one named asks for all. */
export async function coordinator(cluster: Cluster, type: keyof typeof coordinatorOf, id: string, topic: string): Promise<Broker> {
  cluster.targetTopics.add(topic)
  await cluster.connect()
  await cluster.brokerPool.refreshMetadata([topic])
  return cluster.findGroupCoordinator({ groupId: id, coordinatorType: coordinatorOf[type] })
}
