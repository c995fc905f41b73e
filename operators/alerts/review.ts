// Whether somebody has to be told that an alert's root-cause review is overdue: facts in, a decision out.
import type { ReviewAction } from '../../schemas/tables/alert-reviews.ts'

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

export type ReviewInput = {
  readonly action: ReviewAction
  readonly by: string
  readonly cause: string
  readonly strategy: string
  readonly text: string
}

/** What is known of the review so far. */
export type ReviewSoFar = { readonly isClosed: boolean; readonly cause: string }

/** Why this cannot be written; undefined: it can. */
export function hindranceOf(
  { action, by, cause, strategy, text }: ReviewInput,
  { isClosed, cause: known }: ReviewSoFar,
): string | undefined {
  if (by === '') return 'say who you are'
  if (isClosed && action !== 'note') return 'the review is closed already; a note can still be added'
  if (action === 'note' && cause === '' && strategy === '' && text === '') return 'a note says something: a text, a cause or a strategy'
  if (action === 'close' && cause === '' && known === '')
    return 'no root cause is written yet, and a review is closed by one: give the cause'
  return undefined
}
