// Messages that are wrong on purpose, one for every reason to reject: what a broken SDK, proxy or attacker sends.
import { currentHeader } from '../../../operators/flush/reader.ts'
import { behaviors, type Behavior } from '../../../schemas/behavior-batch.ts'
import { maxEventsPerFlush, maxInstant, maxStringBytes } from '../../../schemas/limits.ts'
import type { Fault, Flush } from './flush.ts'
import { mix, unit } from './random.ts'
import { avroString, putByte, putBytes, putLong, putUuid, someString, wire, type Wire } from './wire.ts'

export const faults: readonly Fault[] = [
  'bad_header', 'unknown_schema', 'truncated', 'trailing_bytes', 'bad_utf8', 'key_mismatch', 'null_key', 'null_value', 'too_many_events',
  'flush_field_too_long', 'missing_field', 'field_too_long', 'out_of_range', 'currency', 'too_old', 'empty',
] // prettier-ignore

type FaultyEvent = {
  behavior: Behavior
  occurredAt?: number
  contentId?: string
  creatorId?: string
  watchMs?: number
  durationMs?: number
  amountMinor?: number
  currency?: string
  query?: string
}

const tooLong = 'x'.repeat(maxStringBytes + 1)
const video = 'v000001'
const tooMany = Array.from({ length: maxEventsPerFlush + 1 }, (): FaultyEvent => ({ behavior: 'session_start' }))

const wrongEvents: Partial<Record<Fault, readonly FaultyEvent[]>> = {
  missing_field: [
    { behavior: 'play', contentId: video, watchMs: 1000 },
    { behavior: 'play', watchMs: 1000, durationMs: 9000 },
    { behavior: 'impression' },
    { behavior: 'like', contentId: '' },
    { behavior: 'follow', contentId: video },
    { behavior: 'search' },
    { behavior: 'purchase', currency: 'CNY' },
  ],
  field_too_long: [
    { behavior: 'search', query: tooLong },
    { behavior: 'click', contentId: tooLong },
  ],
  out_of_range: [
    { behavior: 'play', contentId: video, watchMs: -1, durationMs: 9000 },
    { behavior: 'play', contentId: video, watchMs: 1000, durationMs: 0 },
    { behavior: 'play', contentId: video, watchMs: 1000, durationMs: -9000 },
    { behavior: 'purchase', amountMinor: 0, currency: 'CNY' },
    { behavior: 'purchase', amountMinor: 10_000_000_001, currency: 'CNY' },
    { behavior: 'session_start', occurredAt: maxInstant + 1 },
  ],
  currency: [
    { behavior: 'purchase', amountMinor: 1900, currency: 'USD' },
    { behavior: 'purchase', amountMinor: 1900, currency: 'cny' },
  ],
  too_old: [{ behavior: 'session_start', occurredAt: 0 }],
}

function putOptionalLong(to: Wire, value: number | undefined): void {
  if (value === undefined) return putByte(to, 0)
  putByte(to, 2)
  putLong(to, value)
}

function putOptionalString(to: Wire, value: string | undefined): void {
  putBytes(to, value === undefined ? Uint8Array.of(0) : someString(value))
}

function putEvent(to: Wire, event: FaultyEvent, atMs: number, words: readonly [number, number], ordinal: number): void {
  putUuid(to, words[0], ((words[1] + ordinal) & ~0xf000) | 0x4000, (mix(ordinal) & 0x3fffffff) | 0x80000000, mix(words[1]))
  putByte(to, behaviors.indexOf(event.behavior) * 2)
  putLong(to, event.occurredAt ?? atMs)
  putByte(to, 0)
  putOptionalString(to, event.contentId)
  putOptionalString(to, event.creatorId)
  for (let i = 0; i < 3; i++) putByte(to, 0)
  putOptionalLong(to, event.watchMs)
  putOptionalLong(to, event.durationMs)
  putOptionalLong(to, event.amountMinor)
  putOptionalString(to, event.currency)
  putOptionalString(to, event.query)
}

function write(user: Uint8Array, device: Uint8Array, version: string, atMs: number, bits: number, events: readonly FaultyEvent[]) {
  const to = wire(4096 + events.length * 640)
  const words = [mix(bits ^ 0x1d), mix(bits ^ 0x2d)] as const
  putBytes(to, currentHeader)
  putUuid(to, mix(bits ^ 0x3d), (mix(bits ^ 0x4d) & ~0xf000) | 0x4000, (words[0] & 0x3fffffff) | 0x80000000, words[1])
  putByte(to, user.length << 1)
  putBytes(to, user)
  putBytes(to, device)
  putByte(to, 0) // android
  for (const text of [version, 'organic', 'CN-31']) putBytes(to, avroString(text))
  putLong(to, atMs)
  putByte(to, 0)
  if (events.length > 0) {
    putLong(to, events.length)
    events.forEach((event, ordinal) => putEvent(to, event, atMs, words, ordinal))
  }
  putByte(to, 0)
  return to.bytes.slice(0, to.at)
}

const device = avroString('d-faulty')

/** A faulty message that comes from the same user as a good one. `bits` decide which fault it is and how it looks. */
export function faultyFlush(good: Flush, bits: number, timestampMs: number): Flush {
  const fault = faults[Math.floor(unit(bits) * faults.length)]!
  const drawn = mix(bits ^ 0xf)
  const key = good.key!
  const { value } = good as { value: Uint8Array }
  const made = (bytes: Uint8Array | null, more?: Partial<Flush>): Flush => ({
    key,
    value: bytes,
    timestampMs,
    events: 0,
    fault,
    ...more,
  })
  switch (fault) {
    case 'bad_header':
      return made(Uint8Array.from({ length: 1 + (drawn & 127) }, (_, at) => (at === 0 ? 0x7b : mix(drawn + at) & 255)))
    case 'unknown_schema':
      return made(value.map((byte, at) => (at === 2 + (drawn & 7) ? byte ^ 0xff : byte)))
    case 'truncated':
      return made(value.slice(0, 12 + Math.floor(unit(drawn) * (value.length - 12))))
    case 'trailing_bytes':
      return made(Uint8Array.from([...value, ...Array.from({ length: 1 + (drawn & 7) }, (_, at) => mix(drawn + at) & 255)]))
    case 'bad_utf8':
      return made(write(key, Uint8Array.of(6, 0xff, 0xfe, 0x41), '8.6.0', timestampMs, bits, []))
    case 'key_mismatch':
      return made(value, { key: new TextEncoder().encode('u00000000') })
    case 'null_key':
      return made(value, { key: null, partition: 0 })
    case 'null_value':
      return made(null)
    case 'too_many_events':
      return made(write(key, device, '8.6.0', timestampMs, bits, tooMany))
    case 'flush_field_too_long':
      return made(write(key, device, tooLong, timestampMs, bits, [{ behavior: 'session_start' }]))
    case 'empty':
      return made(write(key, device, '8.6.0', timestampMs, bits, []))
    case 'missing_field':
    case 'field_too_long':
    case 'out_of_range':
    case 'currency':
    case 'too_old': {
      const ways = wrongEvents[fault]!
      return made(write(key, device, '8.6.0', timestampMs, bits, [ways[Math.floor(unit(drawn) * ways.length)]!]))
    }
  }
}
