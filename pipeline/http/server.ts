// The program's one HTTP server: small answers to GET, by path. Each role adds its routes; nothing that a client does harms the rest.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type HttpAnswer = { status: number; type: string; body: string | Uint8Array }
/** By path, such as `/readyz`. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Promise<HttpAnswer> | HttpAnswer>>

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

const maxConnections = 200

export async function openHttp(options: {
  host: string
  port: number
  routes: Routes
  warn?: (error: unknown) => void
}): Promise<HttpServer> {
  const { host, port, routes } = options
  const server = createServer(
    // A client that is slow to ask, or to read, is dropped.
    { maxHeaderSize: 8 * 1024, headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000, connectionsCheckingInterval: 1_000 },
    (request, response) => {
      answer(request, routes)
        .catch((error: unknown) => {
          options.warn?.(error)
          return json(500, { error: 'this is a fault of ours; the messages say more' })
        })
        .then((given) => send(request, response, given))
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

async function answer(request: IncomingMessage, routes: Routes): Promise<HttpAnswer> {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2)
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (route === undefined) return json(404, { error: `there is nothing at ${path.slice(0, 100)}`, paths: Object.keys(routes) })
  if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { error: 'GET or HEAD' })
  return route(new URLSearchParams(query))
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: HttpAnswer): void {
  // A body that nobody reads must not come in for nothing.
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
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
