import { createConnection, type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { CannotListen, json, openHttp, type HttpServer } from './server.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function opened(): Promise<HttpServer & { warned: unknown[] }> {
  const warned: unknown[] = []
  const server = await openHttp({
    host: '127.0.0.1',
    port: 0,
    routes: {
      '/fine': (query) => json(200, { a: query.get('a') }),
      '/broken': () => Promise.reject(new Error('a secret of the inside')),
    },
    warn: (error) => warned.push(error),
  })
  cleanups.push(() => server.close())
  return { ...server, warned }
}

/** What comes back until the server closes the connection; `connection: close` may be what is sent. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const socket: Socket = createConnection(port, '127.0.0.1', () => socket.write(text))
    socket.setEncoding('utf8').on('data', (chunk: string) => (said += chunk))
    socket.on('close', () => resolve(said)).on('error', reject)
  })
}

test('a route is answered by GET and HEAD; anything else is told what there is', async () => {
  const { url } = await opened()
  expect(await (await fetch(`${url}/fine?a=1`)).json()).toEqual({ a: '1' })
  const head = await fetch(`${url}/fine`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect((await fetch(`${url}/fine`, { method: 'DELETE' })).status).toBe(405)
  const missing = await fetch(`${url}/constructor`)
  expect([missing.status, await missing.json()]).toEqual([404, { error: 'there is nothing at /constructor', paths: ['/fine', '/broken'] }])
})

test('a fault of ours is a 500 that keeps it to itself', async () => {
  const { url, warned } = await opened()
  const answer = await fetch(`${url}/broken`)
  expect(answer.status).toBe(500)
  expect(await answer.text()).not.toContain('secret')
  expect(String(warned[0])).toContain('secret')
})

test.each([
  ['nonsense', 'nonsense\r\n\r\n', /^HTTP\/1.1 400/],
  ['headers without end', `GET /fine HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431/],
  [
    'a body that nobody wants',
    `POST /fine HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxyz`,
    /^HTTP\/1.1 405[^]*Connection: close/,
  ],
  ['a request that is never finished', 'GET /fine HTTP/1.1\r\nHost: x\r\n', /^HTTP\/1.1 408/],
])('%s ends its own connection and does no other harm', async (_, text, answer) => {
  const { url, port } = await opened()
  expect(await raw(port, text)).toMatch(answer)
  expect((await fetch(`${url}/fine`)).status).toBe(200)
})

test('a port that is taken is told with what to do', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => other.close())
  const { port } = other.address() as AddressInfo
  const opening = openHttp({ host: '127.0.0.1', port, routes: {} })
  await expect(opening).rejects.toBeInstanceOf(CannotListen)
  await expect(opening).rejects.toThrow(`127.0.0.1:${port} is in use by another program: choose another port with --port or REELPULSE_PORT`)
})

test('an address of another machine is told as what it is', async () => {
  await expect(openHttp({ host: '192.0.2.1', port: 0, routes: {} })).rejects.toThrow('REELPULSE_HOST must be an address of this machine')
})
