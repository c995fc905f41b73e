// The program's one HTTP server: answers by path, small ones whole and streams as they come. Each role adds its routes; nothing that a client
// does harms the rest.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type HttpAnswer = { status: number; type: string; body: string | Uint8Array; headers?: Readonly<Record<string, string>> }
/** An answer that goes on: whoever opens it writes its head and ends it, and may drop a client that does not read. */
export type HttpStream = { stream(response: ServerResponse): void }

export type HttpRequest = {
  headers: IncomingHttpHeaders
  /** Of a POST, at most `maxBodyBytes`. */
  body: Uint8Array
}

export type Route = (query: URLSearchParams, request: HttpRequest) => Promise<HttpAnswer | HttpStream> | HttpAnswer | HttpStream
/** By path, such as `/readyz`: a function answers to GET and HEAD. */
export type Routes = Readonly<Record<string, Route | { readonly post: Route }>>

export type HttpServer = { url: string; port: number; close(): Promise<void> }

/** The address cannot be listened on; the message says why and what to do. */
export class CannotListen extends Error {
  override name = 'CannotListen'
}

export const json = (status: number, value: unknown): HttpAnswer => ({
  status,
  type: 'application/json; charset=utf-8',
  body: `${JSON.stringify(value, null, 2)}\n`,
})

/** More than streams may be open at once (`maxStreams`), so that a metric can always be read. */
const maxConnections = 600
export const maxStreams = 400
const maxBodyBytes = 16 * 1024

export async function openHttp(options: {
  host: string
  port: number
  routes: Routes
  warn?: (error: unknown) => void
}): Promise<HttpServer> {
  const { host, port, routes } = options
  const server = createServer(
    // A client that is slow to ask, or to read, is dropped; a browser opens connections before it needs them.
    {
      maxHeaderSize: 8 * 1024,
      headersTimeout: 20_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => {
      answer(request, routes)
        .catch((error: unknown) => {
          options.warn?.(error)
          return json(500, { error: 'this is a fault of ours; the messages say more' })
        })
        .then((given) => ('stream' in given ? given.stream(response) : send(request, response, given)))
        .catch(() => response.destroy())
    },
  )
  server.maxConnections = maxConnections
  server.setTimeout(30_000)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(new CannotListen(whyNot(error, host, port))))
    server.listen(port, host, resolve)
  })
  server.on('error', (error) => options.warn?.(error))
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(request: IncomingMessage, routes: Routes): Promise<HttpAnswer | HttpStream> {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2)
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (route === undefined) return json(404, { error: `there is nothing at ${path.slice(0, 100)}`, paths: Object.keys(routes) })
  const { headers } = request
  if (typeof route === 'function') {
    if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { error: 'GET or HEAD' })
    const given = await route(new URLSearchParams(query), { headers, body: new Uint8Array() })
    return 'stream' in given && request.method === 'HEAD' ? json(405, { error: 'GET' }) : given
  }
  if (request.method !== 'POST') return json(405, { error: 'POST' })
  const body = await bodyOf(request)
  return body === undefined
    ? json(413, { error: `a body of at most ${maxBodyBytes} bytes` })
    : route.post(new URLSearchParams(query), { headers, body })
}

/** Undefined where it is too large: the rest is not read. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  // Left early, it must still be answered.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBodyBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body, headers }: HttpAnswer): void {
  // A body that nobody reads must not come in for nothing.
  const hasBody =
    !request.complete && (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
    ...(hasBody ? { Connection: 'close' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  const where = `${host}:${port}`
  if (error.code === 'EADDRINUSE')
    return `${where} is in use by another program: choose another port with --port or REELPULSE_PORT (0: any free one)`
  if (error.code === 'EACCES') return `this user may not listen on ${where}: choose a port above 1023 with --port or REELPULSE_PORT`
  return `cannot listen on ${where}: ${error.message}. --host or REELPULSE_HOST must be an address of this machine`
}
