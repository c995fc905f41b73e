// The port through which people and machines hear of alerts.
import type { CauseVerdict } from '../../schemas/tables/alert-causes.ts'
import type { AlertKind, AlertState } from '../../schemas/tables/alerts.ts'
import type { CellDimension, Grain } from '../../schemas/tables/kpi-deltas.ts'

/** One transition of one alert. Instants in ms. */
export type Notification = {
  /** The same through the life of an alert; UUID. */
  readonly alertId: string
  /** Transitions of one alert, from 0; with `alertId` it names the notification. */
  readonly sequence: number
  readonly kind: AlertKind
  /** review_overdue: the alert whose review it is; of one that is resolved because another explains it, that one; else the same as `alertId`. */
  readonly aboutId: string
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
  /** Cells whose alerts on the KPI it explains, and so holds back. */
  readonly holdsBack?: readonly string[] | undefined
  /** Cells that explain it, strongest first; undefined: not looked for, or not found yet. `share`: of the KPI's change. */
  readonly causes?: readonly { readonly cell: string; readonly share: number }[] | undefined
  /** What the attribution comes to, and whether the KPI fell or rose; undefined as `causes`. */
  readonly attribution?: { readonly verdict: CauseVerdict; readonly change: 'fall' | 'rise' } | undefined
}

export type Notifier = {
  /** Its kind and place, without secrets. By it the outbox remembers what was delivered, so it stays the same over restarts. */
  readonly name: string
  /**
   * Resolves once acknowledged; throws where it should be tried again: NotTaken, or any error. The same notification may come again: it
   * is one. It must end by itself, also where the receiver hangs.
   */
  notify(notification: Notification): Promise<void>
  /** For a receiver that forgets what it does not hear of: told every `refreshMs` of all that fires, and of what has just ended. */
  readonly refresh?: { readonly everyMs: number; notify(notifications: readonly Notification[]): Promise<void> }
  /** It lies in this process and ends with it: nothing is owed to it after a restart. */
  readonly isLocal?: boolean
}

/** A receiver's no. */
export class NotTaken extends Error {
  override name = 'NotTaken'
  /** How long a retry of the same may still be of use (ms): Infinity where the receiver only seems to be ill, 0 where none can cure it. */
  readonly patienceMs: number

  constructor(message: string, patienceMs: number, options: ErrorOptions = {}) {
    super(message, options)
    this.patienceMs = patienceMs
  }
}
