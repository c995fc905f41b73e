// A file's records: a line of JSON Lines, or a row of CSV, which has several lines where a quoted cell has.
import { isUtf8 } from 'node:buffer'
import { parse as parseCsv } from 'csv-parse/sync'
import { maxLineBytes, type Line } from './lines.ts'
import type { Mapping } from './mapping.ts'

/** What a row says in a column: text; null where it says nothing; undefined where it is nothing that a field could be. */
export type Cells = (column: string) => string | null | undefined

/** `raw` is what `cellsOf` reads again later. */
export type FileRecord = { readonly line: number } & ({ readonly raw: Buffer } | { readonly bad: string })

export type Records = {
  /** Of a chunk of lines; keeps what is unfinished for the next. Throws a WrongHeader where the header lacks a column. */
  take(lines: readonly Line[]): FileRecord[]
  /** The last ones. */
  end(): FileRecord[]
}

export class WrongHeader extends Error {
  override name = 'WrongHeader'
}

const notUtf8 = 'not valid UTF-8'
const tooLong = `longer than ${maxLineBytes} bytes`

export type FileForm = Pick<Mapping, 'format' | 'csv'>

/** `columns`: those that the mapping names, each of which a header must have. */
export function recordsOf(mapping: FileForm, columns: readonly string[]): { records: Records; cellsOf: (raw: Buffer) => Cells } {
  return mapping.format === 'jsonl' ? jsonRecords() : csvRecords(mapping, columns)
}

function jsonRecords(): { records: Records; cellsOf: (raw: Buffer) => Cells } {
  const parse = (raw: Buffer): unknown => {
    const text = raw.toString()
    // A number too long for a double (an id, say) keeps its digits.
    if (!/\d{16}/.test(text)) return JSON.parse(text)
    return JSON.parse(text, (_key, value: unknown, ...rest: unknown[]) => {
      if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
      return (rest[0] as { source?: string } | undefined)?.source ?? value
    })
  }
  return {
    records: {
      take: (lines) =>
        lines.flatMap(({ number: line, bytes, tooLong: long }): FileRecord[] => {
          if (long) return [{ line, bad: tooLong }]
          if (!isUtf8(bytes)) return [{ line, bad: notUtf8 }]
          if (bytes.every((byte) => byte === 32 || byte === 9)) return []
          try {
            const value = parse(bytes)
            if (typeof value !== 'object' || value === null || Array.isArray(value)) return [{ line, bad: 'no JSON object' }]
          } catch (error) {
            return [{ line, bad: `no JSON: ${(error as Error).message}` }]
          }
          return [{ line, raw: bytes }]
        }),
      end: () => [],
    },
    cellsOf(raw) {
      const object = parse(raw)
      return (column) => {
        let value = own(object, column)
        // `a.b` is b in a, where no name is `a.b` itself.
        if (value === undefined && column.includes('.')) value = column.split('.').reduce<unknown>(own, object)
        if (value === undefined || value === null || value === '') return null
        return typeof value === 'object' ? undefined : String(value as string | number | boolean)
      }
    },
  }
}

function own(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}

/** Lines that look unfinished because of a quote are put together up to here; beyond, the quote is taken to be stray. */
const maxRowLines = 100
const quote = 0x22

type Row = { line: number; bytes: Buffer; lines: readonly Line[] }

/**
 * Rows are cut here and parsed by csv-parse, which would take everything after a stray quote for one cell: a row whose quotes
 * do not come out costs only its first line.
 */
function csvRecords(mapping: FileForm, wanted: readonly string[]): { records: Records; cellsOf: (raw: Buffer) => Cells } {
  const { header = true, delimiter = ',', columns } = mapping.csv ?? {}
  let names: readonly string[] | undefined = header ? undefined : columns
  const places = new Map<string, number>()
  let open: Line[] = []
  let openQuotes = 0
  const setNames = (row: readonly string[]) => {
    names = row
    row.forEach((name, i) => places.set(name, i))
    const missing = wanted.filter((name) => !places.has(name))
    if (missing.length > 0)
      throw new WrongHeader(`the header lacks ${missing.join(', ')}: it has ${row.map((name) => JSON.stringify(name)).join(', ')}`)
    if (places.size < row.length) throw new WrongHeader('the header has a name twice')
  }
  if (names !== undefined) setNames(names)

  const parse = (bytes: Buffer[]): string[][] => {
    const text = Buffer.concat(bytes.flatMap((one) => [one, Buffer.from('\n')]))
    return parseCsv(text, { delimiter, record_delimiter: '\n', relax_column_count: true })
  }

  function recordOf(row: Row, cells: readonly string[]): FileRecord[] {
    if (names === undefined) {
      setNames(cells.map((cell) => cell.trim()))
      return []
    }
    if (cells.length !== names.length) return [{ line: row.line, bad: `${cells.length} cells, not ${names.length}` }]
    return [{ line: row.line, raw: Buffer.from(JSON.stringify(cells)) }]
  }

  function parseRows(rows: readonly Row[]): FileRecord[] {
    if (rows.length === 0) return []
    try {
      const parsed = parse(rows.map(({ bytes }) => bytes))
      if (parsed.length === rows.length) return rows.flatMap((row, i) => recordOf(row, parsed[i]!))
    } catch (error) {
      if (error instanceof WrongHeader) throw error
    }
    if (rows.length > 1) {
      // One of them: find it.
      const half = rows.length >> 1
      return [...parseRows(rows.slice(0, half)), ...parseRows(rows.slice(half))]
    }
    return stray(rows[0]!)
  }

  /** The first line is bad; those that it seemed to go on with stand for themselves. */
  function stray({ line, lines }: Row): FileRecord[] {
    if (names === undefined) throw new WrongHeader(`line ${line}: the header has a quote in the wrong place`)
    const saved = [open, openQuotes] as const
    open = []
    openQuotes = 0
    const rest = [...take(lines.slice(1)), ...end()]
    ;[open, openQuotes] = saved
    return [{ line, bad: 'a quote is in the wrong place, or not closed' }, ...rest]
  }

  const rowOf = (lines: readonly Line[]): Row => ({
    line: lines[0]!.number,
    lines,
    bytes: lines.length === 1 ? lines[0]!.bytes : Buffer.concat(lines.flatMap((one, i) => (i === 0 ? [one.bytes] : [Buffer.from('\n'), one.bytes]))),
  }) // prettier-ignore

  function take(lines: readonly Line[]): FileRecord[] {
    const found: FileRecord[] = []
    let rows: Row[] = []
    const flush = () => {
      found.push(...parseRows(rows))
      rows = []
    }
    for (const line of lines) {
      const bad = line.tooLong ? tooLong : isUtf8(line.bytes) ? undefined : notUtf8
      if (bad !== undefined) {
        const opened = open
        open = []
        openQuotes = 0
        flush()
        if (opened.length > 0) found.push(...stray(rowOf(opened)))
        if (names === undefined) throw new WrongHeader(`line ${line.number}: the header is ${bad}`)
        found.push({ line: line.number, bad })
        continue
      }
      if (open.length === 0 && line.bytes.length === 0) continue
      openQuotes += quotesIn(line.bytes)
      open.push(line)
      if (openQuotes % 2 === 0 || open.length >= maxRowLines) {
        rows.push(rowOf(open))
        open = []
        openQuotes = 0
      }
    }
    flush()
    // The chunk's memory goes: what is unfinished is copied.
    open = open.map((line) => ({ ...line, bytes: Buffer.from(line.bytes) }))
    return found
  }

  function end(): FileRecord[] {
    if (open.length === 0) return []
    const row = rowOf(open)
    open = []
    openQuotes = 0
    return parseRows([row])
  }

  return {
    records: { take, end },
    cellsOf(raw) {
      const cells = JSON.parse(raw.toString()) as string[]
      return (column) => cells[places.get(column)!] || null
    },
  }
}

function quotesIn(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(quote); at >= 0; at = bytes.indexOf(quote, at + 1)) count++
  return count
}
