// Who counts what the detect role does, such as its metrics.
import type { AlertState } from '../../../schemas/tables/alerts.ts'
import type { DeliveryWatch } from './pump.ts'

export type DetectWatch = DeliveryWatch & {
  /** A closed bucket was looked at. `closedMs`: its end. */
  evaluated(closedMs: number): void
  /** A transition was stored. */
  transition(state: AlertState): void
}
