// The port through which people and machines hear of alerts.
import type { AlertState } from '../../schemas/tables/alerts.ts'
import type { CellDimension, Grain } from '../../schemas/tables/kpi-deltas.ts'

/** One transition of one alert. Instants in ms. */
export type Notification = {
  /** The same through the life of an alert; UUID. */
  readonly alertId: string
  /** Transitions of one alert, from 0; with `alertId` it names the notification. */
  readonly sequence: number
  readonly topic: string
  readonly state: AlertState
  readonly kpi: string
  readonly grain: Grain
  readonly dimension: CellDimension
  readonly value: string
  readonly bucketAt: number
  readonly decidedAt: number
  /** undefined: not fired (yet). */
  readonly firedAt: number | undefined
  readonly dueAt: number | undefined
  readonly actual: number
  readonly baseline: number
  readonly denominator: number
  readonly reason: string
}

export type Notifier = {
  readonly name: string
  /** Resolves once acknowledged; throws where it should be tried again. The same notification may come again: it is one. */
  notify(notification: Notification): Promise<void>
}
