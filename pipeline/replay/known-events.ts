// Which events table `events` already holds.
import type { Store } from '../ports/store.ts'
import { eventKey } from './decide.ts'

const perQuery = 2_000

export type UserEvent = { user: Uint8Array; id: string }

/** By `eventKey`, of the events that are there: the latest clock at which one was accepted (ms). */
export async function knownEvents(store: Store, events: readonly UserEvent[]): Promise<Map<string, number>> {
  const known = new Map<string, number>()
  for (let from = 0; from < events.length; from += perQuery) {
    const some = events.slice(from, from + perQuery)
    const hexOf = new Set(some.map(({ user }) => Buffer.from(user).toString('hex')))
    // Rows of these users with any of these ids: a few more than the pairs. As hex, whatever bytes an id has.
    const rows = await store.query<{ user: string; id: string; clock_ms: number }>(
      `SELECT hex(user_id) AS user, toString(event_id) AS id, max(toUnixTimestamp64Milli(clock_at)) AS clock_ms
       FROM events
       WHERE user_id IN (SELECT unhex(arrayJoin({users:Array(String)}))) AND event_id IN {ids:Array(UUID)}
       GROUP BY user_id, event_id`,
      { users: [...hexOf], ids: [...new Set(some.map(({ id }) => id))] },
    )
    for (const { user, id, clock_ms: clockMs } of rows) known.set(eventKey(Buffer.from(user, 'hex'), id.replaceAll('-', '')), clockMs)
  }
  return known
}
