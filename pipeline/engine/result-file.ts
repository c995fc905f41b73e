// The reader's results: written to a file by the engine, and sent from there. So they are bounded by what they take, which the engine does not bound
// (a column that is the same in all rows it counts once, and a name in every line of JSON not at all), and one that nobody reads fills no memory.
import { createReadStream } from 'node:fs'
import { rm, stat, writeFile } from 'node:fs/promises'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { quoteText } from '../../schemas/ddl.ts'
import { Fault, faultOf, faults } from './fault.ts'
import { readerLimits } from './reader.ts'
import type { EngineRequest } from './request.ts'
import { summary } from './respond.ts'
import type { Running, Sessions, Work } from './sessions.ts'
import type { Spool } from './spool.ts'

export type ReadOptions = {
  sessions: Pick<Sessions, 'runReadOnly' | 'cancel'>
  spool: Pick<Spool, 'place'>
  /** So long a client may take to read a result, however little of it is missing. */
  sendWithinMs: number
  /** Nothing more is sent. */
  stop: AbortSignal
}

export type Read = {
  request: EngineRequest
  response: ServerResponse
  headers: OutgoingHttpHeaders
  startedAt: bigint
  /** The statement's. */
  kind: string
  text: string
  format: string
  /** Where in `text` its own FORMAT clause begins. */
  formatAt: number | undefined
  gone(): boolean
}

const maxBytes = Number(readerLimits.max_result_bytes)
const lookEveryMs = 50

/** Throws a Fault as long as nothing has been answered. */
export async function readToFile(options: ReadOptions, work: Work & { tag: string }, read: Read): Promise<void> {
  if (!/^\w+$/.test(read.format)) throw new Fault(73, `Unknown format ${read.format}.`, 'UNKNOWN_FORMAT')
  const path = options.spool.place(2 * maxBytes)
  try {
    await options.sessions.runReadOnly(
      work,
      async (running) => {
        if (read.gone() || options.stop.aborted) throw faults.stopping()
        return await written(options, work.tag, path, () => write(running, read, path))
      },
      (result) => send(options, read, path, result),
    )
  } finally {
    await rm(path, { force: true })
  }
}

/** An explanation is short, and EXPLAIN AST would take the clause for a part of what it is to explain. */
async function write(running: Running, read: Read, path: string): Promise<{ rows: number }> {
  if (read.kind !== 'explain') return await running.whole(intoFile(read, path), read.format)
  const { bytes, rows } = await running.whole(read.text, read.format)
  await writeFile(path, bytes, { mode: 0o600 })
  return { rows }
}

const clauseOf = (path: string): string => `INTO OUTFILE ${quoteText(path)} COMPRESSION 'none'`

function intoFile({ text, format, formatAt }: Read, path: string): string {
  const clause = clauseOf(path)
  return formatAt === undefined ? `${text} ${clause} FORMAT ${format}` : `${text.slice(0, formatAt)} ${clause} ${text.slice(formatAt)}`
}

type Written = { rows: number; bytes: number }

/** Ends the query when its file has grown too large. */
async function written({ sessions }: ReadOptions, tag: string, path: string, run: () => Promise<{ rows: number }>): Promise<Written> {
  const tooLarge = () => new Fault(396, `Limit for result exceeded, max bytes: ${maxBytes}.`, 'TOO_MANY_ROWS_OR_BYTES')
  let bytes = 0
  const look = async (): Promise<void> => {
    bytes = (await stat(path).catch(() => ({ size: 0 }))).size
    if (bytes > maxBytes) await sessions.cancel(tag)
  }
  const looking = setInterval(() => void look().catch(() => {}), lookEveryMs)
  try {
    const { rows } = await run()
    await look()
    if (bytes > maxBytes) throw tooLarge()
    return { rows, bytes }
  } catch (error) {
    if (bytes > maxBytes) throw tooLarge()
    const fault = faultOf(error)
    throw new Fault(fault.code, fault.message.replaceAll(` ${clauseOf(path)}`, '').replaceAll(path, 'the result'))
  } finally {
    clearInterval(looking)
  }
}

async function send(options: ReadOptions, read: Read, path: string, { rows, bytes }: Written): Promise<void> {
  const { request, response } = read
  const packed = request.compressResponse && bytes > 512
  const length = packed ? { 'Content-Encoding': 'gzip' } : { 'Content-Length': bytes }
  response.writeHead(200, { ...read.headers, ...summary(read.startedAt, { resultRows: rows, resultBytes: bytes }), ...length })
  if (request.method === 'HEAD' || bytes === 0) {
    response.end()
    return
  }
  const signal = AbortSignal.any([options.stop, AbortSignal.timeout(options.sendWithinMs)])
  const file = createReadStream(path)
  // Cut off, by the client or by us: nobody is left to be told.
  await (packed ? pipeline(file, createGzip({ level: 1 }), response, { signal }) : pipeline(file, response, { signal })).catch(() =>
    response.destroy(),
  )
}
