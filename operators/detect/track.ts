// One metric in one cell: what is remembered of it, its alert, and how transitions, new or stored, become that.
import type { AlertState } from '../../schemas/tables/alerts.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { OpenState } from './facts.ts'
import type { Direction, Judgement } from './judge.ts'
import type { Memory } from './memory.ts'
import { hasDenominator, type Cell, type Metric, type Sample } from './metric.ts'

export type Transition = Cell & {
  readonly kpi: string
  readonly grain: Grain
  /** The bucket of the alert's first transition: with KPI and cell it names the alert. */
  readonly begunAt: number
  readonly sequence: number
  readonly state: AlertState
  readonly bucketAt: number
  readonly decidedAt: number
  readonly firedAt: number | undefined
  readonly dueAt: number | undefined
  /** 0 where there is none. */
  readonly actual: number
  /** Frozen from firing on. */
  readonly baseline: number
  readonly denominator: number
  readonly reason: string
  /** Resolved unfired, for an alert on another cell explains it. `by`: undefined where it was read again. */
  readonly held?: { readonly by: Holder | undefined } | undefined
}

/** With the KPI it names an alert. */
export type Holder = Cell & { readonly begunAt: number }

export type OpenTransition = Transition & { readonly state: OpenState }

/** One metric in one cell. */
export type Track = {
  readonly metric: Metric
  readonly cell: Cell
  readonly parent: Track | undefined
  /** undefined until it had a bucket that says something. */
  memory: Memory | undefined
  /** Of the bucket that is being looked at. */
  sample: Sample | undefined
  judgement: Judgement | undefined
  alert: OpenTransition | undefined
  direction: Direction
  /** Of the alert's first bucket, relative. */
  depth: number
  /** Buckets in a row, since the alert fired, that were `recovered`. */
  recoveredRun: number
  /** It was held back by an alert on another cell, and one of the KPI still fires: it is not suspected anew, but where it is off by itself. */
  isHeld: boolean
  /** Not taken over yet, latest first. */
  readonly stored: Transition[]
}

export const isSaid = ({ kind }: Metric, value: number) => !Number.isNaN(value) && !(kind === 'presence' && value === 0)

/** Nothing fires, fired, or is known to fire, of it or of everything together. */
export const isQuiet = ({ alert, parent, stored, isHeld }: Track) =>
  alert === undefined &&
  stored.length === 0 &&
  !isHeld &&
  (parent === undefined || (parent.alert === undefined && parent.stored.length === 0))

export const isSuspect = ({ alert, isHeld }: Track) => alert?.state === 'pending' || (alert === undefined && isHeld)

/** Off, and still so when all that was tested in the bucket is looked at together. */
export const believed = ({ off, chance }: Judgement, limit: number) => off !== undefined && chance <= limit

export const hasFired = (track: Track | undefined) => track?.alert !== undefined && track.alert.state !== 'pending'

export function become(track: Track, transition: Transition): void {
  const { better, kind } = track.metric
  track.alert = isOpen(transition) ? transition : undefined
  track.isHeld = transition.held !== undefined
  if (transition.sequence > 0) return
  track.depth = Math.abs(transition.actual - transition.baseline) / Math.abs(transition.baseline)
  if (kind === 'presence' || better === 'up') track.direction = 'fall'
  else track.direction = better === 'down' || transition.actual > transition.baseline ? 'rise' : 'fall'
}

export const openAlert = ({ direction, depth }: Track, { state, baseline }: OpenTransition) => ({ state, baseline, direction, depth })
const isOpen = (transition: Transition): transition is OpenTransition => transition.state !== 'resolved'

/** Takes over what is known of earlier buckets. */
export function takeBefore(track: Track, bucketAt: number): void {
  for (let next; (next = track.stored.at(-1)) !== undefined && next.bucketAt < bucketAt; track.stored.pop()) become(track, next)
}

/** Whether what becomes of the alert in this bucket is known already. */
export function takeAt(track: Track, bucketAt: number): boolean {
  let taken = false
  for (let next; (next = track.stored.at(-1)) !== undefined && next.bucketAt === bucketAt; track.stored.pop(), taken = true)
    become(track, next)
  return taken
}

export function actualOf({ kind }: Metric, sample: Sample | undefined): number {
  if (sample === undefined) return 0
  if (!hasDenominator(kind)) return sample.numerator
  return sample.denominator > 0 ? sample.numerator / sample.denominator : 0
}
