// The port behind which topics lie: Kafka, or the embedded log on disk. One contract suite
// (pipeline/testing/log-contract.ts) runs on every adapter.

/** LogAppendTime: timestamps are the log's clock. CreateTime: they are the writer's. Fixed at a topic's creation. */
export type TimestampType = 'append' | 'create'

export type TopicSpec = {
  topic: string
  partitions: number
  timestamps: TimestampType
  /** Keep only the latest record of each key. */
  compacted?: boolean
  /** Undefined: kept for ever. */
  retentionMs?: number
  maxMessageBytes?: number
}

export type TopicDescription = {
  topic: string
  timestamps: TimestampType
  compacted: boolean
  /** By partition, from 0. `end` = offset that the next record will get. */
  partitions: { begin: number; end: number }[]
  /** Undefined: kept for ever, as is the latest record of each key of a topic that is only compacted. */
  retentionMs?: number
  /** Of one partition. Undefined: however many come. */
  retentionBytes?: number
  /** Of a record's key, value and headers. */
  maxMessageBytes?: number
  /** Where several machines may keep it. */
  replication?: TopicReplication
}

export type TopicReplication = {
  /** Of the partition that has the fewest. */
  replicas: number
  inSync: number
  /** So many must have a record before it is acknowledged. */
  minInSync: number
  /** A replica that lacks acknowledged records may become the leader. */
  uncleanElection: boolean
}

export type ClusterDescription = {
  brokers: number
  /** An owner's transaction that is open for so long is aborted; undefined: not visible. */
  maxTransactionTimeoutMs: number | undefined
  /** What owners ask for; more than the maximum is refused. */
  transactionTimeoutMs: number
}

export type RecordHeaders = Readonly<Record<string, Uint8Array>>

export type OutRecord = {
  key: Uint8Array | null
  value: Uint8Array | null
  headers?: RecordHeaders
  /** Required where the topic has CreateTime, ignored where it has LogAppendTime. */
  timestampMs?: number
  /** Undefined: murmur2 of the key, as Kafka's Java client does. */
  partition?: number
}

/**
 * A run of a partition's records, in columns; only [0, count) holds. Read committed: records of aborted transactions and
 * transaction markers are not in it (so offsets have gaps). Borrowed: valid until the next call of `next`.
 */
export type RecordBatch = {
  partition: number
  count: number
  offsets: Float64Array
  timestampsMs: Float64Array
  keys: (Uint8Array | null)[]
  values: (Uint8Array | null)[]
  headers: (RecordHeaders | undefined)[]
  /** Where the next batch begins: what lies before it was delivered, or is none of the committed records. */
  nextOffset: number
  /** End of the partition as last known: `endOffset` − `nextOffset` is the lag in records (markers counted). */
  endOffset: number
}

export type PartitionReader = {
  /** The next records, in order; an empty batch where none came within `waitMs`. */
  next(waitMs: number): Promise<RecordBatch>
  close(): Promise<void>
}

/** One member's view of a group: which partitions it may own, and readers of them. */
export type Membership = {
  close(): Promise<void>
}

export type GroupHandlers = {
  /** May be called again for the same partition after `revoked`. */
  assigned(partition: number): void
  /** The partition may already belong to another member: stop, and write nothing more as its owner. */
  revoked(partition: number): void
}

/** What one transaction writes: all of it, or nothing. */
export type Checkpoint = {
  changelog: OutRecord[]
  /** Messages to other topics. */
  outbox: { topic: string; records: OutRecord[] }[]
}

/**
 * The right to write a partition's state. Made by `claim`, which commits an owner record and so fences every earlier
 * owner. After any error of `commit` the owner is dead: throw it away with the partition's memory.
 */
export type PartitionOwner = {
  ownerId: string
  /**
   * The changelog partition's committed records, up to and including this owner's own record. Read once. While none comes, an empty
   * batch now and then, so that whoever restores can give up.
   */
  restore(): AsyncIterable<RecordBatch>
  commit(checkpoint: Checkpoint): Promise<void>
  /** Publishes how far the partition is processed, for lag monitors only. */
  reportProgress(nextOffset: number): Promise<void>
  /** What is under way fails: a restore, a commit. */
  close(): Promise<void>
}

export type ClaimOptions = {
  group: string
  topic: string
  partition: number
  changelogTopic: string
  /** Aborted: the claim that is under way throws its reason. */
  signal?: AbortSignal
}

export type Log = {
  /** Does nothing where the topic exists as specified; throws a TopicMismatch where it differs. */
  createTopic(spec: TopicSpec): Promise<void>
  /** Raises a topic to so many partitions; what is in the old ones stays. Does nothing where it has them; throws a TopicMismatch where it has more. */
  addPartitions(topic: string, count: number): Promise<void>
  describeTopic(topic: string): Promise<TopicDescription | undefined>
  listTopics(): Promise<string[]>
  /** Absent where the log is no cluster. */
  describeCluster?(): Promise<ClusterDescription>
  /** Resolves once all records are durable. Records of one call for one partition are appended in order. */
  append(topic: string, records: OutRecord[]): Promise<void>
  /** Throws OffsetGone where `fromOffset` is no longer, or not yet, in the log. No group, no commit. */
  read(topic: string, partition: number, fromOffset: number): Promise<PartitionReader>
  join(group: string, topic: string, handlers: GroupHandlers): Promise<Membership>
  claim(options: ClaimOptions): Promise<PartitionOwner>
  close(): Promise<void>
}

export class TopicMismatch extends Error {
  override name = 'TopicMismatch'
}

/** The wanted offset is outside [begin, end]. */
export class OffsetGone extends Error {
  override name = 'OffsetGone'
}

/** A newer owner of the partition exists, or may: nothing more may be written as this one. */
export class OwnerLost extends Error {
  override name = 'OwnerLost'
}

/** Another process has the log's directory. */
export class LogInUse extends Error {
  override name = 'LogInUse'
}

/** The log's disk is full, or its file is gone: what was to be appended is not in it. */
export class LogFailed extends Error {
  override name = 'LogFailed'
}

export class TopicMissing extends Error {
  override name = 'TopicMissing'
}
