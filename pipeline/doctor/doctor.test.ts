// The doctor on real parts: a pipeline that ran, with one fault at a time planted into its log or its tables.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { views } from '../../operators/views.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { changelogOf, databaseOf } from '../config/names.ts'
import { exitFailed, exitFinding, exitGood } from '../cli/command.ts'
import { processAll } from '../integration/process-harness.ts'
import { checkpointRecord, userRecord } from '../roles/process/checkpoint.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { gather, judge, type DoctorSettings } from './doctor.ts'
import { readCheckpoint } from './read-checkpoint.ts'

const topic = 'shop'
const database = databaseOf(topic)
const { dataDir, engine, log } = await embeddedParts('doctor')
const store = engine.store(database)

beforeAll(async () => {
  await store.migrate(tables, views)
  // Recent, since clock rows of old blocks expire.
  await writeTraffic(log, topic, {
    seed: 5,
    users: 300,
    events: 3_000,
    eventsPerSecond: 0.05,
    fromMs: Date.now() - 24 * 3_600_000,
    faults: 0.01,
  })
  await processAll({ topic, members: [{ log, store }], limits: { block: { events: 100, bytes: 1e9 } } })
}, 240_000)

const settingsOf = (topic: string, data = dataDir): DoctorSettings => ({
  data: { dir: data },
  log: {
    brokers: [],
    clientId: 'doctor',
    ssl: false,
    saslMechanism: undefined,
    saslUsername: undefined,
    saslPassword: undefined,
    sessionTimeoutS: 30,
  },
  store: { url: undefined, user: 'default', password: '' },
  topic: { topic, group: 'reelpulse' },
  process: { blockSpanS: 5, checkpointS: 10 },
})

const diagnose = async (of = topic) => judge(await gather(settingsOf(of)))
/** What is not as it should be. */
const complaints = async (of = topic) =>
  (await diagnose(of)).filter(({ level }) => level !== 'ok').map(({ level, check, of }) => [level, check, of ?? ''].join(' | '))

async function doctor(...words: string[]) {
  const bin = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
  const child = spawn(process.execPath, [bin, 'doctor', ...words])
  const out: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, lines: Buffer.concat(out).toString().trimEnd().split('\n') }
}

/** Ends of every topic, and rows, parts and form of every table. */
async function everything() {
  const topics = await Promise.all((await log.listTopics()).map((name) => log.describeTopic(name)))
  const found = await store.query(
    'SELECT database, name, total_rows, create_table_query, metadata_version FROM system.tables WHERE database LIKE {ours:String} ORDER BY database, name',
    { ours: 'reelpulse%' },
  )
  return { topics, found }
}

test('a pipeline that ran is well, its log is looked into beside the process that has it, and nothing is changed', async () => {
  const before = await everything()
  const { code, lines } = await doctor('--data', dataDir, '--topic', topic)
  expect(lines.filter((line) => /PROBLEM|WARNING|^ {2}\?/.test(line))).toEqual([])
  expect(lines.at(-1)).toMatch(/^\d\d checks, 0 problems, 0 warnings$/)
  expect(lines.join('\n')).toContain(`process ${process.pid} since`)
  expect(code).toBe(exitGood)
  expect(await everything()).toEqual(before)
}, 120_000)

test('where there is nothing yet nothing is made, that is no problem, and --json is one line', async () => {
  const { code, lines } = await doctor('--data', join(dataDir, 'nothing'), '--json')
  expect(existsSync(join(dataDir, 'nothing'))).toBe(false)
  expect(code).toBe(exitGood)
  expect(lines).toHaveLength(1)
  const { problems, findings } = JSON.parse(lines[0]!) as { problems: number; findings: { level: string; check: string }[] }
  expect(problems).toBe(0)
  expect(findings.filter(({ level }) => level === 'warning').map(({ check }) => check)).toEqual(['log', 'store'])
}, 60_000)

test('servers that do not answer are told by their addresses; where neither does, exit 3', async () => {
  const broker = ['--data', dataDir, '--topic', topic, '--brokers', '127.0.0.1:1']
  const one = await doctor(...broker)
  expect(one.lines.join('\n')).toMatch(/PROBLEM log, log · 127\.0\.0\.1:1: cannot be looked at: /)
  expect(one.code).toBe(exitFinding)
  const none = await doctor(...broker, '--clickhouse-url', 'http://127.0.0.1:1')
  expect(none.lines.join('\n')).toMatch(/PROBLEM store, store · http:\/\/127\.0\.0\.1:1: cannot be looked at: /)
  expect(none.code).toBe(exitFailed)
}, 120_000)

test('faults of topics are found', async () => {
  const two = { partitions: 2, timestamps: 'append' } as const
  await log.createTopic({ topic: 'behavior-events', partitions: 2, timestamps: 'create' })
  expect(await complaints('behavior-events')).toContain('problem | timestamps | behavior-events')

  await log.createTopic({ topic: 'short', ...two, retentionMs: 3_600_000 })
  expect(await complaints('short')).toContain('problem | retention | short')

  await log.createTopic({ topic: 'counts', ...two })
  await log.createTopic({ topic: changelogOf('counts'), partitions: 3, timestamps: 'append', compacted: true })
  const counts = await complaints('counts')
  expect(counts).toContain(`problem | partitions | ${changelogOf('counts')}`)
  // Begun, and two of its topics are not there.
  expect(counts).toContain('problem | topic | counts.rejected')

  await log.createTopic({ topic: changelogOf('gone'), ...two, timestamps: 'append' })
  expect(await complaints('gone')).toContain('problem | topic | gone')
  expect(await complaints('never')).toContain('problem | topic | never')
}, 120_000)

test('of a long changelog only the end is read for the last checkpoint, more where that has none', async () => {
  const name = 'long.user-state'
  const at = { nextOffset: 7, clock: 5, operatorVersion: 1, partitionCount: 1, settings: defaultSettings, clean: true }
  const users = Array.from({ length: 2_000 }, (_, i) => userRecord(Buffer.from(`u${i}`), Buffer.from('state')))
  await log.createTopic({ topic: name, partitions: 1, timestamps: 'append', compacted: true })
  const look = async () => {
    const { partitions } = (await log.describeTopic(name))!
    const starts: number[] = []
    const read = (topic: string, partition: number, from: number) => {
      starts.push(from)
      return log.read(topic, partition, from)
    }
    return { found: await readCheckpoint({ read }, name, 0, partitions[0]!), starts }
  }
  await log.append(name, users)
  expect(await look()).toEqual({ found: undefined, starts: [1_000, 0] })
  await log.append(name, [checkpointRecord({ ...at, nextOffset: 6 }), checkpointRecord(at)])
  expect(await look()).toMatchObject({ found: at, starts: [1_002] })
  await log.append(name, users)
  expect(await look()).toMatchObject({ found: at, starts: [3_002, 0] })
})

test('a table or the target of a view that remembers no tokens is found, and the cure that is told cures it', async () => {
  await store.command('ALTER TABLE tier_changes MODIFY SETTING non_replicated_deduplication_window = 0')
  await store.command('CREATE TABLE per_day (d Date, n UInt64) ENGINE = SummingMergeTree ORDER BY d')
  await store.command('CREATE MATERIALIZED VIEW to_per_day TO per_day AS SELECT toDate(event_at) AS d, count() AS n FROM events GROUP BY d')
  const bad = (await diagnose()).filter(({ level }) => level !== 'ok')
  expect(bad.map(({ check, of }) => [check, of])).toEqual([
    ['deduplication', 'tier_changes'],
    ['deduplication behind a view', `${database}.to_per_day to ${database}.per_day`],
  ])
  for (const { fix } of bad) await store.command(fix!)
  expect(await complaints()).toEqual([])
  await store.command('DROP TABLE to_per_day')
}, 120_000)

test('missing columns, tables and views are found, and migrate cures them', async () => {
  await store.command('ALTER TABLE events DROP COLUMN query')
  await store.command('DROP TABLE alerts')
  await store.command('DROP TABLE users')
  const bad = (await diagnose()).filter(({ level }) => level === 'problem')
  expect(bad.map(({ check, of, fix }) => [check, of, fix])).toEqual([
    ['table', 'events', 'reelpulse migrate --topic shop'],
    ['table', 'alerts', 'reelpulse migrate --topic shop'],
    ['view', 'users', 'reelpulse migrate --topic shop'],
    ['view', 'open_alerts', 'reelpulse migrate --topic shop'],
    ['view', 'alert_history', 'reelpulse migrate --topic shop'],
    ['view', 'user_events', 'reelpulse migrate --topic shop'],
  ])
  await store.migrate(tables, views)
  expect(await complaints()).toEqual([])
}, 120_000)

test('rows that are there twice, a hole between blocks, and a store behind its checkpoint are found', async () => {
  await store.command('INSERT INTO events SELECT * FROM events WHERE partition = 1 LIMIT 3')
  const twice = (await diagnose()).filter(({ level }) => level !== 'ok')
  expect(twice.map(({ check, of, found }) => [check, of, found.includes('3 in partition 1')])).toEqual([['once', 'events', true]])

  const clock = "dimension = 'clock' AND partition = 2"
  const blocks = await store.query<{ at: number; next: number }>(
    `SELECT first_offset AS at, next_offset AS next FROM kpi_deltas WHERE ${clock} ORDER BY at`,
  )
  expect(blocks.length).toBeGreaterThan(2)
  const lost = blocks[1]!
  await store.command(`DELETE FROM kpi_deltas WHERE ${clock} AND first_offset = ${lost.at}`)
  const hole = (await diagnose()).find(({ check, level }) => check === 'blocks join' && level === 'problem')
  expect(hole).toMatchObject({ of: 'partition 2', found: `1 gaps, the first from offset ${lost.at} to ${lost.next}: rows are missing` })

  await store.command(`DELETE FROM kpi_deltas WHERE ${clock} AND first_offset = ${blocks.at(-1)!.at}`)
  expect(await complaints()).toContain('problem | checkpoints covered | partition 2')
}, 120_000)

test('a stopped log is looked into without a trace', async () => {
  await log.close()
  const files = readdirSync(join(dataDir, 'log'))
  expect((await diagnose()).filter(({ area, level }) => area === 'log' && level !== 'ok')).toEqual([])
  expect(readdirSync(join(dataDir, 'log'))).toEqual(files)
}, 60_000)
