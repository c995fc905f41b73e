// What the Store makes of servers that are not there, or not ClickHouse: faults that no real server shows on demand.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { StoreAway, type Store } from '../ports/store.ts'
import { clickhouseStore } from './clickhouse-store.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function storeAt(listener: RequestListener | undefined, patienceMs = 20_000): Promise<Store> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  // Nobody listens there any more.
  if (listener === undefined) await close()
  else cleanups.push(close)
  const store = clickhouseStore({
    url: `http://127.0.0.1:${port}`,
    user: 'u',
    password: 'p',
    database: 'd',
    insertTimeoutMs: patienceMs,
    queryTimeoutMs: patienceMs,
  })
  cleanups.push(() => store.close())
  return store
}

test.each<[string, RequestListener | undefined, RegExp]>([
  ['is not there', undefined, /ECONNREFUSED/],
  ['hangs up', (request) => request.socket.destroy(), /hang up|ECONNRESET/],
  [
    'is a proxy whose server is away',
    (_, response) => response.writeHead(502).end('<html>Bad Gateway</html>'),
    /: the answer is not ClickHouse's: HTTP status 502: Bad Gateway$/,
  ],
  ['is a proxy that says no more than a status', (_, response) => response.writeHead(504).end(), /not ClickHouse's: HTTP status 504$/],
  [
    'is a proxy that answers in its name',
    (_, response) => response.end('<html>Welcome</html>'),
    /not ClickHouse's: HTTP status 200: Welcome$/,
  ],
  ['is a proxy that answers nothing in its name', (_, response) => response.end(), /not ClickHouse's: HTTP status 200$/],
  [
    'breaks off in the middle of its answer',
    (request, response) => {
      request.resume()
      response.writeHead(200, { 'Content-Length': '1000' })
      response.write('["a"]\n', () => request.socket.destroy())
    },
    /aborted|ECONNRESET|closed/i,
  ],
])('a server that %s is away', async (_, listener, reason) => {
  await expectAway(await storeAt(listener), reason)
  expect(await (await storeAt(undefined)).ping()).toBe(false)
})

test('a server that never answers is away after a while', async () => {
  await expectAway(await storeAt((request) => request.resume(), 100), /no answer within 100 ms$/)
})

async function expectAway(store: Store, reason: RegExp): Promise<void> {
  const attempts = {
    insert: () => store.insert({ table: 't', columns: ['a'], rows: new Uint8Array(100_000), token: 'x' }),
    query: () => store.query('SELECT 1'),
    command: () => store.command('CREATE TABLE t (a UInt8) ENGINE = Memory'),
  }
  for (const attempt of Object.values(attempts)) {
    const failed = attempt()
    await expect(failed).rejects.toBeInstanceOf(StoreAway)
    await expect(failed).rejects.toThrow(reason)
  }
}

test('answers to questions that are asked at once are told apart', async () => {
  const store = await storeAt((request, response) => {
    let asked = ''
    request.on('data', (chunk: Buffer) => (asked += chunk.toString())).on('end', () => response.writeHead(Number(/\d+/.exec(asked))).end())
  })
  const statuses = [500, 502, 503, 504, 429]
  const said = await Promise.allSettled(statuses.map((status) => store.query(`SELECT ${status}`)))
  expect(said.map((one) => (one.status === 'rejected' ? String(one.reason) : one.status))).toEqual(
    statuses.map((status) => `StoreAway: query: the answer is not ClickHouse's: HTTP status ${status}`),
  )
})

test('any hands on the bytes as they are, and asks for one block', async () => {
  let seen = { url: '', body: Buffer.alloc(0) }
  const store = await storeAt((request, response) => {
    const chunks: Buffer[] = []
    request
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        seen = { url: request.url!, body: Buffer.concat(chunks) }
        response.setHeader('X-ClickHouse-Query-Id', 'q').end()
      })
  })
  const rows = Uint8Array.from({ length: 100_000 }, (_, i) => i)
  await store.insert({ table: 't', columns: ['a', 'b`c'], rows, token: "to'ken" })
  const search = new URL(seen.url, 'http://x').searchParams
  expect(Buffer.compare(seen.body, rows)).toBe(0)
  expect(search.get('query')).toBe('INSERT INTO `t` (`a`, `b\\`c`) FORMAT RowBinary')
  expect(Object.fromEntries(search)).toMatchObject({
    database: 'd',
    async_insert: '0',
    optimize_on_insert: '0',
    deduplicate_blocks_in_dependent_materialized_views: '1',
    wait_end_of_query: '1',
    insert_deduplication_token: "to'ken",
  })
})
