// The serve role in Prometheus's words.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { boardUids } from '../../dashboards/board.ts'
import { faults } from '../../dashboards/live/protocol.ts'
import { dropReasons, type ServeWatch } from '../roles/serve/watch.ts'

export function serveMetrics({ registry }: { registry: Registry }): ServeWatch {
  const registers = [registry]
  const streams = new Gauge({ name: 'reelpulse_board_streams', help: 'Browsers that watch a board of the live board now.', registers })
  const dropped = new Counter({
    name: 'reelpulse_board_streams_dropped_total',
    help: 'Streams that were closed because the browser did not read: too_much waited for it, or something for too_long. It comes back by itself.',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of dropReasons) dropped.inc({ reason }, 0)
  const updates = new Counter({
    name: 'reelpulse_board_updates_total',
    help: 'Updates sent to browsers, each browser by itself; heartbeats are none.',
    registers,
  })
  const bytes = new Counter({ name: 'reelpulse_board_sent_bytes_total', help: 'Bytes of these updates.', registers })
  const seconds = new Histogram({
    name: 'reelpulse_panel_query_seconds',
    help: 'Time until the store answered the question of a panel, by board. One that failed counts too.',
    labelNames: ['board'],
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  })
  const queries = new Counter({
    name: 'reelpulse_panel_queries_total',
    help: 'Questions of panels to the store: one for all browsers that watch the same panel, range and choice.',
    labelNames: ['board', 'panel'],
    registers,
  })
  const errors = new Counter({
    name: 'reelpulse_panel_query_errors_total',
    help: 'Those that failed: store_away; too_slow, the range holds more than a panel may read; refused, the messages say why.',
    labelNames: ['board', 'reason'],
    registers,
  })
  for (const board of boardUids) for (const reason of faults) errors.inc({ board, reason }, 0)

  return {
    streams: (open) => streams.set(open),
    dropped: (reason) => dropped.inc({ reason }),
    asked(board, panel, ms, fault) {
      seconds.observe({ board }, ms / 1_000)
      queries.inc({ board, panel })
      if (fault !== undefined) errors.inc({ board, reason: fault })
    },
    sent(size) {
      updates.inc()
      bytes.inc(size)
    },
  }
}
