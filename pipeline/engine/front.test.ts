import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { soon } from '../testing/soon.ts'
import { spoolDirectoriesOf } from './address.ts'
import { startEngine, type Engine } from './supervisor.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-front-'))
let engine: Engine

beforeAll(async () => {
  engine = await startEngine({ dataDir, database: 'reelpulse', port: 0, maxBodyBytes: 4 * 1024 * 1024 })
  await owner('CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100')
})
afterAll(async () => {
  await engine?.stop()
  rmSync(dataDir, { recursive: true })
})

type Answer = { status: number; text: string; bytes: Buffer; headers: Headers }
type Call = {
  url?: Record<string, string>
  method?: string
  body?: string | Uint8Array | undefined
  headers?: Record<string, string>
  path?: string
}

const root = () => `http://127.0.0.1:${engine.address.port}`

async function call({ url = {}, method = 'POST', body, headers = {}, path = '/' }: Call): Promise<Answer> {
  const response = await fetch(`${root()}${path}?${new URLSearchParams(url)}`, {
    method,
    headers: { ...headers },
    ...(body === undefined ? {} : { body: body as string }),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  return { status: response.status, text: bytes.toString(), bytes, headers: response.headers }
}

const keyOf = (who: 'owner' | 'reader') => ({
  'X-ClickHouse-User': engine.address[who].user,
  'X-ClickHouse-Key': engine.address[who].password,
})
const asOwner = (options: Call) => call({ ...options, headers: { ...keyOf('owner'), ...options.headers } })
const asReader = (options: Call) => call({ ...options, headers: { ...keyOf('reader'), ...options.headers } })
const owner = (sql: string, url: Record<string, string> = {}) => asOwner({ body: sql, url })
const reader = (sql: string, url: Record<string, string> = {}) => asReader({ body: sql, url })
const codeOf = ({ headers }: Answer) => headers.get('x-clickhouse-exception-code')

async function spoolIsEmpty(): Promise<void> {
  await soon(() => spoolDirectoriesOf(dataDir).flatMap((path) => readdirSync(path))).toEqual([])
}

describe('who may enter', () => {
  test('anyone may ask whether it is up', async () => {
    expect(await call({ method: 'GET', path: '/ping' })).toMatchObject({ status: 200, text: 'Ok.\n' })
  })

  test.each<[string, () => Call]>([
    ['nobody', () => ({})],
    ['default without a password', () => ({ headers: { 'X-ClickHouse-User': 'default' } })],
    ['a wrong password', () => ({ headers: { ...keyOf('owner'), 'X-ClickHouse-Key': 'wrong' } })],
    ["the reader's password", () => ({ headers: { ...keyOf('reader'), 'X-ClickHouse-User': engine.address.owner.user } })],
  ])('not %s', async (_, options) => {
    const answer = await call({ body: 'SELECT 1', ...options() })
    expect(answer.status).toBe(403)
    expect(codeOf(answer)).toBe('516')
    expect(answer.text).toMatch(/^Code: 516\. DB::Exception: .*\(AUTHENTICATION_FAILED\)/)
  })

  test('the owner by headers, basic authorization or URL', async () => {
    const { user, password } = engine.address.owner
    const basic = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    for (const options of [{ headers: keyOf('owner') }, { headers: { authorization: basic } }, { url: { user, password } }])
      expect(await call({ body: 'SELECT 1', ...options })).toMatchObject({ status: 200, text: '1\n' })
  })
})

describe('the reader', () => {
  test.each(['SELECT count() FROM numbers(10)', 'SHOW TABLES', 'DESCRIBE t', 'EXPLAIN SELECT 1', 'EXISTS TABLE t', 'WITH 1 AS a SELECT a'])(
    'may %s',
    async (sql) => {
      expect((await reader(sql)).status).toBe(200)
    },
  )

  test.each([
    ['INSERT INTO t VALUES (1, 1)', '164'],
    ['DROP TABLE t', '164'],
    ['KILL QUERY WHERE 1', '164'],
    ['SET readonly = 0', '164'],
    ['SYSTEM FLUSH LOGS', '164'],
    ['CREATE TEMPORARY TABLE x (a Int8)', '164'],
    ["SELECT file('/etc/hostname')", '497'],
    ["SELECT `FILE`('/etc/hostname')", '497'],
    ["SELECT * FROM file('/etc/hostname', 'LineAsString')", '497'],
    ["SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')", '497'],
    ["DESCRIBE TABLE url('http://127.0.0.1:1/', 'CSV', 'a String')", '497'],
    ["SELECT * FROM /* */ remote /* */ ('127.0.0.1', system.one)", '497'],
    ["SELECT * FROM eval('SELECT 1')", '497'],
    ["SELECT 1 INTO OUTFILE '/tmp/reelpulse-no'", '48'],
    ['SELECT * FROM default.`/etc/hostname`', '497'],
    ['SELECT 1 SETTINGS readonly = 0', '164'],
    ['SELECT 1 SETTINGS max_memory_usage = 0', '164'],
  ])('may not %s', async (sql, code) => {
    const answer = await reader(sql)
    expect(answer.status).not.toBe(200)
    expect(codeOf(answer)).toBe(code)
  })

  test('may set how results look, not what others may not', async () => {
    expect(await reader("SELECT toDateTime(0, 'UTC')", { date_time_output_format: 'iso' })).toMatchObject({
      text: '1970-01-01T00:00:00Z\n',
    })
    expect(codeOf(await reader('SELECT 1', { allow_ddl: '1' }))).toBe('164')
    expect(codeOf(await reader('SELECT 1', { dialect: 'prql' }))).toBe('164')
  })

  test('may lower a limit, not raise it', async () => {
    const settings = "SELECT getSetting('max_execution_time'), getSetting('max_result_rows')"
    expect((await reader(settings)).text).toBe('60\t5000000\n')
    expect((await reader(settings, { max_execution_time: '7', max_result_rows: '9' })).text).toBe('7\t9\n')
    // Drivers send a time limit of their own.
    expect((await reader(settings, { max_execution_time: '305' })).text).toBe('60\t5000000\n')
    for (const max_result_rows of ['0', '5000001', '1e99', 'all']) expect(codeOf(await reader('SELECT 1', { max_result_rows }))).toBe('164')
  })

  test('is stopped at a limit', async () => {
    expect(codeOf(await reader('SELECT number FROM numbers(10000000)', { max_result_rows: '1000', default_format: 'Native' }))).toBe('396')
    const slow = await reader('SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1', { max_execution_time: '1' })
    expect(codeOf(slow)).toBe('159')
    expect(slow.status).toBe(408)
  })

  test.each([
    'EXPLAIN AST SELECT a FROM t',
    'EXPLAIN indexes = 1 SELECT a FROM t',
    'EXPLAIN SELECT 1 FORMAT JSONCompactEachRow',
    'DESC t FORMAT CSV',
    'SHOW CREATE TABLE t',
    'EXISTS t',
    '(SELECT 1) UNION ALL (SELECT 2)',
    'SELECT 1 FORMAT XML SETTINGS readonly = 1',
    'SELECT 1 AS format -- x',
  ])('gets what the owner gets: %s', async (sql) => {
    const text = async (answer: Promise<Answer>) => (await answer).text.replace(/<elapsed>.*<\/elapsed>/, '')
    const theirs = await text(reader(sql))
    expect(theirs).not.toBe('')
    expect(theirs).toBe(await text(owner(sql)))
  })

  test('has parameters like everyone', async () => {
    expect((await reader('SELECT {a:String}', { param_a: "it's" })).text).toBe("it\\'s\n")
  })
})

describe('a request', () => {
  test('by names that every object of JavaScript has is refused like any other wrong one', async () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(codeOf(await owner('SELECT 1', { [name]: '1' }))).toBe('115')
      expect(codeOf(await reader('SELECT 1', { [name]: '1' }))).toBe('164')
      expect(codeOf(await asOwner({ body: 'SELECT 1', headers: { 'content-encoding': name } }))).toBe('48')
    }
  })

  test('carries its statement in the URL, the body, or both', async () => {
    expect((await asOwner({ method: 'GET', url: { query: 'SELECT 1' } })).text).toBe('1\n')
    expect((await asOwner({ body: 'SELECT 2' })).text).toBe('2\n')
    expect((await asOwner({ url: { query: 'SELECT' }, body: '3' })).text).toBe('3\n')
    expect((await asOwner({ body: '' })).text).toBe('')
  })

  test('by GET only reads', async () => {
    expect(codeOf(await asOwner({ method: 'GET', url: { query: 'DROP TABLE t' } }))).toBe('164')
  })

  test('says what it was, and how much', async () => {
    const { headers } = await owner('SELECT number FROM numbers(3) FORMAT JSONEachRow', { query_id: 'mine' })
    expect(headers.get('x-clickhouse-query-id')).toBe('mine')
    expect(headers.get('x-clickhouse-format')).toBe('JSONEachRow')
    expect(headers.get('content-type')).toMatch(/ndjson/)
    const inserted = await owner("INSERT INTO t VALUES (1, 'summary'), (2, 'summary')")
    expect(JSON.parse(inserted.headers.get('x-clickhouse-summary')!)).toMatchObject({ written_rows: '2' })
  })

  test.each([
    ['SELECT (', 400, '62'],
    ['SELECT 1; SELECT 2', 400, '62'],
    ['SELECT * FROM nothing', 404, '60'],
    ["SELECT toUInt8('x')", 400, '6'],
    ['SELECT {a:String}', 400, '456'],
    ['SELECT 1 FORMAT Nothing', 404, '73'],
    ["INSERT INTO t FROM INFILE '/etc/hostname' FORMAT CSV", 501, '48'],
    ["SELECT 1 INTO OUTFILE '/tmp/reelpulse-no'", 501, '48'],
    ["SELECT throwIf(1, 'mine')", 500, '395'],
    ['SELECT 1 FORMAT constructor', 404, '73'],
  ])('that fails has status and code: %s', async (sql, status, code) => {
    const answer = await owner(sql)
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({ status, code })
    expect(answer.text).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: `))
  })

  test.each([[{ session_id: 'x' }], [{ decompress: '1' }], [{ role: 'x' }]])(
    'for what the engine has not is refused by name: %o',
    async (url) => {
      const answer = await owner('SELECT 1', url as unknown as Record<string, string>)
      expect(answer.status).toBe(501)
    },
  )

  test('may be compressed, and its answer too', async () => {
    const body = gzipSync('INSERT INTO t FORMAT CSV\n7,gzipped\n8,"\n\n"\n')
    expect((await asOwner({ body, headers: { 'content-encoding': 'gzip' } })).status).toBe(200)
    expect((await owner("SELECT count() FROM t WHERE s = 'gzipped' OR s = '\\n\\n'")).text).toBe('2\n')
    expect((await asOwner({ body: body.subarray(0, 30), headers: { 'content-encoding': 'gzip' } })).status).not.toBe(200)
    const sql = 'SELECT number FROM numbers(500000) FORMAT JSONEachRow'
    const raw = await new Promise<Buffer>((resolve, reject) => {
      const headers = { ...keyOf('owner'), 'accept-encoding': 'gzip' }
      const sent = httpRequest(`${root()}/?enable_http_compression=1`, { method: 'POST', headers }, (response) => {
        expect(response.headers['content-encoding']).toBe('gzip')
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)))
      })
      sent.on('error', reject).end(sql)
    })
    expect(gunzipSync(raw).toString().split('\n')).toHaveLength(500_001)
  })

  test('leaves nothing behind for the next one', async () => {
    for (let i = 0; i < 5; i++) await owner('SELECT {left:String}', { param_left: 'x', max_block_size: '77', database: 'system' })
    await owner('SET max_block_size = 78')
    await owner('USE system')
    await owner('CREATE TEMPORARY TABLE behind (a Int8) ENGINE = Memory')
    await owner('SELECT 1', { max_block_size: '79', no_such_setting: '1' })
    await owner('SELECT 1', { max_block_size: '80', database: 'no_such_database' })
    for (let i = 0; i < 8; i++) {
      expect((await owner("SELECT getSetting('max_block_size'), currentDatabase()")).text).toBe('65409\treelpulse\n')
      expect(codeOf(await owner('SELECT {left:String}'))).toBe('456')
      expect(codeOf(await owner('SELECT * FROM behind'))).toBe('60')
    }
  })

  test('takes settings by name only', async () => {
    expect((await owner('SELECT 1', { 'max_threads = 1; DROP TABLE t; --': '1' })).status).toBe(400)
    expect((await owner('SELECT 1', { max_threads: "1'; DROP TABLE t; --" })).status).not.toBe(200)
    expect((await owner('SELECT 1', { 'param_a = 1; --': '1' })).status).toBe(400)
    expect((await owner('EXISTS TABLE t')).text).toBe('1\n')
  })
})

describe('an insert', () => {
  const rows = async (s: string) => Number((await owner(`SELECT count() FROM t WHERE s = '${s}'`)).text)

  test.each<[string, Call]>([
    ['in the URL, data in the body', { url: { query: 'INSERT INTO t FORMAT TSV' }, body: '1\tNAME\n' }],
    ['and data in the body', { body: 'INSERT INTO t FORMAT TSV\n1\tNAME\n' }],
    ['with VALUES', { body: "INSERT INTO t (s, a) VALUES ('NAME', 1);" }],
    ['with VALUES in the body', { url: { query: 'INSERT INTO t VALUES' }, body: "(1, 'NAME')" }],
    ['with expressions', { body: "INSERT INTO t VALUES (1, concat('NA', 'ME'))" }],
    ['with a parameter', { url: { param_s: 'NAME' }, body: 'INSERT INTO t SELECT 1, {s:String}' }],
    ['of a SELECT', { body: "INSERT INTO t SELECT 1, 'NAME'" }],
    ['of a SELECT with settings', { url: { max_threads: '1' }, body: "INSERT INTO t SETTINGS insert_deduplicate = 1 SELECT 1, 'NAME'" }],
    ['with a common table expression', { body: "WITH 'NAME' AS n INSERT INTO t SELECT 1, n" }],
    ['without a format', { url: { query: 'INSERT INTO t' }, body: "(1, 'NAME')" }],
    ['with settings and comments', { body: "INSERT INTO t -- it's\n SETTINGS max_threads = 1 FORMAT CSV\n1,NAME\n" }],
  ])('%s', async (name, options) => {
    const marker = name.replace(/\W/g, '')
    const filled = JSON.parse(JSON.stringify(options).replaceAll('NAME', marker).replace("concat('NA', 'ME')", `'${marker}'`)) as Call
    const answer = await asOwner(filled)
    expect(answer.text).toBe('')
    expect(answer.status).toBe(200)
    expect(await rows(marker)).toBe(1)
  })

  test('takes its token from the URL or its own clause', async () => {
    for (let i = 0; i < 2; i++) {
      await owner("INSERT INTO t VALUES (1, 'token-url')", { insert_deduplication_token: 'u' })
      await owner("INSERT INTO t SETTINGS insert_deduplication_token = 'c' VALUES (1, 'token-clause')")
      await owner("INSERT INTO t SELECT 1, 'token-select'", { insert_deduplication_token: 's' })
    }
    expect([await rows('token-url'), await rows('token-clause'), await rows('token-select')]).toEqual([1, 1, 1])
    await owner("INSERT INTO t SETTINGS insert_deduplication_token = 'own' VALUES (1, 'token-own')", { insert_deduplication_token: 'u' })
    expect(await rows('token-own')).toBe(1)
  })

  test('that breaks off inserts nothing', async () => {
    await new Promise<void>((resolve) => {
      const url = `${root()}/?query=${encodeURIComponent('INSERT INTO t FORMAT CSV')}`
      const sent = httpRequest(url, { method: 'POST', headers: keyOf('owner') })
      sent.on('error', () => {}).on('close', () => resolve())
      sent.write('1,broken\n2,broken\n', () => sent.destroy())
    })
    await pause(50)
    expect(await rows('broken')).toBe(0)
    await spoolIsEmpty()
  })

  test('above the limit is refused, leaves no file, and no harm to what comes next', async () => {
    const tooLarge = (bytes: number) => asOwner({ url: { query: 'INSERT INTO t FORMAT RowBinary' }, body: new Uint8Array(bytes) })
    const answer = await tooLarge(5 * 1024 * 1024)
    expect(answer.status).toBe(413)
    expect(codeOf(answer)).toBe('307')
    // Far above, the connection is given up: whether the client sees why depends on how much it has still to send.
    await tooLarge(40 * 1024 * 1024).catch(() => {})
    await spoolIsEmpty()
    const large = await owner('SELECT number FROM numbers(1000000) FORMAT JSONEachRow')
    expect(large.text.split('\n')).toHaveLength(1_000_001)
  })

  test('that fails does not tell where the engine keeps its files', async () => {
    const answer = await owner('INSERT INTO t FORMAT RowBinary\nx')
    expect(answer.status).toBe(400)
    expect(answer.text).not.toMatch(/reelpulse-spool/)
    await spoolIsEmpty()
  })
})

describe('a large result', () => {
  test.each([
    ['JSONEachRow', 600_000],
    ['JSONCompactEachRowWithNamesAndTypes', 600_002],
    ['JSONCompactEachRowWithNames', 600_001],
    ['TabSeparatedWithNames', 600_001],
  ])('is whole, its head once: %s', async (format, lines) => {
    const { text } = await owner('SELECT number AS n, toString(number) AS s FROM numbers(600000)', { default_format: format })
    const found = text.trimEnd().split('\n')
    expect(found).toHaveLength(lines)
    expect(found.filter((line) => line.includes('"n"') && line.includes('"s"') && !line.includes(':'))).toHaveLength(
      format.startsWith('JSONCompact') ? 1 : 0,
    )
  })

  test.each(['RowBinary', 'RowBinaryWithNamesAndTypes', 'Native'])('is byte for byte what the engine makes of it: %s', async (format) => {
    const sql = 'SELECT number AS n, toString(number) AS s FROM numbers(300000)'
    const streamed = await owner(sql, { default_format: format })
    const whole = await owner(sql, { default_format: format, wait_end_of_query: '1' })
    expect(streamed.headers.get('transfer-encoding')).toBe('chunked')
    expect(whole.headers.get('transfer-encoding')).toBeNull()
    if (format !== 'Native') expect(Buffer.compare(streamed.bytes, whole.bytes)).toBe(0)
    else expect(streamed.bytes.length).toBe(whole.bytes.length)
  })

  test('is cut off where it fails, with the error in it', async () => {
    const sql = "SELECT throwIf(number = 900000, 'far in') AS e, repeat('x', 50) AS s FROM numbers(1000000) FORMAT JSONEachRow"
    const { body, complete, tag } = await new Promise<{ body: string; complete: boolean; tag: unknown }>((resolve) => {
      const sent = httpRequest(root(), { method: 'POST', headers: keyOf('owner') }, (response) => {
        expect(response.statusCode).toBe(200)
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => (body += text))
        response.on('error', () => {})
        response.on('close', () => resolve({ body, complete: response.complete, tag: response.headers['x-clickhouse-exception-tag'] }))
      })
      sent.end(sql)
    })
    expect(complete).toBe(false)
    expect(body).toMatch(new RegExp(`\\r\\n__exception__\\r\\n${String(tag)}\\r\\nCode: 395.*far in`, 's'))
    expect((await owner(sql, { wait_end_of_query: '1' })).status).toBe(500)
    // A reader's result is never sent before it is whole.
    expect((await reader(sql)).status).toBe(500)
  })

  test('is the same for a reader', async () => {
    const sql = 'SELECT number AS n, toString(number) AS s FROM numbers(300000)'
    for (const format of ['TabSeparatedWithNames', 'JSONEachRow', 'RowBinaryWithNamesAndTypes', 'JSON'])
      for (const query of [`${sql} FORMAT ${format} -- é`, `${sql} /* é */`]) {
        const plain = (text: Buffer) => text.toString('latin1').replace(/"elapsed": [\d.e-]+/, '')
        const [theirs, ours] = await Promise.all([reader(query, { default_format: format }), owner(query, { default_format: format })])
        expect(theirs.headers.get('content-length')).toBe(String(theirs.bytes.length))
        expect(plain(theirs.bytes) === plain(ours.bytes)).toBe(true)
      }
    await spoolIsEmpty()
  })
})

test('a query whose client has gone is cancelled', async () => {
  for (const who of ['owner', 'reader'] as const) {
    const abort = new AbortController()
    const sql = `SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1 -- ${who}`
    const asked = fetch(root(), { method: 'POST', headers: keyOf(who), body: sql, signal: abort.signal })
    const running = async () =>
      Number((await owner("SELECT count() FROM system.processes WHERE query LIKE '%100000000000%' AND query NOT LIKE '%processes%'")).text)
    await soon(running).toBe(1)
    abort.abort()
    await expect(asked).rejects.toThrow()
    await soon(running).toBe(0)
  }
})

test("clickhouse-go's first query is answered with a revision at which the engine's blocks can be read", async () => {
  const { bytes, headers } = await owner('SELECT displayName(), version(), revision(), timezone()', {
    client_protocol_version: '54475',
    default_format: 'Native',
  })
  expect(headers.get('x-clickhouse-format')).toBe('Native')
  expect(bytes.subarray(0, 10)).toEqual(Buffer.from([1, 0, 2, 255, 255, 255, 255, 0, 4, 1]))
  const revision = bytes.indexOf('UInt32') + 'UInt32'.length + 1
  expect(bytes.readUInt32LE(revision)).toBe(0)
})

test('parameters may come as the parts of a form', async () => {
  const form = new FormData()
  form.set('query', 'SELECT {a:String}, length({b:String})')
  form.set('param_a', 'x')
  form.set('param_b', 'y'.repeat(3_000_000))
  const response = await fetch(root(), { method: 'POST', headers: keyOf('owner'), body: form })
  expect(await response.text()).toBe('x\t3000000\n')
  form.set('table', '1')
  expect((await fetch(root(), { method: 'POST', headers: keyOf('owner'), body: form })).status).toBe(501)
})

test('acknowledged rows have reached the disk', async () => {
  const syncs = async () => Number((await owner("SELECT sum(value) FROM system.events WHERE event IN ('FileSync', 'DirectorySync')")).text)
  const before = await syncs()
  await owner("INSERT INTO t VALUES (1, 'synced')")
  expect(await syncs()).toBeGreaterThan(before)
})
