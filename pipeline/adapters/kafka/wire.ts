// Fetch and Produce requests and responses: kafkajs carries them, but its own codecs for them cost several times as much.

import type { Broker, ProtocolRequest } from 'kafkajs/src/cluster/index.js'
import { readInt64, scanBatches, type AbortedTransaction, type RecordSet } from './record-batches.ts'

export type TopicPartition = { topic: string; partition: number }

export const partitionId = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** Names of the errors that this adapter tells apart; https://kafka.apache.org/protocol#protocol_error_codes */
export const errorCode = {
  none: 0,
  offsetOutOfRange: 1,
  duplicateSequence: 46,
} as const

const names: Record<number, string> = {
  1: 'OFFSET_OUT_OF_RANGE',
  2: 'CORRUPT_MESSAGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_OR_FOLLOWER',
  7: 'REQUEST_TIMED_OUT',
  9: 'REPLICA_NOT_AVAILABLE',
  10: 'MESSAGE_TOO_LARGE',
  13: 'NETWORK_EXCEPTION',
  17: 'INVALID_TOPIC_EXCEPTION',
  18: 'RECORD_LIST_TOO_LARGE',
  19: 'NOT_ENOUGH_REPLICAS',
  20: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  32: 'INVALID_TIMESTAMP',
  45: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  46: 'DUPLICATE_SEQUENCE_NUMBER',
  47: 'INVALID_PRODUCER_EPOCH',
  48: 'INVALID_TXN_STATE',
  51: 'CONCURRENT_TRANSACTIONS',
  53: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  56: 'KAFKA_STORAGE_ERROR',
  59: 'UNKNOWN_PRODUCER_ID',
  74: 'FENCED_LEADER_EPOCH',
  75: 'UNKNOWN_LEADER_EPOCH',
  78: 'OFFSET_NOT_AVAILABLE',
  87: 'INVALID_RECORD',
  90: 'PRODUCER_FENCED',
}

/** A partition has moved, or its broker cannot answer now: ask the cluster who leads it, and again. */
const passing = new Set([2, 3, 5, 6, 7, 9, 13, 19, 20, 51, 56, 74, 75, 78])

export class KafkaRefusal extends Error {
  override name = 'KafkaRefusal'
  readonly code: number
  readonly type: string
  readonly retriable: boolean
  constructor(code: number, where: TopicPartition) {
    super(`${partitionId(where)}: Kafka answers ${names[code] ?? 'error'} (${code})`)
    this.code = code
    this.type = names[code] ?? String(code)
    this.retriable = passing.has(code)
  }
}

const fetchKey = 1
const fetchVersion = 11
const produceKey = 0
const produceVersion = 7

function assertVersion(broker: Broker, apiKey: number, version: number): void {
  const range = broker.versions?.[apiKey]
  if (range && (range.minVersion > version || range.maxVersion < version)) {
    throw new Error(
      `the broker has versions ${range.minVersion} to ${range.maxVersion} of request ${apiKey}, want ${version}: Kafka 2.3 or later`,
    )
  }
}

/** Grows as it is written: whoever reserves must look at `buf` only afterwards. */
class Writer {
  buf = Buffer.allocUnsafe(1_024)
  length = 0
  get buffer(): Buffer {
    return this.buf.subarray(0, this.length)
  }
  size(): number {
    return this.length
  }
  reserve(bytes: number): number {
    if (this.length + bytes > this.buf.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.buf.length, this.length + bytes))
      this.buf.copy(larger, 0, 0, this.length)
      this.buf = larger
    }
    this.length += bytes
    return this.length - bytes
  }
  int8(value: number): this {
    const at = this.reserve(1)
    this.buf.writeInt8(value, at)
    return this
  }
  int16(value: number): this {
    const at = this.reserve(2)
    this.buf.writeInt16BE(value, at)
    return this
  }
  int32(value: number): this {
    const at = this.reserve(4)
    this.buf.writeInt32BE(value, at)
    return this
  }
  int64(value: number): this {
    const at = this.reserve(8)
    this.buf.writeBigInt64BE(BigInt(value), at)
    return this
  }
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const length = Buffer.byteLength(value)
    this.int16(length)
    const at = this.reserve(length)
    this.buf.write(value, at)
    return this
  }
  bytes(value: Buffer): this {
    this.int32(value.length)
    const at = this.reserve(value.length)
    value.copy(this.buf, at)
    return this
  }
}

/** Groups what has a topic by it, in order of appearance. */
function byTopic<T extends TopicPartition>(items: readonly T[]): Map<string, T[]> {
  const topics = new Map<string, T[]>()
  for (const item of items) {
    const group = topics.get(item.topic)
    if (group) group.push(item)
    else topics.set(item.topic, [item])
  }
  return topics
}

const asIs = async <T>(data: T): Promise<T> => data

export type FetchedPartition = TopicPartition & { code: number; endOffset: number; set: RecordSet }

/** Read committed. `wanted` in the order in which the broker shall fill the response. */
export async function fetchFrom(
  broker: Broker,
  wanted: readonly (TopicPartition & { offset: number })[],
  limits: { maxWaitMs: number; maxBytes: number; maxBytesPerPartition: number },
): Promise<FetchedPartition[]> {
  assertVersion(broker, fetchKey, fetchVersion)
  const encode = async () => {
    const topics = byTopic(wanted)
    const out = new Writer().int32(-1).int32(limits.maxWaitMs).int32(1).int32(limits.maxBytes).int8(1)
    out.int32(0).int32(-1).int32(topics.size) // no fetch session
    for (const [topic, partitions] of topics) {
      out.string(topic).int32(partitions.length)
      for (const { partition, offset } of partitions) {
        out.int32(partition).int32(-1).int64(offset).int64(-1).int32(limits.maxBytesPerPartition)
      }
    }
    return out.int32(0).string('')
  }
  const offsets = new Map(wanted.map((item) => [partitionId(item), item.offset]))
  const decode = async (payload: Buffer) => {
    const partitions = decodeFetch(payload, (item) => offsets.get(partitionId(item)) ?? 0)
    return { partitions, clientSideThrottleTime: payload.readInt32BE(0) }
  }
  const request: ProtocolRequest<{ partitions: FetchedPartition[] }> = {
    request: { apiKey: fetchKey, apiVersion: fetchVersion, apiName: 'Fetch', encode },
    response: { decode, parse: asIs },
    requestTimeout: limits.maxWaitMs + 30_000,
  }
  return (await broker.connectionPool.send(request)).partitions
}

function decodeFetch(bytes: Buffer, offsetOf: (item: TopicPartition) => number): FetchedPartition[] {
  const result: FetchedPartition[] = []
  const sessionError = bytes.readInt16BE(4)
  if (sessionError !== 0) throw new KafkaRefusal(sessionError, { topic: 'fetch', partition: -1 })
  let at = 14
  for (let topics = bytes.readInt32BE(10); topics > 0; topics--) {
    const nameEnd = at + 2 + bytes.readInt16BE(at)
    const topic = bytes.toString('utf8', at + 2, nameEnd)
    at = nameEnd + 4
    for (let partitions = bytes.readInt32BE(nameEnd); partitions > 0; partitions--) {
      const partition = bytes.readInt32BE(at)
      const code = bytes.readInt16BE(at + 4)
      const endOffset = readInt64(bytes, at + 6)
      const aborted: AbortedTransaction[] = []
      const abortedCount = bytes.readInt32BE(at + 30)
      at += 34
      for (let i = 0; i < abortedCount; i++, at += 16)
        aborted.push({ producerId: readInt64(bytes, at), firstOffset: readInt64(bytes, at + 8) })
      const size = Math.max(0, bytes.readInt32BE(at + 4)) // after the preferred replica, which is -1 without a rack
      const start = at + 8
      const scanned = scanBatches(bytes, start, start + size, offsetOf({ topic, partition }))
      aborted.sort((a, b) => a.firstOffset - b.firstOffset)
      result.push({ topic, partition, code, endOffset, set: { bytes, start, aborted, ...scanned } })
      at = start + size
    }
  }
  return result
}

export type PartitionBatch = TopicPartition & { batch: Buffer }
export type Produced = TopicPartition & { code: number; baseOffset: number }

/** acks = all. One batch a partition. */
export async function produceTo(broker: Broker, transactionalId: string | null, batches: readonly PartitionBatch[]): Promise<Produced[]> {
  assertVersion(broker, produceKey, produceVersion)
  const encode = async () => {
    const topics = byTopic(batches)
    const out = new Writer().string(transactionalId).int16(-1).int32(30_000).int32(topics.size)
    for (const [topic, partitions] of topics) {
      out.string(topic).int32(partitions.length)
      for (const { partition, batch } of partitions) out.int32(partition).bytes(batch)
    }
    return out
  }
  const decode = async (bytes: Buffer) => {
    const partitions: Produced[] = []
    let at = 4
    for (let topics = bytes.readInt32BE(0); topics > 0; topics--) {
      const nameEnd = at + 2 + bytes.readInt16BE(at)
      const topic = bytes.toString('utf8', at + 2, nameEnd)
      at = nameEnd + 4
      for (let count = bytes.readInt32BE(nameEnd); count > 0; count--, at += 30) {
        partitions.push({ topic, partition: bytes.readInt32BE(at), code: bytes.readInt16BE(at + 4), baseOffset: readInt64(bytes, at + 6) })
      }
    }
    return { partitions, clientSideThrottleTime: bytes.readInt32BE(at) }
  }
  const request: ProtocolRequest<{ partitions: Produced[] }> = {
    request: { apiKey: produceKey, apiVersion: produceVersion, apiName: 'Produce', encode },
    response: { decode, parse: asIs },
    requestTimeout: 40_000,
  }
  return (await broker.connectionPool.send(request)).partitions
}
