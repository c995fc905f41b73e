import { expect, test } from 'vitest'
import { operatorVersion } from '../../operators/settings.ts'
import type { TopicDescription } from '../ports/log.ts'
import { isGranted } from './check-server.ts'
import { targetOf } from './check-tables.ts'
import { judge } from './doctor.ts'
import type { FoundCheckpoint, LogFacts, MachineFacts, StoreFacts, TableFacts, TopicRole } from './facts.ts'
import type { Level } from './finding.ts'
import { hourMs, madeFacts, madeLog, madeStore, madeTable, nowMs } from './hand-made.ts'
import { lastLine, renderFindings, tallyOf } from './render.ts'

type Made = { log: LogFacts; store: StoreFacts; machine: MachineFacts }
/** What is made wrong; then the finding that tells it: level, check, what it is of, words of what was found or of the cure. */
type Case = [name: string, change: (made: Made) => void, level: Level, check: string, of: string | undefined, words: string]

function judged(change: (made: Made) => void) {
  const facts = madeFacts()
  const made = { log: madeLog(), store: madeStore(), machine: facts.machine }
  change(made)
  return judge({ ...facts, log: { state: 'found', facts: made.log }, store: { state: 'found', facts: made.store } })
}

const topic = (role: TopicRole, more: Partial<TopicDescription> | undefined) => (made: Made) => {
  const changed = more && { ...(made.log.topics[role] as TopicDescription), ...more }
  made.log.topics = { ...made.log.topics, [role]: changed }
}
const checkpoint = (partition: number, more: Partial<FoundCheckpoint> | undefined) => (made: Made) => {
  made.log.partitions = made.log.partitions.map((one) =>
    one.partition !== partition
      ? one
      : {
          ...one,
          checkpoint: {
            value: more && { ...('value' in one.checkpoint ? (one.checkpoint.value as FoundCheckpoint) : undefined)!, ...more },
          },
        },
  )
}
const table =
  (name: string, more: Partial<TableFacts> | undefined, added: readonly TableFacts[] = []) =>
  (made: Made) => {
    const all = 'value' in made.store.tables ? made.store.tables.value : []
    const changed = all.flatMap((one) => (one.name !== name ? [one] : more === undefined ? [] : [{ ...one, ...more }]))
    made.store.tables = { value: [...changed, ...added] }
  }
const clocks = (more: object) => (made: Made) => {
  const [first, second] = 'value' in made.store.rows.clocks ? made.store.rows.clocks.value : []
  made.store.rows = { ...made.store.rows, clocks: { value: [{ ...first!, ...more }, second!] } }
}
const partition0 = (more: Partial<LogFacts['partitions'][number]>) => (made: Made) => {
  made.log.partitions = made.log.partitions.map((one) => (one.partition === 0 ? { ...one, ...more } : one))
}
const copies = [{ partition: 1, rows: 9, copies: 3, fromOffset: 4 }]
const view = (more: Partial<TableFacts> = {}) =>
  madeTable({
    name: 'per_day',
    database: 'mine',
    engine: 'MaterializedView',
    create: 'CREATE MATERIALIZED VIEW mine.per_day TO mine.days (`d` Date) AS SELECT 1',
    ...more,
  })
const days = (more: Partial<TableFacts> = {}) => madeTable({ database: 'mine', name: 'days', engine: 'SummingMergeTree', ...more })
const noWindow = { engineFull: 'SummingMergeTree ORDER BY d SETTINGS index_granularity = 8192' }

test('where all is as it should be, every check says so', () => {
  const findings = judged(() => {})
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([])
  expect(new Set(findings.map(({ area }) => area))).toEqual(new Set(['machine', 'log', 'partitions', 'store', 'rows']))
})

const cases: Case[] = [
  // machine
  ['an old Node', ({ machine }) => (machine.nodeVersion = '22.1.0'), 'problem', 'node', undefined, '22.1.0'],
  ['Kafka without a server for tables', ({ machine }) => (machine.settings = { ...machine.settings, clickhouse: false }), 'warning', 'settings', undefined, 'CLICKHOUSE_URL'],
  ['short blocks of many partitions', ({ machine }) => (machine.settings = { ...machine.settings, blockSpanMs: 500 }), 'warning', 'insert rate', undefined, 'REELPULSE_BLOCK_SPAN_S=1'],
  ['little room', ({ machine }) => (machine.dataDir = { ...machine.dataDir!, freeBytes: { value: 2e9 } }), 'warning', 'free space', '/data', '1.9 GiB'],
  ['no room', ({ machine }) => (machine.dataDir = { ...machine.dataDir!, freeBytes: { value: 5e8 } }), 'problem', 'free space', '/data', '0.5 GiB'],
  ['secrets that others can read', ({ machine }) => (machine.dataDir = { ...machine.dataDir!, engineJsonMode: 0o644 }), 'problem', 'engine.json', undefined, 'chmod 600 /data/engine.json'],
  // log
  ['an input topic that is gone', topic('input', undefined), 'problem', 'topic', 'behavior-events', 'though state holds what was made of it'],
  ['CreateTime on the live topic', topic('input', { timestamps: 'create' }), 'problem', 'timestamps', 'behavior-events', '--add-config message.timestamp.type=LogAppendTime'],
  ['an output of the other time', topic('tierChanges', { timestamps: 'create' }), 'problem', 'timestamps', 'tier-changes', 'it will not start'],
  ['a missing output', topic('rejected', undefined), 'problem', 'topic', 'behavior-events.rejected', 'is missing'],
  ['an output of other partitions', topic('changelog', { partitions: [{ begin: 0, end: 1 }] }), 'problem', 'partitions', 'state', 'reelpulse repartition'],
  ['a changelog that is not compacted', topic('changelog', { compacted: false }), 'problem', 'compaction', 'state', 'cleanup.policy=compact'],
  ['a changelog that also expires', topic('changelog', { retentionMs: 9e9 }), 'problem', 'compaction', 'state', 'users are lost'],
  ['an output that takes small messages only', topic('rejected', { maxMessageBytes: 1_000_000 }), 'problem', 'message size', 'behavior-events.rejected', 'max.message.bytes=4194816'],
  ['retention of less than a day', topic('input', { retentionMs: 6 * hourMs }), 'problem', 'retention', 'behavior-events', '6 h; recovery needs 1 d'],
  ['retention that only just holds the oldest checkpoint', (made) => {
    topic('input', { retentionMs: 30 * hourMs })(made)
    checkpoint(1, { clock: nowMs - 20 * hourMs })(made)
  }, 'problem', 'retention', 'behavior-events', '1.3 d; recovery needs 1.8 d'],
  ['retention of a backfill', topic('input', { retentionMs: 900 * hourMs, timestamps: 'create' }), 'problem', 'retention', 'behavior-events', 'older at once'],
  ['retention by size', topic('input', { retentionBytes: 1e9 }), 'warning', 'retention', 'behavior-events', 'retention.bytes=-1'],
  ['rejected records that go soon', topic('rejected', { retentionMs: 24 * hourMs }), 'warning', 'retention', 'behavior-events.rejected', 'less than 7 d'],
  ['one replica', topic('input', { replication: { replicas: 1, inSync: 1, minInSync: 1, uncleanElection: false } }), 'problem', 'replication', 'behavior-events', 'lost with its broker'],
  ['one broker may acknowledge', topic('input', { replication: { replicas: 3, inSync: 3, minInSync: 1, uncleanElection: false } }), 'warning', 'replication', 'behavior-events', 'min.insync.replicas=2'],
  ['too few in sync', topic('input', { replication: { replicas: 3, inSync: 1, minInSync: 2, uncleanElection: false } }), 'problem', 'replication', 'behavior-events', 'nothing can be written'],
  ['a leader that lacks records', topic('changelog', { replication: { replicas: 3, inSync: 3, minInSync: 2, uncleanElection: true } }), 'problem', 'replication', 'state', 'unclean.leader.election.enable=false'],
  ['brokers that allow short transactions only', ({ log }) => (log.cluster = { value: { brokers: 3, maxTransactionTimeoutMs: 30_000, transactionTimeoutMs: 60_000 } }), 'problem', 'transactions', undefined, 'transaction.max.timeout.ms=60000'],
  ['brokers that do not tell', ({ log }) => (log.cluster = { unknown: 'not authorized' }), 'unchecked', 'transactions', undefined, 'not authorized'],
  // partitions
  ['records that retention took', partition0({ begin: 995 }), 'problem', 'records to go on from', 'partition 0', 'reelpulse skip'],
  ['another topic of the same name', partition0({ end: 500 }), 'problem', 'records to go on from', 'partition 0', 'is not the one'],
  ['more partitions than before', checkpoint(1, { partitionCount: 1 }), 'problem', 'partition count', undefined, 'reelpulse repartition'],
  ['a newer version was here', checkpoint(1, { operatorVersion: operatorVersion + 1 }), 'problem', 'operator version', undefined, 'run the newer program'],
  ['an older version was killed', checkpoint(1, { operatorVersion: operatorVersion - 1, clean: false }), 'warning', 'operator version', undefined, 'did not stop cleanly'],
  ['an older version that stopped cleanly', checkpoint(1, { operatorVersion: operatorVersion - 1 }), 'ok', 'operator version', undefined, 'may go on'],
  ['nobody processes', checkpoint(0, { writtenAt: nowMs - hourMs }), 'warning', 'lag', 'partition 0', 'made 1 h ago'],
  ['a partition without a checkpoint', checkpoint(1, undefined), 'warning', 'all begun', undefined, 'partition 1 without'],
  ['partitions far apart', checkpoint(1, { clock: nowMs - hourMs }), 'warning', 'clocks together', undefined, 'partition 1 is 59.9 min behind partition 0'],
  ['a partition that has seen no record', checkpoint(1, { clock: null as never }), 'ok', 'clocks together', undefined, 'at most 0 ms apart'],
  ['a record of the future', partition0({ newestAt: { value: nowMs + hourMs } }), 'problem', 'clock of the log', undefined, '1 h ahead'],
  ['clocks that differ a little', partition0({ newestAt: { value: nowMs + 5_000 } }), 'warning', 'clock of the log', undefined, '5 s ahead'],
  ['a changelog that cannot be read', partition0({ checkpoint: { unknown: 'no leader' } }), 'unchecked', 'checkpoint', 'partition 0', 'no leader'],
  // store
  ['an old server', ({ store }) => (store.version = '24.3.2.1'), 'problem', 'version', undefined, 'older than 24.7'],
  ['a server of another time', ({ store }) => (store.clock = { atLeastMs: -130_000, atMostMs: -120_000 }), 'problem', 'clock', undefined, '-2.2 min to -2 min'],
  ['a slow answer says nothing of clocks', ({ store }) => (store.clock = { atLeastMs: -9e5, atMostMs: 9e5 }), 'ok', 'clock', undefined, '15 min'],
  ['a user who may not insert', ({ store }) => (store.grants = { value: ['GRANT SELECT ON *.* TO x'] }), 'problem', 'rights', undefined, 'no INSERT on reelpulse.events'],
  ['rights through a role', ({ store }) => (store.grants = { value: ['GRANT writer TO x'] }), 'unchecked', 'rights', undefined, 'roles'],
  ['a server that does not sync', ({ store }) => (store.defaults = { value: { fsync_part_directory: '1' } }), 'warning', 'fsync', undefined, 'fsync_after_insert of events'],
  ['an embedded engine that does not sync', ({ store }) => { store.kind = 'embedded'; store.defaults = { value: {} } }, 'problem', 'fsync', undefined, 'fsync_part_directory of events'],
  ['many parts', ({ store }) => (store.parts = { value: [{ table: 'events', partition: '202606', parts: 600 }] }), 'warning', 'parts', undefined, 'slowed down from 1,000'],
  ['parts at the limit', ({ store }) => (store.parts = { value: [{ table: 'events', partition: '202606', parts: 2_900 }] }), 'problem', 'parts', undefined, '2,900'],
  ['a full disk', ({ store }) => (store.disks = { value: [{ name: 'd', freeBytes: 1e8, totalBytes: 1e12, readOnly: false, broken: false }] }), 'problem', 'disk', 'd', '0.1 GiB'],
  ['a read-only disk', ({ store }) => (store.disks = { value: [{ name: 'd', freeBytes: 1e12, totalBytes: 1e12, readOnly: true, broken: false }] }), 'problem', 'disk', 'd', 'read-only'],
  ['a mutation that fails', ({ store }) => (store.mutations = { value: [{ table: 'events', id: 'm1', ageMs: 9, failure: 'no\nmore' }] }), 'problem', 'mutations', 'events', "mutation_id = 'm1'"],
  ['a mutation that lasts', ({ store }) => (store.mutations = { value: [{ table: 'events', id: 'm1', ageMs: 2 * hourMs, failure: '' }] }), 'warning', 'mutations', 'events', 'for 2 h'],
  ['a table of customer signals beside it', ({ store }) => {
    store.of = 'signals'
    store.topic = 'shop-2.customer-signals'
    store.database = 'reelpulse_shop_2_customer_signals'
  }, 'warning', 'table', 'reelpulse_shop_2_customer_signals', 'reelpulse migrate --topic shop-2.customer-signals'],
  ['records of another topic that retention took', (made) => {
    made.log.names = { ...made.log.names, input: 'shop' }
    partition0({ begin: 995 })(made)
  }, 'problem', 'records to go on from', 'partition 0', 'reelpulse skip --topic shop'],
  ['a missing table', table('events', undefined), 'problem', 'table', 'events', 'reelpulse migrate'],
  ['another engine', table('events', { engine: 'ReplacingMergeTree' }), 'problem', 'table', 'events', 'want MergeTree'],
  ['another order', table('events', { sortingKey: 'offset' }), 'problem', 'table', 'events', 'ordered by (offset)'],
  ['other partitions', table('events', { partitionKey: 'toDate(block_at)' }), 'problem', 'table', 'events', 'may not be atomic'],
  ['a missing column', ({ store }) => (store.columns = { value: ('value' in store.columns ? store.columns.value : []).filter(({ name }) => name !== 'query') }), 'problem', 'table', 'events', 'lacks columns, or symbols of them: query'],
  ['a column of another type', ({ store }) => (store.columns = { value: ('value' in store.columns ? store.columns.value : []).map((one) => (one.name === 'query' ? { ...one, type: 'UInt8' } : one)) }), 'problem', 'table', 'events', 'query is UInt8'],
  ['a newer schema', ({ store }) => (store.schemaVersion = { value: 99 }), 'problem', 'schema version', undefined, 'run the newer program'],
  ['a view that does not answer', ({ store }) => (store.views = [{ name: 'users', error: 'no such column' }]), 'problem', 'view', 'users', 'no such column'],
  ['a table that remembers no token', table('events', { engineFull: 'MergeTree ORDER BY x' }), 'problem', 'deduplication', 'events', 'ALTER TABLE reelpulse.events MODIFY SETTING non_replicated_deduplication_window = 10000'],
  ['a table that remembers few', table('events', { engineFull: 'MergeTree SETTINGS non_replicated_deduplication_window = 10' }), 'warning', 'deduplication', 'events', 'is 10 blocks'],
  ['a replicated table without a window', table('events', { engine: 'ReplicatedMergeTree', engineFull: 'R SETTINGS replicated_deduplication_window = 0' }), 'problem', 'deduplication', 'events', 'SETTING replicated_deduplication_window = 10000'],
  ['a local table of a cluster without a window',
    table('events', { engine: 'Distributed', engineFull: "Distributed('c', 'reelpulse', 'events_local', rand())", sortingKey: '', partitionKey: '' }, [
      madeTable({ name: 'events_local', engine: 'ReplicatedMergeTree', engineFull: 'R SETTINGS replicated_deduplication_window = 0' }),
    ]), 'problem', 'deduplication', 'events_local', 'reelpulse.events_local'],
  ["a view's target with a window", table('events', { dependants: ['mine.per_day'] }, [view(), days()]), 'ok', 'deduplication behind a view', 'mine.per_day to mine.days', '10000'],
  ["a view's target without one", table('events', { dependants: ['mine.per_day'] }, [view(), days(noWindow)]), 'problem', 'deduplication behind a view', 'mine.per_day to mine.days', 'ALTER TABLE mine.days'],
  ['a view behind a view', table('events', { dependants: ['mine.per_day'] }, [
    view(), days({ dependants: ['mine.next'] }), view({ name: 'next', uuid: 'u', create: 'CREATE MATERIALIZED VIEW mine.next (`d` Date) ENGINE = MergeTree AS SELECT 1' }),
    days({ ...noWindow, name: '.inner_id.u' }),
  ]), 'problem', 'deduplication behind a view', 'mine.next to mine..inner_id.u', 'ALTER TABLE mine.`.inner_id.u`'],
  ['a target out of sight', table('events', { dependants: ['mine.per_day'] }, [view()]), 'unchecked', 'deduplication behind a view', 'mine.per_day to mine.days', 'cannot be seen'],
  // rows
  ['rows twice', ({ store }) => (store.rows = { ...store.rows, copies: [{ table: 'events', found: { value: copies } }] }), 'problem', 'once', 'events', '3 in partition 1 from offset 4'],
  ['rows that take too long', ({ store }) => (store.rows = { ...store.rows, copies: [{ table: 'events', found: { unknown: 'too long' } }] }), 'unchecked', 'once', 'events', 'too long'],
  ['a hole between blocks', clocks({ gaps: 1, gapsFrom: [10], gapsTo: [20] }), 'problem', 'blocks join', 'partition 0', 'from offset 10 to 20'],
  ['a hole that skip passed over', (made) => {
    clocks({ gaps: 1, gapsFrom: [10], gapsTo: [20] })(made)
    checkpoint(0, { holes: [{ from: 10, to: 20, at: nowMs }] })(made)
  }, 'ok', 'blocks join', undefined, 'blocks of the last'],
  ['a hole that skip passed over in two steps', (made) => {
    clocks({ gaps: 1, gapsFrom: [10], gapsTo: [30] })(made)
    checkpoint(0, { holes: [{ from: 10, to: 20, at: nowMs }, { from: 20, to: 30, at: nowMs }] })(made)
  }, 'ok', 'blocks join', undefined, 'blocks of the last'],
  ['a hole besides one that skip passed over', (made) => {
    clocks({ gaps: 2, gapsFrom: [10, 30], gapsTo: [20, 35] })(made)
    checkpoint(0, { holes: [{ from: 10, to: 20, at: nowMs }] })(made)
  }, 'problem', 'blocks join', 'partition 0', '1 gaps, the first from offset 30 to 35'],
  ['blocks that overlap', clocks({ overlaps: 2, overlapAt: 10 }), 'problem', 'blocks join', 'partition 0', 'at offset 10'],
  ['a database that was dropped', ({ store }) => {
    store.tables = { value: [] }
    store.rows = { ...store.rows, clocks: { unknown: 'no such table' } }
  }, 'problem', 'checkpoints covered', 'partition 0', 'the store has no block of it'],
  ['a checkpoint that skip put behind a hole, where no block came yet', (made) => {
    clocks({ nextOffset: 900 })(made)
    checkpoint(0, { holes: [{ from: 900, to: 950, at: nowMs }, { from: 950, to: 990, at: nowMs }] })(made)
    checkpoint(1, { nextOffset: 900 })(made)
  }, 'ok', 'checkpoints covered', undefined, '2 checkpoints, none ahead'],
  ['a store behind a hole that skip passed over', (made) => {
    clocks({ nextOffset: 900 })(made)
    checkpoint(0, { holes: [{ from: 900, to: 950, at: nowMs }] })(made)
  }, 'problem', 'checkpoints covered', 'partition 0', 'blocks end at 900'],
  ['a store behind its checkpoint', clocks({ nextOffset: 900 }), 'problem', 'checkpoints covered', 'partition 0', 'blocks end at 900'],
] // prettier-ignore

test.each(cases)('%s', (_, change, level, check, of, words) => {
  const told = judged(change).filter((finding) => finding.check === check && finding.of === of)
  expect(told.map((finding) => finding.level)).toContain(level)
  const finding = told.find((one) => one.level === level)!
  expect(`${finding.found} ${finding.fix ?? ''}`).toContain(words)
  if (level === 'warning' || level === 'problem') expect(finding.fix).toBeTruthy()
})

test('a view that is refreshed by itself is given nothing at an insert', () => {
  const create = 'CREATE MATERIALIZED VIEW mine.per_day REFRESH EVERY 1 HOUR TO mine.days (`d` Date) AS SELECT 1'
  const findings = judged(table('events', { dependants: ['mine.per_day'] }, [view({ create }), days(noWindow)]))
  expect(findings.filter(({ check }) => check === 'deduplication behind a view')).toEqual([])
})

test('whatever is away is a problem with its address, and nothing is said of what lies in it', () => {
  const facts = madeFacts()
  const findings = judge({
    ...facts,
    log: { state: 'away', where: 'kafka:9092', why: 'refused' },
    store: { state: 'away', where: 'http://x:8123', why: 'timed out' },
  })
  expect(findings.filter(({ level }) => level === 'problem').map(({ check, of, found }) => [check, of, found])).toEqual([
    ['log', 'kafka:9092', 'cannot be looked at: refused'],
    ['store', 'http://x:8123', 'cannot be looked at: timed out'],
  ])
  expect(findings.some(({ area }) => area === 'partitions' || area === 'rows')).toBe(false)
})

test('of a database without tables nothing is said of rows', () => {
  const findings = judged(({ log, store }) => {
    log.partitions = []
    store.tables = { value: [] }
    store.rows = { clocks: { unknown: 'no such table' }, copies: [{ table: 'events', found: { unknown: 'no such table' } }] }
  })
  expect(findings.filter(({ area }) => area === 'rows').map(({ check, level }) => [check, level])).toEqual([['checkpoints covered', 'ok']])
  expect(findings.filter(({ found }) => found.includes('no such table'))).toEqual([])
})

test('where checkpoints are there and the tables are gone, that is a problem', () => {
  const findings = judge({ ...madeFacts(), store: { state: 'absent', where: '/data/engine' } })
  expect(findings.filter(({ level }) => level === 'problem').map(({ check, of }) => [check, of])).toEqual([
    ['checkpoints covered', 'partition 0'],
    ['checkpoints covered', 'partition 1'],
  ])
})

test('the text ends with the problems and their cure; the last line counts the checks that were made', () => {
  const findings = judged(({ machine, log }) => {
    machine.nodeVersion = '22.1.0'
    log.cluster = { unknown: 'no' }
  })
  const text = renderFindings(findings)
  expect(text.trimEnd().split('\n').slice(-3)).toEqual([
    'PROBLEM machine, node: Node 22.1.0, older than 24',
    '  why: older ones do not run TypeScript as it is',
    '  fix: npm ci, and start with npx reelpulse: it brings its own',
  ])
  expect(lastLine(tallyOf(findings))).toBe(`${findings.length - 1} checks, 1 problems, 0 warnings`)
})

test.each([
  ['CREATE MATERIALIZED VIEW a.b TO c.d (`x` Date) AS SELECT 1', 'c.d'],
  ['CREATE MATERIALIZED VIEW a.`b c` REFRESH EVERY 1 HOUR APPEND TO `c`.`d.e` AS SELECT 1', 'c.d.e'],
  ['CREATE MATERIALIZED VIEW a.b (`x` Date) ENGINE = MergeTree AS SELECT 1', 'a..inner_id.u'],
])('what a view writes to: %s', (create, target) => {
  expect(targetOf({ database: 'a', name: 'b', uuid: 'u', create })).toBe(target)
})

test.each([
  [['GRANT ALL ON *.* TO x'], true],
  [['GRANT SHOW, INSERT ON `r`.`events` TO x'], true],
  [['GRANT INSERT(offset) ON r.events TO x'], false],
  [['GRANT INSERT ON other.* TO x'], false],
  [['GRANT INSERT ON other.* TO x', 'GRANT role TO x'], undefined],
])('whether %j let one insert', (grants, granted) => {
  expect(isGranted(grants, 'INSERT', 'r', 'events')).toBe(granted)
})
