// ClickHouse's lexer, as far as one must know it to find where a statement's parts begin and end.
// Text is a byte string (latin1), so that positions are byte offsets into a request's body.

export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'sign'

export type Token = {
  kind: TokenKind
  /** Half-open: [start, end). */
  start: number
  end: number
  /** As written; of a quoted identifier what stands between the quotes. */
  text: string
}

const word = /[A-Za-z_$][A-Za-z0-9_$]*/y
const number = /[0-9][A-Za-z0-9_]*/y
const blank = /[ \t\n\v\f\r\0]+/y
const lineComment = /(?:--|#[ !])[^\n]*/y
const heredoc = /\$([A-Za-z0-9_]*)\$/y

/** Quotes that the lexer takes beside the usual ones: “identifier” and ‘string’, here as bytes of UTF-8. */
const wideQuotes = [
  { open: '\xe2\x80\x9c', close: '\xe2\x80\x9d', kind: 'quoted' },
  { open: '\xe2\x80\x98', close: '\xe2\x80\x99', kind: 'string' },
] as const

/** Tokens one by one from `from`, comments and blanks left out. What is never closed ends with the text. */
export function* tokensOf(text: string, from = 0): Generator<Token, undefined> {
  let at = from
  const token = (kind: TokenKind, end: number, inside = text.slice(at, end)): Token => ({ kind, start: at, end, text: inside })
  while (at < text.length) {
    const skipped = matchEnd(blank, text, at) ?? matchEnd(lineComment, text, at) ?? commentEnd(text, at)
    if (skipped !== undefined) {
      at = skipped
      continue
    }
    const found = quotedAt(text, at) ?? heredocAt(text, at)
    let next: Token
    if (found !== undefined) next = token(found.kind, found.end, found.inside)
    else {
      const wordEnd = matchEnd(word, text, at)
      const numberEnd = wordEnd === undefined ? matchEnd(number, text, at) : undefined
      if (wordEnd !== undefined) next = token('word', wordEnd)
      else if (numberEnd !== undefined) next = token('number', numberEnd)
      else next = token('sign', at + 1)
    }
    at = next.end
    yield next
  }
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : undefined
}

function commentEnd(text: string, at: number): number | undefined {
  if (!text.startsWith('/*', at)) return undefined
  const close = text.indexOf('*/', at + 2)
  return close < 0 ? text.length : close + 2
}

function quotedAt(text: string, at: number): { kind: TokenKind; end: number; inside: string } | undefined {
  const quote = text[at]!
  if (quote === "'" || quote === '"' || quote === '`') {
    let end = at + 1
    while (end < text.length) {
      if (text[end] === '\\') end += 2
      else if (text[end] !== quote) end++
      else if (text[end + 1] === quote) end += 2
      else break
    }
    const inside = text.slice(at + 1, end)
    return { kind: quote === "'" ? 'string' : 'quoted', end: Math.min(end + 1, text.length), inside }
  }
  const wide = wideQuotes.find(({ open }) => text.startsWith(open, at))
  if (wide === undefined) return undefined
  const close = text.indexOf(wide.close, at + 3)
  return close < 0
    ? { kind: wide.kind, end: text.length, inside: text.slice(at + 3) }
    : { kind: wide.kind, end: close + 3, inside: text.slice(at + 3, close) }
}

function heredocAt(text: string, at: number): { kind: TokenKind; end: number; inside: string } | undefined {
  heredoc.lastIndex = at
  const open = heredoc.exec(text)
  if (open === null) return undefined
  const close = text.indexOf(open[0], heredoc.lastIndex)
  if (close < 0) return undefined
  return { kind: 'string', end: close + open[0].length, inside: text.slice(heredoc.lastIndex, close) }
}
