// A browser's stream of server-sent events: what it is told, at what pace it must read, and when it is dropped.
import type { ServerResponse } from 'node:http'
import type { StreamEvent } from '../../../dashboards/live/protocol.ts'
import { nobody, type ServeWatch } from './watch.ts'

export const heartbeatMs = 5_000
/** A browser that lets more than this pile up, and what comes next, is dropped; it comes again by itself, and gets the whole state. */
const mostBufferedBytes = 4 * 2 ** 20
/** So is one to which nothing of what piles up could be sent for so long. */
const longestStuckMs = 20_000

/** An event as it goes down streams: made once, and the same memory waits for all that are slow. */
export type Frame = Uint8Array
/** Of an event, or its JSON. */
export const frameOf = (event: StreamEvent | string): Frame =>
  Buffer.from(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)

const beat = Buffer.from(': beat\n\n')

export type Stream = {
  send(event: StreamEvent | Frame): void
  /** Bytes that the browser has not taken yet, beyond what the system holds. */
  waiting(): number
  close(): void
}

export type StreamOptions = { now(): number; onClose(): void; watch?: Pick<ServeWatch, 'dropped' | 'sent'>; mostBufferedBytes?: number }

export function openStream(response: ServerResponse, options: StreamOptions): Stream {
  const { watch = nobody } = options
  const most = options.mostBufferedBytes ?? mostBufferedBytes
  let stuckSince: number | undefined
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    // Of proxies between us that would wait for the end.
    'X-Accel-Buffering': 'no',
  })
  response.on('drain', () => (stuckSince = undefined))
  const beats = setInterval(() => write(beat), heartbeatMs)
  response.on('close', () => {
    clearInterval(beats)
    options.onClose()
  })
  response.on('error', () => response.destroy())

  /** Whether it is still there. */
  function write(frame: Frame): boolean {
    if (response.destroyed || response.writableEnded) return false
    const isStuck = stuckSince !== undefined && options.now() - stuckSince > longestStuckMs
    // By what was waiting already: one large event is no fault of who reads.
    if (response.writableLength > most || isStuck) {
      response.destroy()
      watch.dropped(isStuck ? 'too_long' : 'too_much')
      return false
    }
    if (!response.write(frame)) stuckSince ??= options.now()
    return true
  }

  return {
    send(event) {
      const frame = event instanceof Uint8Array ? event : frameOf(event)
      if (write(frame)) watch.sent(frame.length)
    },
    waiting: () => response.writableLength,
    close: () => response.end(),
  }
}
