// Naive twin of emission: at which instants a user gets a row or an evaluation, and in which order these fire.
import { windows } from '../../schemas/measures.ts'
import { murmur2 } from '../hash.ts'
import type { Zone } from '../time/zone.ts'
import type { AcceptedEvent } from './accepted.ts'
import { arrivedInWindow, tileLeavesAt, tileOf } from './rolling.ts'

const utf8 = new TextEncoder()

/** End of the emission interval that holds a clock: the as_of of the row that a flush at that clock brings about. */
export const intervalEnd = (clockAt: number, emitMs: number) => (Math.floor(clockAt / emitMs) + 1) * emitMs

/** How long after a hop boundary a user's decay row stands. */
export const decayDelayMs = (userId: string) => ((murmur2(utf8.encode(userId)) & 0x7fffffff) % 60) * 1000

/** The as_of of the rows that show an event leaving each of the windows that it arrived in. */
export function decayInstants(userId: string, event: Pick<AcceptedEvent, 'eventAt' | 'clockAt'>): number[] {
  return windows
    .filter((window) => arrivedInWindow(window, event))
    .map((window) => tileLeavesAt(window, tileOf(window, event.eventAt)) + decayDelayMs(userId))
}

/** Every as_of at which a user has a row, sorted: from the clocks of their flushes and from their accepted events. */
export function naiveRowInstants(
  user: { id: string; flushClocks: readonly number[]; events: readonly Pick<AcceptedEvent, 'eventAt' | 'clockAt'>[] },
  settings: { emitMs: number; decayRows: boolean },
): number[] {
  const regular = user.flushClocks.map((clockAt) => intervalEnd(clockAt, settings.emitMs))
  const decay = settings.decayRows ? user.events.flatMap((event) => decayInstants(user.id, event)) : []
  return [...new Set([...regular, ...decay])].toSorted((a, b) => a - b)
}

/** The instants of monthly evaluations in (after, upTo]. */
export function monthStarts(zone: Zone, after: number, upTo: number): number[] {
  const starts: number[] = []
  for (let start = zone.nextMonthStart(after); start <= upTo; start = zone.nextMonthStart(start)) starts.push(start)
  return starts
}

export type Timer = { readonly due: number; readonly userId: string; readonly kind: 'evaluation' | 'row' }

/** (due, bytes of user_id); a user's evaluation before their row, which shows the new tier. */
export function compareTimers(a: Timer, b: Timer): number {
  return a.due - b.due || compareBytes(utf8.encode(a.userId), utf8.encode(b.userId)) || (a.kind === 'evaluation' ? -1 : 1)
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
