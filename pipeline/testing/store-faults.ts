// A proxy before a real ClickHouse (or the embedded engine) that fails on command in the ways that networks, load balancers and
// overloaded servers do; what it hands on it hands on unchanged.
import { createServer, request as ask, type IncomingMessage, type RequestOptions, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type StoreFault =
  /** Nobody listens. */
  | { kind: 'refuse' }
  /** Takes what comes and never answers; nothing reaches the server. */
  | { kind: 'hang' }
  /** The server gets the request and does it; its answer never arrives. */
  | { kind: 'lose_reply' }
  /** The connection breaks, on both sides, before the whole request has arrived. */
  | { kind: 'break_request' }
  /** The server does the request; the connection breaks in the middle of its answer. */
  | { kind: 'break_reply' }
  /** Somebody answers in the server's place. */
  | { kind: 'answer'; status: number; headers?: Readonly<Record<string, string>>; body: string }

export type FaultOptions = {
  /** Only inserts into this table; else everything. `refuse` is always everything. */
  table?: string
  /** So many inserts pass before it begins, and every question that comes before. */
  after?: number
}

export type StoreFaults = {
  url: string
  begin(fault: StoreFault, options?: FaultOptions): void
  /** Whoever hangs is cut off. */
  end(): Promise<void>
  /** Requests that met the present fault, or the last one. */
  met(): number
  close(): Promise<void>
}

/** As ClickHouse sends it, but for the stack. */
export function clickhouseError(code: number, name: string, text: string, status = 500): StoreFault {
  return {
    kind: 'answer',
    status,
    headers: { 'X-ClickHouse-Exception-Code': String(code), 'X-ClickHouse-Query-Id': 'fault', 'Content-Type': 'text/plain; charset=UTF-8' },
    body: `Code: ${code}. DB::Exception: ${text} (${name}) (version 26.7.1.1 (official build))\n`,
  }
}

/** A load balancer's page. */
export function errorPage(status: number, title: string): StoreFault {
  return {
    kind: 'answer',
    status,
    headers: { 'Content-Type': 'text/html', Server: 'nginx' },
    body: `<html>\r\n<head><title>${status} ${title}</title></head>\r\n<body>\r\n<center><h1>${status} ${title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`,
  }
}

/** `upstream`: `{ socketPath }` or `{ host, port }`; a function, where it moves. */
export async function storeFaults(upstream: () => Pick<RequestOptions, 'socketPath' | 'host' | 'port'>): Promise<StoreFaults> {
  let fault: StoreFault | undefined
  let table: string | undefined
  let passing = 0
  let met = 0
  let server: Server | undefined
  let port = 0

  const isInsert = (message: IncomingMessage) =>
    (new URL(message.url ?? '/', 'http://localhost').searchParams.get('query') ?? '').startsWith('INSERT INTO ')
  const mayPass = (message: IncomingMessage) => (isInsert(message) ? passing-- > 0 : passing > 0)

  function listen(): Promise<void> {
    const next = createServer((message, response) => {
      message.on('error', () => {})
      response.on('error', () => {})
      const present = fault !== undefined && isMeant(message) && !mayPass(message) ? fault : undefined
      if (present !== undefined) met++
      meet(present, message, response)
    })
    next.keepAliveTimeout = 600_000
    next.requestTimeout = 0
    server = next
    return new Promise((resolve, reject) => {
      next.once('error', reject)
      next.listen(port, '127.0.0.1', () => {
        port = (next.address() as AddressInfo).port
        resolve()
      })
    })
  }

  const isMeant = ({ url = '' }: IncomingMessage): boolean => {
    if (table === undefined) return true
    const query = new URL(url, 'http://x').searchParams.get('query') ?? ''
    return query.startsWith(`INSERT INTO \`${table}\` `)
  }

  function meet(present: StoreFault | undefined, message: IncomingMessage, response: ServerResponse): void {
    switch (present?.kind) {
      case 'refuse':
        void unlisten()
        return
      case undefined:
        return forward(message, response, (answer) => {
          response.writeHead(answer.statusCode!, answer.headers)
          answer.pipe(response)
        })
      case 'hang':
        message.resume()
        return
      case 'lose_reply':
        return forward(message, response, (answer) => answer.resume())
      case 'break_request': {
        const up = ask({ ...upstream(), method: message.method, path: message.url, headers: message.headers, agent: false })
        const cut = (): void => {
          up.destroy()
          message.socket.destroy()
        }
        up.on('error', () => {})
        message.once('data', (chunk: Buffer) => up.write(chunk.subarray(0, chunk.length >> 1), cut))
        message.once('end', cut)
        return
      }
      case 'break_reply':
        return forward(message, response, (answer) => {
          answer.resume()
          answer.once('end', () => response.socket?.end('HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: fault\r\nContent-Len'))
        })
      case 'answer':
        message.resume()
        message.once('end', () => {
          response.writeHead(present.status, { ...present.headers, 'Content-Length': Buffer.byteLength(present.body) })
          response.end(present.body)
        })
    }
  }

  function forward(message: IncomingMessage, response: ServerResponse, answered: (answer: IncomingMessage) => void): void {
    const { method, url, headers } = message
    const up = ask({ ...upstream(), method, path: url, headers, agent: false })
    up.on('response', answered)
    up.on('error', () => response.socket?.destroy())
    message.pipe(up)
  }

  let closing: Promise<void> | undefined
  function unlisten(): Promise<void> {
    const old = server
    server = undefined
    if (old === undefined) return closing ?? Promise.resolve()
    closing = new Promise((resolve) => old.close(() => resolve()))
    old.closeAllConnections()
    return closing
  }

  await listen()
  return {
    url: `http://127.0.0.1:${port}`,
    begin(next, options = {}) {
      fault = next
      table = options.table
      passing = options.after ?? 0
      met = 0
      if (next.kind === 'refuse' && passing === 0) void unlisten()
    },
    async end() {
      const hung = fault?.kind === 'hang' || fault?.kind === 'lose_reply'
      fault = undefined
      await closing
      if (server === undefined) await listen()
      else if (hung) server.closeAllConnections()
    },
    met: () => met,
    close: unlisten,
  }
}
