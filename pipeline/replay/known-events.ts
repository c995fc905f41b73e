// Which events table `events`, or which signals table `customer_signals`, already holds.
import type { Store } from '../ports/store.ts'
import { eventKey } from './decide.ts'

const perQuery = 2_000

/** What its key is, and what names it. A signal without a user is its channel's. */
const places = {
  events: { key: 'user_id', id: 'event_id' },
  customer_signals: { key: "ifNull(user_id, ifNull(toString(channel), ''))", id: 'signal_id' },
} as const

export type UserEvent = { user: Uint8Array; id: string }

/** By `eventKey`, of the events that are there: the latest clock at which one was accepted (ms). */
export async function knownEvents(
  store: Store,
  events: readonly UserEvent[],
  of: keyof typeof places = 'events',
): Promise<Map<string, number>> {
  const { key, id } = places[of]
  const known = new Map<string, number>()
  for (let from = 0; from < events.length; from += perQuery) {
    const some = events.slice(from, from + perQuery)
    const hexOf = new Set(some.map(({ user }) => Buffer.from(user).toString('hex')))
    // Rows of these users with any of these ids: a few more than the pairs. As hex, whatever bytes an id has.
    const rows = await store.query<{ user: string; name: string; clock_ms: number }>(
      `SELECT hex(${key}) AS user, toString(${id}) AS name, max(toUnixTimestamp64Milli(clock_at)) AS clock_ms
       FROM ${of}
       WHERE ${key} IN (SELECT unhex(arrayJoin({users:Array(String)}))) AND ${id} IN {ids:Array(UUID)}
       GROUP BY ${key}, ${id}`,
      { users: [...hexOf], ids: [...new Set(some.map(({ id }) => id))] },
    )
    for (const { user, name, clock_ms: clockMs } of rows) known.set(eventKey(Buffer.from(user, 'hex'), name.replaceAll('-', '')), clockMs)
  }
  return known
}
