// Whether somebody has to be told that an alert's root-cause review is overdue: facts in, a decision out.

export type ReviewFacts = {
  readonly dueAt: number
  /** When a cause was first written down, or the alert closed; undefined: neither. */
  readonly reviewedAt: number | undefined
  /** The alert about its being overdue, where there is one. */
  readonly overdue: 'firing' | 'resolved' | undefined
}

/** To which state the alert about the review goes; undefined: nothing changes. A review that came late, before anyone was told, is a review. */
export function decideReview({ dueAt, reviewedAt, overdue }: ReviewFacts, nowMs: number): 'firing' | 'resolved' | undefined {
  if (overdue === undefined) return reviewedAt === undefined && nowMs >= dueAt ? 'firing' : undefined
  return overdue === 'firing' && reviewedAt !== undefined ? 'resolved' : undefined
}
