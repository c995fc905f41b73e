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
  /**
   * So many inserts (into `table`, where it is given) of each partition pass before it begins: for each apart, whatever the others do,
   * and for what is of no partition once it has begun for all of them. Default: at once, for all.
   */
  after?: { inserts: number; partitions: number }
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
  let after: FaultOptions['after']
  /** By partition, of those that are counted. */
  const inserts = new Map<string, number>()
  let met = 0
  let server: Server | undefined
  let port = 0

  /** Whether the fault has begun for what is asked here; counts it. */
  function hasBegun(asked: Asked): boolean {
    if (after === undefined) return true
    const allowed = after.inserts
    if (asked.partition === undefined) return hasBegunForAll()
    const count = (inserts.get(asked.partition) ?? 0) + (asked.into === undefined ? 0 : 1)
    inserts.set(asked.partition, count)
    return count > allowed
  }
  const hasBegunForAll = () =>
    after === undefined || [...inserts.values()].filter((count) => count > after!.inserts).length >= after.partitions

  function listen(): Promise<void> {
    const next = createServer((message, response) => {
      message.on('error', () => {})
      response.on('error', () => {})
      const asked = askedBy(message)
      const isMeant = table === undefined || asked.into === table
      const present = fault !== undefined && isMeant && hasBegun(asked) ? fault : undefined
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

  function meet(present: StoreFault | undefined, message: IncomingMessage, response: ServerResponse): void {
    switch (present?.kind) {
      case 'refuse':
        // Who is not the last to meet it finds a connection that breaks.
        if (hasBegunForAll()) void unlisten()
        else message.socket.destroy()
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
      after = options.after
      inserts.clear()
      met = 0
      if (next.kind === 'refuse' && after === undefined) void unlisten()
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

type Asked = {
  /** The table of an insert; undefined: it is none. */
  into: string | undefined
  /** Of which partition an insert or a question is, as it is written; undefined: of none. */
  partition: string | undefined
}

function askedBy({ url = '/' }: IncomingMessage): Asked {
  const search = new URL(url, 'http://localhost').searchParams
  const into = /^INSERT INTO `(\w+)` /.exec(search.get('query') ?? '')?.[1]
  // log_id/topic/partition/…
  const partition = search.get('insert_deduplication_token')?.split('/')[2] ?? search.get('param_partition') ?? undefined
  return { into, partition }
}
