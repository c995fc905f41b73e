// What kafkajs 2.2.4 gets wrong about a connection, put right. Imported for its effect on kafkajs's prototypes.

import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactory } from 'kafkajs'
import Connection from 'kafkajs/src/network/connection.js'
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'

/**
 * Issue #1751: kafkajs sets its next look at throttled requests even where there is none, to an instant that has passed, and so
 * every millisecond for ever; Node 24 says so in a TimeoutNegativeWarning. Only waiting requests need a look.
 */
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId) return
  const inMs = Math.max(10, this.throttledUntil - Date.now())
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null
    this.checkPendingRequests()
  }, inMs)
}

/** A response on its way: its size first, then as much of it as has come. */
type Frame = { sizeBytes: number; size: number; body: Buffer | undefined; filled: number }

const frames = new WeakMap<Connection, Frame>()
const emptyFrame = (): Frame => ({ sizeBytes: 0, size: 0, body: undefined, filled: 0 })

/** A connection that broke in the middle of a response kept its first half, and read the next connection's bytes as the rest. */
const { connect, processData } = Connection.prototype
Connection.prototype.connect = function (this: Connection) {
  if (!this.isConnected()) {
    frames.set(this, emptyFrame())
    this.chunks = []
    this.bytesBuffered = 0
    this.bytesNeeded = 4
  }
  return connect.call(this)
}

/** kafkajs collects chunks and joins them when the last has come; copying each as it comes leaves the collector nothing to do. */
Connection.prototype.processData = function (this: Connection, chunk: Buffer) {
  if (this.authHandlers) {
    processData.call(this, Buffer.from(chunk))
    return
  }
  const frame = frames.get(this) ?? emptyFrame()
  frames.set(this, frame)
  for (let at = 0; at < chunk.length;) {
    if (frame.sizeBytes < 4) {
      frame.size = (frame.size << 8) | (chunk[at++] as number)
      frame.sizeBytes++
      continue
    }
    frame.body ??= Buffer.allocUnsafe(frame.size)
    const taken = chunk.copy(frame.body, frame.filled, at, at + frame.size - frame.filled)
    frame.filled += taken
    at += taken
    if (frame.filled < frame.size) continue
    const { body, size } = frame
    Object.assign(frame, emptyFrame())
    this.requestQueue.fulfillRequest({ size, correlationId: body.readInt32BE(0), payload: body.subarray(4) })
  }
}

/** What a plain socket reads into: `processData` has copied it before the next read. */
const received = Buffer.allocUnsafeSlow(256 * 1024)

/** kafkajs's own leaves Nagle's algorithm on, which holds a small request back behind an unacknowledged one. */
export const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : connectTcp(
        {
          host,
          port,
          onread: {
            buffer: received,
            callback: (bytes) => {
              socket.emit('data', received.subarray(0, bytes))
              return true
            },
          },
        },
        onConnect,
      )
  socket.setKeepAlive(true, 60_000)
  socket.setNoDelay(true)
  return socket
}
