// The alerts of every KPI and cell: closed buckets in, in order, transitions out. What it knows it could read again: the
// sums of the recent hours, and its own earlier transitions.
import type { AlertState } from '../../schemas/tables/alerts.ts'
import type { CellDimension, Grain, KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import { kpiNames, kpis, type KpiName, type KpiSpec } from '../kpi/catalogue.ts'
import { baselineBuckets, decide, recovered, reviewMs, type Sample } from './decide.ts'

export const bucketMs = 60_000

export type Cell = { readonly dimension: Exclude<CellDimension, 'clock'>; readonly value: string }
export type CellSums = Cell & { readonly sums: Readonly<Partial<Record<KpiMeasure, number>>> }

export type Transition = Cell & {
  readonly kpi: KpiName
  readonly grain: Grain
  /** The bucket of the alert's first transition: with KPI and cell it names the alert. */
  readonly begunAt: number
  readonly sequence: number
  readonly state: AlertState
  readonly bucketAt: number
  readonly decidedAt: number
  readonly firedAt: number | undefined
  readonly dueAt: number | undefined
  /** 0 where the denominator is. */
  readonly actual: number
  /** Frozen from firing on. */
  readonly baseline: number
  readonly denominator: number
  readonly reason: string
}

export type Detector = {
  /**
   * One closed minute with the sums of its cells; minutes in order, without a gap. A transition that is stored already is
   * taken over, not decided again and not returned. `decides` false: the bucket is history only.
   */
  step(bucketAt: number, cells: readonly CellSums[], decides: boolean): Transition[]
  /** Latest transition of every alert that is not resolved. */
  open(): Transition[]
}

/** `stored`: what became of alerts before, in any order. */
export function detector(settings: { readonly latenessMs: number }, stored: readonly Transition[]): Detector {
  const tracks = new Map<string, Track>()
  let ordered: Track[] = []
  /** Parents first, for what they decide holds their children back; then by name, so that the order says nothing of the past. */
  const inOrder = (): readonly Track[] => {
    if (ordered.length < tracks.size)
      ordered = [...tracks]
        .toSorted(([a, x], [b, y]) => Number(isParent(y)) - Number(isParent(x)) || (a < b ? -1 : 1))
        .map(([, track]) => track)
    return ordered
  }
  const trackOf = (kpi: KpiName, { dimension, value }: Cell): Track => {
    const key = `${kpi}/${dimension}/${value}`
    let track = tracks.get(key)
    if (track === undefined)
      tracks.set(key, (track = { kpi, cell: { dimension, value }, history: [], sample: undefined, alert: undefined, stored: [] }))
    return track
  }
  for (const transition of stored) trackOf(transition.kpi, transition).stored.push(transition)
  for (const track of tracks.values())
    track.stored.sort((a, b) => b.bucketAt - a.bucketAt || b.begunAt - a.begunAt || b.sequence - a.sequence)

  function decideTrack(track: Track, bucketAt: number, parentFiring: boolean): Transition | undefined {
    const { kpi, alert, sample, history } = track
    const spec: KpiSpec = kpis[kpi]
    const { to, baseline, because } = decide({
      name: kpi, kpi: spec, sample, history, parentFiring, recoveredBefore: recoveredBefore(track, bucketAt),
      alert: alert === undefined ? undefined : { state: alert.state, baseline: alert.baseline },
      consecutive: alert?.bucketAt === bucketAt - bucketMs,
    }) // prettier-ignore
    if (to === undefined) return undefined
    const decidedAt = bucketAt + bucketMs + settings.latenessMs
    const firedAt = alert?.firedAt ?? (to === 'firing' ? decidedAt : undefined)
    return {
      kpi, grain: spec.grain, ...track.cell, state: to, bucketAt, decidedAt, firedAt, baseline, reason: because,
      begunAt: alert === undefined ? bucketAt : alert.begunAt,
      sequence: alert === undefined ? 0 : alert.sequence + 1,
      dueAt: firedAt === undefined ? undefined : firedAt + reviewMs,
      actual: sample === undefined || sample.denominator === 0 ? 0 : sample.numerator / sample.denominator,
      denominator: sample === undefined ? 0 : sample.denominator,
    } // prettier-ignore
  }

  return {
    step(bucketAt, cells, decides) {
      for (const { sums, ...cell } of cells)
        for (const kpi of kpiNames) {
          const { numerator, denominator } = kpis[kpi] as KpiSpec
          trackOf(kpi, cell).sample = {
            numerator: numerator.reduce((sum, measure) => sum + (sums[measure] ?? 0), 0),
            denominator: sums[denominator] ?? 0,
          }
        }
      const made: Transition[] = []
      const hasFired = new Map<KpiName, boolean>()
      const fires = new Map<KpiName, boolean>()
      for (const track of inOrder()) {
        const parentFiring = !isParent(track) && hasFired.get(track.kpi) === true
        if (!takeStored(track, bucketAt) && decides) {
          const transition = decideTrack(track, bucketAt, parentFiring)
          if (transition !== undefined) {
            made.push(transition)
            become(track, transition)
          }
        }
        if (isParent(track)) {
          hasFired.set(track.kpi, track.alert !== undefined && track.alert.state !== 'pending')
          fires.set(track.kpi, track.alert?.state === 'firing')
        }
        // A bucket in which it was dropping is no measure of what is normal; nor one in which its drop was held back.
        const normal = track.alert === undefined ? isParent(track) || fires.get(track.kpi) !== true : track.alert.state === 'recovering'
        keep(track, bucketAt, normal)
      }
      return made
    },
    open: () => [...tracks.values()].flatMap(({ alert }) => (alert === undefined ? [] : [alert])),
  }
}

type OpenTransition = Transition & { readonly state: Exclude<AlertState, 'resolved'> }

/** One KPI in one cell. */
type Track = {
  readonly kpi: KpiName
  readonly cell: Cell
  /** Buckets of the last hours that count towards the baseline, oldest first. */
  readonly history: (Sample & { readonly bucketAt: number })[]
  /** Of the bucket that is being looked at. */
  sample: Sample | undefined
  alert: OpenTransition | undefined
  /** Not taken over yet, latest first. */
  readonly stored: Transition[]
}

const isParent = (track: Track) => track.cell.dimension === 'all'

function become(track: Track, transition: Transition): void {
  track.alert = isOpen(transition) ? transition : undefined
}

const isOpen = (transition: Transition): transition is OpenTransition => transition.state !== 'resolved'

/** Whether what becomes of the alert in this bucket is known already. */
function takeStored(track: Track, bucketAt: number): boolean {
  let taken = false
  for (let next; (next = track.stored.at(-1)) !== undefined && next.bucketAt <= bucketAt; track.stored.pop()) {
    become(track, next)
    taken = next.bucketAt === bucketAt
  }
  return taken
}

function keep(track: Track, bucketAt: number, normal: boolean): void {
  const { history, sample } = track
  if (normal && sample !== undefined && sample.denominator > 0) history.push({ bucketAt, ...sample })
  while (history.length > 0 && history[0]!.bucketAt <= bucketAt - baselineBuckets * bucketMs) history.shift()
  track.sample = undefined
}

/** Buckets just before this one that were recovered. The bucket of the firing is not in the history, so they are since then. */
function recoveredBefore(track: Track, bucketAt: number): number {
  const { alert, history, kpi } = track
  if (alert?.firedAt === undefined) return 0
  let run = 0
  for (let i = history.length - 1; i >= 0 && history[i]!.bucketAt === bucketAt - (run + 1) * bucketMs; i--, run++)
    if (recovered(history[i], kpis[kpi], alert.baseline) !== true) break
  return run
}
