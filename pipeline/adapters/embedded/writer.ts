// The embedded log's only writer, on a thread of its own: appends that arrive while one is being synced share the next sync.

import { parentPort, workerData } from 'node:worker_threads'
import type { StatementSync } from 'node:sqlite'
import { defaultMaxMessageBytes } from '../shared/topic-rules.ts'
import { compact } from './compaction.ts'
import type { PartitionRow, WriterReply, WriterRequest, WriterStart } from './protocol.ts'
import { batchesTable, createBatchesTable, openDatabase } from './schema.ts'

type Writable = { id: number; begin: number; end: number; lastTimestampMs: number; append: boolean; insert: StatementSync }

const port = parentPort
if (!port) throw new Error('writer.ts is a worker thread, embedded-log.ts starts it')
const { path, synchronous } = workerData as WriterStart
const db = openDatabase(path, synchronous)
const partitions = new Map<number, Writable>()
const queue: Extract<WriterRequest, { kind: 'write' }>[] = []
let flushing = false
let maintenance: Promise<void> = Promise.resolve()

const begin = db.prepare('begin immediate')
const commit = db.prepare('commit')
const rollback = db.prepare('rollback')
const saveEnd = db.prepare('update partitions set end_offset = ?, last_timestamp_ms = ? where id = ?')
const saveProgress = db.prepare('insert or replace into progress values (?, ?, ?)')

for (const row of db.prepare('select id from partitions').all()) load(row['id'] as number)

function load(id: number): PartitionRow {
  const row = db
    .prepare(
      `select topic, partition, begin_offset, end_offset, last_timestamp_ms, timestamps from partitions join topics using (topic) where id = ?`,
    )
    .get(id) as {
    topic: string
    partition: number
    begin_offset: number
    end_offset: number
    last_timestamp_ms: number
    timestamps: string
  }
  partitions.set(id, {
    id,
    begin: row.begin_offset,
    end: row.end_offset,
    lastTimestampMs: row.last_timestamp_ms,
    append: row.timestamps === 'append',
    insert: db.prepare(`insert into ${batchesTable(id)} values (?, ?, ?, ?)`),
  })
  return { id, topic: row.topic, partition: row.partition, begin: row.begin_offset, end: row.end_offset }
}

function transact<T>(work: () => T): T {
  begin.run()
  try {
    const result = work()
    commit.run()
    return result
  } catch (error) {
    if (db.isTransaction) rollback.run()
    throw error
  }
}

const reply = (message: WriterReply) => port.postMessage(message)
const sqliteFull = 13
const fail = (id: number, error: unknown) =>
  reply({
    id,
    error: error instanceof Error ? error.message : String(error),
    full: (error as { errcode?: number }).errcode === sqliteFull,
  })

/** One transaction, and so one sync, for all that waits; but not so many bytes that the first must wait long. */
function flush(): void {
  flushing = false
  if (queue.length === 0) return
  const requests: typeof queue = []
  for (let bytes = 0; queue.length > 0 && bytes < 32_000_000;) {
    const request = queue.shift() as (typeof queue)[number]
    requests.push(request)
    for (const { payload } of request.batches) bytes += payload.length
  }
  const before = new Map<Writable, { end: number; lastTimestampMs: number }>()
  try {
    const replies = transact(() => {
      const results = requests.map((request) => ({
        id: request.id,
        firstOffsets: write(request, before),
        ends: [] as [number, number, number][],
      }))
      for (const partition of before.keys()) saveEnd.run(partition.end, partition.lastTimestampMs, partition.id)
      return results
    })
    const ends = [...before.keys()].map(({ id, begin: from, end }): [number, number, number] => [id, from, end])
    replies.forEach((result, index) => reply({ ...result, ends: index === 0 ? ends : [] }))
  } catch (error) {
    for (const [partition, { end, lastTimestampMs }] of before) Object.assign(partition, { end, lastTimestampMs })
    for (const { id } of requests) fail(id, error)
  }
  if (queue.length > 0) schedule()
}

function write(request: (typeof queue)[number], before: Map<Writable, { end: number; lastTimestampMs: number }>): number[] {
  if (request.progress) saveProgress.run(request.progress.group, request.progress.partitionId, request.progress.nextOffset)
  return request.batches.map(({ partitionId, count, payload, maxTimestampMs }) => {
    const partition = partitions.get(partitionId)
    if (!partition) throw new Error(`no partition ${partitionId}`)
    if (!before.has(partition)) before.set(partition, { end: partition.end, lastTimestampMs: partition.lastTimestampMs })
    // The log's time never goes back, whatever the machine's does.
    const timestampMs = partition.append ? Math.max(request.nowMs, partition.lastTimestampMs) : maxTimestampMs
    const first = partition.end
    partition.insert.run(first, first + count - 1, timestampMs, payload)
    partition.end += count
    partition.lastTimestampMs = Math.max(partition.lastTimestampMs, timestampMs)
    return first
  })
}

function schedule(): void {
  if (flushing) return
  flushing = true
  setImmediate(flush) // after every message that has already arrived
}

function create({ id, spec }: Extract<WriterRequest, { kind: 'create' }>): void {
  const created = transact(() => {
    const { topic, timestamps, compacted, retentionMs, maxMessageBytes } = spec
    db.prepare('insert into topics values (?, ?, ?, ?, ?)').run(
      topic,
      timestamps,
      compacted ? 1 : 0,
      retentionMs ?? null,
      maxMessageBytes ?? defaultMaxMessageBytes,
    )
    return addPartitions(topic, 0, spec.partitions)
  })
  reply({ id, firstOffsets: [], ends: [], created })
}

function grow({ id, topic, count }: Extract<WriterRequest, { kind: 'grow' }>): void {
  const { has } = db.prepare('select count(*) as has from partitions where topic = ?').get(topic) as { has: number }
  const created = transact(() => addPartitions(topic, has, count))
  reply({ id, firstOffsets: [], ends: [], created })
}

/** Those in [from, to), within the caller's transaction. */
function addPartitions(topic: string, from: number, to: number): PartitionRow[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => {
    const { lastInsertRowid } = db.prepare('insert into partitions (topic, partition) values (?, ?)').run(topic, from + i)
    const partitionId = Number(lastInsertRowid)
    db.exec(createBatchesTable(partitionId))
    return load(partitionId)
  })
}

/** Drops what retention no longer keeps, then compacts compacted topics, between appends and never in their way for long. */
async function maintain({ id, nowMs, dirtyBytes }: Extract<WriterRequest, { kind: 'maintain' }>): Promise<void> {
  const ends: [number, number, number][] = []
  for (const partition of partitions.values()) {
    const { compacted, retention_ms: retentionMs } = db
      .prepare('select compacted, retention_ms from partitions join topics using (topic) where id = ?')
      .get(partition.id) as { compacted: number; retention_ms: number | null }
    if (compacted) await compact(db, partition, { nowMs, dirtyBytes, transact })
    else if (retentionMs !== null) expire(partition, nowMs - retentionMs)
    ends.push([partition.id, partition.begin, partition.end])
    await new Promise((resolve) => setImmediate(resolve))
  }
  reply({ id, firstOffsets: [], ends })
}

/** From the oldest batch on, up to the first that is young enough: as Kafka drops segments, so that no gap opens in the middle. */
function expire(partition: Writable, beforeMs: number): void {
  const table = batchesTable(partition.id)
  const kept = db.prepare(`select min(base_offset) as kept from ${table} where max_timestamp_ms >= ?`).get(beforeMs) as {
    kept: number | null
  }
  const from = kept.kept ?? partition.end
  if (from <= partition.begin) return
  transact(() => {
    db.prepare(`delete from ${table} where base_offset < ?`).run(from)
    db.prepare('update partitions set begin_offset = ? where id = ?').run(from, partition.id)
  })
  partition.begin = from
}

port.on('message', (request: WriterRequest) => {
  if (request.kind === 'write') {
    queue.push(request)
    schedule()
    return
  }
  if (request.kind === 'maintain') {
    maintenance = maintenance.then(() => maintain(request)).catch((error: unknown) => fail(request.id, error))
    return
  }
  try {
    if (request.kind === 'create') create(request)
    else if (request.kind === 'grow') grow(request)
    else {
      while (queue.length > 0) flush()
      db.close()
      reply({ id: request.id, firstOffsets: [], ends: [] })
      port.close()
    }
  } catch (error) {
    fail(request.id, error)
  }
})
