// Fetch and Produce requests and responses: kafkajs carries them, but its own codecs for them cost several times as much.

import type { Broker } from 'kafkajs/src/cluster/index.js'
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

/** A request in pieces, so that batches are sent from where they lie. */
class Writer {
  readonly pieces: Buffer[] = []
  private piece = Buffer.allocUnsafe(1_024)
  private start = 0
  private at = 0
  size = 0

  private room(bytes: number): number {
    if (this.at + bytes > this.piece.length) {
      this.cut()
      this.piece = Buffer.allocUnsafe(Math.max(1_024, bytes))
      this.start = this.at = 0
    }
    this.at += bytes
    this.size += bytes
    return this.at - bytes
  }
  private cut(): void {
    if (this.at > this.start) this.pieces.push(this.piece.subarray(this.start, this.at))
    this.start = this.at
  }
  int8(value: number): this {
    const at = this.room(1)
    this.piece.writeInt8(value, at)
    return this
  }
  int16(value: number): this {
    const at = this.room(2)
    this.piece.writeInt16BE(value, at)
    return this
  }
  int32(value: number): this {
    const at = this.room(4)
    this.piece.writeInt32BE(value, at)
    return this
  }
  int64(value: number): this {
    const at = this.room(8)
    this.piece.writeBigInt64BE(BigInt(value), at)
    return this
  }
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const length = Buffer.byteLength(value)
    this.int16(length)
    const at = this.room(length)
    this.piece.write(value, at)
    return this
  }
  bytes(value: Buffer): this {
    this.int32(value.length)
    this.cut()
    this.pieces.push(value)
    this.size += value.length
    return this
  }
  done(): Buffer[] {
    this.cut()
    return this.pieces
  }
}

type Request<T> = {
  apiKey: number
  apiVersion: number
  apiName: string
  body: Writer
  timeoutMs: number
  decode(payload: Buffer): { result: T; throttleMs: number }
}

/** As kafkajs's Connection.send does, but for its copies of the request. */
async function send<T>(broker: Broker, { apiKey, apiVersion, apiName, body, timeoutMs, decode }: Request<T>): Promise<T> {
  assertVersion(broker, apiKey, apiVersion)
  const connection = await broker.connectionPool.getConnectionByRequest({ request: { apiKey } })
  if (!connection.isAuthenticated()) await connection.authenticate()
  const correlationId = connection.nextCorrelationId()
  const pieces = body.done()
  const header = new Writer().int16(apiKey).int16(apiVersion).int32(correlationId).string(connection.clientId)
  const size = new Writer().int32(header.size + body.size)
  const { payload } = await new Promise<{ payload: Buffer }>((resolve, reject) => {
    connection.failIfNotConnected()
    connection.requestQueue.push({
      entry: { apiKey, apiName, apiVersion, correlationId, resolve, reject },
      expectResponse: true,
      requestTimeout: timeoutMs,
      sendRequest: () => {
        const { socket } = connection
        socket.cork()
        for (const piece of [...size.done(), ...header.done(), ...pieces]) socket.write(piece)
        socket.uncork()
      },
    })
  })
  const { result, throttleMs } = decode(payload)
  connection.requestQueue.maybeThrottle(throttleMs)
  return result
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

export type FetchedPartition = TopicPartition & { code: number; endOffset: number; set: RecordSet }

/** Read committed. `wanted` in the order in which the broker shall fill the response. */
export async function fetchFrom(
  broker: Broker,
  wanted: readonly (TopicPartition & { offset: number })[],
  limits: { maxWaitMs: number; maxBytes: number; maxBytesPerPartition: number },
): Promise<FetchedPartition[]> {
  const topics = byTopic(wanted)
  const body = new Writer().int32(-1).int32(limits.maxWaitMs).int32(1).int32(limits.maxBytes).int8(1)
  body.int32(0).int32(-1).int32(topics.size) // no fetch session
  for (const [topic, partitions] of topics) {
    body.string(topic).int32(partitions.length)
    for (const { partition, offset } of partitions) {
      body.int32(partition).int32(-1).int64(offset).int64(-1).int32(limits.maxBytesPerPartition)
    }
  }
  body.int32(0).string('')
  const offsets = new Map(wanted.map((item) => [partitionId(item), item.offset]))
  return send(broker, {
    apiKey: fetchKey,
    apiVersion: fetchVersion,
    apiName: 'Fetch',
    body,
    timeoutMs: limits.maxWaitMs + 30_000,
    decode: (payload) => ({
      result: decodeFetch(payload, (item) => offsets.get(partitionId(item)) ?? 0),
      throttleMs: payload.readInt32BE(0),
    }),
  })
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
  const byName = byTopic(batches)
  const body = new Writer().string(transactionalId).int16(-1).int32(30_000).int32(byName.size)
  for (const [topic, partitions] of byName) {
    body.string(topic).int32(partitions.length)
    for (const { partition, batch } of partitions) body.int32(partition).bytes(batch)
  }
  const decode = (bytes: Buffer) => {
    const result: Produced[] = []
    let at = 4
    for (let topics = bytes.readInt32BE(0); topics > 0; topics--) {
      const nameEnd = at + 2 + bytes.readInt16BE(at)
      const topic = bytes.toString('utf8', at + 2, nameEnd)
      at = nameEnd + 4
      for (let count = bytes.readInt32BE(nameEnd); count > 0; count--, at += 30) {
        result.push({ topic, partition: bytes.readInt32BE(at), code: bytes.readInt16BE(at + 4), baseOffset: readInt64(bytes, at + 6) })
      }
    }
    return { result, throttleMs: bytes.readInt32BE(at) }
  }
  return send(broker, { apiKey: produceKey, apiVersion: produceVersion, apiName: 'Produce', body, timeoutMs: 40_000, decode })
}
