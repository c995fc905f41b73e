// How long a play takes from its event time to the board: each play of the open minutes, against the first update of Overview that counts it.
import { openStore } from '../adapters/open.ts'
import { defaultTopic } from '../config/names.ts'
import { boards } from '../../dashboards/all-boards.ts'
import type { StreamEvent } from '../../dashboards/live/protocol.ts'
import { brokersFor } from './logs.ts'
import { quantile, startWithBoard } from './running-program.ts'

export type FreshnessFigures = {
  log: 'embedded' | 'kafka'
  plays: number
  /** Plays that came when their minute was closed, or of more minutes than the panel shows: in none of the figures. */
  leftOut: number
  seconds: number
  /** From the event's own time: the app's batching is in it. */
  eventP50Ms: number
  eventP99Ms: number
  /** From the log's stamp on the record. */
  recordP50Ms: number
  recordP99Ms: number
}

const warmUpMs = 20_000
/** The last plays must have had the time to be seen. */
const settleMs = 15_000

export async function measureFreshness(wish: {
  kafka: boolean
  brokers: string | undefined
  seconds: number
  rate: number
  note(line: string): void
}): Promise<FreshnessFigures> {
  const broker = wish.kafka ? await brokersFor(wish.brokers) : undefined
  const program = await startWithBoard(
    ['--rate', String(wish.rate)],
    broker === undefined ? { KAFKA_BROKERS: '' } : { KAFKA_BROKERS: broker.brokers },
  )
  const stop = new AbortController()
  try {
    const seen = new Map<number, { count: number; at: number }[]>()
    const following = follow(program.url, stop.signal, seen)
    wish.note(`the program runs at ${program.url}; measuring for ${wish.seconds} s`)
    await sleep(warmUpMs)
    const fromMs = Date.now()
    await sleep(wish.seconds * 1000)
    const toMs = Date.now()
    await sleep(settleMs)
    stop.abort()
    await following
    const store = await openStore({
      data: { dir: program.dataDir },
      store: { user: 'default', password: '' },
      topic: { topic: defaultTopic },
    } as never)
    try {
      const rows = await store.query<{ minute: number; event_ms: number; record_ms: number }>(
        `SELECT toUnixTimestamp64Milli(event_at) AS event_ms, toUnixTimestamp64Milli(record_at) AS record_ms, intDiv(event_ms, 60000) * 60000 AS minute
         FROM events WHERE behavior = 'play' ORDER BY block_at, partition, offset, ordinal`,
      )
      const figures = latencies(rows, seen, fromMs, toMs)
      return { log: wish.kafka ? 'kafka' : 'embedded', seconds: wish.seconds, ...figures }
    } finally {
      await store.close()
    }
  } finally {
    stop.abort()
    await program.stop()
    await broker?.close()
  }
}

/** The k-th play of a minute, in the order in which blocks brought them, is seen with the first update that counts k. */
function latencies(
  rows: readonly { minute: number; event_ms: number; record_ms: number }[],
  seen: ReadonlyMap<number, readonly { count: number; at: number }[]>,
  fromMs: number,
  toMs: number,
) {
  const places = new Map<number, number>()
  const [events, records]: [number[], number[]] = [[], []]
  let leftOut = 0
  for (const { minute, event_ms, record_ms } of rows) {
    const place = (places.get(minute) ?? 0) + 1
    places.set(minute, place)
    if (record_ms < fromMs || record_ms >= toMs) continue
    const at = seen.get(minute)?.find(({ count }) => count >= place)?.at
    // Later than the minute was open: the panel no longer has it.
    if (at === undefined) {
      leftOut++
      continue
    }
    events.push(at - event_ms)
    records.push(at - record_ms)
  }
  return {
    plays: events.length,
    leftOut,
    eventP50Ms: quantile(events, 0.5),
    eventP99Ms: quantile(events, 0.99),
    recordP50Ms: quantile(records, 0.5),
    recordP99Ms: quantile(records, 0.99),
  }
}

async function follow(url: string, signal: AbortSignal, seen: Map<number, { count: number; at: number }[]>): Promise<void> {
  const minutes = String(boards[0]!.panels.findIndex(({ shows }) => shows === 'open_minutes'))
  const answer = await fetch(`${url}/api/stream`, { signal })
  let text = ''
  try {
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (text + chunk).split('\n\n')
      text = parts.pop()!
      for (const part of parts) {
        if (!part.startsWith('data: ')) continue
        const event = JSON.parse(part.slice(6)) as StreamEvent
        if (event.event !== 'panel' || event.id !== minutes || event.data.kind !== 'rows') continue
        for (const [minute, count] of event.data.rows as [number, number][]) {
          const updates = seen.get(minute) ?? []
          if (updates.at(-1)?.count !== count) updates.push({ count, at: Date.now() })
          seen.set(minute, updates)
        }
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
