// Which window of a KPI an alert's attribution explains, and which windows before it that is compared with. The detect role and the
// drill ask here alike, so that what is measured is what runs.
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import { bucketsToResolve } from '../detect/settings.ts'

/** When an alert is explained: as it fires, once there is more of it to look at, and when it is over. */
export const revisions = ['firing', 'later', 'resolved'] as const
export type Revision = (typeof revisions)[number]

/** Instants and lengths in ms. The window is [from, from + length); the k-th before it, from 1 to `before`, begins at from − k × step. */
export type Windows = { readonly from: number; readonly length: number; readonly step: number; readonly before: number }

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

type Spec = {
  readonly bucketMs: number
  /** Buckets that are explained at most: the first ones, which are nearest to what they are compared with. */
  readonly most: number
  /** From firing to the later look. */
  readonly laterBuckets: number
  /** Minutes: pieces of the hour before, as long as the window. Else the same time on days before. */
  readonly stepMs: number | undefined
  readonly spanMs: number
}

const specs: Readonly<Record<Grain, Spec>> = {
  minute: { bucketMs: minuteMs, most: 20, laterBuckets: 15, stepMs: undefined, spanMs: hourMs },
  hour: { bucketMs: hourMs, most: 6, laterBuckets: 2, stepMs: dayMs, spanMs: 7 * dayMs },
  day: { bucketMs: dayMs, most: 3, laterBuckets: 1, stepMs: 7 * dayMs, spanMs: 28 * dayMs },
}

/** Log time after the firing at which an alert is looked at once more. */
export const laterMsOf = (grain: Grain): number => specs[grain].laterBuckets * specs[grain].bucketMs

/**
 * `begunAt`: start of the alert's first bucket. `endAt`: end of the bucket in which it fired; of `resolved`, of that in which it was
 * resolved, the last of some in which all was well again.
 */
export function windowsOf(revision: Revision, grain: Grain, begunAt: number, endAt: number): Windows {
  const { bucketMs, most, stepMs, spanMs } = specs[grain]
  const over = revision === 'later' ? laterMsOf(grain) : revision === 'resolved' ? -bucketsToResolve * bucketMs : 0
  const length = Math.min(Math.max(endAt + over - begunAt, bucketMs), most * bucketMs)
  const step = stepMs ?? length
  return { from: begunAt, length, step, before: Math.floor(spanMs / step) }
}

/** Start of the earliest. */
export const earliestOf = ({ from, step, before }: Windows): number => from - step * before
