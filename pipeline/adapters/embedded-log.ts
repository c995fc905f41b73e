// The embedded log: a durable partitioned log in one SQLite file of one process, with Kafka's semantics as the port shows them.

import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { partitionOf } from '../../operators/hash.ts'
import { makeDurableDirectory } from '../durable-directory.ts'
import {
  LogFailed,
  OffsetGone,
  OwnerLost,
  type Checkpoint,
  type GroupHandlers,
  type Log,
  type Membership,
  type OutRecord,
  type PartitionOwner,
  type PartitionReader,
  type RecordBatch,
  type TopicDescription,
} from '../ports/log.ts'
import { decodeBatch, encodeBatch } from './embedded/batch-codec.ts'
import { lockDirectory } from './embedded/lock.ts'
import type { BatchWrite, PartitionRow, WriterReply, WriterRequest, WriterStart } from './embedded/protocol.ts'
import { batchesTable, lookInto, openDatabase, type BatchRow, type Synchronous } from './embedded/schema.ts'
import { assignPartitions } from './shared/assignment.ts'
import { recordColumns } from './shared/record-columns.ts'
import {
  checkRecords,
  checkSpec,
  mustGrow,
  ownerRecord,
  ownershipId,
  recordBytes,
  refuseMismatch,
  type TopicRules,
} from './shared/topic-rules.ts'

export type EmbeddedLogOptions = {
  /** The log's clock, for LogAppendTime and retention. */
  now?: () => number
  /** How often retention and compaction are looked after; 0: only when `maintain` is called. */
  maintainEveryMs?: number
  /** A compacted partition with fewer bytes of new records is left alone. */
  dirtyBytes?: number
  /**
   * Only look: the directory is not locked, so another process may have it, and nothing in it is made or changed. What is
   * written later is not seen, and whatever would write throws.
   */
  readOnly?: boolean
  /** Default `full`. The other is there so that the price can be told. */
  synchronous?: Synchronous
}

export type EmbeddedLog = Log & {
  /** Applies retention and compaction now. */
  maintain(): Promise<void>
}

type Partition = { id: number; begin: number; end: number; wake: Set<() => void> }
type Topic = { rules: TopicRules; retentionMs?: number; partitions: Partition[] }
type Member = { id: string; owned: number[]; handlers: GroupHandlers }
type Unsent<T> = T extends unknown ? Omit<T, 'id'> : never

/** A row of the file holds at most so much, so that a reader's batch is neither tiny nor huge. */
const maxRowBytes = 1_000_000
const maxRowRecords = 4_096

/** Throws at once where another process has the directory. */
export async function embeddedLog(directory: string, options: EmbeddedLogOptions = {}): Promise<EmbeddedLog> {
  const { readOnly = false } = options
  const path = join(directory, 'log.db')
  if (!readOnly) makeDurableDirectory(directory)
  const lock = readOnly ? { release() {} } : lockDirectory(directory)
  let db: DatabaseSync
  try {
    db = readOnly ? lookInto(path) : openDatabase(path)
  } catch (error) {
    lock.release()
    throw error
  }
  const now = options.now ?? Date.now
  const topics = loadTopics(db)
  const byId = new Map([...topics.values()].flatMap(({ partitions }) => partitions.map((partition) => [partition.id, partition])))
  const startsWriter = readOnly ? noWriter : startWriter
  const writer = startsWriter({ path, synchronous: options.synchronous ?? 'full' }, ({ ends }) => {
    for (const [id, begin, end] of ends) {
      const partition = byId.get(id)
      if (!partition) continue
      partition.begin = begin
      partition.end = end
      for (const wake of partition.wake) wake()
    }
  })
  const owners = new Map<string, string>()
  const groups = new Map<string, Map<string, Member>>()
  const readers = new Set<PartitionReader>()
  let turn = 0
  let closed = false

  function topicNamed(name: string): Topic {
    if (closed) throw new Error('the embedded log is closed')
    const topic = topics.get(name)
    if (!topic) throw new Error(`topic ${name} does not exist in ${directory}: create it first`)
    return topic
  }

  function partitionNamed(name: string, partition: number): Partition {
    const found = topicNamed(name).partitions[partition]
    if (!found) throw new Error(`topic ${name} has no partition ${partition}, it has ${topicNamed(name).partitions.length}`)
    return found
  }

  /** The batches that `records` become; each partition's in order. */
  function encode(name: string, records: readonly OutRecord[]): BatchWrite[] {
    const { rules, partitions } = topicNamed(name)
    checkRecords(rules, records)
    const keyless = turn++ % partitions.length
    const byPartition = new Map<number, OutRecord[]>()
    for (const record of records) {
      const to = record.partition ?? (record.key ? partitionOf(record.key, partitions.length) : keyless)
      const run = byPartition.get(to)
      if (run) run.push(record)
      else byPartition.set(to, [record])
    }
    const batches: BatchWrite[] = []
    for (const [to, all] of byPartition) {
      const { id } = partitions[to] as Partition
      for (const run of runsOf(all)) {
        const timestamps = rules.timestamps === 'create'
        const maxTimestampMs = timestamps ? run.reduce((max, { timestampMs }) => Math.max(max, timestampMs as number), -Infinity) : 0
        batches.push({ partitionId: id, count: run.length, payload: encodeBatch(run, { timestamps, offsets: false }), maxTimestampMs })
      }
    }
    return batches
  }

  function read(name: string, partition: number, fromOffset: number): PartitionReader {
    const at = partitionNamed(name, partition)
    const refuse = (offset: number) =>
      new OffsetGone(`${name}/${partition}: offset ${offset} is outside the log, which has [${at.begin}, ${at.end}]`)
    if (!(fromOffset >= at.begin && fromOffset <= at.end)) throw refuse(fromOffset)
    const table = batchesTable(at.id)
    const select = db.prepare(`select * from ${table} where base_offset >= ? order by base_offset`)
    const floor = db.prepare(`select base_offset, last_offset from ${table} where base_offset <= ? order by base_offset desc limit 1`)
    const { compacted } = topicNamed(name).rules
    const batch = recordColumns(partition, at.end)
    let next = fromOffset
    let rowAligned = false
    let open = true

    /** Where to look for `next`: only the first read, and compaction that joined rows, can put it inside a row. */
    const firstRow = (): number => {
      if (rowAligned && !compacted) return next
      const row = floor.get(next) as Pick<BatchRow, 'base_offset' | 'last_offset'> | undefined
      return row && row.last_offset >= next ? row.base_offset : next
    }
    const fill = () => {
      batch.count = 0
      if (next < at.begin) throw refuse(next)
      let bytes = 0
      for (const row of select.iterate(firstRow()) as Iterable<BatchRow>) {
        decodeBatch(row.payload, row.base_offset, row.max_timestamp_ms, next, batch)
        next = row.last_offset + 1
        rowAligned = true
        bytes += row.payload.length
        if (bytes >= maxRowBytes || batch.count >= maxRowRecords) break
      }
      batch.nextOffset = next
      batch.endOffset = Math.max(at.end, next)
    }

    const reader: PartitionReader = {
      async next(waitMs): Promise<RecordBatch> {
        // A backlog comes without waiting; whoever drains it must not keep timers and sockets from their turn.
        await new Promise((resolve) => setImmediate(resolve))
        const until = performance.now() + waitMs
        while (open) {
          fill()
          const left = until - performance.now()
          if (batch.count > 0 || left <= 0) break
          await woken(at, left)
        }
        return batch
      },
      async close() {
        open = false
        batch.count = 0
        readers.delete(reader)
        for (const wake of at.wake) wake()
      },
    }
    readers.add(reader)
    return reader
  }

  function rebalance(members: Map<string, Member>, partitions: number): void {
    const wanted = assignPartitions(partitions, [...members.values()])
    for (const member of members.values()) {
      const keep = wanted.get(member.id) as number[]
      const lost = member.owned.filter((partition) => !keep.includes(partition))
      member.owned = member.owned.filter((partition) => keep.includes(partition))
      for (const partition of lost) member.handlers.revoked(partition)
    }
    for (const member of members.values()) {
      const gained = (wanted.get(member.id) as number[]).filter((partition) => !member.owned.includes(partition))
      member.owned.push(...gained)
      for (const partition of gained) member.handlers.assigned(partition)
    }
  }

  const log: EmbeddedLog = {
    async createTopic(spec) {
      checkSpec(spec)
      const existing = await log.describeTopic(spec.topic)
      if (existing) return refuseMismatch(spec, existing)
      try {
        const { created = [] } = await writer.ask({ kind: 'create', spec })
        const partitions = created.map(livePartition)
        for (const partition of partitions) byId.set(partition.id, partition)
        topics.set(spec.topic, { ...loadTopic(db, spec.topic), partitions })
      } catch (error) {
        // Two callers at once: the second finds what the first made.
        const made = await log.describeTopic(spec.topic)
        if (!made) throw error
        refuseMismatch(spec, made)
      }
    },

    async addPartitions(name, count) {
      const topic = topicNamed(name)
      if (!mustGrow(name, topic.partitions.length, count)) return
      const { created = [] } = await writer.ask({ kind: 'grow', topic: name, count })
      for (const row of created) {
        const partition = livePartition(row)
        byId.set(partition.id, partition)
        topic.partitions.push(partition)
      }
      topic.rules.partitions = topic.partitions.length
    },

    async describeTopic(name): Promise<TopicDescription | undefined> {
      const topic = topics.get(name)
      if (!topic) return undefined
      const { timestamps, compacted, maxMessageBytes } = topic.rules
      const retention = topic.retentionMs === undefined || compacted ? {} : { retentionMs: topic.retentionMs }
      const partitions = topic.partitions.map(({ begin, end }) => ({ begin, end }))
      return { topic: name, timestamps, compacted, maxMessageBytes, ...retention, partitions }
    },

    async listTopics() {
      return [...topics.keys()].toSorted()
    },

    async append(name, records) {
      const batches = encode(name, records)
      if (batches.length > 0) await writer.ask({ kind: 'write', nowMs: now(), batches })
    },

    async read(name, partition, fromOffset) {
      return read(name, partition, fromOffset)
    },

    async join(group, name, handlers): Promise<Membership> {
      const { partitions } = topicNamed(name)
      const key = `${group}/${name}`
      const members = groups.get(key) ?? new Map<string, Member>()
      groups.set(key, members)
      const member: Member = { id: crypto.randomUUID(), owned: [], handlers }
      members.set(member.id, member)
      rebalance(members, partitions.length)
      return {
        async close() {
          if (!members.delete(member.id)) return
          for (const partition of member.owned.splice(0)) handlers.revoked(partition)
          rebalance(members, partitions.length)
        },
      }
    },

    async claim(options): Promise<PartitionOwner> {
      options.signal?.throwIfAborted()
      const input = topicNamed(options.topic)
      const inputPartition = partitionNamed(options.topic, options.partition)
      await log.createTopic({ topic: options.changelogTopic, partitions: input.partitions.length, timestamps: 'append', compacted: true })
      const ownerId = crypto.randomUUID()
      const key = ownershipId(options)
      let alive = true
      // Requests reach the writer in the order in which they are sent, so what an earlier owner sent before this is in the log before it.
      owners.set(key, ownerId)
      const batches = encode(options.changelogTopic, [ownerRecord(ownerId, options.partition)])
      const { firstOffsets } = await writer.ask({ kind: 'write', nowMs: now(), batches })
      const ownOffset = firstOffsets[0] as number

      const assertOwner = () => {
        if (alive && owners.get(key) === ownerId) return
        alive = false
        throw new OwnerLost(`${key}: ${ownerId} is no longer the owner`)
      }
      return {
        ownerId,
        async *restore() {
          const { begin } = partitionNamed(options.changelogTopic, options.partition)
          const reader = read(options.changelogTopic, options.partition, begin)
          try {
            for await (const batch of upTo(reader, ownOffset)) {
              if (!alive) throw new OwnerLost(`${key}: ${ownerId} was closed while it was being restored`)
              yield batch
            }
          } finally {
            await reader.close()
          }
        },
        async commit({ changelog, outbox }: Checkpoint) {
          assertOwner()
          try {
            const own = changelog.map((record) => ({ ...record, partition: options.partition }))
            const writes = [encode(options.changelogTopic, own), ...outbox.map(({ topic, records }) => encode(topic, records))].flat()
            await writer.ask({ kind: 'write', nowMs: now(), batches: writes })
          } catch (error) {
            alive = false
            throw error
          }
        },
        async reportProgress(nextOffset) {
          assertOwner()
          const progress = { group: options.group, partitionId: inputPartition.id, nextOffset }
          await writer.ask({ kind: 'write', nowMs: now(), batches: [], progress })
        },
        async close() {
          alive = false
          if (owners.get(key) === ownerId) owners.delete(key)
        },
      }
    },

    async maintain() {
      await writer.ask({ kind: 'maintain', nowMs: now(), dirtyBytes: options.dirtyBytes ?? 8_000_000 })
    },

    async close() {
      if (closed) return
      closed = true
      clearInterval(timer)
      for (const reader of readers) await reader.close()
      await writer.close()
      db.close()
      lock.release()
    },
  }

  const maintainEveryMs = readOnly ? 0 : (options.maintainEveryMs ?? 60_000)
  const timer = maintainEveryMs > 0 ? setInterval(() => void log.maintain().catch(() => {}), maintainEveryMs).unref() : undefined
  return log
}

function* runsOf(records: OutRecord[]): Generator<OutRecord[]> {
  let start = 0
  let bytes = 0
  for (let i = 0; i < records.length; i++) {
    const size = recordBytes(records[i] as OutRecord)
    if (i > start && (bytes + size > maxRowBytes || i - start >= maxRowRecords)) {
      yield records.slice(start, i)
      start = i
      bytes = 0
    }
    bytes += size
  }
  if (start < records.length) yield start === 0 ? records : records.slice(start)
}

/** The reader's batches up to and including the record at `lastOffset`. */
async function* upTo(reader: PartitionReader, lastOffset: number): AsyncGenerator<RecordBatch> {
  for (;;) {
    const batch = await reader.next(1_000)
    const last = batch.count - 1
    while (batch.count > 0 && (batch.offsets[batch.count - 1] as number) > lastOffset) batch.count--
    const done = last >= 0 && (batch.count <= last || batch.offsets[last] === lastOffset)
    yield batch
    if (done) return
  }
}

const livePartition = ({ id, begin, end }: Pick<PartitionRow, 'id' | 'begin' | 'end'>): Partition => ({ id, begin, end, wake: new Set() })

function loadTopics(db: DatabaseSync): Map<string, Topic> {
  const names = db.prepare('select topic from topics').all() as { topic: string }[]
  return new Map(names.map(({ topic }) => [topic, loadTopic(db, topic)]))
}

function loadTopic(db: DatabaseSync, name: string): Topic {
  const topic = db.prepare('select * from topics where topic = ?').get(name) as {
    timestamps: 'append' | 'create'
    compacted: number
    retention_ms: number | null
    max_message_bytes: number
  }
  const partitions = db
    .prepare('select id, begin_offset as "begin", end_offset as "end" from partitions where topic = ? order by partition')
    .all(name) as Pick<PartitionRow, 'id' | 'begin' | 'end'>[]
  const rules = {
    topic: name,
    timestamps: topic.timestamps,
    compacted: topic.compacted === 1,
    partitions: partitions.length,
    maxMessageBytes: topic.max_message_bytes,
  }
  const retention = topic.retention_ms === null ? {} : { retentionMs: topic.retention_ms }
  return { rules, ...retention, partitions: partitions.map(livePartition) }
}

function woken(partition: Partition, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      partition.wake.delete(done)
      resolve()
    }
    const timer = setTimeout(done, waitMs)
    partition.wake.add(done)
  })
}

const noWriter = ({ path }: WriterStart): WriterHandle => ({
  ask: () => Promise.reject(new Error(`${path} was opened to be looked at, not to be written`)),
  close: () => Promise.resolve(),
})

const diskFull = (path: string): string =>
  `the disk of ${path} is full: make room on it. Nothing that was acknowledged is lost, and the log takes records again as soon as it can`

type WriterHandle = {
  ask(request: Unsent<WriterRequest>): Promise<Exclude<WriterReply, { error: string }>>
  close(): Promise<void>
}

function startWriter(start: WriterStart, onReply: (reply: Exclude<WriterReply, { error: string }>) => void): WriterHandle {
  const worker = new Worker(new URL('./embedded/writer.ts', import.meta.url), { workerData: start, execArgv: [] })
  const { path } = start
  const waiting = new Map<number, { resolve: (reply: Exclude<WriterReply, { error: string }>) => void; reject: (error: Error) => void }>()
  let lastId = 0
  let ended: Error | undefined
  let closing = false
  worker.unref()
  worker.on('message', (reply: WriterReply) => {
    const request = waiting.get(reply.id)
    waiting.delete(reply.id)
    // Only a request that is under way keeps the process alive.
    if (waiting.size === 0 && !closing) worker.unref()
    if ('error' in reply) {
      request?.reject(new LogFailed(reply.full ? diskFull(path) : `the embedded log could not write ${path}: ${reply.error}`))
      return
    }
    onReply(reply)
    request?.resolve(reply)
  })
  const end = (error: Error) => {
    ended ??= error
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  worker.on('error', (error) => end(new Error(`the embedded log's writer failed: ${String(error)}`, { cause: error })))
  worker.on('exit', () => end(new Error('the embedded log is closed')))

  const ask: WriterHandle['ask'] = (unsent) =>
    new Promise((resolve, reject) => {
      if (ended) {
        reject(ended)
        return
      }
      const request = { ...unsent, id: ++lastId } as WriterRequest
      waiting.set(request.id, { resolve, reject })
      worker.ref()
      const transfer = request.kind === 'write' ? request.batches.map(({ payload }) => payload.buffer) : []
      worker.postMessage(request, transfer)
    })
  return {
    ask,
    async close() {
      if (ended) return
      closing = true
      const exited = new Promise((resolve) => worker.once('exit', resolve))
      await ask({ kind: 'close' })
      await exited
    },
  }
}
