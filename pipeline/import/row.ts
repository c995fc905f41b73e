// One row, by its mapping: when it happened, whose it is, and the events that it stands for; or why it is bad.
import { judgeEvent } from '../../operators/naive/validation.ts'
import { platforms, type Behavior, type BehaviorBatch, type BehaviorEvent, type Platform } from '../../schemas/behavior-batch.ts'
import { maxStringBytes } from '../../schemas/limits.ts'
import { instantReader, type Instant } from './instant.ts'
import type { EventFields, EventMapping, InstantSource, Mapping, NumberSource, TextSource } from './mapping.ts'
import type { Cells } from './records.ts'

/** What is said once in a flush. */
export type Sender = Pick<BehaviorBatch, 'user_id' | 'device_id' | 'platform' | 'app_version' | 'channel' | 'region'>
/** An event without what the import gives it. */
export type Deed = Omit<BehaviorEvent, 'event_id' | 'occurred_at'>
export type ImportRow = { atMs: number; sender: Sender; deeds: Deed[] }
export type RowResult = { ok: true; row: ImportRow } | { ok: false; reason: string }

export const nothing: Omit<Deed, 'behavior'> = {
  session_id: null,
  content_id: null,
  creator_id: null,
  category: null,
  surface: null,
  published_at: null,
  watch_ms: null,
  duration_ms: null,
  amount_minor: null,
  currency: null,
  query: null,
}

/** Kafka takes no timestamp before 1970, ClickHouse's DateTime64 none after 2299. */
const [firstMs, lastMs] = [0, Date.UTC(2299, 0, 1)]

const knownPlatforms: ReadonlySet<string> = new Set(platforms)

class Bad extends Error {}

type Read<T> = (cells: Cells) => T

/** `currency`: the one that is processed; a purchase in any other is bad. `known`: the row has been found good before. */
export function rowMapper(mapping: Mapping, currency: string): (cells: Cells, known?: boolean) => RowResult {
  const { user_id: user, device_id: device, platform, app_version: version, channel, region, ...common } = mapping.fields
  const read = {
    time: instantOf('time', mapping.time),
    user: present('user_id', textOf('user_id', user)),
    device: device === undefined ? undefined : textOf('device_id', device),
    platform: present('platform', textOf('platform', platform)) as Read<Platform>,
    version: textOf('app_version', version),
    channel: textOf('channel', channel),
    region: textOf('region', region),
    deeds: deedsOf(mapping.behavior, common),
  }
  return (cells, known = false) => {
    try {
      const atMs = read.time(cells)
      if (atMs === null) throw new Bad(`time: column ${mapping.time.column} is empty`)
      if (!(atMs >= firstMs && atMs < lastMs)) throw new Bad(`time: ${cells(mapping.time.column)} is not between 1970 and 2299`)
      const deeds = read.deeds(cells)
      const userId = read.user(cells)
      if (!known) judge(deeds, atMs, currency)
      const sender = {
        user_id: userId,
        device_id: read.device?.(cells) ?? userId,
        platform: read.platform(cells),
        app_version: read.version(cells) ?? '',
        channel: read.channel(cells) ?? '',
        region: read.region(cells) ?? '',
      }
      return { ok: true, row: { atMs, sender, deeds } }
    } catch (error) {
      if (error instanceof Bad) return { ok: false, reason: error.message }
      throw error
    }
  }
}

const noId = new Uint8Array(16)

/** As the process role will. */
function judge(deeds: readonly Deed[], atMs: number, currency: string): void {
  for (const deed of deeds) {
    const verdict = judgeEvent(
      { ...deed, event_id: noId, occurred_at: atMs },
      { recordAt: atMs, sentAt: atMs, eventAt: atMs, clockAt: atMs, currency },
    )
    if (verdict !== 'ok') throw new Bad(`${deed.behavior}: ${verdict}${hint(deed, verdict, currency)}`)
  }
}

const hint = (deed: Deed, verdict: string, currency: string) =>
  verdict === 'currency' ? ` (${deed.currency}; what is processed is ${currency})` : ''

function deedsOf(behavior: Mapping['behavior'], common: EventFields): Read<Deed[]> {
  const every = (events: readonly EventMapping[]): Read<Deed[]> => {
    const reads = events.map((event) =>
      typeof event === 'string'
        ? deedOf(event, common)
        : // What an event says of itself goes before what is said of all.
          deedOf(event.behavior, { ...common, ...event.fields }),
    )
    return (cells) => reads.map((read) => read(cells))
  }
  if (behavior.constant !== undefined) return every(behavior.constant)
  const column = behavior.column!
  const byText = new Map(Object.entries(behavior.values!).map(([text, events]) => [text, every(events)]))
  return (cells) => {
    const text = cell(cells, 'behavior', column) ?? ''
    const read = byText.get(text)
    if (read === undefined) throw new Bad(`behavior: ${quoted(text)} is none of ${[...byText.keys()].join(', ')}`)
    return read(cells)
  }
}

function deedOf(behavior: Behavior, fields: EventFields): Read<Deed> {
  const reads = Object.entries(fields)
    .filter(([, source]) => source !== undefined)
    .map(([name, source]) => [name, fieldOf(name, source)] as const)
  return (cells) => {
    const deed: Record<string, unknown> = { behavior, ...nothing }
    for (const [name, read] of reads) deed[name] = read(cells)
    return deed as Deed
  }
}

function fieldOf(name: string, source: EventFields[keyof EventFields]): Read<string | number | null> {
  switch (name) {
    case 'published_at':
      return instantOf(name, source as InstantSource)
    case 'watch_ms':
    case 'duration_ms':
      return numberOf(name, source as NumberSource, true)
    case 'amount_minor':
      return numberOf(name, source as NumberSource, false)
    default:
      return textOf(name, source as TextSource)
  }
}

const quoted = (text: string) => JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)

function cell(cells: Cells, field: string, column: string): string | null {
  const text = cells(column)
  if (text === undefined) throw new Bad(`${field}: column ${column} holds an object or a list`)
  return text
}

function present<T extends string>(field: string, read: Read<T | null>): Read<T> {
  return (cells) => read(cells) ?? fail(`${field}: is empty`)
}

function fail(reason: string): never {
  throw new Bad(reason)
}

function textOf(field: string, source: TextSource): Read<string | null> {
  const { column, constant, values, otherwise } = source
  if (column === undefined) return () => constant!
  const meant = values === undefined ? undefined : new Map(Object.entries(values))
  const isPlatform = field === 'platform'
  return (cells) => {
    const text = cell(cells, field, column)
    if (meant !== undefined) {
      const value = meant.get(text ?? '') ?? otherwise
      if (value === undefined && text !== null) throw new Bad(`${field}: ${quoted(text)} is none of ${[...meant.keys()].join(', ')}`)
      return value ?? null
    }
    if (text === null) return null
    if (isPlatform && !knownPlatforms.has(text)) throw new Bad(`platform: ${quoted(text)} is none of ${[...knownPlatforms].join(', ')}`)
    if (text.length > maxStringBytes / 3 && Buffer.byteLength(text) > maxStringBytes)
      throw new Bad(`${field}: longer than ${maxStringBytes} bytes`)
    // JSON can say half of a letter, which is no UTF-8.
    if (!text.isWellFormed()) throw new Bad(`${field}: not valid Unicode`)
    return text
  }
}

function instantOf(field: string, source: InstantSource | Mapping['time']): Read<number | null> {
  const { column } = source
  if (column === undefined) return () => (source as InstantSource).constant!
  const read: (text: string) => Instant = instantReader(source.unit!, source.zone)
  return (cells) => {
    const text = cell(cells, field, column)
    if (text === null) return null
    const instant = read(text.trim())
    return instant.ok ? instant.ms : fail(`${field}: ${quoted(text)} is not ${instant.wants}`)
  }
}

const numberForm = /^[+-]?\d{1,15}(\.\d+)?$/

/** `rounds`: what is finer than a unit is rounded; else it is bad, as part of a fen would be. */
function numberOf(field: string, source: NumberSource, rounds: boolean): Read<number | null> {
  const { column, constant, factor = 1 } = source
  if (column === undefined) return () => constant!
  return (cells) => {
    const text = cell(cells, field, column)?.trim() ?? null
    if (text === null || text === '') return null
    if (!numberForm.test(text)) throw new Bad(`${field}: ${quoted(text)} is not a number`)
    const exact = Number(text) * factor
    const value = Math.round(exact)
    if (!Number.isSafeInteger(value) || (rounds && value >= 2 ** 31)) throw new Bad(`${field}: ${quoted(text)} is too large`)
    // 12.34 × 100 is 1234 in decimals, and a hair off in doubles.
    if (!rounds && Math.abs(exact - value) > 1e-9 * Math.max(1, Math.abs(exact)))
      throw new Bad(`${field}: ${quoted(text)} × ${factor} is not a whole number of minor units`)
    return value === 0 ? 0 : value
  }
}
