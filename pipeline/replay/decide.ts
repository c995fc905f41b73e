// Which events of a judged record are to be appended, and the record that brings them.
import type { PartitionOptions } from '../../operators/partition/partition.ts'
import type { OutRecord } from '../ports/log.ts'
import { inCurrentSchema, type Judged } from './judge.ts'
import { shortened } from './shorten.ts'

/** An event of a user. A user's bytes as latin-1 text lose nothing. */
export const eventKey = (user: Uint8Array, eventId: string) => `${eventId}${Buffer.from(user).toString('latin1')}`

export type Decision = {
  /** Undefined: nothing is left to append. */
  record: OutRecord | undefined
  events: number
  alreadyThere: number
  repeated: number
}

/**
 * `isThere`: table `events` has it. `appended`: what this replay has appended so far, by `eventKey`; the decision's own are added.
 * A flush of which all events are wanted keeps its bytes; another is shortened.
 */
export function decide(
  judged: Judged,
  isThere: (key: string) => boolean,
  appended: RecentKeys,
  resolve: PartitionOptions['resolve'],
): Decision {
  const { candidate, key, partition, timestampMs } = judged
  const decision: Decision = { record: undefined, events: 0, alreadyThere: 0, repeated: judged.repeated }
  const ordinals = new Set<number>()
  for (const { ordinal, id } of judged.accepted) {
    const event = eventKey(key, id)
    if (isThere(event)) decision.alreadyThere++
    else if (appended.has(event)) decision.repeated++
    else {
      appended.add(event)
      ordinals.add(ordinal)
    }
  }
  decision.events = ordinals.size
  if (ordinals.size === 0) return decision
  const value = ordinals.size === judged.flushEvents ? candidate.value : shortened(inCurrentSchema(candidate.value, resolve)!, ordinals)
  const headers = { received_at: text(candidate.arrivedAt), replay_of: text(`${candidate.partition}/${candidate.offset}`) }
  decision.record = { key, value, headers, partition, timestampMs }
  return decision
}

const encoder = new TextEncoder()
const text = (value: string | number) => encoder.encode(String(value))

export type RecentKeys = { has(key: string): boolean; add(key: string): void }

/** The newest keys, at least `least` of them, in bounded memory. */
export function recentKeys(least: number): RecentKeys {
  let older = new Set<string>()
  let newer = new Set<string>()
  return {
    has: (key) => newer.has(key) || older.has(key),
    add(key) {
      if (newer.size >= least) {
        older = newer
        newer = new Set()
      }
      newer.add(key)
    },
  }
}
