// Rows in order of time → the flushes that bring them into a log. The same rows always give the same flushes in the same order.
import type { BehaviorBatch, BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { maxEventsPerFlush } from '../../schemas/limits.ts'
import { uuidBytes, uuidOfName } from '../uuid.ts'
import { nothing, type Deed, type ImportRow, type Sender } from './row.ts'
import { userSet } from './user-set.ts'

export type OrdinalRow = ImportRow & { line: number }

export type ImportFlush = {
  batch: BehaviorBatch
  /** Of its last row: the record's timestamp, sent_at and time of arrival, so that corrected times are the rows' own. */
  atMs: number
  /** Place of its last row in the order of all rows; rises from flush to flush. */
  ordinal: number
}

export type FlushCounts = { events: number; flushes: number; users: number }

/** Of everything that `import` makes ids for. */
const namespace = uuidBytes('8d1f6a1e-3c0b-5b7e-9d55-7b1f2b1a6c40')

/** A flush is closed before it might pass this size (bytes), well within what a message may have. */
const flushBytes = 512 * 1024
/** Rows that may wait for others of their flush; however many share an instant, no more are held in memory. */
const waitingRows = 50_000

type Open = { sender: Sender; events: BehaviorEvent[]; bytes: number; line: number; atMs: number; ordinal: number }

export type FlushOptions = { name: string; flushMs: number; registers: boolean; waiting?: number }

export function flushMaker({ name, flushMs, registers, waiting = waitingRows }: FlushOptions) {
  const users = userSet()
  const counts: FlushCounts = { events: 0, flushes: 0, users: 0 }
  let open = new Map<string, Open>()
  let full: Open[] = []
  let span = NaN
  let held = 0
  let ordinal = 0

  const uuid = (rest: string) => uuidOfName(namespace, `${name}/${rest}`)

  function* close(): Generator<ImportFlush> {
    const all = [...full, ...open.values()].toSorted((a, b) => a.ordinal - b.ordinal)
    open = new Map()
    full = []
    held = 0
    for (const { sender, events, line, atMs, ordinal } of all) {
      counts.flushes++
      counts.events += events.length
      yield { batch: { batch_id: uuid(`${line}/flush`), ...sender, sent_at: atMs, experiments: {}, events }, atMs, ordinal }
    }
  }

  return {
    *take({ atMs, line, sender, deeds }: OrdinalRow): Generator<ImportFlush> {
      const spanOfRow = flushMs === 0 ? atMs : Math.floor(atMs / flushMs)
      if (spanOfRow !== span || held >= waiting) yield* close()
      span = spanOfRow
      held++
      const first = users.add(sender.user_id)
      counts.users = users.size()
      const key = Object.values(sender).join('\0')
      let flush = open.get(key)
      const bytes = deeds.reduce((sum, deed) => sum + sizeOf(deed), 100)
      if (flush !== undefined && (flush.events.length + deeds.length + 1 > maxEventsPerFlush || flush.bytes + bytes > flushBytes)) {
        full.push(flush)
        flush = undefined
      }
      if (flush === undefined) open.set(key, (flush = { sender, events: [], bytes: 0, line, atMs, ordinal }))
      // The id of an event is of its own row and place in it, whatever else that user did before.
      if (first && registers) flush.events.push({ ...nothing, behavior: 'register', event_id: uuid(`${line}/register`), occurred_at: atMs })
      deeds.forEach((deed, i) => flush.events.push({ ...deed, event_id: uuid(`${line}/${i}`), occurred_at: atMs }))
      flush.bytes += bytes
      flush.atMs = atMs
      flush.ordinal = ordinal++
    },
    end: close,
    counts: (): Readonly<FlushCounts> => counts,
    /** How many rows there were. */
    rows: () => ordinal,
  }
}

/** At most (bytes). */
const sizeOf = (deed: Deed) =>
  Object.values(deed).reduce((sum: number, value) => sum + (typeof value === 'string' ? value.length * 3 : 10), 40)
