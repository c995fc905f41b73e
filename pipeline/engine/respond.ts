// Answers as ClickHouse's HTTP interface gives them: whole, piece by piece, or as an exception.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { createGzip, gzip } from 'node:zlib'
import type { Fault } from './fault.ts'
import type { EngineRequest } from './request.ts'

const compress = promisify(gzip)

export async function sendWhole(
  response: ServerResponse,
  request: EngineRequest,
  headers: OutgoingHttpHeaders,
  pieces: readonly Uint8Array[],
): Promise<void> {
  let body = pieces
  const encoding: OutgoingHttpHeaders = {}
  if (request.compressResponse && lengthOf(body) > 512) {
    body = [await compress(Buffer.concat(body), { level: 1 })]
    encoding['Content-Encoding'] = 'gzip'
  }
  response.writeHead(200, { ...headers, ...encoding, 'Content-Length': lengthOf(body) })
  if (request.method !== 'HEAD') for (const piece of body) response.write(piece)
  response.end()
}

export function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

export type ResultStream = {
  write(bytes: Buffer): Promise<void>
  end(): Promise<void>
  /** Tells the error as the server does, in the body, and breaks the connection off: what came is not the whole. */
  fail(fault: Fault): Promise<void>
}

export function openResultStream(response: ServerResponse, request: EngineRequest, headers: OutgoingHttpHeaders): ResultStream {
  const tag = randomBytes(12).toString('hex').slice(0, 16)
  const packer = request.compressResponse ? createGzip({ level: 1 }) : undefined
  const encoding = packer === undefined ? {} : { 'Content-Encoding': 'gzip' }
  response.writeHead(200, { ...headers, ...encoding, 'X-ClickHouse-Exception-Tag': tag })
  packer?.pipe(response, { end: false })
  const target = packer ?? response
  const closed = once(response, 'close').catch(() => undefined)
  const finish = async (last: string): Promise<void> => {
    if (packer === undefined) {
      if (last !== '') response.write(last)
      return
    }
    const ended = once(packer, 'end')
    packer.end(last)
    await Promise.race([ended, closed])
  }
  return {
    async write(bytes) {
      if (!response.destroyed && !target.write(bytes)) await Promise.race([once(target, 'drain'), closed])
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

export function sendFault(response: ServerResponse, fault: Fault): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(fault.status, { 'X-ClickHouse-Exception-Code': String(fault.code), 'Content-Type': 'text/plain; charset=UTF-8' })
  response.end(`${fault.message}\n`)
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=UTF-8' })
  response.end(text)
}

export type Figures = { writtenRows?: number; writtenBytes?: number; resultRows?: number; resultBytes?: number }

/** `startedAt`: process.hrtime.bigint(). The engine does not say how many rows a SELECT scanned: read_rows is 0. */
export function summary(
  startedAt: bigint,
  { writtenRows = 0, writtenBytes = 0, resultRows = 0, resultBytes = 0 }: Figures,
): OutgoingHttpHeaders {
  const figures = {
    read_rows: 0,
    read_bytes: 0,
    written_rows: writtenRows,
    written_bytes: writtenBytes,
    total_rows_to_read: 0,
    result_rows: resultRows + writtenRows,
    result_bytes: resultBytes,
    elapsed_ns: process.hrtime.bigint() - startedAt,
  }
  const asText = Object.entries(figures).map(([name, value]) => [name, String(value)])
  return { 'X-ClickHouse-Summary': JSON.stringify(Object.fromEntries(asText)) }
}
