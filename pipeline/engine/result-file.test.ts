import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRequest } from './request.ts'
import { readToFile, type Read } from './result-file.ts'
import type { Sessions } from './sessions.ts'

test.each([
  ['plain', ''],
  ['compressed', '?enable_http_compression=1'],
])('a result that is not read in time is cut off, and its file and its turn given back: %s', async (_, search) => {
  const directory = mkdtempSync(join(tmpdir(), 'reelpulse-result-'))
  const path = join(directory, 'result')
  let statement = ''
  // The engine: all that is asked of it is to write the file. What cannot be compressed fills every buffer on the way.
  const running = {
    async whole(sql: string) {
      statement = sql
      await writeFile(path, randomBytes(32 * 1024 * 1024))
      return { bytes: new Uint8Array(), rows: 1 }
    },
    async *pieces() {},
  }
  const sessions = { runReadOnly: async (_work, use, send) => await send(await use(running)), cancel: async () => {} } as Pick<
    Sessions,
    'runReadOnly' | 'cancel'
  >
  const ended = Promise.withResolvers<void>()
  const server = createServer((message, response) => {
    const read: Read = {
      request: readRequest('GET', message.url!, message.headers),
      response,
      headers: {},
      startedAt: process.hrtime.bigint(),
      kind: 'select',
      text: 'SELECT 1 FORMAT TSV',
      format: 'TSV',
      formatAt: 9,
      gone: () => false,
    }
    const options = { sessions, spool: { place: () => path }, sendWithinMs: 300, stop: new AbortController().signal }
    const work = { tag: 'tag', database: 'd', settings: [], params: [], staysInSession: false }
    readToFile(options, work, read).then(ended.resolve, ended.reject)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const answer = await new Promise<IncomingMessage>((resolve) =>
    get({ port, host: '127.0.0.1', path: `/${search}`, headers: { 'accept-encoding': 'gzip' }, agent: false }, resolve),
  )
  const closed = new Promise((resolve) =>
    answer
      .pause()
      .on('error', () => {})
      .once('close', resolve),
  )
  await ended.promise
  expect(existsSync(path)).toBe(false)
  expect(statement).toBe(`SELECT 1  INTO OUTFILE '${path}' COMPRESSION 'none' FORMAT TSV`)
  answer.resume()
  await closed
  expect(answer.complete).toBe(false)
  server.close()
  rmSync(directory, { recursive: true })
})
