// What the checks judge: facts as they were found, without judgement. Instants in ms, by this machine's clock where nothing else is said.
import type { ClusterDescription, TopicDescription } from '../ports/log.ts'
import type { CheckpointRecord } from '../roles/process/checkpoint.ts'
import type { Known } from './finding.ts'

/** `absent`: nothing has been made yet. `away`: it should be there, and cannot be looked at. */
export type Place<T> = { state: 'found'; facts: T } | { state: 'absent'; where: string } | { state: 'away'; where: string; why: string }

export type Facts = {
  nowMs: number
  machine: MachineFacts
  log: Place<LogFacts>
  store: Place<StoreFacts>
}

export type MachineFacts = {
  nodeVersion: string
  /** Undefined where neither log nor engine is embedded, or the directory is not there. */
  dataDir: DataDirFacts | undefined
  settings: { brokers: boolean; clickhouse: boolean; blockSpanMs: number; checkpointMs: number }
}

export type DataDirFacts = {
  path: string
  freeBytes: Known<number>
  /** Permission bits of engine.json; undefined: there is none. */
  engineJsonMode: number | undefined
  /** Who has the embedded log; undefined: nobody. */
  logHolder: Known<string | undefined>
}

export type TopicRole = 'input' | 'changelog' | 'tierChanges' | 'rejected'

export type LogFacts = {
  kind: 'embedded' | 'kafka'
  /** A directory, or brokers. */
  where: string
  /** A topic of customer signals has no `tierChanges`. */
  names: Readonly<Record<Exclude<TopicRole, 'tierChanges'>, string>> & { readonly tierChanges?: string }
  topics: Readonly<Record<TopicRole, TopicDescription | undefined>>
  cluster: Known<ClusterDescription | undefined>
  /** Of the input topic. */
  partitions: readonly PartitionFacts[]
}

export type FoundCheckpoint = CheckpointRecord & {
  /** By the log's clock. */
  writtenAt: number
}

export type PartitionFacts = {
  partition: number
  begin: number
  end: number
  checkpoint: Known<FoundCheckpoint | undefined>
  /** Timestamp of the newest record, in an input topic under LogAppendTime; undefined: it has none. */
  newestAt: Known<number | undefined>
}

export type TableFacts = {
  database: string
  name: string
  uuid: string
  engine: string
  engineFull: string
  sortingKey: string
  partitionKey: string
  /** `database.table` of views that get what is inserted here. */
  dependants: readonly string[]
  /** The first of its CREATE statement, of materialized views only. */
  create: string
}

export type StoreFacts = {
  kind: 'embedded' | 'server'
  where: string
  topic: string
  database: string
  /** What the topic holds, and with that its tables. */
  of: 'behavior' | 'signals'
  version: string
  /** The store's clock minus ours is in [atLeastMs, atMostMs]. */
  clock: { atLeastMs: number; atMostMs: number }
  /** Of every database that can be seen, but for the system's. */
  tables: Known<readonly TableFacts[]>
  columns: Known<readonly { table: string; name: string; type: string }[]>
  schemaVersion: Known<number>
  /** By view: why it does not answer; undefined: it does. */
  views: readonly { name: string; error: string | undefined }[]
  /** What holds where a table says nothing: settings of MergeTree tables by name. */
  defaults: Known<Readonly<Record<string, string>>>
  /** Of the table's partition that has the most. */
  parts: Known<readonly { table: string; partition: string; parts: number }[]>
  disks: Known<readonly { name: string; freeBytes: number; totalBytes: number; readOnly: boolean; broken: boolean }[]>
  mutations: Known<readonly { table: string; id: string; ageMs: number; failure: string }[]>
  grants: Known<readonly string[]>
  rows: RowFacts
}

export type RowFacts = {
  clocks: Known<readonly ClockRowFacts[]>
  /** Of the newest blocks. */
  copies: readonly { table: string; found: Known<readonly CopyFacts[]> }[]
}

/** What a partition's clock rows in `kpi_deltas`, or in `signal_clocks`, say of its blocks: those young enough not to expire, and at most so many. */
export type ClockRowFacts = {
  partition: number
  blocks: number
  nextOffset: number
  /** Places where a block begins after the end of the one before. */
  gaps: number
  /** Where each begins and ends, offsets [from, to), in no order; no more than a hundred. */
  gapsFrom: readonly number[]
  gapsTo: readonly number[]
  /** Places where a block begins before the end of the one before. */
  overlaps: number
  overlapAt: number
}

export type CopyFacts = { partition: number; rows: number; copies: number; fromOffset: number }
