// The tables of the embedded log: one SQLite file, one table of batches for each partition, so that every append goes to a table's end.

import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

const formatVersion = 1

/** FULL: in WAL mode every commit is synced before it returns, so that an acknowledged append survives a power cut. NORMAL does not promise that. */
export type Synchronous = 'full' | 'normal'

export function openDatabase(path: string, synchronous: Synchronous = 'full'): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 10_000 })
  db.exec(`pragma page_size = 16384; pragma journal_mode = wal; pragma synchronous = ${synchronous}; pragma journal_size_limit = 67108864`)
  const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number }
  if (version > formatVersion) refuse(db, path, version)
  if (version === 0) {
    db.exec(`
      begin immediate;
      create table if not exists topics (
        topic text primary key, timestamps text not null, compacted integer not null, retention_ms integer, max_message_bytes integer not null
      ) strict;
      create table if not exists partitions (
        id integer primary key, topic text not null references topics, partition integer not null,
        begin_offset integer not null default 0, end_offset integer not null default 0,
        last_timestamp_ms integer not null default 0, cleaned_to integer not null default 0, unique (topic, partition)
      ) strict;
      create table if not exists progress (
        consumer_group text not null, partition_id integer not null, next_offset integer not null, primary key (consumer_group, partition_id)
      ) strict;
      pragma user_version = ${formatVersion};
      commit`)
  }
  return db
}

/**
 * To read only, beside a process that may be writing. Where there is no `-wal` nobody has it open, and SQLite must be told
 * that the file will not change, or it would make one, and leave it behind.
 */
export function lookInto(path: string): DatabaseSync {
  const url = pathToFileURL(path)
  if (!existsSync(`${path}-wal`)) url.searchParams.set('immutable', '1')
  const db = new DatabaseSync(url, { readOnly: true, timeout: 10_000 })
  const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number }
  if (version !== formatVersion) refuse(db, path, version)
  return db
}

function refuse(db: DatabaseSync, path: string, version: number): never {
  db.close()
  throw new Error(`${path} has format ${version}, this program knows ${formatVersion}: use the newer version that wrote it`)
}

export const batchesTable = (partitionId: number): string => `batches_${partitionId}`

export const createBatchesTable = (partitionId: number): string => `
  create table ${batchesTable(partitionId)} (
    base_offset integer primary key, last_offset integer not null, max_timestamp_ms integer not null, payload blob not null
  ) strict`

export type BatchRow = { base_offset: number; last_offset: number; max_timestamp_ms: number; payload: Uint8Array }
