// ClickHouse's HTTP interface over the engine's sessions, so that its clients work unmodified.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { parseRequest, type ParsedRequest } from './body.ts'
import { execute, type ExecuteOptions } from './execute.ts'
import { faultOf, faults } from './fault.ts'
import { contentTypeOf } from './formats.ts'
import { helloBlock, isHello } from './hello.ts'
import { checkReader, foreignDatabase, readableDatabase } from './reader.ts'
import { readRequest, type Credentials, type EngineRequest } from './request.ts'
import { sendFault, sendText, sendWhole } from './respond.ts'

export type FrontOptions = Omit<ExecuteOptions, 'maxHeldBytes' | 'sendWithinMs' | 'stop'> & {
  /** May do everything; undefined: not from here. */
  owner: Credentials | undefined
  /** May read tables, within limits. */
  reader: Credentials
  /** The databases that the reader may read, the first where a request names none; undefined: every topic's. */
  readerDatabases: readonly string[] | undefined
  /** Default 1 GiB. */
  maxHeldBytes?: number
  /** Default two minutes: 256 MiB at 2 MiB a second. */
  sendWithinMs?: number
  /** Requests at once, those that wait included. Default 500. */
  maxRequests?: number
  /** A connection on which nothing moves for so long is dropped, with its query; undefined: none is. */
  idleMs?: number
}

export type Front = {
  server: Server
  /** Takes no new requests, waits for those under way, and closes connections. */
  close(): Promise<void>
}

export function openFront({
  maxHeldBytes = 2 ** 30,
  sendWithinMs = 120_000,
  maxRequests = 500,
  idleMs = 0,
  ...options
}: FrontOptions): Front {
  const { sessions, readerDatabases } = options
  const readable = readableDatabase(readerDatabases)
  const stop = new AbortController()
  let underWay = 0
  let idle = (): void => {}

  const server = createServer((message, response) => {
    underWay++
    answer(message, response)
      .catch((error: unknown) => {
        // A body that was given up midway leaves a connection on which nothing else can come.
        if (message.destroyed && !message.complete && !response.headersSent) response.setHeader('Connection', 'close')
        // What is still coming of one that was not read to its end is passed over, or the next request would wait behind it for ever.
        else if (!message.complete) passOver(message)
        sendFault(response, faultOf(error))
      })
      .finally(() => {
        underWay--
        if (underWay === 0) idle()
      })
  })
  // The client must be the one to drop an idle connection: one dropped from here can take a request with it.
  server.keepAliveTimeout = 600_000
  // A body may take as long as it takes to make.
  server.requestTimeout = 0
  server.timeout = idleMs

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = message
    const path = url.split('?', 1)[0]
    if (path === '/ping' || path === '/replicas_status' || (method === 'GET' && url === '/')) return sendText(response, 200, 'Ok.\n')
    if (path !== '/' && path !== '') return sendText(response, 404, `There is no handle ${path}\n`)
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') return sendText(response, 405, 'GET, HEAD or POST\n')

    const request = readRequest(method, url, message.headers)
    response.setHeader('X-ClickHouse-Query-Id', headerSafe(request.queryId ?? randomUUID()))
    response.setHeader('X-ClickHouse-Server-Display-Name', 'chdb')
    response.setHeader('X-ClickHouse-Timezone', sessions.timezone)
    const isOwner = options.owner !== undefined && matches(request.credentials, options.owner)
    if (!isOwner && !matches(request.credentials, options.reader)) throw faults.wrongCredentials()
    if (stop.signal.aborted) throw faults.stopping()
    if (underWay > maxRequests) throw faults.tooManyQueries(`Too many simultaneous queries. Maximum: ${maxRequests}`)

    const parsed = await parseRequest(request, message, isOwner ? 'owner' : 'reader')
    if (request.protocolVersion !== undefined && isHello(parsed.sql.toString('latin1'))) {
      const headers = { 'X-ClickHouse-Format': 'Native', 'Content-Type': contentTypeOf('Native') }
      return await sendWhole(response, request, headers, [helloBlock(sessions.version, sessions.timezone)])
    }
    check(request, parsed)
    if (!isOwner) await checkReads(request, parsed)
    const database = isOwner ? options.database : (readerDatabases?.[0] ?? options.database)
    await execute({ ...options, database, maxHeldBytes, sendWithinMs, stop: stop.signal }, { request, parsed, response, isOwner })
  }

  async function checkReads({ database }: EngineRequest, parsed: ParsedRequest): Promise<void> {
    if (database !== undefined && !readable(database)) throw foreignDatabase(database, readerDatabases)
    const [foreign] = await sessions.databasesAmong(checkReader(parsed, sessions.tableFunctions, readable))
    if (foreign !== undefined) throw foreignDatabase(foreign, readerDatabases)
  }

  return {
    server,
    async close() {
      stop.abort()
      server.close()
      server.closeIdleConnections()
      if (underWay > 0) await new Promise<void>((resolve) => (idle = resolve))
      server.closeAllConnections()
    },
  }
}

function check(request: EngineRequest, { statement, params }: ParsedRequest): void {
  if (statement.intoOutfile) throw faults.notImplemented('INTO OUTFILE is not allowed over HTTP: take the result from the response.')
  if (request.method !== 'POST' && !statement.reads)
    throw faults.readOnly('Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly: use POST.')
  // The session may still know a parameter of an earlier request.
  const given = new Set(params.map(([name]) => name))
  for (const name of statement.placeholders) if (!given.has(name)) throw faults.missingParameter(name)
}

/** Takes the same time whatever is wrong. */
function matches(given: Credentials, wanted: Credentials): boolean {
  const digest = ({ user, password }: Credentials) => createHash('sha256').update(`${user.length}:${user}${password}`).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

function headerSafe(value: string): string {
  return value.replace(/[^\x20-\x7e]/g, '?')
}

function passOver(message: IncomingMessage): void {
  message.unpipe()
  message.removeAllListeners('readable')
  message.resume()
}
