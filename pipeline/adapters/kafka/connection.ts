// What kafkajs 2.2.4 gets wrong about a connection, put right. Imported for its effect on kafkajs's prototypes.

import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import kafkajs, { type ISocketFactory } from 'kafkajs'
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

const { connect, disconnect, processData } = Connection.prototype
const connecting = new WeakMap<Connection, Promise<unknown>>()

/**
 * A connection that broke in the middle of a response kept its first half, and read the next connection's bytes as the rest. And two who
 * wanted it at once opened two sockets, of which one was used before it stood and the other never.
 */
Connection.prototype.connect = function (this: Connection) {
  if (this.isConnected()) return Promise.resolve(true)
  const underWay = connecting.get(this)
  if (underWay) return underWay
  frames.set(this, emptyFrame())
  this.chunks = []
  this.bytesBuffered = 0
  this.bytesNeeded = 4
  this.requestQueue.onTimeout = () => {
    void this.disconnect()
    // Else its end, once the broker wakes, would be taken for the end of the connection that has replaced it.
    this.socket?.destroy()
  }
  const attempt = connect.call(this).finally(() => connecting.delete(this))
  connecting.set(this, attempt)
  return attempt
}

/** kafkajs lets a connection end once all is answered, which a broker that hangs never does: whoever asked must ask another. */
Connection.prototype.disconnect = function (this: Connection) {
  this.requestQueue.rejectAll(new kafkajs.KafkaJSConnectionError('the connection was closed', { broker: `${this.host}:${this.port}` }))
  return disconnect.call(this)
}

/**
 * A broker that did not answer in time is as good as one whose connection broke: kafkajs then asks another, where another will do, while
 * after its own error it would ask the same one again, for ever, if that is the first that it was told of.
 */
const { createSocketRequest } = RequestQueue.prototype
RequestQueue.prototype.createSocketRequest = function (this: RequestQueue, pushed) {
  const request = createSocketRequest.call(this, pushed)
  request.timeoutRequest = () => {
    const { entry, requestTimeout, broker } = request
    request.timeoutHandler()
    request.rejected(
      new kafkajs.KafkaJSConnectionError(`${broker} did not answer ${entry.apiName} within ${requestTimeout} ms`, { broker }),
    )
    this.onTimeout?.()
  }
  return request
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
  // While its broker is away kafkajs ends the dead connection with every attempt, and each time `unref` would have it listen for its 'connect'.
  socket.once('close', () => (socket.unref = () => socket))
  return socket
}
