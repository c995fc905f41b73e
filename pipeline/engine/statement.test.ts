import { describe, expect, test } from 'vitest'
import { parseStatement, type Statement } from './statement.ts'

function parsed(text: string): Statement {
  const statement = parseStatement(Buffer.from(text).toString('latin1'))
  if ('problem' in statement) throw new Error(`${text}: ${statement.problem}`)
  return statement
}

describe('a statement is what its tokens say', () => {
  test.each([
    ['SELECT 1', 'select', true],
    ['  select 1 -- INSERT INTO t VALUES (1)', 'select', true],
    ["SELECT 'INSERT INTO t FORMAT RowBinary'", 'select', true],
    ["SELECT 'it\\'s; fine', 'it''s; too'", 'select', true],
    ['SELECT `insert; into`, "values (1)"', 'select', true],
    ['/* INSERT INTO */ select 1', 'select', true],
    ['-- drop\nSELECT 1', 'select', true],
    ['#! drop\nSELECT 1', 'select', true],
    ['WITH x AS (SELECT 1) SELECT * FROM x', 'select', true],
    ['WITH 1 AS insert_count SELECT insert_count', 'select', true],
    ['(SELECT 1) UNION ALL (SELECT 2)', 'select', true],
    ['FROM t SELECT a', 'select', true],
    ['SELECT $tag$ ; DROP TABLE t $tag$', 'select', true],
    ['SELECT $$ ; $$ AS a;', 'select', true],
    ['SELECT 1; -- the end', 'select', true],
    ['SELECT “a;b”, ‘c;d’', 'select', true],
    ['SHOW TABLES', 'show', true],
    ['DESC t', 'desc', true],
    ['EXPLAIN SELECT 1', 'explain', true],
    ['EXISTS TABLE t', 'exists', true],
    ['KILL QUERY WHERE 1', 'kill', false],
    ['SYSTEM FLUSH LOGS', 'system', false],
    ['DROP TABLE t', 'drop', false],
    ['OPTIMIZE TABLE t FINAL', 'optimize', false],
    ['SET a = 1', 'set', false],
    ['1 + 1', 'expression', false],
    ['', '', true],
    [' -- nothing', '', true],
  ])('%s', (text, kind, reads) => {
    expect(parsed(text)).toMatchObject({ kind, reads, insert: undefined })
  })

  test.each([
    'SELECT 1; SELECT 2',
    'SELECT 1;;DROP TABLE t',
    'SELECT 1 /* ; */; DROP TABLE t',
    'INSERT INTO t SELECT 1; DROP TABLE t',
    'CREATE TABLE t (a Int8) ENGINE = Memory; INSERT INTO t VALUES (1)',
  ])('two in one are refused: %s', (text) => {
    expect(parseStatement(text)).toMatchObject({ problem: 'Multi-statements are not allowed' })
  })
})

test.each([
  ['SELECT 1 FORMAT JSON', 'JSON'],
  ['SELECT 1 format Native settings max_threads = 1;', 'Native'],
  ['SELECT 1 SETTINGS max_threads = 1 FORMAT CSV', 'CSV'],
  ['SELECT format FROM t', undefined],
  ["SELECT format('{}', a) FROM t", undefined],
  ['SELECT (SELECT 1 FORMAT JSON)', undefined],
  ["SELECT 'FORMAT JSON'", undefined],
  ['SHOW TABLES FORMAT TSV', 'TSV'],
])('the format is that of the closing clause: %s', (text, format) => {
  expect(parsed(text).format?.name).toBe(format)
})

test('placeholders are found, maps are not', () => {
  expect([...parsed("SELECT {a:String}, { b : Map(String, UInt8)}, {'x': 1}, '{c:String}' -- {d:String}").placeholders]).toEqual(['a', 'b'])
})

test('calls are found however their name is quoted', () => {
  expect([...parsed('SELECT Count(), "file"(\'/x\') FROM `url` (1), “s3”(1) -- remote()').calls]).toEqual(['count', 'file', 'url', 's3'])
})

describe('an insert is taken apart', () => {
  const parts = (text: string) => {
    const { insert, span } = parsed(text)
    const { head, settings, source } = insert!
    return {
      head: text.slice(head.start, head.end),
      settings: settings && text.slice(settings.start, settings.end).trim(),
      ...(source.of === 'data' ? { format: source.format, data: text.slice(source.dataAt) } : {}),
      ...(source.of === 'select' ? { select: text.slice(source.at, span.end) } : {}),
      ...(source.of === 'infile' ? { infile: true } : {}),
    }
  }

  test.each([
    ['INSERT INTO t FORMAT RowBinary', { head: 'INSERT INTO t', format: 'RowBinary', data: '' }],
    ['insert into db.`t x` (a, `values`) FORMAT CSV\n1,2', { head: 'insert into db.`t x` (a, `values`)', format: 'CSV', data: '1,2' }],
    ['INSERT INTO TABLE t FORMAT JSONEachRow {"a":1}', { head: 'INSERT INTO TABLE t', format: 'JSONEachRow', data: '{"a":1}' }],
    ['INSERT INTO t FORMAT TSV\n\n1\n', { head: 'INSERT INTO t', format: 'TSV', data: '\n1\n' }],
    ['INSERT INTO t FORMAT TSV;\n1\n', { head: 'INSERT INTO t', format: 'TSV', data: '1\n' }],
    ["INSERT INTO t VALUES (1, 'a;b'); ", { head: 'INSERT INTO t', format: 'Values', data: " (1, 'a;b'); " }],
    ['INSERT INTO t (a) VALUES', { head: 'INSERT INTO t (a)', format: 'Values', data: '' }],
    ['INSERT INTO t', { head: 'INSERT INTO t', format: undefined, data: '' }],
    ['INSERT INTO t;', { head: 'INSERT INTO t', format: undefined, data: '' }],
    ['INSERT INTO db.format (a) FORMAT CSV', { head: 'INSERT INTO db.format (a)', format: 'CSV', data: '' }],
    [
      "INSERT INTO t SETTINGS async_insert = 0, insert_deduplication_token = 'a FORMAT b' FORMAT CSV",
      { head: 'INSERT INTO t', settings: "async_insert = 0, insert_deduplication_token = 'a FORMAT b'", format: 'CSV', data: '' },
    ],
    ['INSERT INTO t (a) SETTINGS x = 1 SELECT 1;', { head: 'INSERT INTO t (a)', settings: 'x = 1', select: 'SELECT 1' }],
    ['INSERT INTO t (SELECT 1)', { head: 'INSERT INTO t', select: '(SELECT 1)' }],
    ['INSERT INTO t (a) WITH 1 AS b SELECT b', { head: 'INSERT INTO t (a)', select: 'WITH 1 AS b SELECT b' }],
    ['INSERT INTO t FROM u SELECT a', { head: 'INSERT INTO t', select: 'FROM u SELECT a' }],
    ['WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x', { head: 'WITH x AS (SELECT 1) INSERT INTO t', select: 'SELECT * FROM x' }],
    ["INSERT INTO FUNCTION file('a', 'CSV') SELECT 1", { head: "INSERT INTO FUNCTION file('a', 'CSV')", select: 'SELECT 1' }],
    ["INSERT INTO t FROM INFILE 'x' FORMAT CSV", { head: 'INSERT INTO t', infile: true }],
    ['INSERT INTO t /* VALUES */ (a) -- SELECT\n FORMAT CSV', { head: 'INSERT INTO t /* VALUES */ (a)', format: 'CSV', data: '' }],
  ])('%s', (text, expected) => {
    expect(parts(text)).toEqual({ settings: undefined, ...expected })
  })

  test('data is no SQL: quotes and semicolons in it are left alone', () => {
    expect(parts('INSERT INTO t FORMAT RowBinary\n\x00\';"/*`;\n\n$a$')).toMatchObject({ data: '\x00\';"/*`;\n\n$a$' })
  })
})

test('names are found wherever they stand, in quotes or not; strings and comments hold none', () => {
  const { names, dotted, calls, identifiers, placeholders } = parsed(
    'SELECT a.b, * APPLY(File), arrayMap(`eval`, x), \'db.t\' /* c.d */ FROM db . "t", {d:Identifier}.u WHERE y = {v : String} AND z = 1.5',
  )
  expect(dotted).toEqual([
    ['a', 'b'],
    ['db', 't'],
  ])
  expect([...calls]).toEqual(['apply', 'arraymap'])
  for (const name of ['file', 'eval', 'db', 't']) expect(names).toContain(name)
  for (const name of ['c', 'db.t']) expect(names).not.toContain(name)
  expect([...identifiers]).toEqual(['d'])
  expect([...placeholders]).toEqual(['d', 'v'])
  expect([...parsed('SELECT {`a`:"Identifier"}').identifiers]).toEqual(['a'])
})

test('a name that is written with a backslash is another than it looks', () => {
  expect(parsed('SELECT `fil\\x65`(1)').escapedName).toBe(true)
  expect(parsed("SELECT 'a\\n' AS `b``c`").escapedName).toBe(false)
})
