// Runs one parsed statement in a session of the engine and answers with what comes of it.
import { randomUUID } from 'node:crypto'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { quoteText } from '../../schemas/ddl.ts'
import type { ParsedRequest } from './body.ts'
import { Fault, faultOf, faults } from './fault.ts'
import { contentTypeOf, pieceHeadOf } from './formats.ts'
import { readerSettings } from './reader.ts'
import { readToFile } from './result-file.ts'
import type { EngineRequest } from './request.ts'
import { lengthOf, openResultStream, sendWhole, summary, type ResultStream } from './respond.ts'
import type { Running, Sessions, Work } from './sessions.ts'
import type { Spool } from './spool.ts'
import type { InsertParts, Span } from './statement.ts'

export type ExecuteOptions = {
  sessions: Sessions
  spool: Spool
  /** Whether the engine's disk has room for the files of a table. */
  hasRoom(): boolean
  /** Waited for before what was written or made is acknowledged. */
  durable(): Promise<void>
  /** Used where a request names none. */
  database: string
  /** A result that is not streamed is held in memory, up to this. */
  maxHeldBytes: number
  /** So long the reader may take to read a result. */
  sendWithinMs: number
  /** Nothing more is sent to readers. */
  stop: AbortSignal
}

export type Execution = { request: EngineRequest; parsed: ParsedRequest; response: ServerResponse; isOwner: boolean }

/** Throws a Fault as long as nothing has been answered. */
export async function execute(options: ExecuteOptions, execution: Execution): Promise<void> {
  const { statement } = execution.parsed
  if (statement.kind === '') await sendWhole(execution.response, execution.request, {}, [])
  else if (statement.insert !== undefined) await insert(options, execution, statement.insert)
  else await query(options, execution)
}

function workOf(options: ExecuteOptions, { request, parsed }: Execution): Omit<Work, 'tag' | 'settings'> {
  const database = request.database ?? options.database
  return { database, params: parsed.params, staysInSession: parsed.statement.staysInSession }
}

/** What the client has begun to send it wants inserted: nothing is cancelled when it goes. */
async function insert(options: ExecuteOptions, execution: Execution, { head, settings, source }: InsertParts): Promise<void> {
  const { request, parsed, response } = execution
  const startedAt = process.hrtime.bigint()
  const textOf = ({ start, end }: Span): string => parsed.sql.subarray(start, end).toString()
  // In the statement's own clause they hold for it alone.
  const clause = settingsClause(request, settings === undefined ? '' : textOf(settings))
  const run = (sql: string): Promise<number> =>
    options.sessions.run({ ...workOf(options, execution), tag: undefined, settings: [] }, async (running) => {
      const { rows } = await running.whole(sql, 'TabSeparated')
      await options.durable()
      return rows
    })

  switch (source.of) {
    case 'infile':
      throw faults.notImplemented('FROM INFILE is not allowed over HTTP: send the rows as the body.')
    case 'select': {
      const select = textOf({ start: source.at, end: parsed.statement.span.end })
      const writtenRows = await run(`${textOf(head)} ${clause} ${select}`)
      return await sendWhole(response, request, summary(startedAt, { writtenRows }), [])
    }
    case 'data': {
      const spooled = await options.spool.write(parsed.data, parsed.sql.subarray(source.dataAt))
      try {
        const file = `${quoteText(spooled.path)} COMPRESSION 'none'`
        const writtenRows = await run(`${textOf(head)} FROM INFILE ${file} ${clause} FORMAT ${source.format ?? 'Values'}`)
        return await sendWhole(response, request, summary(startedAt, { writtenRows, writtenBytes: spooled.bytes }), [])
      } catch (error) {
        const fault = faultOf(error)
        throw new Fault(fault.code, fault.message.replaceAll(spooled.path, "the request's body"))
      } finally {
        await spooled.remove()
      }
    }
  }
}

/** Settings that the statement has itself win over the request's. */
function settingsClause(request: EngineRequest, own: string): string {
  // On by default in this engine: an insert would be acknowledged by a queue, in blocks of that queue's making.
  const settings = new Map([['async_insert', '0'], ...request.settings])
  const list = Array.from(settings, ([name, value]) => `${name} = ${quoteText(value)}`)
  return `SETTINGS ${[...list, ...(own.trim() === '' ? [] : [own])].join(', ')}`
}

/** On a full disk the engine answers these with success, leaves an empty definition behind, and does not start with it again. */
const defining: ReadonlySet<string> = new Set(['create', 'alter', 'attach', 'rename', 'exchange', 'replace'])

async function query(options: ExecuteOptions, execution: Execution): Promise<void> {
  const { request, parsed, response, isOwner } = execution
  const { sql, statement } = parsed
  if (defining.has(statement.kind) && !options.hasRoom())
    throw faults.notEnoughSpace(`The disk is full: no ${statement.kind.toUpperCase()} until there is room.`)
  const startedAt = process.hrtime.bigint()
  const text = sql.subarray(statement.span.start, statement.span.end).toString()
  const format = statement.format?.name ?? request.defaultFormat ?? 'TabSeparated'
  const headers = { 'X-ClickHouse-Format': format, 'Content-Type': contentTypeOf(format) }
  const formatAt =
    statement.format === undefined ? undefined : text.length - sql.subarray(statement.format.at, statement.span.end).toString().length
  const tag = randomUUID()
  // Streamed, a SELECT would block this process while it is planned: only where somebody who may do so asks for it.
  const pieceHead = !request.waitEndOfQuery && statement.kind === 'select' ? pieceHeadOf(format) : undefined

  // It may have gone while its statement was read.
  let gone = response.destroyed
  const onClose = (): void => {
    if (response.writableFinished || !statement.reads) return
    gone = true
    // Nobody is left to be told that this failed.
    options.sessions.cancel(tag).catch(() => {})
  }
  const answer = async (running: Running): Promise<Held | undefined> => {
    if (gone) throw faults.stopping()
    if (pieceHead !== undefined)
      return await holdOrStream(withOneHead(running.pieces(text, format), pieceHead), request, response, headers, () => gone)
    const { bytes, rows } = await running.whole(text, format)
    if (!statement.reads) await options.durable()
    if (bytes.length > options.maxHeldBytes) throw tooLarge(options.maxHeldBytes)
    return { pieces: [bytes], rows }
  }
  response.once('close', onClose)
  try {
    if (!isOwner) {
      const work = { ...workOf(options, execution), tag, settings: readerSettings(request.settings) }
      return await readToFile(options, work, {
        request,
        response,
        headers,
        startedAt,
        kind: statement.kind,
        text,
        format,
        formatAt,
        gone: () => gone,
      })
    }
    const held = await options.sessions.run({ ...workOf(options, execution), tag, settings: request.settings }, answer)
    if (held === undefined) return
    // Without the session: a slow client holds none, but while it is streamed to.
    const figures = { resultRows: held.rows, resultBytes: lengthOf(held.pieces) }
    await sendWhole(response, request, { ...headers, ...summary(startedAt, figures) }, held.pieces)
  } finally {
    response.off('close', onClose)
  }
}

type Held = { pieces: readonly Uint8Array[]; rows: number }

/** Up to here a result's errors still get a status of their own, and its length is known. */
const holdBytes = 1024 * 1024

/** The whole result where it is small; undefined where it has been sent. */
async function holdOrStream(
  pieces: AsyncIterable<Buffer>,
  request: EngineRequest,
  response: ServerResponse,
  headers: OutgoingHttpHeaders,
  gone: () => boolean,
): Promise<Held | undefined> {
  const held: Buffer[] = []
  let heldBytes = 0
  let stream: ResultStream | undefined
  try {
    for await (const piece of pieces) {
      if (gone()) return undefined
      if (stream !== undefined) {
        await stream.write(piece)
        continue
      }
      held.push(piece)
      heldBytes += piece.length
      if (heldBytes <= holdBytes) continue
      stream = openResultStream(response, request, headers)
      for (const first of held.splice(0)) await stream.write(first)
    }
  } catch (error) {
    if (stream === undefined) throw error
    await stream.fail(faultOf(error))
    return undefined
  }
  // The engine does not count the rows of pieces.
  if (stream === undefined) return { pieces: held, rows: 0 }
  await stream.end()
  return undefined
}

/** Each piece is a whole document, with names and types before its rows; together they are to be one. */
async function* withOneHead(pieces: AsyncIterable<Uint8Array>, headBytes: (piece: Buffer) => number): AsyncGenerator<Buffer, undefined> {
  let first = true
  for await (const bytes of pieces) {
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    yield first ? piece : piece.subarray(headBytes(piece))
    first = false
  }
}

function tooLarge(maxHeldBytes: number): Fault {
  return new Fault(396, `The result exceeds ${maxHeldBytes} bytes, and this request does not let it be streamed.`, 'TOO_MANY_ROWS_OR_BYTES')
}
