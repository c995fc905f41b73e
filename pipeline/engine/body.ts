// The statement of a request and the data behind it, told apart without reading the data: a body may be both, and large.
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { faults } from './fault.ts'
import { readMultipart } from './multipart.ts'
import { paramOf, type EngineRequest } from './request.ts'
import { parseStatement, type Statement } from './statement.ts'

export type ParsedRequest = {
  /** UTF-8. Positions in `statement` are offsets into it. */
  sql: Buffer
  statement: Statement
  /** Of an insert: what follows `sql`. */
  data: AsyncIterable<Uint8Array> | undefined
  params: (readonly [name: string, value: string])[]
}

/** A statement may be so long, in the body as in the URL; rows are not part of it. */
const maxStatementBytes = 4 * 1024 * 1024
/** Of a statement and its parameters together: a hundred readers may be held in memory before their turn. */
const maxMultipartBytes = { owner: 64 * 1024 * 1024, reader: maxStatementBytes }

const decoders = new Map<string, () => NodeJS.ReadWriteStream & Readable>([
  ['gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
])

export async function parseRequest(request: EngineRequest, message: IncomingMessage, from: 'owner' | 'reader'): Promise<ParsedRequest> {
  const body = request.method === 'POST' ? decoded(message) : emptyBody()
  const chunks = body[Symbol.asyncIterator]()
  const boundary = /^multipart\/form-data\s*;.*?\bboundary=("?)([^";]+)\1/i.exec(message.headers['content-type'] ?? '')
  if (boundary !== null) {
    const most = maxMultipartBytes[from]
    const { bytes, ended } = await readUpTo(chunks, most)
    if (!ended) throw faults.tooLarge(`A multipart body may have ${most} bytes.`)
    const fields = readMultipart(bytes, boundary[2]!)
    const sql = Buffer.concat([Buffer.from(request.query), fields.find(({ name }) => name === 'query')?.value ?? Buffer.alloc(0)])
    const others = fields.filter(({ name }) => name !== 'query')
    const table = others.find(({ name }) => !name.startsWith('param_'))
    if (table !== undefined) throw faults.notImplemented(`External tables ("${table.name}") are not supported by the embedded engine.`)
    const params = others.map(({ name, value }) => paramOf(name, value.toString()))
    return { sql, statement: parsed(sql), data: undefined, params: [...request.params, ...params] }
  }

  const inUrl = Buffer.from(request.query)
  if (inUrl.length > 0) {
    const statement = parsed(inUrl)
    if (statement.insert?.source.of === 'data')
      return { sql: inUrl, statement, data: { [Symbol.asyncIterator]: () => chunks }, params: request.params }
  }
  const { bytes, ended } = await readUpTo(chunks, maxStatementBytes)
  const sql = inUrl.length > 0 && bytes.length > 0 ? Buffer.concat([inUrl, Buffer.from('\n'), bytes]) : inUrl.length > 0 ? inUrl : bytes
  const statement = parsed(sql)
  const takesData = statement.insert?.source.of === 'data'
  if (!ended && !takesData) throw faults.syntax(`Max query size exceeded: a statement may have ${maxStatementBytes} bytes`)
  return { sql, statement, data: takesData && !ended ? { [Symbol.asyncIterator]: () => chunks } : undefined, params: request.params }
}

function parsed(sql: Buffer): Statement {
  const statement = parseStatement(sql.toString('latin1'))
  if ('problem' in statement) throw faults.syntax(`Syntax error: failed at position ${statement.position + 1}: ${statement.problem}`)
  return statement
}

async function* emptyBody(): AsyncGenerator<Uint8Array, undefined> {}

function decoded(message: IncomingMessage): AsyncIterable<Uint8Array> {
  const encoding = message.headers['content-encoding']
  if (encoding === undefined || encoding === '' || encoding === 'identity') return message
  const decoder = decoders.get(encoding)
  if (decoder === undefined) throw faults.notImplemented(`Content-Encoding ${encoding} is not supported: gzip, deflate, br and zstd are.`)
  // An error of either ends the other, and reaches whoever reads.
  return pipeline(message, decoder(), () => {}) as Readable
}

/** The first `limit` bytes or a little more; not `ended`: there may be more, and `chunks` goes on with it. */
async function readUpTo(chunks: AsyncIterator<Uint8Array>, limit: number): Promise<{ bytes: Buffer; ended: boolean }> {
  const held: Uint8Array[] = []
  let size = 0
  while (size <= limit) {
    const next = await chunks.next()
    if (next.done === true) return { bytes: Buffer.concat(held), ended: true }
    held.push(next.value)
    size += next.value.length
  }
  return { bytes: Buffer.concat(held), ended: false }
}
