import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startEngine, type Engine } from './supervisor.ts'
import { lexerOf, oddCharacterAt } from './tokens.ts'

const bytesOf = (text: string) => Buffer.from(text).toString('latin1')
const tokens = (text: string) =>
  Array.from(lexerOf(bytesOf(text))(), ({ kind, text: inside }) => `${kind} ${Buffer.from(inside, 'latin1').toString()}`)

test.each<[name: string, text: string, found: string[]]>([
  ['a no-break space', 'a\u00a0.b', ['word a', 'sign .', 'word b']],
  ['a byte order mark', '\ufeffa', ['word a']],
  ['an ideographic and a zero-width space', 'a\u3000b\u200bc', ['word a', 'word b', 'word c']],
  ['blanks of ASCII', 'a\v\f\r\n\tb', ['word a', 'word b']],
  ['NUL is no blank', 'a\0b', ['word a', 'sign \0', 'word b']],
  ['a comment of two dashes, and its end', "--'\ra\nb", ['word b']],
  ['a comment of two slashes', "// '\na", ['word a']],
  ['a comment of # and a blank, or !', "# '\n#!'\na", ['word a']],
  ['# alone', '#a', ['sign #', 'word a']],
  ['comments in comments', "/* /* */ ' */ a", ['word a']],
  ['a comment that only looks closed', '/*/ a */ b', ['word b']],
  ['a heredoc', "$a$ ' $b$ $a$ c", ["string  ' $b$ ", 'word c']],
  ['a heredoc behind a number', "1a$$ ' $$", ['word 1a', "string  ' "]],
  ['no heredoc within a word', "a$$ '$$'", ['word a$$', 'string $$']],
  ['no heredoc with a sign in its tag', '$-$ a', ['sign $', 'sign -', 'sign $', 'word a']],
  ['a heredoc that is never closed', '$a$ b', ['word $a$', 'word b']],
  ['dollars in names', '$a b$c $', ['word $a', 'word b$c', 'sign $']],
  ['names that begin with a digit', '1a.b 2024_x 0x', ['word 1a', 'sign .', 'word b', 'word 2024_x', 'word 0x']],
  ['numbers', '.5 1e5 0x1F 0b11 1_000', ['number .5', 'number 1e5', 'number 0x1F', 'number 0b11', 'number 1_000']],
  ['parts of a tuple', 'x.1.2', ['word x', 'sign .', 'number 1', 'sign .', 'number 2']],
  ['quotes that are doubled or escaped', '\'a\'\'b\\\'c\' "d""e\\"f"', ["string a''b\\'c", 'quoted d""e\\"f']],
  ['typographic quotes, in which nothing is escaped', '“a\\” ‘b’', ['quoted a\\', 'string b']],
])('%s', (_, text, found) => {
  expect(tokens(text)).toEqual(found)
})

test.each<[text: string, at: number | undefined]>([
  ['SELECT \'é\', "ü", `ß`, $$ö$$ -- ä\n /* ß */ // –\n', undefined],
  ['a\t\v\f\r\nb', undefined],
  ['ab\u00a0', 2],
  ['é', 0],
  ['a “b”', 2],
  ['‘b’', 0],
  ['a\0', 1],
  ['a\u0001', 1],
  ['a\u007f', 1],
  ['1 − 1', 2],
  ["'é' é", 5],
])('what is odd outside quotes and comments is found: %j', (text, at) => {
  expect(oddCharacterAt(bytesOf(text))).toBe(at)
})

test('many heredocs that are never closed take no time that grows with the square of their number', () => {
  const text = Array.from({ length: 30_000 }, (_, i) => `$${i.toString(36)}$`).join(' ')
  const before = process.cpuUsage()
  expect(Array.from(lexerOf(text)())).toHaveLength(30_000)
  const { user } = process.cpuUsage(before)
  // Searching for each one's end took 15 s and more.
  expect(user).toBeLessThan(5_000_000)
})

const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-tokens-'))
let engine: Engine
beforeAll(async () => {
  engine = await startEngine({ dataDir, database: 'reelpulse', port: 0, fsync: 'nothing' })
})
afterAll(async () => {
  await engine?.stop()
  rmSync(dataDir, { recursive: true })
})

const pieces = [
  'a', 'B', 'e', 'x', 'p', '_', '0', '1', '9', '0x', '0b', '.', '.', ' ', '\n', "'", '"', '`', '\\', '$', '$$', '$a$', '-', '--', '/', '*',
  '/*', '*/', '//', '#', '# ', '#!', '(', ')', ';', '{', ':', '@', '+', ',', '\u0001', '\v', '\f', '\r', '\u00a0', '\u1680', '\u200c',
  '\u2060', '\u3000', '\ufeff', '−', '‘', '’', '“', '”', 'é',
] // prettier-ignore

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
test(`words, names and strings are where the engine finds them, SEED=${seed}`, async () => {
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 2 ** 31) * below)
  }
  // At either end of the text the engine tells some numbers apart as nowhere else; blanks keep them from it.
  const texts = Array.from(
    { length: 5_000 },
    () => ` ${Array.from({ length: 1 + random(9) }, () => pieces[random(pieces.length)]).join('')} `,
  )
  const list = texts.map((text) => `'${Buffer.from(text).toString('hex')}'`).join(',')
  const { user, password } = engine.address.owner
  const response = await fetch(`http://127.0.0.1:${engine.address.port}/?max_query_size=10000000`, {
    method: 'POST',
    body: `SELECT arrayMap(t -> (t.1, t.2, toString(t.3)), tokenizeQuery(unhex(arrayJoin([${list}])))) FORMAT JSONCompactEachRow`,
    headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
  })
  const body = await response.text()
  expect(body).toMatch(/^\[/)
  const kinds = new Map([['BareWord', 'word'], ['StringLiteral', 'string'], ['HereDoc', 'string'], ['QuotedIdentifier', 'quoted']]) // prettier-ignore
  let compared = 0
  for (const [i, line] of body.trimEnd().split('\n').entries()) {
    const [theirs] = JSON.parse(line) as [[number | string, number | string, string][]]
    // The engine refuses the statement.
    if (theirs.some(([, , kind]) => kind.startsWith('Error'))) continue
    const wanted = theirs.flatMap(([start, end, kind]) => (kinds.has(kind) ? [`${start}-${end} ${kinds.get(kind)}`] : []))
    const ours = Array.from(lexerOf(bytesOf(texts[i]!))()).filter(({ kind }) => ['word', 'string', 'quoted'].includes(kind))
    expect({ text: texts[i], found: ours.map(({ start, end, kind }) => `${start}-${end} ${kind}`) }).toEqual({
      text: texts[i],
      found: wanted,
    })
    compared++
  }
  expect(compared).toBeGreaterThan(1_000)
})
