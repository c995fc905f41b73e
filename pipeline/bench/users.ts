// A month in the life of many users, for what measures their state. Everyone comes by twice; one in fifty is busy for its whole
// length, in every tile of every window.
import { defaultSettings } from '../../operators/settings.ts'
import { singleObjectWriter } from '../../schemas/avro-encode.ts'
import { behaviorBatch, type BehaviorEvent } from '../../schemas/behavior-batch.ts'

const busyEvery = 50
const dayMs = 86_400_000
const startMs = Date.UTC(2026, 9, 1)
const days = 30

export const busyOf = (users: number) => Math.ceil(users / busyEvery)

export type UsersMonth = {
  /** Hands over the month's flushes, in the order of their times. */
  live(deliver: (key: Uint8Array, at: number, value: Uint8Array) => void): void
  /** One more flush of each busy user, five minutes after the last. */
  busyComeBy(deliver: (key: Uint8Array, at: number, value: Uint8Array) => void): void
}

export function usersMonth(users: number): UsersMonth {
  const writer = singleObjectWriter(behaviorBatch)
  const encoder = new TextEncoder()
  const endMs = startMs + days * dayMs
  let ids = 0
  let lastAt = endMs

  function eventId(): Uint8Array {
    const id = new Uint8Array(16)
    new DataView(id.buffer).setUint32(0, ids++)
    return id
  }

  const registered = new Uint8Array(users)

  function flush(user: number, at: number, count: number): Uint8Array {
    const isNew = registered[user] === 0
    registered[user] = 1
    const event = (i: number): BehaviorEvent => ({
      event_id: eventId(), behavior: isNew && i === 0 ? 'register' : 'play', occurred_at: at, session_id: null, content_id: 'v', creator_id: null,
      category: defaultSettings.dimensions.category[(user + i) % 24]!, surface: 'feed', published_at: null, watch_ms: 900, duration_ms: 1_000,
      amount_minor: null, currency: null, query: null,
    }) // prettier-ignore
    return writer.encode({
      batch_id: eventId(), user_id: `user-${user}`, device_id: 'd', platform: 'ios', app_version: '8.4.1', channel: 'ad', region: 'CN-31', sent_at: at,
      experiments: {}, events: Array.from({ length: count }, (_, i) => event(i)),
    }) // prettier-ignore
  }

  const keyOf = (user: number) => encoder.encode(`user-${user}`)

  return {
    live(deliver) {
      // The idle come by at two moments of the month, spread over it; the busy every five minutes of the last hour, every hour of the
      // last day, every six hours of the last week and every day.
      const busyAt = new Set<number>()
      for (let at = endMs - dayMs * days; at < endMs; at += dayMs) busyAt.add(at)
      for (let at = endMs - dayMs * 7; at < endMs; at += dayMs / 4) busyAt.add(at)
      for (let at = endMs - dayMs; at < endMs; at += 3_600_000) busyAt.add(at)
      for (let at = endMs - 3_600_000; at < endMs; at += 300_000) busyAt.add(at)
      const steps = [...busyAt].toSorted((a, b) => a - b)
      const idle = users - Math.floor(users / busyEvery)
      let done = 0
      for (const [step, at] of steps.entries()) {
        for (let user = 0; user < users; user += busyEvery) deliver(keyOf(user), at, flush(user, at, 4))
        const upTo = Math.floor(((step + 1) / steps.length) * idle * 2)
        for (; done < upTo; done++) {
          const user = done % idle
          const number = user + Math.floor(user / (busyEvery - 1)) + 1
          if (number < users) deliver(keyOf(number), at + 1, flush(number, at + 1, 2))
        }
      }
    },
    busyComeBy(deliver) {
      lastAt += 300_000
      for (let user = 0; user < users; user += busyEvery) deliver(keyOf(user), lastAt, flush(user, lastAt, 4))
    },
  }
}
