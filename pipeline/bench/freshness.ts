// How long a play takes from when it happens to the board: each play of the open minutes, against the first update of Overview that counts it.
import { openStore } from '../adapters/open.ts'
import { defaultTopic } from '../config/names.ts'
import { boards } from '../../dashboards/all-boards.ts'
import type { StreamEvent } from '../../dashboards/live/protocol.ts'
import { brokersFor } from './logs.ts'
import { quantile, startWithBoard } from './running-program.ts'

export type FreshnessFigures = {
  log: 'embedded' | 'kafka'
  /** How long its app collects before it sends; 0: it posts at once. */
  flushS: number
  plays: number
  /** In none of the figures: held back by an app that posts at once, for it was offline, or a reaction came along; with a wrong clock, so that nobody
   * knows when they happened; come when their minute was closed, or of more minutes than the panel shows. */
  leftOut: { heldBack: number; wrongClock: number; tooLate: number }
  seconds: number
  /** From when it happened. */
  eventP50Ms: number
  eventP99Ms: number
  /** From the log's stamp on the record. */
  recordP50Ms: number
  recordP99Ms: number
}

export type FreshnessWish = {
  kafka: boolean
  brokers: string | undefined
  seconds: number
  rate: number
  blockSpanS: number
  emitS: number
  note(line: string): void
}

const warmUpMs = 20_000
/** The last plays must have had the time to be seen. */
const settleMs = 15_000
/** Of the simulated app: it posts at once, and it collects as SDKs do. */
const apps = [0, 60] as const
/** An app that posts at once has sent it by then. */
const atOnceMs = 100
/** A simulated device's clock is right, or wrong by a minute and more. */
const rightClockMs = 10_000
/** Beside the spans that the pipeline is told to wait. */
const allowanceMs = 2_000

/** What all but one of a hundred plays of an app that posts at once should keep to. */
export const aimMs = ({ emitS, blockSpanS }: Pick<FreshnessWish, 'emitS' | 'blockSpanS'>): number =>
  (emitS + blockSpanS) * 1000 + allowanceMs

/** Of both apps, one after the other. */
export async function measureFreshness(wish: FreshnessWish): Promise<FreshnessFigures[]> {
  const figures: FreshnessFigures[] = []
  for (const flushS of apps) figures.push(await measureApp(flushS, wish))
  return figures
}

async function measureApp(flushS: number, wish: FreshnessWish): Promise<FreshnessFigures> {
  const broker = wish.kafka ? await brokersFor(wish.brokers) : undefined
  const settings = { rate: wish.rate, 'flush-s': flushS, 'block-span-s': wish.blockSpanS, 'emit-s': wish.emitS }
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const program = await startWithBoard(words, { KAFKA_BROKERS: broker?.brokers ?? '' })
  const stop = new AbortController()
  try {
    const seen = new Map<number, { count: number; at: number }[]>()
    const following = follow(program.url, stop.signal, seen)
    wish.note(
      `the program runs at ${program.url}, its app sends ${flushS === 0 ? 'at once' : `after ${flushS} s`}; measuring for ${wish.seconds} s`,
    )
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
      const rows = await store.query<PlayRow>(
        `SELECT toUnixTimestamp64Milli(occurred_at) AS occurred_ms, toUnixTimestamp64Milli(sent_at) AS sent_ms,
           toUnixTimestamp64Milli(record_at) AS record_ms, intDiv(toUnixTimestamp64Milli(event_at), 60000) * 60000 AS minute
         FROM events WHERE behavior = 'play' ORDER BY block_at, partition, offset, ordinal`,
      )
      return { log: wish.kafka ? 'kafka' : 'embedded', flushS, seconds: wish.seconds, ...latencies(rows, seen, { fromMs, toMs, flushS }) }
    } finally {
      await store.close()
    }
  } finally {
    stop.abort()
    await program.stop()
    await broker?.close()
  }
}

type PlayRow = { minute: number; occurred_ms: number; sent_ms: number; record_ms: number }

/** The k-th play of a minute, in the order in which blocks brought them, is seen with the first update that counts k. */
function latencies(
  rows: readonly PlayRow[],
  seen: ReadonlyMap<number, readonly { count: number; at: number }[]>,
  { fromMs, toMs, flushS }: { fromMs: number; toMs: number; flushS: number },
) {
  const places = new Map<number, number>()
  const [events, records]: [number[], number[]] = [[], []]
  const leftOut = { heldBack: 0, wrongClock: 0, tooLate: 0 }
  for (const { minute, occurred_ms: occurredMs, sent_ms: sentMs, record_ms: recordMs } of rows) {
    const place = (places.get(minute) ?? 0) + 1
    places.set(minute, place)
    if (recordMs < fromMs || recordMs >= toMs) continue
    const at = seen.get(minute)?.find(({ count }) => count >= place)?.at
    if (flushS === 0 && sentMs - occurredMs > atOnceMs) leftOut.heldBack++
    else if (Math.abs(recordMs - sentMs) > rightClockMs) leftOut.wrongClock++
    else if (at === undefined) leftOut.tooLate++
    else {
      events.push(at - occurredMs)
      records.push(at - recordMs)
    }
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

export function freshnessLines(figures: readonly FreshnessFigures[], wish: Pick<FreshnessWish, 'rate' | 'emitS' | 'blockSpanS'>): string[] {
  const s = (ms: number) => `${(ms / 1000).toFixed(1)} s`
  return figures.flatMap((one) => {
    const { heldBack, wrongClock, tooLate } = one.leftOut
    const app = one.flushS === 0 ? 'an app that posts at once' : `an app that collects for up to ${one.flushS} s`
    const aim = aimMs(wish)
    return [
      `${one.log} log, ${wish.rate} events/s of ${app}, ${one.plays} plays in ${one.seconds} s: from when it happened to the board p50 ${s(one.eventP50Ms)}, p99 ${s(one.eventP99Ms)}; from the log's stamp p50 ${s(one.recordP50Ms)}, p99 ${s(one.recordP99Ms)} (left out: ${heldBack} held back or offline, ${wrongClock} of a wrong clock, ${tooLate} too late for an open minute)`,
      ...(one.flushS === 0
        ? [
            `the aim, for p99: emit_s ${wish.emitS} s + block span ${wish.blockSpanS} s + ${s(allowanceMs)} = ${s(aim)}: ${one.eventP99Ms <= aim ? 'met' : 'NOT MET'}`,
          ]
        : []),
    ]
  })
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
