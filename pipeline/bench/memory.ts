// What a million users weigh: one process, all operators, four partitions. Everyone comes by twice in a month; one in fifty
// is busy for its whole length, in every tile of every window.
//
//   node pipeline/bench/memory.ts [<users>]
import { partitionOf } from '../../operators/hash.ts'
import { partitionOperator } from '../../operators/partition/partition.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { singleObjectWriter } from '../../schemas/avro-encode.ts'
import { behaviorBatch, type BehaviorEvent } from '../../schemas/behavior-batch.ts'

const users = Number(process.argv[2] ?? 1_000_000)
const partitions = 4
const busyEvery = 50
const dayMs = 86_400_000
const startMs = Date.UTC(2026, 9, 1)
const days = 30

const ignore = () => {}
const operators = Array.from({ length: partitions }, (_, partition) =>
  partitionOperator({
    settings: defaultSettings,
    partition,
    partitionCount: partitions,
    operators: 'all',
    resolve: () => 'unknown_schema',
    sink: { accepted: ignore, rejectedEvent: ignore, rejectedRecord: ignore, features: ignore, tierChanged: ignore },
  }),
)
const writer = singleObjectWriter(behaviorBatch)
const encoder = new TextEncoder()
let ids = 0
let events = 0

function eventId(): Uint8Array {
  const id = new Uint8Array(16)
  new DataView(id.buffer).setUint32(0, ids++)
  return id
}

function flush(user: number, at: number, count: number): void {
  const key = encoder.encode(`user-${user}`)
  const event = (i: number): BehaviorEvent => ({
    event_id: eventId(), behavior: i === 0 ? 'register' : 'play', occurred_at: at, session_id: null, content_id: 'v', creator_id: null,
    category: defaultSettings.dimensions.category[(user + i) % 24]!, surface: 'feed', published_at: null, watch_ms: 900, duration_ms: 1_000,
    amount_minor: null, currency: null, query: null,
  }) // prettier-ignore
  const value = writer.encode({
    batch_id: eventId(), user_id: `user-${user}`, device_id: 'd', platform: 'ios', app_version: '8.4.1', channel: 'ad', region: 'CN-31', sent_at: at,
    experiments: {}, events: Array.from({ length: count }, (_, i) => event(i)),
  }) // prettier-ignore
  operators[partitionOf(key, partitions)]!.apply(events, at, key, value, undefined)
  events += count
}

// The idle come by at two moments of the month, spread over it; the busy every five minutes of the last hour, every hour of the last
// day, every six hours of the last week and every day.
const busyAt = new Set<number>()
const endMs = startMs + days * dayMs
for (let at = endMs - dayMs * days; at < endMs; at += dayMs) busyAt.add(at)
for (let at = endMs - dayMs * 7; at < endMs; at += dayMs / 4) busyAt.add(at)
for (let at = endMs - dayMs; at < endMs; at += 3_600_000) busyAt.add(at)
for (let at = endMs - 3_600_000; at < endMs; at += 300_000) busyAt.add(at)
const steps = [...busyAt].toSorted((a, b) => a - b)
const idle = users - Math.floor(users / busyEvery)
let done = 0
for (const [step, at] of steps.entries()) {
  for (let user = 0; user < users; user += busyEvery) flush(user, at, 4)
  const upTo = Math.floor(((step + 1) / steps.length) * idle * 2)
  for (; done < upTo; done++) {
    const user = done % idle
    const number = user + Math.floor(user / (busyEvery - 1)) + 1
    if (number < users) flush(number, at + 1, 2)
  }
}

const tiles = operators.reduce((sum, operator) => sum + operator.windows.tiles(), 0)
const known = operators.reduce((sum, operator) => sum + operator.users.count(), 0)
for (const operator of operators) if (operator.counters.duplicates !== 0) throw new Error('the workload repeats ids')
globalThis.gc?.()
process.stdout.write(
  `${JSON.stringify({
    users: known,
    busyUsers: Math.ceil(users / busyEvery),
    events,
    tiles,
    rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    peakRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  })}\n`,
)
