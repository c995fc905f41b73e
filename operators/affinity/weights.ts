// How much an event says about a user's taste for its category. A play counts by the share watched, 1 at most.
import type { Behavior } from '../../schemas/behavior-batch.ts'

export const affinityWeights: Partial<Record<Behavior, number | 'share_watched'>> = {
  play: 'share_watched',
  like: 2,
  comment: 3,
  share: 4,
  follow: 3,
  purchase: 8,
}

/** An event's weight halves in this time (ms). */
export const affinityHalfLifeMs = 7 * 86_400_000
/** Categories in a row. */
export const topCategories = 5
