// The embedded engine speaks ClickHouse's HTTP interface well enough for the unmodified client.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createClient, type ClickHouseClient } from '@clickhouse/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { soon } from '../testing/soon.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from './embedded-store.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-client-'))
let engine: EmbeddedEngine
let client: ClickHouseClient

beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir, port: 0 })
  const { user, password } = engine.owner()
  client = createClient({
    url: engine.httpUrl()!,
    username: user,
    password,
    database: 'reelpulse',
    compression: { response: true, request: true },
  })
  await client.command({ query: 'CREATE TABLE t (a UInt32, s String, at DateTime64(3)) ENGINE = MergeTree ORDER BY a' })
})
afterAll(async () => {
  await client?.close()
  await engine?.close()
  rmSync(dataDir, { recursive: true })
})

const rows = async (where: string) =>
  (await client.query({ query: `SELECT a, s FROM t WHERE ${where} ORDER BY a`, format: 'JSONEachRow' })).json()

test('rows as objects, as a stream, and as raw text', async () => {
  const inserted = await client.insert({
    table: 't',
    values: [
      { a: 1, s: "it's\n\n" },
      { a: 2, s: '漢字' },
    ],
    format: 'JSONEachRow',
  })
  expect(inserted.summary?.written_rows).toBe('2')
  expect(await rows('a IN (1, 2)')).toEqual([
    { a: 1, s: "it's\n\n" },
    { a: 2, s: '漢字' },
  ])
  await client.insert({
    table: 't',
    values: Readable.from([
      { a: 11, s: 'x' },
      { a: 12, s: 'y' },
    ]),
    format: 'JSONEachRow',
    columns: ['a', 's'],
  })
  expect(await rows('a IN (11, 12)')).toEqual([
    { a: 11, s: 'x' },
    { a: 12, s: 'y' },
  ])
  await client.insert({
    table: 't',
    values: Readable.from(['21,"a\n\nb"\n', '22,b\n'], { objectMode: false }),
    format: 'CSV',
    columns: { except: ['at'] },
  })
  expect(await rows('a IN (21, 22)')).toEqual([
    { a: 21, s: 'a\n\nb' },
    { a: 22, s: 'b' },
  ])
})

test('a result in each form that it asks for', async () => {
  const query = 'SELECT number AS n FROM numbers(3)'
  const json = await (await client.query({ query })).json<{ n: number }>()
  expect(json).toMatchObject({ rows: 3, meta: [{ name: 'n', type: 'UInt64' }] })
  expect(await (await client.query({ query, format: 'TabSeparatedWithNames' })).text()).toBe('n\n0\n1\n2\n')
  let streamed = 0
  for await (const some of (await client.query({ query: 'SELECT number AS n FROM numbers(200000)', format: 'JSONEachRow' })).stream())
    streamed += some.length
  expect(streamed).toBe(200_000)
})

test('parameters of every kind, to the millisecond', async () => {
  const result = await client.query({
    query:
      'SELECT {s:String} AS s, {at:DateTime64(3)} AS at, {list:Array(String)} AS list, {map:Map(String, UInt8)} AS map, {n:Nullable(String)} AS n',
    query_params: { s: "a'b\\c\n\t", at: new Date(1_700_000_000_123), list: ["'", 'b'], map: { k: 1 }, n: null },
    format: 'JSONEachRow',
  })
  expect(await result.json()).toEqual([{ s: "a'b\\c\n\t", at: '2023-11-14 22:13:20.123', list: ["'", 'b'], map: { k: 1 }, n: null }])
})

test('settings for one request alone', async () => {
  const insert = (token: string) =>
    client.insert({ table: 'd', values: [{ a: 1 }], format: 'JSONEachRow', clickhouse_settings: { insert_deduplication_token: token } })
  await client.command({
    query: 'CREATE TABLE d (a UInt32) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 10',
  })
  await insert('one')
  await insert('one')
  await insert('two')
  await client.insert({ table: 'd', values: [{ a: 1 }], format: 'JSONEachRow', clickhouse_settings: { deduplicate_insert: 'disable' } })
  await client.insert({ table: 'd', values: [{ a: 2 }], format: 'JSONEachRow' })
  expect(await (await client.query({ query: 'SELECT count() AS n FROM d', format: 'JSONEachRow' })).json()).toEqual([{ n: 4 }])
})

test('errors with code, type and message', async () => {
  await expect(client.query({ query: 'SELECT * FROM nothing' })).rejects.toMatchObject({ code: '60', type: 'UNKNOWN_TABLE' })
  await expect(client.insert({ table: 't', values: [{ a: 'x' }], format: 'JSONEachRow' })).rejects.toMatchObject({
    code: expect.stringMatching(/^\d+$/),
  })
  const late = await client.query({
    query: "SELECT throwIf(number = 900000, 'late') AS e, repeat('x', 50) AS s FROM numbers(1000000)",
    format: 'JSONEachRow',
  })
  // Cut off as a server does it: the error itself may be lost on the way through decompression.
  await expect(late.json()).rejects.toThrow()
})

test('a query that its caller gives up', async () => {
  const abort = new AbortController()
  const asked = client.query({ query: 'SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1', abort_signal: abort.signal })
  const running = async () =>
    (await (await client.query({ query: "SELECT query FROM system.processes WHERE query LIKE '%sipHash%'", format: 'JSONEachRow' })).json())
      .length
  await soon(running).toBe(2)
  abort.abort()
  await expect(asked).rejects.toThrow(/abort/i)
  await soon(running).toBe(1)
})

test('that it is there, by ping and by query', async () => {
  expect(await client.ping()).toEqual({ success: true })
  expect(await client.ping({ select: true })).toEqual({ success: true })
})
