// The engine opened for others: what its reader may see and how much, and that nothing gets past that.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { databaseOf, readableDatabasesOf } from '../config/names.ts'
import { clickhouseStore } from './clickhouse-store.ts'
import { startEngine, type Engine, type EngineOptions } from '../engine/supervisor.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-reader-'))
const secretFile = join(dataDir, 'secret')
const wouldBeWritten = join(dataDir, 'written')
const own = readableDatabasesOf('shopping')
// Every address of the machine, as it would be opened for a Grafana elsewhere.
const options: EngineOptions = { dataDir, database: 'reelpulse', host: '0.0.0.0', port: 0, readerDatabases: own, fsync: 'nothing' }
let engine: Engine
let client: ClickHouseClient

const clientOf = (username: string, password: string, database = own[0]!) =>
  createClient({
    url: `http://127.0.0.1:${engine.address.port}`,
    username,
    password,
    database,
    compression: { response: true },
    log: { level: ClickHouseLogLevel.OFF },
  })

/** Over the socket, where the owner may do everything. */
async function asOwner(sql: string): Promise<void> {
  const store = clickhouseStore({ url: `unix:${engine.address.socketPath}`, ...engine.address.owner, database: 'default' })
  await store.command(sql)
  await store.close()
}

beforeAll(async () => {
  engine = await startEngine(options)
  writeFileSync(secretFile, 'hush\n')
  for (const database of [...own, databaseOf('other'), 'elsewhere', '2elsewhere', 'ailleurs_é']) {
    await asOwner(`CREATE DATABASE "${database}" ENGINE = Atomic`)
    await asOwner(`CREATE TABLE "${database}".t (a UInt32, s String) ENGINE = MergeTree ORDER BY a AS SELECT 1, '${database}'`)
  }
  client = clientOf(engine.address.reader.user, engine.address.reader.password)
})
afterAll(async () => {
  await client?.close()
  await engine?.stop()
  rmSync(dataDir, { recursive: true })
})

const rows = async (query: string, more: object = {}) => (await client.query({ query, format: 'JSONEachRow', ...more })).json()
const raw = async (query: string, url: Record<string, string> = {}) => {
  const { user, password } = engine.address.reader
  const response = await fetch(`http://127.0.0.1:${engine.address.port}/?${new URLSearchParams({ database: own[0]!, ...url })}`, {
    method: 'POST',
    body: query,
    headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
  })
  return { code: response.headers.get('x-clickhouse-exception-code'), text: await response.text() }
}

describe('the JavaScript client', () => {
  test('reads the tables of the topic and of the signals beside it', async () => {
    expect(await rows('SELECT s FROM t')).toEqual([{ s: own[0] }])
    for (const database of own) expect(await rows(`SELECT x.s FROM ${database}.t AS x`)).toEqual([{ s: database }])
    const table = { query_params: { table: 't', a: 1 } }
    expect(await rows('SELECT a FROM {table:Identifier} WHERE a = {a:UInt32}', table)).toEqual([{ a: 1 }])
  })

  test('finds databases, tables and columns, as data sources list them', async () => {
    expect(await rows('SELECT 1 AS up')).toEqual([{ up: 1 }])
    expect(await rows('SHOW TABLES')).toEqual([{ name: 't' }])
    expect(await rows(`SELECT name FROM system.columns WHERE database = '${own[0]}'`)).toEqual([{ name: 'a' }, { name: 's' }])
    expect(await rows(`DESCRIBE TABLE ${own[0]}.t`)).toHaveLength(2)
  })

  test.each<[string, () => ClickHouseClient]>([
    ['a wrong password', () => clientOf('reader', 'wrong')],
    ['no password', () => clientOf('reader', '')],
    ['nobody', () => clientOf('default', '')],
    // Only over the socket, or a loopback address.
    ['the owner, from outside', () => clientOf(engine.address.owner.user, engine.address.owner.password)],
  ])('is refused: %s', async (_, open) => {
    const other = open()
    await expect(other.query({ query: 'SELECT 1' })).rejects.toMatchObject({ code: '516', type: 'AUTHENTICATION_FAILED' })
    await other.close()
  })

  test('is refused a database in its options that is not to be read, and told which are', async () => {
    for (const database of ['system', 'elsewhere', databaseOf('other')]) {
      const other = clientOf(engine.address.reader.user, engine.address.reader.password, database)
      await expect(other.query({ query: 'SELECT 1' })).rejects.toThrow(own.join(', '))
      await other.close()
    }
  })
})

test('a form may have four mebibytes, since it is held before its turn comes', async () => {
  const { user, password } = engine.address.reader
  const sent = async (bytes: number) => {
    const form = new FormData()
    form.set('query', 'SELECT length({x:String})')
    form.set('param_x', 'x'.repeat(bytes))
    const headers = { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password }
    const response = await fetch(`http://127.0.0.1:${engine.address.port}/`, { method: 'POST', body: form, headers })
    return `${response.status} ${await response.text()}`
  }
  expect(await sent(4_000_000)).toBe('200 4000000\n')
  expect(await sent(5_000_000)).toMatch(/^413 .*A multipart body may have 4194304 bytes/)
})

const denied = '497'
const readOnly = '164'
test.each([
  // Writes and statements about the engine
  ["INSERT INTO t VALUES (2, '')", readOnly],
  ["INSERT INTO FUNCTION file('WRITTEN', 'CSV', 'a Int8') SELECT 1", readOnly],
  ['CREATE TABLE u (a Int8) ENGINE = Memory', readOnly],
  ['CREATE TEMPORARY TABLE u (a Int8)', readOnly],
  ['ALTER TABLE t DELETE WHERE 1', readOnly],
  ['DELETE FROM t WHERE 1', readOnly],
  ['OPTIMIZE TABLE t', readOnly],
  ['TRUNCATE TABLE t', readOnly],
  ['DROP TABLE t', readOnly],
  ['RENAME TABLE t TO u', readOnly],
  ["BACKUP TABLE t TO File('WRITTEN')", readOnly],
  ['SYSTEM SHUTDOWN', readOnly],
  ['KILL QUERY WHERE 1', readOnly],
  ['SET readonly = 0', readOnly],
  ['USE system', readOnly],
  ['SELECT 1 SETTINGS readonly = 0', readOnly],
  ['SELECT 1 SETTINGS max_execution_time = 0', readOnly],
  ["SELECT 1 INTO OUTFILE 'WRITTEN'", '48'],
  // Files of the machine, and others
  ["SELECT file('SECRET')", denied],
  ["SELECT `fil\\x65`('SECRET')", denied],
  ["SELECT * APPLY(file) FROM (SELECT 'SECRET')", denied],
  ["SELECT * APPLY file FROM (SELECT 'SECRET')", denied],
  ["SELECT arrayMap(file, ['SECRET'])", denied],
  ["SELECT * FROM file('SECRET', 'LineAsString')", denied],
  ["SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')", denied],
  ["SELECT * FROM s3('http://127.0.0.1:1/b/k', 'CSV', 'a String')", denied],
  ["SELECT * FROM remote('127.0.0.1', system.one)", denied],
  ["SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')", denied],
  ["SELECT * FROM executable('sh', 'CSV', 'a String')", denied],
  ["SELECT getServerSetting('path')", denied],
  ['SELECT addressToSymbol(toUInt64(1))', denied],
  // Other databases, by every way to name one
  ['SELECT * FROM elsewhere.t', denied],
  ['SELECT * FROM OTHER.t', denied],
  ['SELECT * FROM `elsewhere`.t', denied],
  ['SELECT * FROM “elsewhere”.t', denied],
  ['SELECT * FROM "ailleurs_é".t', denied],
  ['SELECT * FROM ailleurs_é.t', denied],
  ['SELECT * FROM "elsew\\x68ere".t', denied],
  ['SELECT * FROM elsewhere /* */ . /* */ t', denied],
  ['SELECT 1 IN (SELECT a FROM elsewhere.t)', denied],
  ['SELECT 1 IN elsewhere.t', denied],
  ['SELECT * FROM view(SELECT * FROM elsewhere.t)', denied],
  ["SELECT * FROM merge('elsewhere', 't')", denied],
  ['SELECT * FROM loop(elsewhere, t)', denied],
  ['SELECT * FROM mergeTreeIndex(elsewhere, t)', denied],
  ["SELECT joinGet('elsewhere.t', 's', 1)", denied],
  ["SELECT dictGet('elsewhere.d', 'b', 1)", denied],
  ["SELECT DICTGETORNULL('elsewhere.d', 'b', 1)", denied],
  ["SELECT arrayMap(dictHas, ['elsewhere.d'], [1])", denied],
  ["SELECT * FROM dictionary('elsewhere.d')", denied],
  // By blanks, comments, quotes and names that our lexer must know as the engine's does
  ['SELECT * FROM elsewhere\u00a0.t', denied],
  ['SELECT * FROM elsewhere.\u3000t', denied],
  ['SELECT query FROM system\ufeff.processes', denied],
  ["SELECT * FROM merge\u00a0('elsewhere', 't')", denied],
  ["SELECT * FROM sqlite\u00a0('WRITTEN', 't')", denied],
  ["DESCRIBE TABLE url\u00a0('http://127.0.0.1:1/', 'CSV')", denied],
  ["SELECT 1 // '\n, s FROM elsewhere.t --'", denied],
  ["SELECT /* /* */ ' */ s FROM elsewhere.t --'", denied],
  // No heredoc: the engine finds a string without an end.
  ["SELECT $-$ ' $-$, * FROM elsewhere.t --'", '62'],
  ['SELECT * FROM 2elsewhere.t', denied],
  // A number that takes the sign, a literal that knows no escapes
  ['SELECT 1e--1, s FROM elsewhere.t', denied],
  ["SELECT x'\\', s FROM elsewhere.t --'", denied],
  ["SELECT B'\\', s FROM elsewhere.t --'", denied],
  ['SELECT * FROM elsewhere\0.t', denied],
  ['SELECT ‘1’', denied],
  ["SELECT hasColumnInTable('elsewhere', 't', 'a')", denied],
  ['EXPLAIN SELECT * FROM elsewhere.t', denied],
  ['SHOW CREATE TABLE elsewhere.t', denied],
  // What others ask, and settings of the machine
  ['SELECT query FROM system.processes', denied],
  ['SHOW PROCESSLIST', denied],
  ['SELECT * FROM system.server_settings', denied],
  ['SELECT * FROM system.disks', denied],
])('the reader may not %s', async (sql, code) => {
  const answer = await raw(
    sql.replaceAll('SECRET', secretFile).replaceAll('WRITTEN', wouldBeWritten).replaceAll('OTHER', databaseOf('other')),
  )
  expect(answer.code).toBe(code)
  expect(answer.text).toMatch(/^Code: \d+\. DB::Exception: \w.*\./)
  expect(answer.text).not.toContain('hush')
  expect(existsSync(wouldBeWritten)).toBe(false)
})

test.each<[string, Record<string, string>, string]>([
  ['readonly', { readonly: '0' }, readOnly],
  ['a limit lifted', { max_memory_usage: '0' }, readOnly],
  ['a limit raised', { max_result_bytes: '99999999999' }, readOnly],
  ['a setting that is not about results', { allow_ddl: '1' }, readOnly],
  ['more threads than sixteen', { max_threads: '10000' }, readOnly],
  ['blocks of more rows than 65,536', { max_block_size: '10000000' }, readOnly],
  ['results into a cache that all share', { use_query_cache: '1' }, readOnly],
  ['a file to read', { format_template_row: secretFile }, readOnly],
  ['a file to read as a schema', { format_schema: `${secretFile}:M` }, readOnly],
  ['a file to write', { output_format_schema: wouldBeWritten }, readOnly],
  ['a database by a parameter', { param_db: 'elsewhere' }, denied],
  ['a function by a parameter', { param_db: 'file' }, denied],
  ['an odd name as a parameter', { param_db: 'elsewhere\\x2et' }, denied],
])('the URL may not carry %s', async (_, url, code) => {
  const query = 'param_db' in url ? 'SELECT * FROM {db:Identifier}.t' : 'SELECT 1 AS a FORMAT Template'
  const answer = await raw(query, url)
  expect(answer.code).toBe(code)
  expect(answer.text).not.toContain('hush')
  expect(existsSync(wouldBeWritten)).toBe(false)
})

test.each([
  ['slow', 'SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1', { max_execution_time: '1' }, '159', 'Timeout exceeded'],
  ['of more rows than five million', 'SELECT number FROM numbers(6000000) FORMAT Null', {}, '396', '5.00 million'],
  ['of more bytes than 256 MiB', "SELECT repeat('x', 1000) FROM numbers(300000) FORMAT TSV", {}, '396', 'max bytes: 268435456'],
  ['for more memory than 1 GiB', 'SELECT length(groupArray(number)) FROM numbers(1000000000)', {}, '241', '1.00 GiB'],
])('a query is ended that is %s', async (_, sql, url, code, text) => {
  const answer = await raw(sql, url)
  expect({ ...answer, text: answer.text.includes(text) }).toEqual({ code, text: true })
})

describe('the endpoint', () => {
  test('keeps its user and password over a restart, in a file that only its owner may read', async () => {
    const before = engine.address
    await engine.stop()
    engine = await startEngine({ ...options, port: before.port! })
    expect(engine.address).toMatchObject({ port: before.port, host: '0.0.0.0', reader: before.reader })
    expect(statSync(join(dataDir, 'engine.json')).mode & 0o777).toBe(0o600)
    expect(await rows('SELECT s FROM t')).toEqual([{ s: own[0] }])
  })

  test('on a port that is taken: the start says so, and leaves no process', async () => {
    const taken: Server = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const second = mkdtempSync(join(tmpdir(), 'reelpulse-taken-'))
    await expect(startEngine({ dataDir: second, database: 'reelpulse', port })).rejects.toThrow(
      `Port ${port} of 127.0.0.1 cannot be listened on (EADDRINUSE)`,
    )
    taken.close()
    const free = await startEngine({ dataDir: second, database: 'reelpulse', port })
    expect(free.address.port).toBe(port)
    await free.stop()
    rmSync(second, { recursive: true })
  })
})
