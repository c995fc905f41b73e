// What the front must know of formats: their content type, and which results can be sent piece by piece.

const json = 'application/json; charset=UTF-8'
const lines = 'application/x-ndjson; charset=UTF-8'
const tsv = 'text/tab-separated-values; charset=UTF-8'
const csv = 'text/csv; charset=UTF-8'
const binary = 'application/octet-stream'

type FormatFacts = {
  contentType: string
  /**
   * The engine makes each piece a whole document: this many bytes at its start stand in the first piece only. Undefined: pieces of this format
   * cannot be joined, or totals and extremes would be lost.
   */
  headBytes?: (piece: Buffer) => number
}

const noHead = (): number => 0

/** By lower-case name; aliases of the same format beside each other. */
const formats: Readonly<Record<string, FormatFacts>> = {
  json: { contentType: json },
  jsoncompact: { contentType: json },
  jsonstrings: { contentType: json },
  jsoncompactstrings: { contentType: json },
  jsoneachrow: { contentType: lines, headBytes: noHead },
  jsonlines: { contentType: lines, headBytes: noHead },
  ndjson: { contentType: lines, headBytes: noHead },
  jsonstringseachrow: { contentType: lines, headBytes: noHead },
  jsoncompacteachrow: { contentType: lines, headBytes: noHead },
  jsoncompactstringseachrow: { contentType: lines, headBytes: noHead },
  jsoncompacteachrowwithnames: { contentType: lines, headBytes: (piece) => linesEnd(piece, 1) },
  jsoncompacteachrowwithnamesandtypes: { contentType: lines, headBytes: (piece) => linesEnd(piece, 2) },
  tabseparated: { contentType: tsv },
  tsv: { contentType: tsv },
  tabseparatedwithnames: { contentType: tsv },
  tsvwithnames: { contentType: tsv },
  tabseparatedwithnamesandtypes: { contentType: tsv },
  tsvwithnamesandtypes: { contentType: tsv },
  csv: { contentType: csv },
  csvwithnames: { contentType: csv },
  rowbinary: { contentType: binary, headBytes: noHead },
  rowbinarywithnamesandtypes: { contentType: binary, headBytes: (piece) => namesAndTypesEnd(piece) },
  native: { contentType: binary, headBytes: noHead },
}

export function contentTypeOf(format: string): string {
  return formats[format.toLowerCase()]?.contentType ?? 'text/plain; charset=UTF-8'
}

/** Undefined: results of this format are sent whole. */
export function pieceHeadOf(format: string): ((piece: Buffer) => number) | undefined {
  return formats[format.toLowerCase()]?.headBytes
}

/** JSON escapes line breaks, so the first ones end the first lines. */
function linesEnd(piece: Buffer, count: number): number {
  let end = 0
  for (let line = 0; line < count; line++) end = piece.indexOf(0x0a, end) + 1
  return end
}

/** A number of columns, then so many names, then so many types: each a string with its length before it. */
function namesAndTypesEnd(piece: Buffer): number {
  let at = 0
  const length = (): number => {
    let value = 0
    let shift = 0
    for (;;) {
      const byte = piece[at++]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
      shift += 7
    }
  }
  const columns = length()
  for (let string = 0; string < 2 * columns; string++) {
    const bytes = length()
    at += bytes
  }
  return at
}
