// For tests: facts of a pipeline in which all is as it should be, to be made wrong in one place at a time.
import { columnsOf } from '../../schemas/ddl.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { operatorVersion } from '../../operators/settings.ts'
import { views } from '../../operators/views.ts'
import { engineOf, schemaVersion } from '../adapters/clickhouse-form.ts'
import type { TopicDescription } from '../ports/log.ts'
import type { Facts, LogFacts, PartitionFacts, StoreFacts, TableFacts } from './facts.ts'

export const nowMs = Date.UTC(2026, 5, 1, 12)
export const hourMs = 3_600_000

const topic = (name: string, more: Partial<TopicDescription> = {}): TopicDescription => ({
  topic: name,
  timestamps: 'append',
  compacted: false,
  partitions: [
    { begin: 0, end: 1_000 },
    { begin: 0, end: 1_000 },
  ],
  maxMessageBytes: 4 * 1024 * 1024,
  replication: { replicas: 3, inSync: 3, minInSync: 2, uncleanElection: false },
  ...more,
})

const partition = (index: number): PartitionFacts => ({
  partition: index,
  begin: 0,
  end: 1_000,
  checkpoint: {
    value: {
      nextOffset: 990,
      clock: nowMs - 5_000,
      operatorVersion,
      partitionCount: 2,
      settings: undefined,
      clean: true,
      writtenAt: nowMs - 4_000,
    },
  },
  newestAt: { value: nowMs - 100 },
})

export function madeLog(): LogFacts {
  return {
    kind: 'kafka',
    where: 'kafka:9092',
    names: { input: 'behavior-events', changelog: 'state', tierChanges: 'tier-changes', rejected: 'behavior-events.rejected' },
    topics: {
      input: topic('behavior-events'),
      changelog: topic('state', { compacted: true }),
      tierChanges: topic('tier-changes'),
      rejected: topic('behavior-events.rejected'),
    },
    cluster: { value: { brokers: 3, maxTransactionTimeoutMs: 900_000, transactionTimeoutMs: 60_000 } },
    partitions: [partition(0), partition(1)],
  }
}

export const madeTable = (more: Partial<TableFacts> & { name: string }): TableFacts => ({
  database: 'reelpulse',
  uuid: '00000000-0000-0000-0000-000000000001',
  engine: 'MergeTree',
  engineFull: 'MergeTree ORDER BY x SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192',
  sortingKey: 'x',
  partitionKey: '',
  dependants: [],
  create: '',
  ...more,
})

export function madeStore(): StoreFacts {
  return {
    kind: 'server',
    where: 'http://clickhouse:8123',
    topic: 'behavior-events',
    database: 'reelpulse',
    of: 'behavior',
    version: '26.7.2.1',
    clock: { atLeastMs: -20, atMostMs: 15 },
    tables: {
      value: [
        ...tables.map((table) =>
          madeTable({ name: table.name, engine: engineOf(table), sortingKey: table.orderBy.join(', '), partitionKey: table.partitionBy }),
        ),
        ...views.map(({ name }) => madeTable({ name, engine: 'View', engineFull: '', sortingKey: '' })),
      ],
    },
    columns: { value: tables.flatMap((table) => columnsOf(table).map(({ name, type }) => ({ table: table.name, name, type }))) },
    schemaVersion: { value: schemaVersion },
    views: views.map(({ name }) => ({ name, error: undefined })),
    defaults: {
      value: {
        fsync_after_insert: '1',
        fsync_part_directory: '1',
        non_replicated_deduplication_window: '0',
        replicated_deduplication_window: '10000',
        parts_to_delay_insert: '1000',
        parts_to_throw_insert: '3000',
      },
    },
    parts: { value: [{ table: 'events', partition: '202606', parts: 12 }] },
    disks: { value: [{ name: 'default', freeBytes: 2e11, totalBytes: 5e11, readOnly: false, broken: false }] },
    mutations: { value: [] },
    grants: { value: ['GRANT SELECT, INSERT ON reelpulse.* TO reelpulse'] },
    rows: {
      clocks: {
        value: [0, 1].map((index) => ({
          partition: index,
          blocks: 40,
          nextOffset: 995,
          gaps: 0,
          gapsFrom: [],
          gapsTo: [],
          overlaps: 0,
          overlapAt: 0,
        })),
      },
      copies: [{ table: 'events', found: { value: [{ partition: 0, rows: 8_000, copies: 0, fromOffset: 0 }] } }],
    },
  }
}

export function madeFacts(): Facts {
  return {
    nowMs,
    machine: {
      nodeVersion: '24.21.0',
      dataDir: { path: '/data', freeBytes: { value: 2e11 }, engineJsonMode: 0o600, logHolder: { value: undefined } },
      settings: { brokers: true, clickhouse: true, blockSpanMs: 5_000, checkpointMs: 10_000 },
    },
    log: { state: 'found', facts: madeLog() },
    store: { state: 'found', facts: madeStore() },
  }
}
