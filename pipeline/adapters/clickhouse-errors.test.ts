import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { StoreAway, StoreRefused } from '../ports/store.ts'
import { passing, refusal } from './clickhouse-errors.ts'
import { openEmbeddedEngine } from './embedded-store.ts'

test("every error that passes has a name that ClickHouse's engine knows", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-errors-'))
  const engine = await openEmbeddedEngine({ dataDir })
  try {
    const rows = await engine
      .store('system')
      .query<{ name: string }>("SELECT errorCodeToName(number) AS name FROM numbers(2000) WHERE name != ''")
    const known = new Set(rows.map(({ name }) => name))
    expect(known.size).toBeGreaterThan(600)
    expect([...passing].filter((name) => !known.has(name))).toEqual([])
  } finally {
    await engine.close()
    rmSync(dataDir, { recursive: true })
  }
})

const clickhouse = { 'x-clickhouse-query-id': 'q' }
const exception = (code: number, text: string, name: string) => ({
  status: 500,
  headers: { ...clickhouse, 'x-clickhouse-exception-code': String(code) },
  body: `Code: ${code}. DB::Exception: ${text}. (${name}) (version 26.7.1.1)\n`,
})
const page = (status: number, title: string) => ({
  status,
  headers: { server: 'nginx' },
  body: `<html><head><style>p { x: y }</style><title>${title}</title></head><body><h1>${title}</h1></body></html>`,
})

test('only an empty 200 from ClickHouse acknowledges an insert', () => {
  expect(refusal({ status: 200, headers: clickhouse, body: '' }, 'insert')).toBeUndefined()
})

test.each<[string, Parameters<typeof refusal>[0], typeof StoreAway | typeof StoreRefused, string, RegExp]>([
  ['too many parts', exception(252, 'Too many parts (3000)', 'TOO_MANY_PARTS'), StoreAway, 'TOO_MANY_PARTS', /Too many parts \(3000\)/],
  [
    'a 200 with an exception in it',
    { ...exception(243, 'No space left', 'NOT_ENOUGH_SPACE'), status: 200 },
    StoreAway,
    'NOT_ENOUGH_SPACE',
    /243/,
  ],
  [
    'a 200 with only the code of an exception',
    { status: 200, headers: { ...clickhouse, 'x-clickhouse-exception-code': '1' }, body: '' },
    StoreAway,
    'NOT_CLICKHOUSE',
    /200/,
  ],
  ['a 200 of a load balancer', page(200, 'Welcome'), StoreAway, 'NOT_CLICKHOUSE', /not ClickHouse's: HTTP status 200: Welcome Welcome$/],
  ['an empty 200 of a load balancer', { status: 200, headers: { server: 'nginx' }, body: '' }, StoreAway, 'NOT_CLICKHOUSE', /status 200$/],
  ['an empty 204', { status: 204, headers: clickhouse, body: '' }, StoreAway, 'NOT_CLICKHOUSE', /204/],
  ['a redirect', { status: 302, headers: { location: '/login' }, body: '' }, StoreAway, 'NOT_CLICKHOUSE', /302/],
  ['a 404 of an ingress without backends', page(404, 'default backend'), StoreAway, 'NOT_CLICKHOUSE', /404: default backend/],
  ['a 429', page(429, 'Too Many Requests'), StoreAway, 'NOT_CLICKHOUSE', /429/],
  ['a 503', page(503, 'Service Unavailable'), StoreAway, 'NOT_CLICKHOUSE', /503: Service Unavailable/],
  ['a 413 of a proxy, which no retry cures', page(413, 'Request Entity Too Large'), StoreRefused, '', /64 MiB/],
  ['an unknown table', exception(60, 'Table reelpulse.events does not exist', 'UNKNOWN_TABLE'), StoreRefused, '', /UNKNOWN_TABLE, code 60/],
  ['an unknown database', exception(81, 'Database reelpulse does not exist', 'UNKNOWN_DATABASE'), StoreRefused, '', /code 81/],
  [
    'a wrong password',
    { ...exception(516, 'u: Authentication failed', 'AUTHENTICATION_FAILED'), status: 403 },
    StoreRefused,
    '',
    /code 516/,
  ],
  ['missing rights', exception(497, 'Not enough privileges', 'ACCESS_DENIED'), StoreRefused, '', /code 497/],
])('%s', (_, answer, kind, reason, message) => {
  const refused = refusal(answer, 'insert into events')
  expect(refused).toBeInstanceOf(kind)
  expect(refused instanceof StoreAway ? refused.reason : '').toBe(reason)
  expect(refused!.message).toMatch(message)
})
