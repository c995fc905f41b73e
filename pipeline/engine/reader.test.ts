// How far the reader gets, and that nobody is held up by it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import * as http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { soon } from '../testing/soon.ts'
import type { Credentials } from './request.ts'
import { startEngine, type Engine, type EngineOptions } from './supervisor.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-reads-'))
const options: EngineOptions = { dataDir, database: 'reelpulse', port: 0, fsync: 'nothing', readerDatabases: ['reelpulse'] }
let engine: Engine
beforeAll(async () => {
  engine = await startEngine(options)
  await asOwner('CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a')
})
afterAll(async () => {
  await engine?.stop()
  rmSync(dataDir, { recursive: true })
})

const denied = '497'
const ask = async (query: string, { user, password }: Credentials, url: Record<string, string>) => {
  const response = await fetch(`http://127.0.0.1:${engine.address.port}/?${new URLSearchParams(url)}`, {
    method: 'POST',
    body: query,
    headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
  })
  return { code: response.headers.get('x-clickhouse-exception-code'), text: await response.text() }
}
const raw = (query: string, url: Record<string, string> = {}) => ask(query, engine.address.reader, url)
const asOwner = (query: string) => ask(query, engine.address.owner, {})
const namesOf = async (query: string) => (await raw(`${query} FORMAT TSV`)).text.trimEnd().split('\n')

test.each(['JSONEachRow', 'TSV', 'Native'])(
  'a result in %s that the engine counts as small, but is not, fills neither memory nor disk',
  async (format) => {
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${engine.pid()}/status`, 'utf8'))![1]) / 1024
    const before = rss()
    let most = before
    const looking = setInterval(() => (most = Math.max(most, rss())), 50)
    const answer = await raw(`SELECT repeat('x', 1000) FROM numbers(5000000) FORMAT ${format}`)
    clearInterval(looking)
    expect(answer.code).toBe('396')
    expect(answer.text).toContain('max bytes: 268435456')
    expect(most - before).toBeLessThan(1_500)
  },
)

test('names in typographic company are allowed in quotes and comments', async () => {
  const answer = await raw('SELECT \'naïve “x”\', 1 AS "ü" -- –\n/* ß */ FORMAT TSV')
  expect(answer.text).toBe('naïve “x”\t1\n')
})

test('what a character outside of quotes hides is said, and where', async () => {
  expect((await raw('SELECT * FROM t\u00a0')).text).toContain('U+00A0 stands at position 16, behind "SELECT * FROM t"')
})

test('every table function of the engine is refused but those that make rows from nothing', async () => {
  const names = await namesOf('SELECT name FROM system.table_functions')
  const answers = await Promise.all(names.map(async (name) => ({ name, ...(await raw(`SELECT * FROM ${name}(1)`)) })))
  expect(answers.flatMap(({ name, code }) => (code === denied ? [] : [name])).toSorted()).toEqual([
    'format', 'generateRandom', 'generateSeries', 'generate_series', 'null', 'numbers', 'numbers_mt', 'primes', 'values', 'view', 'zeros', 'zeros_mt',
  ]) // prettier-ignore
})

/** By the engine's own division of its functions, and by names that sound like it. */
test('every function that reads dictionaries, models, memory or settings is refused, but for these, which only sound like it', async () => {
  const suspects = `SELECT name FROM system.functions WHERE NOT is_aggregate AND (
    categories IN ('Dictionary', 'Embedded Dictionary', 'Machine Learning', 'AI', 'Introspection')
    OR match(name, '(?i)^(get|join|file|dict|ai[CEGT]|show|region|naive|catboost|server|tcp)'))`
  const names = await namesOf(suspects)
  expect(names.length).toBeGreaterThan(80)
  const answers = await Promise.all(names.map(async (name) => ({ name, ...(await raw(`SELECT ${name}(1)`)) })))
  expect(answers.flatMap(({ name, code }) => (code === denied ? [] : [name])).toSorted()).toEqual([
    'demangle', 'evalMLMethod', 'getClientHTTPHeader', 'getSetting', 'getSettingOrDefault', 'getSizeOfEnumType', 'getSubcolumn',
    'getTypeSerializationStreams', 'isMergeTreePartCoveredBy', 'mergeTreePartInfo', 'naiveBayesNgrams', 'serverTimeZone', 'serverTimezone', 'tid',
  ]) // prettier-ignore
})

describe('readers do not hold up others', () => {
  const askSlowly = (query: string, onAnswer: (response: http.IncomingMessage) => void): http.ClientRequest => {
    const { user, password } = engine.address.reader
    const headers = { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password }
    const sent = http.request({ port: engine.address.port, method: 'POST', headers, agent: false }, onAnswer)
    return sent.on('error', () => {}).end(query)
  }

  test('four results that nobody reads are held, no more; who reads on gets all of it', async () => {
    const answered: http.IncomingMessage[] = []
    const asked = Array.from({ length: 6 }, () =>
      askSlowly("SELECT number, repeat('x', 1000) FROM numbers(30000) FORMAT TSV", (it) => answered.push(it.pause())),
    )
    await soon(() => answered.length).toBe(4)
    let other = false
    const small = raw('SELECT 1').then((answer) => {
      other = true
      return answer
    })
    // The engine is up to others meanwhile, and the fifth still waits.
    for (let i = 0; i < 5; i++) await asOwner('SELECT 1')
    expect({ answered: answered.length, other }).toEqual({ answered: 4, other: false })
    const first = answered[0]!
    let bytes = 0
    for await (const piece of first) bytes += (piece as Buffer).length
    expect(bytes).toBe(Number(first.headers['content-length']))
    for (const sent of asked) sent.destroy()
    expect((await small).text).toBe('1\n')
  })

  test.each([
    'SELECT (FROM numbers(1000000000) SELECT countIf(sipHash64(number) = 1)) AS a',
    'SELECT 1 WHERE 1 IN (SELECT number FROM numbers(1000000000) WHERE sipHash64(number) = 1)',
    'SELECT 1 WHERE EXISTS (SELECT 1 FROM numbers(1000000000) WHERE sipHash64(number) = 1)',
    'SELECT * FROM slow',
  ])('the engine answers while it plans %s', async (query) => {
    await asOwner(`CREATE VIEW IF NOT EXISTS slow AS SELECT (SELECT countIf(sipHash64(number) = 1) FROM numbers(1000000000)) AS a`)
    let ended = false
    const asked = raw(`${query} FORMAT JSONEachRow`, { max_execution_time: '2' }).finally(() => (ended = true))
    let pings = 0
    while (!ended) {
      await (await fetch(`http://127.0.0.1:${engine.address.port}/ping`)).text()
      pings++
    }
    await asked
    // Where the process stood still there was one, or two.
    expect(pings).toBeGreaterThan(10)
  })

  test('a stop does not wait for a reader that does not read', async () => {
    const answer = await new Promise<http.IncomingMessage>((resolve) => askSlowly("SELECT repeat('x', 1000) FROM numbers(30000)", resolve))
    const broken = new Promise((resolve) => answer.on('error', () => {}).once('close', resolve))
    await engine.stop()
    answer.resume()
    await broken
    expect(answer.complete).toBe(false)
    engine = await startEngine(options)
  })
})
