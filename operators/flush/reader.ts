// The fast path in: one flush, in the current writer schema, straight from the message's bytes into reused columns.
// It decodes everything before anyone applies anything, so a flush that turns out broken has left no trace.
import { maxEventsPerFlush, maxStringBytes } from '../../schemas/limits.ts'
import { isUtf8 } from './utf8.ts'

/** C3 01 and the fingerprint of the current schema, as it stands on the wire. */
export const currentHeader = Uint8Array.of(0xc3, 0x01, 0xba, 0x4f, 0x20, 0xb1, 0x35, 0xa6, 0x7f, 0x9f)

export const flushOutcomes = ['ok', 'other_schema', 'bad_header', 'truncated', 'trailing_bytes', 'bad_utf8'] as const
export const OK = 0
export const OTHER_SCHEMA = 1
export const BAD_HEADER = 2
export const TRUNCATED = 3
export const TRAILING_BYTES = 4
export const BAD_UTF8 = 5

/** Bits of `EventColumns.has`. */
export const HAS_PUBLISHED = 1
export const HAS_WATCH = 2
export const HAS_DURATION = 4
export const HAS_AMOUNT = 8
/** A string of the event is longer than `maxStringBytes`. */
export const TOO_LONG = 16

/**
 * A decoded flush. Positions are indices into `bytes`; a string's position is that of its length, and -1 is null
 * (`stringStart`, `stringLength` below). Borrowed: valid until the next `read`.
 */
export type FlushColumns = {
  bytes: Uint8Array
  view: DataView
  /** Items of `events`, those beyond `maxEventsPerFlush` included: they are decoded, not kept. */
  events: number
  /** A string of the flush itself is longer than `maxStringBytes`. */
  flushTooLong: boolean
  /** Where decoding stopped, and at what, when it failed. */
  failedAt: number
  batchId: number
  user: number
  device: number
  platform: number
  appVersion: number
  channel: number
  region: number
  sentAt: number
  /** Position of the map's first block count. */
  experiments: number
  experimentCount: number
  readonly eventId: Int32Array
  readonly behavior: Uint8Array
  readonly occurredAt: Float64Array
  readonly session: Int32Array
  readonly content: Int32Array
  readonly creator: Int32Array
  readonly category: Int32Array
  readonly surface: Int32Array
  readonly has: Uint8Array
  readonly publishedAt: Float64Array
  readonly watchMs: Float64Array
  readonly durationMs: Float64Array
  readonly amountMinor: Float64Array
  readonly currency: Int32Array
  readonly query: Int32Array
}

export type FlushReader = {
  readonly columns: FlushColumns
  /** Decodes value bytes; one of the outcomes above. */
  read(value: Uint8Array): number
}

/** Bytes of the string whose length stands at `position`. */
export function stringLength(bytes: Uint8Array, position: number): number {
  const first = bytes[position]!
  if (first < 128) return first >> 1
  const second = bytes[position + 1]!
  if (second < 128) return ((first & 127) | (second << 7)) >> 1
  return ((first & 127) | ((second & 127) << 7) | (bytes[position + 2]! << 14)) >> 1
}

/** Where the bytes of the string whose length stands at `position` begin. Strings kept are shorter than 2²⁰ bytes. */
export function stringStart(bytes: Uint8Array, position: number): number {
  return bytes[position]! < 128 ? position + 1 : bytes[position + 1]! < 128 ? position + 2 : position + 3
}

const platformCount = 5
const behaviorCount = 12

export function flushReader(): FlushReader {
  const int = () => new Int32Array(maxEventsPerFlush)
  const float = () => new Float64Array(maxEventsPerFlush)
  const eventId = int()
  const behavior = new Uint8Array(maxEventsPerFlush)
  const occurredAt = float()
  const session = int()
  const content = int()
  const creator = int()
  const category = int()
  const surface = int()
  const has = new Uint8Array(maxEventsPerFlush)
  const publishedAt = float()
  const watchMs = float()
  const durationMs = float()
  const amountMinor = float()
  const currency = int()
  const query = int()
  const columns: FlushColumns = {
    bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)), events: 0, flushTooLong: false, failedAt: 0,
    batchId: 0, user: 0, device: 0, platform: 0, appVersion: 0, channel: 0, region: 0, sentAt: 0, experiments: 0, experimentCount: 0,
    eventId, behavior, occurredAt, session, content, creator, category, surface, has, publishedAt, watchMs, durationMs, amountMinor, currency, query,
  } // prettier-ignore

  // The cursor. Reads may pass `end` by a few bytes before the next check; a typed array answers undefined there.
  let b = columns.bytes
  let v = columns.view
  let buffer: ArrayBufferLike = v.buffer
  let p = 0
  let end = 0
  let failure = OK
  let badUtf8At = -1
  let long = false

  function fail(code: number): void {
    if (failure === OK) {
      failure = code
      // Not beyond the end: what lies there is not the value's, and another replay finds something else.
      columns.failedAt = p < end ? p : end
    }
    p = end + 1
  }

  /** A zigzag long. Exact within ±2⁵³; beyond it the nearest double, which every later check refuses. */
  function readLong(): number {
    let x = b[p++]!
    if (x < 128) return (x >>> 1) ^ -(x & 1)
    let low = x & 127
    x = b[p++]!
    low |= (x & 127) << 7
    if (x > 127) {
      x = b[p++]!
      low |= (x & 127) << 14
      if (x > 127) {
        x = b[p++]!
        low |= (x & 127) << 21
        if (x > 127) {
          let high = (x = b[p++]!) & 127
          if (x > 127) {
            high |= ((x = b[p++]!) & 127) << 7
            let scale = 16384
            for (let more = 0; x > 127; more++) {
              if (more === 4) {
                fail(TRUNCATED)
                return 0
              }
              x = b[p++]!
              high += (x & 127) * scale
              scale *= 128
            }
          }
          // Halved before it is put together: the zigzag of a number below −2⁵² is beyond 2⁵³.
          const half = high * 134217728 + (low >>> 1)
          return (low & 1) !== 0 ? -half - 1 : half
        }
      }
    }
    return (low >>> 1) ^ -(low & 1)
  }

  /** Passes over a string, checking that it ends inside and is UTF-8; notes one that is too long. */
  function skipString(): void {
    const x = b[p]!
    let length = x >> 1
    if (x < 128) {
      if ((x & 1) !== 0) return fail(TRUNCATED)
      p++
    } else {
      length = readLong()
      if (length < 0) return fail(TRUNCATED)
      if (length > maxStringBytes) long = true
    }
    const from = p
    const to = from + length
    if (to > end) return fail(TRUNCATED)
    p = to
    let at = from
    let bits = 0
    for (const whole = to - 3; at < whole; at += 4) bits |= v.getInt32(at)
    for (; at < to; at++) bits |= b[at]! << 24
    if ((bits & 0x80808080) !== 0 && badUtf8At < 0 && !isUtf8(b, from, to)) badUtf8At = from
  }

  /** Position of an optional string's length, or -1. */
  function optionalString(): number {
    const branch = b[p]!
    if (branch === 0) {
      p++
      return -1
    }
    if (branch !== 2) {
      fail(TRUNCATED)
      return -1
    }
    const at = ++p
    skipString()
    return at
  }

  /** True where the optional number that follows is there. */
  function present(): boolean {
    const branch = b[p++]
    if (branch === 0) return false
    if (branch !== 2) {
      fail(TRUNCATED)
      return false
    }
    return true
  }

  function readExperiments(): void {
    columns.experiments = p
    let entries = 0
    for (;;) {
      let count = readLong()
      if (count === 0) break
      if (count < 0) {
        count = -count
        readLong()
      }
      entries += count
      while (count-- > 0) {
        skipString()
        skipString()
        if (p > end) return
      }
    }
    columns.experimentCount = entries
  }

  function readEvent(i: number): void {
    eventId[i] = p
    p += 16
    const code = b[p++]!
    if ((code & 1) !== 0 || code >= behaviorCount * 2) return fail(TRUNCATED)
    behavior[i] = code >> 1
    occurredAt[i] = readLong()
    long = false
    session[i] = optionalString()
    content[i] = optionalString()
    creator[i] = optionalString()
    category[i] = optionalString()
    surface[i] = optionalString()
    let bits = 0
    if (present()) {
      bits = HAS_PUBLISHED
      publishedAt[i] = readLong()
    }
    if (present()) {
      bits |= HAS_WATCH
      watchMs[i] = readLong()
    }
    if (present()) {
      bits |= HAS_DURATION
      durationMs[i] = readLong()
    }
    if (present()) {
      bits |= HAS_AMOUNT
      amountMinor[i] = readLong()
    }
    currency[i] = optionalString()
    query[i] = optionalString()
    has[i] = long ? bits | TOO_LONG : bits
  }

  function readEvents(): void {
    let n = 0
    for (;;) {
      let count = readLong()
      if (count === 0) break
      if (count < 0) {
        count = -count
        readLong()
      }
      while (count-- > 0) {
        // Items beyond the limit are decoded over the last place: the flush is rejected, but must first prove decodable.
        readEvent(n < maxEventsPerFlush ? n : maxEventsPerFlush - 1)
        n++
        if (p > end) return
      }
    }
    columns.events = n
  }

  function read(value: Uint8Array): number {
    if (value.buffer !== buffer) {
      buffer = value.buffer
      columns.bytes = b = new Uint8Array(buffer)
      columns.view = v = new DataView(buffer)
    }
    p = value.byteOffset
    end = p + value.length
    failure = OK
    badUtf8At = -1
    columns.events = 0
    columns.failedAt = p
    if (value.length < 10 || b[p] !== 0xc3 || b[p + 1] !== 0x01) return BAD_HEADER
    for (let i = 2; i < 10; i++) if (b[p + i] !== currentHeader[i]) return OTHER_SCHEMA
    p += 10
    columns.batchId = p
    p += 16
    if (p > end) {
      fail(TRUNCATED)
      return failure
    }
    long = false
    columns.user = p
    skipString()
    columns.device = p
    skipString()
    const code = b[p++]!
    if ((code & 1) !== 0 || code >= platformCount * 2) fail(TRUNCATED)
    columns.platform = code >> 1
    columns.appVersion = p
    skipString()
    columns.channel = p
    skipString()
    columns.region = p
    skipString()
    columns.sentAt = readLong()
    if (p <= end) readExperiments()
    columns.flushTooLong = long
    if (p <= end) readEvents()
    if (failure !== OK) return failure
    if (p > end) {
      fail(TRUNCATED)
      return failure
    }
    if (p < end) {
      columns.failedAt = p
      return TRAILING_BYTES
    }
    if (badUtf8At >= 0) {
      columns.failedAt = badUtf8At
      return BAD_UTF8
    }
    return OK
  }

  return { columns, read }
}
