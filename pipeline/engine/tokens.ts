// ClickHouse's lexer, as far as one must know it to find where a statement's parts begin and end.
// Text is a byte string (latin1), so that positions are byte offsets into a request's body.

export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'sign' | 'blank'

export type Token = {
  kind: TokenKind
  /** Half-open: [start, end). */
  start: number
  end: number
  /** As written; of a quoted identifier what stands between the quotes. */
  text: string
}

const word = /(?:[A-Za-z_]|\$(?=[A-Za-z0-9_]))[A-Za-z0-9_$]*/y
/** Behind some tokens a dot begins a number; what follows `e` may have a sign, which is no operator then. */
const fraction = /\.\d+(?:_\d+)*(?:e[+-]?(?:\d+(?:_\d+)*)?)?/iy
const number =
  /(?:0x[\da-f]+(?:_[\da-f]+)*(?:\.(?:[\da-f]+(?:_[\da-f]+)*)?)?(?:p[+-]?(?:\d+(?:_\d+)*)?)?|(?:0b(?=[01]))?\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?(?:e[+-]?(?:\d+(?:_\d+)*)?)?)/iy
/** `1` of `t.1.2`. */
const tupleIndex = /\d+(?:_\d+)*/y
/** What goes on behind a number makes a word of it: `2024_data`, `0x`, `1_`; of one with a dot or a sign the engine refuses that. */
const wordRest = /[A-Za-z0-9_]+/y
/** Bytes and bits in text form: x'0a', b'01'. A backslash is no escape in them. */
const bytesLiteral = /[xb]'[^']*(?:'|$)/iy
/** With the blanks of Unicode that the lexer takes, here as bytes of UTF-8: U+0085, 00A0, 180E, 2000–200D, 2028, 2029, 202F, 205F, 2060, 3000, FEFF. */
const blank = /(?:[ \t\n\v\f\r]|\xc2[\x85\xa0]|\xe1\xa0\x8e|\xe2\x80[\x80-\x8d\xa8\xa9\xaf]|\xe2\x81[\x9f\xa0]|\xe3\x80\x80|\xef\xbb\xbf)+/y
const lineComment = /(?:--|\/\/|#[ !])[^\n]*/y
/** They nest. */
const commentEdge = /\/\*|\*\//g
const heredoc = /\$[A-Za-z0-9_]*\$/y

/** Quotes that the lexer takes beside the usual ones: “identifier” and ‘string’, here as bytes of UTF-8. */
const wideQuotes = [
  { open: '\xe2\x80\x9c', close: '\xe2\x80\x9d', kind: 'quoted' },
  { open: '\xe2\x80\x98', close: '\xe2\x80\x99', kind: 'string' },
] as const

/** Tokens one by one from `from`, comments and blanks left out. What is never closed ends with the text. */
export type Lexer = (from?: number) => Generator<Token, undefined>

export function lexerOf(text: string): Lexer {
  const closings = heredocClosings(text)
  return function* tokensOf(from = 0): Generator<Token, undefined> {
    for (const token of tokensAndBlanks(text, from, closings)) if (token.kind !== 'blank') yield token
  }
}

/**
 * Where the first character stands, outside quotes and comments, that is not one of ASCII's to be seen or one of its blanks; quotes that are not ASCII's
 * count as such characters themselves.
 */
export function oddCharacterAt(text: string): number | undefined {
  for (const { kind, start, end } of tokensAndBlanks(text, 0, heredocClosings(text))) {
    const written = text.slice(start, kind === 'string' || kind === 'quoted' ? start + 1 : end)
    const odd = written.search(/[^\t\n\v\f\r\x20-\x7e]/)
    if (odd >= 0) return start + odd
  }
  return undefined
}

function* tokensAndBlanks(text: string, from: number, closings: HeredocClosings): Generator<Token, undefined> {
  let at = from
  let previous: Token | undefined
  while (at < text.length) {
    const skipped = matchEnd(lineComment, text, at) ?? commentEnd(text, at)
    if (skipped !== undefined) {
      at = skipped
      continue
    }
    const found = heredocAt(text, at, closings) ?? foundAt(text, at, previous)
    const next = { start: at, text: text.slice(at, found.end), ...found }
    if (next.kind !== 'blank') previous = next
    at = next.end
    yield next
  }
}

type Found = Omit<Token, 'start' | 'text'> & { text?: string }

function foundAt(text: string, at: number, previous: Token | undefined): Found {
  const blankEnd = matchEnd(blank, text, at)
  if (blankEnd !== undefined) return { kind: 'blank', end: blankEnd }
  const quoted = quotedAt(text, at)
  if (quoted !== undefined) return quoted
  const bytesEnd = matchEnd(bytesLiteral, text, at)
  if (bytesEnd !== undefined) return { kind: 'string', end: bytesEnd }
  const wordEnd = matchEnd(word, text, at)
  if (wordEnd !== undefined) return { kind: 'word', end: wordEnd }
  const numberEnd = matchEnd(isDot(previous) ? tupleIndex : number, text, at)
  if (numberEnd !== undefined) {
    const restEnd = matchEnd(wordRest, text, numberEnd)
    return { kind: restEnd === undefined ? 'number' : 'word', end: restEnd ?? numberEnd }
  }
  const fractionEnd = hasParts(previous) ? undefined : matchEnd(fraction, text, at)
  return fractionEnd === undefined ? { kind: 'sign', end: at + 1 } : { kind: 'number', end: fractionEnd }
}

function isDot(token: Token | undefined): boolean {
  return token?.kind === 'sign' && token.text === '.'
}

/** Behind such a token a dot stands for itself; elsewhere it may begin a number. */
function hasParts(token: Token | undefined): boolean {
  return token !== undefined && token.kind !== 'string' && (token.kind !== 'sign' || token.text === ')' || token.text === ']')
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : undefined
}

function commentEnd(text: string, at: number): number | undefined {
  if (!text.startsWith('/*', at)) return undefined
  commentEdge.lastIndex = at
  let depth = 0
  for (let edge = commentEdge.exec(text); edge !== null; edge = commentEdge.exec(text)) {
    depth += edge[0] === '/*' ? 1 : -1
    if (depth === 0) return commentEdge.lastIndex
  }
  return text.length
}

function quotedAt(text: string, at: number): Found | undefined {
  const quote = text[at]!
  if (quote === "'" || quote === '"' || quote === '`') {
    let end = at + 1
    while (end < text.length) {
      if (text[end] === '\\') end += 2
      else if (text[end] !== quote) end++
      else if (text[end + 1] === quote) end += 2
      else break
    }
    return { kind: quote === "'" ? 'string' : 'quoted', end: Math.min(end + 1, text.length), text: text.slice(at + 1, end) }
  }
  const wide = wideQuotes.find(({ open }) => text.startsWith(open, at))
  if (wide === undefined) return undefined
  const close = text.indexOf(wide.close, at + 3)
  return close < 0
    ? { kind: wide.kind, end: text.length, text: text.slice(at + 3) }
    : { kind: wide.kind, end: close + 3, text: text.slice(at + 3, close) }
}

type HeredocClosings = () => ReadonlyMap<string, number>

/** Where each tag stands last, found once: to search for every tag's end would take a time that grows with the square of the text's length. */
function heredocClosings(text: string): HeredocClosings {
  let last: Map<string, number> | undefined
  return () => {
    if (last !== undefined) return last
    last = new Map()
    for (let at = text.indexOf('$'); at >= 0; at = text.indexOf('$', at + 1)) {
      const end = matchEnd(heredoc, text, at)
      if (end !== undefined) last.set(text.slice(at, end), at)
    }
    return last
  }
}

function heredocAt(text: string, at: number, closings: HeredocClosings): Found | undefined {
  const openEnd = matchEnd(heredoc, text, at)
  if (openEnd === undefined) return undefined
  const tag = text.slice(at, openEnd)
  if (closings().get(tag)! < openEnd) return undefined
  const close = text.indexOf(tag, openEnd)
  return { kind: 'string', end: close + tag.length, text: text.slice(openEnd, close) }
}
