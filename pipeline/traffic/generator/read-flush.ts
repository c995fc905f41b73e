// A flush as an object, for tests and for whoever wants to look at simulated traffic.
import { flushReader, OK, stringLength, stringStart, HAS_AMOUNT, HAS_DURATION, HAS_WATCH } from '../../../operators/flush/reader.ts'
import { behaviors, platforms, type Behavior, type Platform } from '../../../schemas/behavior-batch.ts'

export type ReadEvent = {
  id: string
  behavior: Behavior
  occurredAt: number
  session: string | null
  content: string | null
  creator: string | null
  category: string | null
  surface: string | null
  watchMs: number | null
  durationMs: number | null
  amountMinor: number | null
  currency: string | null
  query: string | null
}

export type ReadFlush = {
  batchId: string
  user: string
  device: string
  platform: Platform
  appVersion: string
  channel: string
  region: string
  sentAt: number
  events: ReadEvent[]
}

const reader = flushReader()
const decoder = new TextDecoder()

/** undefined where it does not decode in the current schema. */
export function readFlush(value: Uint8Array): ReadFlush | undefined {
  if (reader.read(value) !== OK) return undefined
  const { columns } = reader
  const { bytes } = columns
  const text = (at: number) => decoder.decode(bytes.subarray(stringStart(bytes, at), stringStart(bytes, at) + stringLength(bytes, at)))
  const optional = (at: number) => (at < 0 ? null : text(at))
  const uuid = (at: number) => Buffer.from(bytes.subarray(at, at + 16)).toString('hex')
  const held = (i: number, bit: number, values: Float64Array) => ((columns.has[i]! & bit) === 0 ? null : values[i]!)
  return {
    batchId: uuid(columns.batchId),
    user: text(columns.user),
    device: text(columns.device),
    platform: platforms[columns.platform]!,
    appVersion: text(columns.appVersion),
    channel: text(columns.channel),
    region: text(columns.region),
    sentAt: columns.sentAt,
    events: Array.from({ length: columns.events }, (_, i) => ({
      id: uuid(columns.eventId[i]!),
      behavior: behaviors[columns.behavior[i]!]!,
      occurredAt: columns.occurredAt[i]!,
      session: optional(columns.session[i]!),
      content: optional(columns.content[i]!),
      creator: optional(columns.creator[i]!),
      category: optional(columns.category[i]!),
      surface: optional(columns.surface[i]!),
      watchMs: held(i, HAS_WATCH, columns.watchMs),
      durationMs: held(i, HAS_DURATION, columns.durationMs),
      amountMinor: held(i, HAS_AMOUNT, columns.amountMinor),
      currency: optional(columns.currency[i]!),
      query: optional(columns.query[i]!),
    })),
  }
}
