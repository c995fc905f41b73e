import { describe, expect, test } from 'vitest'
import { addColumns, columnsOf, columnType, createClusterTables, createTable } from './ddl.ts'
import { everyKindTable } from './every-kind.ts'
import * as field from './field.ts'
import { table } from './table.ts'
import { tables } from './tables/catalogue.ts'
import { kpiDeltasTable } from './tables/kpi-deltas.ts'
import { userFeaturesTable } from './tables/user-features.ts'

test.each([
  [field.string(), 'String'],
  [field.word(), 'LowCardinality(String)'],
  [field.bytes(), 'String'],
  [field.uuid(), 'UUID'],
  [field.enumeration('C', ['a', "b's"]), "Enum8('a' = 0, 'b\\'s' = 1)"],
  [field.instant(), "DateTime64(3, 'UTC')"],
  [field.uint8(), 'UInt8'],
  [field.int32(), 'Int32'],
  [field.uint64(), 'UInt64'],
  [field.float64(), 'Float64'],
  [field.stringMap(), 'Map(LowCardinality(String), String)'],
  [field.list(field.word()), 'Array(LowCardinality(String))'],
  [field.nullable(field.string()), 'Nullable(String)'],
  [field.nullable(field.word()), 'LowCardinality(Nullable(String))'],
  [field.nullable(field.instant()), "Nullable(DateTime64(3, 'UTC'))"],
])('%j is a column of type %s', (of, type) => {
  expect(columnType(of as field.Field)).toBe(type)
})

const signals = table({
  name: 'signals',
  record: field.fieldTable('Signal', {
    user_id: field.string("It's `who` \\ it was."),
    at: field.instant(),
    score: field.nullable(field.int32('1 to 5.')),
  }),
  engine: { kind: 'latest', version: 'at' },
  orderBy: ['user_id'],
  partitionBy: 'toYYYYMM(at)',
  ttl: 'toDateTime(at) + INTERVAL 40 DAY',
})

test('one server', () => {
  expect(createTable('reelpulse', signals, { fsync_after_insert: 1 })).toBe(`CREATE TABLE IF NOT EXISTS \`reelpulse\`.\`signals\` (
  \`user_id\` String COMMENT 'It\\'s \`who\` \\\\ it was.',
  \`at\` DateTime64(3, 'UTC'),
  \`score\` Nullable(Int32) COMMENT '1 to 5.'
) ENGINE = ReplacingMergeTree(\`at\`)
PARTITION BY toYYYYMM(at)
ORDER BY (\`user_id\`)
TTL toDateTime(at) + INTERVAL 40 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1`)
})

describe('a cluster', () => {
  test('has a replicated table under a distributed one, which keeps a user on one shard', () => {
    const [local, distributed] = createClusterTables('reelpulse', signals, 'main')
    expect(local).toContain('CREATE TABLE IF NOT EXISTS `reelpulse`.`signals_local` ON CLUSTER `main` (')
    expect(local).toContain("ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', `at`)")
    expect(local).toContain('SETTINGS replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800')
    expect(local).not.toContain('non_replicated')
    expect(distributed).toBe(`CREATE TABLE IF NOT EXISTS \`reelpulse\`.\`signals\` ON CLUSTER \`main\`
AS \`reelpulse\`.\`signals_local\`
ENGINE = Distributed(\`main\`, \`reelpulse\`, \`signals_local\`, cityHash64(user_id))`)
  })

  test.each([
    [userFeaturesTable, 'cityHash64(user_id)'],
    [kpiDeltasTable, 'partition'],
  ])('shards %# by the user, else by the partition', (of, by) => {
    expect(createClusterTables('r', of, 'main')[1]).toMatch(`, ${by})`)
  })
})

test('what is missing of a table is added, with its comment', () => {
  const missing = columnsOf(signals).filter(({ name }) => name === 'score')
  expect(addColumns('reelpulse', signals, missing)).toEqual([
    "ALTER TABLE `reelpulse`.`signals` ADD COLUMN IF NOT EXISTS `score` Nullable(Int32) COMMENT '1 to 5.'",
  ])
})

test.each([everyKindTable, ...tables].map((of) => [of.name, of] as const))(
  '%s: its key, version and enumerations are columns and fit',
  (_, of) => {
    const { fields } = of.record
    for (const name of [...of.orderBy, ...(of.engine.kind === 'latest' ? [of.engine.version] : [])])
      expect(Object.keys(fields)).toContain(name)
    for (const { kind } of Object.values(fields)) {
      const symbols = kind.of === 'enumeration' ? kind.symbols : []
      // Enum8 ends at 127.
      expect(symbols.length).toBeLessThanOrEqual(128)
      expect(new Set(symbols).size).toBe(symbols.length)
    }
  },
)
