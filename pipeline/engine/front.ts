// ClickHouse's HTTP interface over the engine's sessions, so that its clients work unmodified.
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { createGzip, gzip } from 'node:zlib'
import { parseRequest, type ParsedRequest } from './body.ts'
import { Fault, faultOf, faults } from './fault.ts'
import { contentTypeOf, pieceHeadOf } from './formats.ts'
import { helloBlock, isHello } from './hello.ts'
import { quoteString } from './quoting.ts'
import { checkReader, readerSettings } from './reader.ts'
import { readRequest, type Credentials, type EngineRequest } from './request.ts'
import type { EngineResult, Sessions, Work } from './sessions.ts'
import type { Spool } from './spool.ts'

export type FrontOptions = {
  sessions: Sessions
  spool: Spool
  /** Used where a request names none. */
  database: string
  /** May do everything. */
  owner: Credentials
  /** May read tables, within limits. */
  reader: Credentials
  /** A result that is not streamed is held in memory, up to this. */
  maxHeldBytes?: number
  /** Requests at once, those that wait included. */
  maxRequests?: number
}

export type Front = {
  server: Server
  /** Takes no new requests, waits for those under way, and closes connections. */
  close(): Promise<void>
}

/** Up to here a result's errors still get a status of their own, and its length is known. */
const holdBytes = 1024 * 1024

export function openFront(options: FrontOptions): Front {
  const maxHeldBytes = options.maxHeldBytes ?? 1024 * 1024 * 1024
  const maxRequests = options.maxRequests ?? 500
  let stopping = false
  let underWay = 0
  let idle = (): void => {}

  const server = createServer((message, response) => {
    underWay++
    const queryId = randomUUID()
    answer(message, response, queryId)
      .catch((error: unknown) => sendFault(response, faultOf(error)))
      .finally(() => {
        underWay--
        if (underWay === 0) idle()
      })
  })
  // The client must be the one to drop an idle connection: one dropped from here can take a request with it.
  server.keepAliveTimeout = 600_000
  server.requestTimeout = 0

  async function answer(message: IncomingMessage, response: ServerResponse, ownId: string): Promise<void> {
    const path = (message.url ?? '/').split('?', 1)[0]
    if (path === '/ping' || path === '/replicas_status') return sendText(response, 200, 'Ok.\n')
    if (path !== '/' && path !== '') return sendText(response, 404, `There is no handle ${path}\n`)
    if (message.method === 'GET' && message.url === '/') return sendText(response, 200, 'Ok.\n')
    if (message.method !== 'GET' && message.method !== 'HEAD' && message.method !== 'POST')
      return sendText(response, 405, 'GET, HEAD or POST\n')
    const request = readRequest(message.method, message.url ?? '/', message.headers)
    const queryId = request.queryId ?? ownId
    response.setHeader('X-ClickHouse-Query-Id', headerSafe(queryId))
    response.setHeader('X-ClickHouse-Server-Display-Name', 'chdb')
    response.setHeader('X-ClickHouse-Timezone', options.sessions.timezone)
    const isOwner = matches(request.credentials, options.owner)
    if (!isOwner && !matches(request.credentials, options.reader)) throw faults.wrongCredentials()
    if (stopping) throw faults.stopping()
    if (underWay > maxRequests) throw faults.tooManyQueries(`Too many simultaneous queries. Maximum: ${maxRequests}`)

    const parsed = await parseRequest(request, message)
    if (request.protocolVersion !== undefined && isHello(parsed.sql.toString('latin1'))) {
      const block = helloBlock(options.sessions.version, options.sessions.timezone)
      return send(response, request, { 'X-ClickHouse-Format': 'Native', 'Content-Type': contentTypeOf('Native') }, block)
    }
    check(request, parsed, isOwner)
    await execute(request, parsed, response, isOwner)
  }

  function check(request: EngineRequest, { statement, params }: ParsedRequest, isOwner: boolean): void {
    if (statement.intoOutfile) throw faults.notImplemented('INTO OUTFILE is not allowed over HTTP: take the result from the response.')
    if (statement.insert?.source.of === 'infile')
      throw faults.notImplemented('FROM INFILE is not allowed over HTTP: send the rows as the body.')
    if (request.method !== 'POST' && !statement.reads)
      throw faults.readOnly('Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly: use POST.')
    if (!isOwner) checkReader(statement, options.sessions.tableFunctions)
    // The session may still know a parameter of an earlier request.
    const given = new Set(params.map(([name]) => name))
    for (const name of statement.placeholders) if (!given.has(name)) throw faults.missingParameter(name)
  }

  async function execute(request: EngineRequest, parsed: ParsedRequest, response: ServerResponse, isOwner: boolean): Promise<void> {
    const { statement, sql } = parsed
    const startedAt = process.hrtime.bigint()
    const tag = randomUUID()
    const insert = statement.insert
    const base = { tag, database: request.database ?? options.database, params: parsed.params, staysInSession: statement.staysInSession }
    if (insert?.source.of === 'data') {
      const { source } = insert
      const head = sql.subarray(source.dataAt)
      const spooled = await options.spool.write(parsed.data, head)
      try {
        const clause = settingsClause(request, sql.subarray(insert.settings?.start ?? 0, insert.settings?.end ?? 0).toString())
        const text = `${sql.subarray(insert.head.start, insert.head.end).toString()} FROM INFILE ${quoteString(spooled.path)} COMPRESSION 'none' ${clause} FORMAT ${source.format ?? 'Values'}`
        const result = await options.sessions
          .run({ ...base, settings: [] }, (running) => running.whole(text, 'TabSeparated'))
          .catch((error: unknown) => {
            const fault = faultOf(error)
            throw new Fault(fault.code, fault.message.replaceAll(spooled.path, "the request's body"))
          })
        return await send(
          response,
          request,
          { ...summary(startedAt, { written: result.rows, writtenBytes: spooled.bytes }) },
          Buffer.alloc(0),
        )
      } finally {
        await spooled.remove()
      }
    }
    if (statement.kind === '') return await send(response, request, summary(startedAt, {}), Buffer.alloc(0))
    if (insert?.source.of === 'select') {
      const clause = settingsClause(request, sql.subarray(insert.settings?.start ?? 0, insert.settings?.end ?? 0).toString())
      const text = `${sql.subarray(insert.head.start, insert.head.end).toString()} ${clause} ${sql.subarray(insert.source.at, statement.span.end).toString()}`
      const result = await options.sessions.run({ ...base, settings: [] }, (running) => running.whole(text, 'TabSeparated'))
      return await send(response, request, summary(startedAt, { written: result.rows }), Buffer.alloc(0))
    }

    const text = sql.subarray(statement.span.start, statement.span.end).toString()
    const format = statement.format ?? request.defaultFormat ?? 'TabSeparated'
    const headers = { 'X-ClickHouse-Format': format, 'Content-Type': contentTypeOf(format) }
    const pieceHead = statement.kind === 'select' && !statement.scalarSubquery ? pieceHeadOf(format) : undefined
    const work: Work = { ...base, settings: isOwner ? request.settings : readerSettings(request.settings) }
    const run = isOwner ? options.sessions.run : options.sessions.runReadOnly

    let gone = false
    const onClose = (): void => {
      if (response.writableFinished || !statement.reads) return
      gone = true
      // Nobody is left to be told that this failed.
      options.sessions.cancel(tag).catch(() => {})
    }
    response.once('close', onClose)
    try {
      // Let go of the session before the result is sent: a slow client must not hold it, but while it is streamed to.
      const whole = await run(work, async (running): Promise<EngineResult | undefined> => {
        if (gone) throw faults.stopping()
        if (pieceHead === undefined) return await running.whole(text, format)
        const held = await holdOrStream(running.pieces(text, format), pieceHead, request, response, headers, () => gone)
        return held === undefined ? undefined : { bytes: held, rows: 0 }
      })
      if (whole === undefined) return
      if (whole.bytes.length > maxHeldBytes) throw tooLargeResult()
      await send(
        response,
        request,
        { ...headers, ...summary(startedAt, { resultRows: whole.rows, resultBytes: whole.bytes.length }) },
        whole.bytes,
      )
    } finally {
      response.off('close', onClose)
    }
  }

  function tooLargeResult(): Fault {
    return new Fault(
      396,
      `The result exceeds ${maxHeldBytes} bytes, and this request does not let it be streamed.`,
      'TOO_MANY_ROWS_OR_BYTES',
    )
  }

  /** The whole result where it is small or was asked for whole; undefined where it has been sent. */
  async function holdOrStream(
    pieces: AsyncIterable<Uint8Array>,
    pieceHead: (piece: Buffer) => number,
    request: EngineRequest,
    response: ServerResponse,
    headers: OutgoingHttpHeaders,
    gone: () => boolean,
  ): Promise<Buffer | undefined> {
    const held: Buffer[] = []
    let heldBytes = 0
    let first = true
    let stream: ResultStream | undefined
    try {
      for await (const bytes of pieces) {
        if (gone()) return undefined
        const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        const body = first ? piece : piece.subarray(pieceHead(piece))
        first = false
        if (stream !== undefined) {
          await stream.write(body)
          continue
        }
        held.push(body)
        heldBytes += body.length
        if (heldBytes > maxHeldBytes) throw tooLargeResult()
        if (request.waitEndOfQuery || heldBytes <= holdBytes) continue
        stream = openResultStream(response, headers, request.compressResponse)
        for (const piece of held.splice(0)) await stream.write(piece)
      }
    } catch (error) {
      if (stream === undefined) throw error
      await stream.fail(faultOf(error))
      return undefined
    }
    if (stream === undefined) return Buffer.concat(held)
    await stream.end()
    return undefined
  }

  return {
    server,
    async close() {
      stopping = true
      server.close()
      server.closeIdleConnections()
      if (underWay > 0) await new Promise<void>((resolve) => (idle = resolve))
      server.closeAllConnections()
    },
  }
}

/** Settings of an insert stand in its own clause: they hold for it alone. Those of the statement win over the request's. */
function settingsClause(request: EngineRequest, own: string): string {
  // On by default in this engine: an insert would be acknowledged by a queue, in blocks of that queue's making.
  const settings = new Map([['async_insert', '0'], ...request.settings])
  const list = Array.from(settings, ([name, value]) => `${name} = ${quoteString(value)}`)
  return `SETTINGS ${[...list, ...(own.trim() === '' ? [] : [own])].join(', ')}`
}

function summary(
  startedAt: bigint,
  figures: { written?: number; writtenBytes?: number; resultRows?: number; resultBytes?: number },
): OutgoingHttpHeaders {
  const { written = 0, writtenBytes = 0, resultRows = 0, resultBytes = 0 } = figures
  return {
    'X-ClickHouse-Summary': JSON.stringify({
      // The engine does not say how many rows a SELECT scanned.
      read_rows: '0',
      read_bytes: '0',
      written_rows: String(written),
      written_bytes: String(writtenBytes),
      total_rows_to_read: '0',
      result_rows: String(resultRows + written),
      result_bytes: String(resultBytes),
      elapsed_ns: String(process.hrtime.bigint() - startedAt),
    }),
  }
}

const compress = promisify(gzip)

async function send(response: ServerResponse, request: EngineRequest, headers: OutgoingHttpHeaders, bytes: Uint8Array): Promise<void> {
  let body = bytes
  const encoding: OutgoingHttpHeaders = {}
  if (request.compressResponse && body.length > 512) {
    body = await compress(body, { level: 1 })
    encoding['Content-Encoding'] = 'gzip'
  }
  response.writeHead(200, { ...headers, ...encoding, 'Content-Length': body.length })
  response.end(request.method === 'HEAD' ? undefined : body)
}

type ResultStream = {
  write(bytes: Buffer): Promise<void>
  end(): Promise<void>
  /** Tells the error as the server does, in the body, and breaks the connection off: what came is not the whole. */
  fail(fault: Fault): Promise<void>
}

function openResultStream(response: ServerResponse, headers: OutgoingHttpHeaders, compressed: boolean): ResultStream {
  const tag = randomBytes(12).toString('base64url').replace(/\W|_/g, 'x')
  response.writeHead(200, { ...headers, 'X-ClickHouse-Exception-Tag': tag, ...(compressed ? { 'Content-Encoding': 'gzip' } : {}) })
  const packer = compressed ? createGzip({ level: 1 }) : undefined
  packer?.pipe(response, { end: false })
  const target = packer ?? response
  const closed = once(response, 'close').catch(() => undefined)
  const drained = async (): Promise<void> => {
    await Promise.race([once(target, 'drain'), closed])
  }
  const finish = async (last: string): Promise<void> => {
    if (packer === undefined) {
      if (last !== '') response.write(last)
      return
    }
    packer.end(last)
    await Promise.race([once(packer, 'end'), closed])
  }
  return {
    async write(bytes) {
      if (!response.destroyed && !target.write(bytes)) await drained()
    },
    async end() {
      await finish('')
      response.end()
    },
    async fail(fault) {
      const text = `${fault.message}\n`
      await finish(`\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`)
      response.socket?.destroySoon()
    },
  }
}

function sendFault(response: ServerResponse, fault: Fault): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(fault.status, { 'X-ClickHouse-Exception-Code': String(fault.code), 'Content-Type': 'text/plain; charset=UTF-8' })
  response.end(`${fault.message}\n`)
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=UTF-8' })
  response.end(text)
}

/** Takes the same time whatever is wrong. */
function matches(given: Credentials, wanted: Credentials): boolean {
  const digest = ({ user, password }: Credentials) => createHash('sha256').update(`${user.length}:${user}${password}`).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

function headerSafe(value: string): string {
  return value.replace(/[^\x20-\x7e]/g, '?')
}
