// Naive twin of deduplication: has this user already had this event accepted, lately enough?
import type { Behavior } from '../../schemas/behavior-batch.ts'

const hourMs = 3_600_000

export type Acceptance = { readonly eventId: string; readonly behavior: Behavior; readonly clockAt: number }

/** Clock hours, beside its own, through which an accepted id is remembered. */
export const hoursRemembered = (behavior: Behavior) => (behavior === 'purchase' || behavior === 'register' ? 31 * 24 : 24)

/** `accepted`: events of the same user. What the incoming event is does not matter, only what was accepted under its id. */
export function naiveIsDuplicate(accepted: readonly Acceptance[], eventId: string, clockAt: number): boolean {
  const hour = Math.floor(clockAt / hourMs)
  return accepted.some(
    (earlier) => earlier.eventId === eventId && hour - Math.floor(earlier.clockAt / hourMs) <= hoursRemembered(earlier.behavior),
  )
}
