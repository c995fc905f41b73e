// For tests: transitions of alerts, as the detector would have stored them.
import type { Transition } from '../../../operators/detect/track.ts'
import type { AlertState } from '../../../schemas/tables/alerts.ts'
import type { Store } from '../../ports/store.ts'
import { alertInsert, notificationOf } from './alert-rows.ts'
import { bucketMs } from './hand-made.ts'

export const alertTopic = 'behavior-events'

/** An alert's n-th transition, a minute after the one before; fired from the second on. `begunAt` and `value` name the alert. */
export function madeTransition(
  value: string,
  begunAt: number,
  sequence: number,
  state: AlertState,
  more: Partial<Transition> = {},
): Transition {
  const bucketAt = begunAt + sequence * bucketMs
  const firedAt = state === 'pending' ? undefined : begunAt + 4 * bucketMs
  return {
    kpi: 'completion_rate', grain: 'minute', dimension: value === '' ? 'all' : 'channel', value, begunAt, sequence, state, bucketAt,
    decidedAt: bucketAt + 3 * bucketMs, firedAt, dueAt: firedAt === undefined ? undefined : firedAt + 72 * 3_600_000,
    actual: 0.3, baseline: 0.5, denominator: 2_000, reason: `made up for a test, ${state}`, ...more,
  } // prettier-ignore
}

/** Stores it, and returns what is to be told. */
export async function storeAlert(store: Store, transition: Transition) {
  const notification = notificationOf(alertTopic, transition)
  await store.insert(alertInsert(notification))
  return notification
}
