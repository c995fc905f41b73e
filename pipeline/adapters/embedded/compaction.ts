// Compaction of a partition of the embedded log: keeps the latest record of each key, and tombstones for a day.

import type { DatabaseSync } from 'node:sqlite'
import { recordColumns } from '../shared/record-columns.ts'
import { decodeBatch, encodeBatch, type StoredRecord } from './batch-codec.ts'
import { batchesTable, type BatchRow } from './schema.ts'

/** Kafka's delete.retention.ms: a reader that starts within this time of a deletion still learns of it. */
const tombstonesMs = 86_400_000
const mergedBytes = 1_000_000
const stepBytes = 4_000_000

export type CompactionOptions = {
  nowMs: number
  /** Nothing is done for fewer bytes of records since the last time, nor for less than half of the partition. */
  dirtyBytes: number
  transact<T>(work: () => T): T
}

export async function compact(db: DatabaseSync, partition: { id: number; end: number }, options: CompactionOptions): Promise<void> {
  const table = batchesTable(partition.id)
  const end = partition.end
  const { cleaned_to: cleanedTo } = db.prepare('select cleaned_to from partitions where id = ?').get(partition.id) as { cleaned_to: number }
  const { total, dirty } = db
    .prepare(
      `select coalesce(sum(length(payload)), 0) as total, coalesce(sum(length(payload)) filter (where base_offset >= ?), 0) as dirty
       from ${table}`,
    )
    .get(cleanedTo) as { total: number; dirty: number }
  if (dirty === 0 || dirty < options.dirtyBytes || 2 * dirty < total) return

  const latest = new Map<string, number>()
  const columns = recordColumns(0, end)
  for await (const rows of steps(db, table, end)) {
    for (const row of rows) {
      columns.count = 0
      decodeBatch(row.payload, row.base_offset, row.max_timestamp_ms, 0, columns)
      for (let i = 0; i < columns.count; i++) latest.set(keyText(columns.keys[i] as Uint8Array), columns.offsets[i] as number)
    }
  }

  let sources: number[] = []
  let kept: StoredRecord[] = []
  let keptBytes = 0
  const insert = db.prepare(`insert into ${table} values (?, ?, ?, ?)`)
  const remove = db.prepare(`delete from ${table} where base_offset = ?`)
  const rewrite = () => {
    const [first, last] = [kept[0], kept.at(-1)]
    options.transact(() => {
      for (const offset of sources) remove.run(offset)
      if (!first || !last) return
      const base = first.offset as number
      const newest = kept.reduce((newestMs, { timestampMs }) => Math.max(newestMs, timestampMs as number), 0)
      insert.run(base, last.offset as number, newest, encodeBatch(kept, { timestamps: true, offsets: true }, base))
    })
    sources = []
    kept = []
    keptBytes = 0
  }
  for await (const rows of steps(db, table, end)) {
    for (const row of rows) {
      columns.count = 0
      decodeBatch(row.payload, row.base_offset, row.max_timestamp_ms, 0, columns)
      const live: StoredRecord[] = []
      let bytes = 0
      for (let i = 0; i < columns.count; i++) {
        const key = columns.keys[i] as Uint8Array
        const value = columns.values[i] as Uint8Array | null
        const offset = columns.offsets[i] as number
        const timestampMs = columns.timestampsMs[i] as number
        if (latest.get(keyText(key)) !== offset || (value === null && timestampMs < options.nowMs - tombstonesMs)) continue
        live.push({ key, value, offset, timestampMs, headers: columns.headers[i] })
        bytes += key.length + (value?.length ?? 0) + 64
      }
      // A large batch that is still needed whole is not worth writing again.
      if (live.length === columns.count && row.payload.length > mergedBytes / 4) {
        if (sources.length > 0) rewrite()
        continue
      }
      if (kept[0] && row.last_offset - (kept[0].offset as number) > 0xffffffff) rewrite() // offsets are stored as 32-bit differences
      sources.push(row.base_offset)
      for (const record of live) kept.push(record)
      keptBytes += bytes
      if (keptBytes >= mergedBytes) rewrite()
    }
  }
  if (sources.length > 0) rewrite()
  db.prepare('update partitions set cleaned_to = ? where id = ?').run(end, partition.id)
}

/** Latin-1, for it maps every byte to a character of its own. */
const keyText = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

/** A partition's rows below `end`, a few megabytes at a time, letting appends pass between. */
async function* steps(db: DatabaseSync, table: string, end: number): AsyncGenerator<BatchRow[]> {
  const select = db.prepare(`select * from ${table} where base_offset >= ? and base_offset < ? order by base_offset`)
  for (let next = 0; ;) {
    const rows: BatchRow[] = []
    let bytes = 0
    for (const row of select.iterate(next, end) as Iterable<BatchRow>) {
      rows.push(row)
      bytes += row.payload.length
      if (bytes >= stepBytes) break
    }
    const last = rows.at(-1)
    if (!last) return
    next = last.last_offset + 1
    yield rows
    await new Promise((resolve) => setImmediate(resolve))
  }
}
