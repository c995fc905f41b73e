// The role serve: the live board over HTTP. One question to the store for each panel and turn, whatever the number of browsers.
import type { Table } from '../../../schemas/table.ts'
import type { Refusal, Status } from '../../../dashboards/live/protocol.ts'
import { json, maxStreams, type HttpAnswer, type HttpRequest, type Route, type Routes } from '../../http/server.ts'
import type { Logger } from '../../log/logger.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Store } from '../../ports/store.ts'
import { bundleBoard, type Asset, type Bundle } from './bundle.ts'
import { refusalOf } from './guard.ts'
import { openHub } from './hub.ts'
import { optionsTeller } from './options.ts'
import { boardsAnswer } from './panels.ts'
import { pulseSql, readPulse, type Pulse } from './pulse.ts'
import { readWish } from './wish.ts'
import { frameOf, openStream, type Stream } from './stream.ts'
import { nobody, type ServeWatch } from './watch.ts'
import { watchBoard } from './watch-board.ts'
import { reviewRoute } from './reviews-api.ts'

export type ServeOptions = {
  store: Store
  tables: readonly Table[]
  /** Of the topic's customer signals. */
  signalsDatabase: string
  /** In which days of KPIs begin. */
  zone: string
  /** The address that is listened on. */
  host: string
  /** The names that it answers to (guard.ts). Default: none. */
  names?: readonly string[]
  clock: Clock
  log: Pick<Logger, 'info' | 'warn'>
  watch?: ServeWatch
  /** Streams at once. */
  maxStreams?: number
  /** Makes what browsers are given. */
  makeBundle?: () => Promise<Bundle>
  /** Of a browser that does not read. */
  mostBufferedBytes?: number
  everyMs?: number
  againMs?: number
}

export type Serving = { routes: Routes; streams(): number; close(): void }

const notBundled = 'The board could not be made from its sources; the messages of reelpulse say why. Load the page again to try again.\n'
const pageHeaders = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const

export function serve(options: ServeOptions): Serving {
  const { store, clock, log, watch = nobody } = options
  const guard = { boundTo: options.host, names: options.names ?? [] }
  const streams = new Set<Stream>()
  let status: Status = { at: clock.now(), clockAt: 0, leastClockAt: 0, quietMs: 0, store: 'answers' }
  let version: string | undefined
  let changedAt = clock.now()
  const sql = pulseSql(options.tables)
  const hub = openHub({
    clock,
    ...(options.everyMs === undefined ? {} : { everyMs: options.everyMs }),
    ...(options.againMs === undefined ? {} : { againMs: options.againMs }),
    pulse: () => readPulse(store, sql),
    onPulse(pulse) {
      status = statusAfter(pulse)
      const frame = frameOf({ event: 'status', ...status })
      for (const stream of streams) stream.send(frame)
    },
  })

  const tellOptions = optionsTeller({ hub, store })

  function statusAfter(pulse: Pulse | undefined): Status {
    const at = clock.now()
    if (pulse === undefined) return { ...status, at, quietMs: at - changedAt, store: 'away' }
    const rows = JSON.stringify(pulse.rows)
    if (rows !== version) [version, changedAt] = [rows, at]
    return { at, clockAt: pulse.clockAt, leastClockAt: pulse.leastClockAt, quietMs: at - changedAt, store: 'answers' }
  }

  const warn = (error: unknown, panel: string) => log.warn({ err: error, panel }, 'a panel could not be filled')

  const guarded =
    (route: Route, writes = false): Route =>
    (query, request) => {
      const refused = refusalOf(request.headers, guard, writes)
      return refused === undefined ? route(query, request) : refuse(403, { code: 'not_this_host', error: refused })
    }

  const stream: Route = (query) => {
    const wish = readWish(query)
    if ('code' in wish) return refuse(400, wish)
    if (streams.size >= (options.maxStreams ?? maxStreams))
      return refuse(
        503,
        { code: 'too_many_streams', error: 'as many boards are open as this server can keep up to date' },
        { 'Retry-After': '5' },
      )
    return {
      stream(response) {
        let leave = () => {}
        const one = openStream(response, {
          now: () => clock.now(),
          watch,
          ...(options.mostBufferedBytes === undefined ? {} : { mostBufferedBytes: options.mostBufferedBytes }),
          onClose() {
            streams.delete(one)
            watch.streams(streams.size)
            leave()
          },
        })
        streams.add(one)
        watch.streams(streams.size)
        const leaves = [
          watchBoard(one, wish, { hub, store, signalsDatabase: options.signalsDatabase, warn, watch }),
          tellOptions(one, wish.info),
        ]
        leave = () => leaves.forEach((each) => each())
        if (version !== undefined) one.send({ event: 'status', ...status, at: clock.now() })
      },
    }
  }

  let bundle: Promise<Bundle> | undefined
  const bundled = (part: keyof Bundle): Route =>
    guarded(async (_, request) => {
      const making = (bundle ??= (options.makeBundle ?? bundleBoard)())
      try {
        return sendAsset((await making)[part], request)
      } catch (error) {
        // The requests that waited for it fail together; the next makes it anew.
        if (bundle === making) {
          bundle = undefined
          log.warn({ err: error }, 'the board could not be bundled; the next request tries again')
        }
        return { status: 503, type: 'text/plain; charset=utf-8', body: notBundled, headers: { 'Retry-After': '5' } }
      }
    })

  return {
    routes: {
      '/': bundled('page'),
      '/board/script.js': bundled('script'),
      '/board/style.css': bundled('style'),
      '/board/icon.svg': bundled('icon'),
      '/api/boards': guarded(() => json(200, boardsAnswer(options.zone))),
      '/api/review': {
        post: guarded(
          reviewRoute(store, () => clock.now()),
          true,
        ),
      },
      '/api/stream': guarded(stream),
    },
    streams: () => streams.size,
    close() {
      hub.close()
      for (const one of streams) one.close()
    },
  }
}

const refuse = (status: number, refusal: Refusal, headers: Record<string, string> = {}): HttpAnswer => ({
  ...json(status, refusal),
  headers,
})

function sendAsset({ type, body, gzipped, tag }: Asset, { headers }: HttpRequest): HttpAnswer {
  const shared = { ...pageHeaders, ETag: tag, 'Cache-Control': 'no-cache', Vary: 'Accept-Encoding' }
  if (headers['if-none-match'] === tag) return { status: 304, type, body: '', headers: shared }
  const takesGzip = /\bgzip\b/.test(headers['accept-encoding'] ?? '')
  return { status: 200, type, body: takesGzip ? gzipped : body, headers: takesGzip ? { ...shared, 'Content-Encoding': 'gzip' } : shared }
}
