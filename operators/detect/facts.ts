// What is known of one KPI in one cell when one more bucket has closed: decide.ts decides by it, tell.ts puts it into words.
import type { Direction, Judgement } from './judge.ts'
import type { Cell, Metric } from './metric.ts'

export type OpenState = 'pending' | 'firing' | 'recovering'

export type OpenAlert = {
  readonly state: OpenState
  readonly baseline: number
  readonly direction: Direction
  /** How far off it was when it began, relative to the baseline. */
  readonly depth: number
}

export type Facts = {
  readonly metric: Metric
  readonly judgement: Judgement
  /** The bucket is off, and stays so when all that was tested in this bucket is looked at together. */
  readonly believed: boolean
  /** The cell's alert, where one is not resolved. From firing on its baseline is frozen. */
  readonly alert: OpenAlert | undefined
  /** The alert's last transition was in the bucket just before this one. */
  readonly consecutive: boolean
  /** Buckets just before this one, since the alert fired, that were `recovered`. */
  readonly recoveredBefore: number
  /** The alert of cell `all` has fired and is not resolved; false for `all` itself. */
  readonly parentFiring: boolean
  /** A cell that fires for the KPI, outside of which this one is as it should be. */
  readonly explainedBy?: Cell | undefined
  /** Buckets in a row that make an alert. */
  readonly hold: number
  /** How a bucket is called: minute, hour, day. */
  readonly called: string
}
