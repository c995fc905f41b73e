// A browser's stream of server-sent events: what it is told, at what pace it must read, and when it is dropped.
import type { ServerResponse } from 'node:http'
import type { StreamEvent } from '../../../dashboards/live/protocol.ts'

export const heartbeatMs = 5_000
/** A browser that lets more than this pile up is dropped; it comes again by itself, and gets the whole state. */
const mostBufferedBytes = 4 * 2 ** 20
/** So is one to which nothing of what piles up could be sent for so long. */
const longestStuckMs = 20_000

export type Stream = {
  /** JSON of an event. */
  send(event: StreamEvent | string): void
  /** Bytes that the browser has not taken yet, beyond what the system holds. */
  waiting(): number
  close(): void
}

export type StreamOptions = { now(): number; onClose(): void; mostBufferedBytes?: number }

export function openStream(response: ServerResponse, options: StreamOptions): Stream {
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
  const beat = setInterval(() => write(': beat\n\n'), heartbeatMs)
  response.on('close', () => {
    clearInterval(beat)
    options.onClose()
  })
  response.on('error', () => response.destroy())

  function write(text: string): void {
    if (response.destroyed || response.writableEnded) return
    if (!response.write(text)) stuckSince ??= options.now()
    const isStuck = stuckSince !== undefined && options.now() - stuckSince > longestStuckMs
    if (response.writableLength > most || isStuck) response.destroy()
  }

  return {
    send: (event) => write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`),
    waiting: () => response.writableLength,
    close: () => response.end(),
  }
}
