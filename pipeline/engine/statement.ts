// What a statement is and where its parts lie: parsed from its tokens, so that strings, comments and names that look like keywords mislead no one.
import { lexerOf, type Lexer, type Token } from './tokens.ts'

export type Span = { start: number; end: number }

export type InsertSource =
  /** Rows in a format, from `dataAt` to the end of the text and on into the body. Undefined format: none was named. */
  { of: 'data'; format: string | undefined; dataAt: number } | { of: 'select'; at: number } | { of: 'infile' }

export type InsertParts = {
  /** INSERT INTO t (columns). */
  head: Span
  /** What stands between SETTINGS and the source. */
  settings: Span | undefined
  source: InsertSource
}

export type Statement = {
  /** Its first keyword in lower case (`select` for whatever is one); '' where there is no statement. */
  kind: string
  /** Changes nothing, neither data nor the session. */
  reads: boolean
  /** Its effect would stay in the session in which it runs. */
  staysInSession: boolean
  /** From its first token to its last, without the closing `;`. */
  span: Span
  /** The FORMAT clause at its end. */
  format: { name: string; at: number } | undefined
  intoOutfile: boolean
  /** Names in `{name:Type}`. */
  placeholders: ReadonlySet<string>
  /** Those of them whose value becomes a name: `{name:Identifier}`. */
  identifiers: ReadonlySet<string>
  /** Lower-case names that a `(` follows: functions and table functions, among others. */
  calls: ReadonlySet<string>
  /** Every name and keyword in it, in lower case. A function can be named without being called: `arrayMap(f, x)`, `* APPLY f`. */
  names: ReadonlySet<string>
  /** `a` and `b` of each `a.b`, as written: a database and a table, or an alias and a column. */
  dotted: readonly (readonly [before: string, after: string])[]
  /** A name in quotes has a backslash in it, so that what it is called is not what is written. */
  escapedName: boolean
  insert: InsertParts | undefined
}

export type Unparsed = { problem: string; position: number }

const readers: ReadonlySet<string> = new Set(['select', 'show', 'describe', 'desc', 'explain', 'exists'])

/** `text`: a byte string (latin1); see tokens.ts. */
export function parseStatement(text: string): Statement | Unparsed {
  const tokens: Token[] = []
  let depth = 0
  let semicolon = false
  // WITH … INSERT: the keyword stands behind the common table expressions, on the outermost level.
  let insertAt: number | undefined
  for (const token of lexerOf(text)()) {
    if (semicolon) return { problem: 'Multi-statements are not allowed', position: token.start }
    if (token.kind === 'sign') {
      if (token.text === ';') {
        semicolon = true
        continue
      }
      depth += nesting(token)
    }
    const mayBeginInsert = tokens.length === 0 || (depth === 0 && isWord(tokens[0], 'with'))
    tokens.push(token)
    if (mayBeginInsert && isWord(token, 'insert')) {
      insertAt = token.start
      break
    }
  }
  const first = tokens[0]
  if (first === undefined) return nothing(text.length)
  if (insertAt !== undefined) return parseInsert(text, first.start, insertAt)
  const kind = kindOf(tokens)
  const kindWord = tokens.findIndex((token) => token.kind !== 'sign')
  return {
    kind,
    reads: readers.has(kind),
    staysInSession: kind === 'set' || kind === 'use' || (kind === 'create' && isWord(tokens[kindWord + 1], 'temporary')),
    span: { start: first.start, end: tokens.at(-1)!.end },
    format: formatOf(tokens),
    intoOutfile: tokens.some((token, i) => isWord(token, 'into') && isWord(tokens[i + 1], 'outfile')),
    ...namesIn(tokens),
    insert: undefined,
  }
}

function nothing(end: number): Statement {
  return {
    kind: '',
    reads: true,
    staysInSession: false,
    span: { start: end, end },
    format: undefined,
    intoOutfile: false,
    placeholders: new Set(),
    identifiers: new Set(),
    calls: new Set(),
    names: new Set(),
    dotted: [],
    escapedName: false,
    insert: undefined,
  }
}

function kindOf(tokens: readonly Token[]): string {
  const first = tokens.find((token) => !(token.kind === 'sign' && token.text === '('))
  if (first?.kind !== 'word') return 'expression'
  const keyword = first.text.toLowerCase()
  return keyword === 'with' || keyword === 'from' ? 'select' : keyword
}

function formatOf(tokens: readonly Token[]): Statement['format'] {
  let depth = 0
  for (const [i, token] of tokens.entries()) {
    depth += nesting(token)
    if (depth !== 0 || !isWord(token, 'format')) continue
    const name = tokens[i + 1]
    if (name?.kind === 'word' && (i + 2 === tokens.length || isWord(tokens[i + 2], 'settings'))) return { name: name.text, at: token.start }
  }
  return undefined
}

type NamesIn = Pick<Statement, 'placeholders' | 'identifiers' | 'calls' | 'names' | 'dotted' | 'escapedName'>

function namesIn(tokens: readonly Token[]): NamesIn {
  const placeholders = new Set<string>()
  const identifiers = new Set<string>()
  const calls = new Set<string>()
  const names = new Set<string>()
  const dotted: [string, string][] = []
  let escapedName = false
  for (const [i, token] of tokens.entries()) {
    if (isName(token)) names.add(token.text.toLowerCase())
    if (token.kind === 'quoted' && token.text.includes('\\')) escapedName = true
    if (token.kind !== 'sign') continue
    const before = tokens[i - 1]
    const after = tokens[i + 1]
    if (token.text === '.' && isName(before)) dotted.push([before.text, isName(after) ? after.text : ''])
    if (token.text === '{' && isName(after) && isSign(tokens[i + 2], ':')) {
      placeholders.add(after.text)
      const type = tokens[i + 3]
      if (isName(type) && type.text.toLowerCase() === 'identifier') identifiers.add(after.text)
    }
    if (token.text === '(' && isName(before)) calls.add(before.text.toLowerCase())
  }
  return { placeholders, identifiers, calls, names, dotted, escapedName }
}

/**
 * INSERT INTO [TABLE] [FUNCTION] target [(columns)] [SETTINGS …] followed by SELECT, VALUES, FORMAT or nothing. Tokens are read one by one and never
 * beyond the word that begins the data, because data is no SQL.
 */
function parseInsert(text: string, start: number, insertAt: number): Statement | Unparsed {
  const lexer = lexerOf(text)
  const tokens: Token[] = []
  let depth = 0
  let settingsAt: number | undefined
  let targetSeen = false
  let source: InsertSource | undefined
  let headEnd = insertAt
  let settingsEnd = insertAt
  for (const token of lexer(insertAt)) {
    const previous = tokens.at(-1)
    const outside = depth === 0
    depth += nesting(token)
    tokens.push(token)
    if (isSign(token, ';') && outside) break
    const begins = targetSeen && outside && !isSign(previous, '=') && !isSign(previous, '.') ? sourceAt(text, lexer, token) : undefined
    if (begins === 'settings') {
      settingsAt ??= token.end
      continue
    }
    if (begins !== undefined) {
      source = begins
      break
    }
    // A name follows one of these words, or a dot.
    targetSeen ||= outside && (token.kind === 'quoted' || (token.kind === 'word' && !/^(insert|into|table|function)$/i.test(token.text)))
    if (settingsAt === undefined) headEnd = token.end
    else settingsEnd = token.end
  }
  if (!targetSeen) return { problem: 'INSERT without the name of a table', position: text.length }
  source ??= { of: 'data', format: undefined, dataAt: text.length }
  let end = text.length
  if (source.of === 'select') {
    const select = parseStatement(text.slice(source.at))
    if ('problem' in select) return { problem: select.problem, position: source.at + select.position }
    end = source.at + select.span.end
    for (const token of lexer(tokens.at(-1)!.end)) {
      if (token.start >= end) break
      tokens.push(token)
    }
  }
  return {
    kind: 'insert',
    reads: false,
    staysInSession: false,
    span: { start, end },
    format: undefined,
    intoOutfile: false,
    ...namesIn(tokens),
    insert: {
      head: { start, end: headEnd },
      settings: settingsAt === undefined ? undefined : { start: settingsAt, end: settingsEnd },
      source,
    },
  }
}

function sourceAt(text: string, lexer: Lexer, token: Token): InsertSource | 'settings' | undefined {
  if (token.kind === 'sign') {
    if (token.text !== '(') return undefined
    const inside = lexer(token.end).next().value
    return isWord(inside, 'select') || isWord(inside, 'with') ? { of: 'select', at: token.start } : undefined
  }
  if (token.kind !== 'word') return undefined
  switch (token.text.toLowerCase()) {
    case 'settings':
      return 'settings'
    case 'select':
    case 'with':
    case 'watch':
      return { of: 'select', at: token.start }
    case 'from':
      return isWord(lexer(token.end).next().value, 'infile') ? { of: 'infile' } : { of: 'select', at: token.start }
    case 'values':
      return { of: 'data', format: 'Values', dataAt: token.end }
    case 'format': {
      const name = lexer(token.end).next().value
      return name?.kind === 'word' ? { of: 'data', format: name.text, dataAt: dataStart(text, name.end) } : undefined
    }
    default:
      return undefined
  }
}

/** As the server has it: blanks behind the format's name, then one `;` or one line break, are not data. */
function dataStart(text: string, nameEnd: number): number {
  let at = nameEnd
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\f') at++
  if (text[at] === ';') at++
  if (text[at] === '\r') at++
  if (text[at] === '\n') at++
  return at
}

function nesting(token: Token): number {
  if (token.kind !== 'sign') return 0
  if (token.text === '(' || token.text === '[' || token.text === '{') return 1
  return token.text === ')' || token.text === ']' || token.text === '}' ? -1 : 0
}

function isName(token: Token | undefined): token is Token {
  return token?.kind === 'word' || token?.kind === 'quoted'
}

function isWord(token: Token | undefined, word: string): boolean {
  return token !== undefined && token.kind === 'word' && token.text.toLowerCase() === word
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token !== undefined && token.kind === 'sign' && token.text === sign
}
