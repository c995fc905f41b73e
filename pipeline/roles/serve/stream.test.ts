import { createConnection } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { openHttp } from '../../http/server.ts'
import { soon } from '../../testing/soon.ts'
import { frameOf, openStream, type Stream } from './stream.ts'
import { nobody, type DropReason } from './watch.ts'

let now = 0
const streams = new Set<Stream>()
const dropped: DropReason[] = []
const watch = { ...nobody, dropped: (reason: DropReason) => void dropped.push(reason) }
const http = await openHttp({
  host: '127.0.0.1',
  port: 0,
  routes: {
    '/stream': () => ({
      stream(response) {
        const stream = openStream(response, { now: () => now, watch, mostBufferedBytes: 200_000, onClose: () => streams.delete(stream) })
        streams.add(stream)
      },
    }),
  },
})
afterAll(() => http.close())

/** One that reads as fast as it can, or not at all. */
function browser(reads: boolean) {
  let bytes = 0
  const socket = createConnection(http.port, '127.0.0.1', () => socket.write('GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'))
  socket.on('error', () => {})
  if (reads) socket.on('data', (chunk) => (bytes += chunk.length))
  else socket.pause()
  return { socket, bytes: () => bytes }
}

const event = JSON.stringify({ event: 'panel', padding: 'x'.repeat(50_000) })
const tell = () => {
  for (const stream of streams) stream.send(frameOf(event))
}

test('a browser that stops reading is dropped once too much is waiting for it; one that reads is not', async () => {
  const [reader, sleeper] = [browser(true), browser(false)]
  await soon(() => streams.size).toBe(2)
  await soon(() => (tell(), streams.size)).toBe(1)
  expect(dropped).toEqual(['too_much'])
  const before = reader.bytes()
  tell()
  await soon(reader.bytes).toBeGreaterThanOrEqual(before + 50_000)
  reader.socket.destroy()
  sleeper.socket.destroy()
  await soon(() => streams.size).toBe(0)
})

test('one that reads gets an event larger than what may wait', async () => {
  const reader = browser(true)
  await soon(() => streams.size).toBe(1)
  const large = frameOf(JSON.stringify({ event: 'panel', padding: 'x'.repeat(5_000_000) }))
  for (const stream of streams) stream.send(large)
  await soon(reader.bytes).toBeGreaterThan(5_000_000)
  tell()
  await soon(reader.bytes).toBeGreaterThan(5_050_000)
  expect(streams.size).toBe(1)
  reader.socket.destroy()
  await soon(() => streams.size).toBe(0)
})

test('so is one for which less is waiting, for long', async () => {
  const sleeper = browser(false)
  await soon(() => streams.size).toBe(1)
  const [stream] = streams
  // The system's own buffers grow for a while; then something stays with us.
  let stayed = 0
  while (streams.size === 1 && stayed < 40_000) {
    while (streams.size === 1 && stream!.waiting() < 100_000) {
      stream!.send(frameOf(event.slice(0, 10_000)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    stayed = stream!.waiting()
  }
  expect(streams.size).toBe(1)
  now += 60_000
  await soon(() => (stream!.send(frameOf('{}')), streams.size)).toBe(0)
  expect(dropped).toEqual(['too_much', 'too_long'])
  sleeper.socket.destroy()
})
