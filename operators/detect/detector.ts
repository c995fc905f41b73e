// The alerts of every KPI and cell: closed buckets in, in order, transitions out. What it knows it could read again: the
// sums of the recent hours, and its own earlier transitions.
import type { AlertState } from '../../schemas/tables/alerts.ts'
import type { CellDimension, Grain, KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import { kpiNames, kpis, type KpiName, type KpiSpec } from '../kpi/catalogue.ts'
import { baselineBuckets, baselineOf, decide, recovered, reviewMs, type OpenState, type Sample } from './decide.ts'

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

/** `stored`: what became of alerts before, by sequence within an alert. */
export function detector(settings: { readonly latenessMs: number }, stored: readonly Transition[]): Detector {
  const tracks = new Map<string, Track>()
  const trackOf = (kpi: KpiName, { dimension, value }: Cell) => {
    const key = `${kpi}/${dimension}/${value}`
    let track = tracks.get(key)
    if (track === undefined) tracks.set(key, (track = newTrack(kpi, { dimension, value })))
    return track
  }
  for (const transition of stored) trackOf(transition.kpi, transition).stored.push(transition)
  for (const track of tracks.values())
    track.stored.sort((a, b) => a.bucketAt - b.bucketAt || a.begunAt - b.begunAt || a.sequence - b.sequence)

  function evaluate(track: Track, bucketAt: number, decides: boolean, parent: Track | undefined): Transition | undefined {
    const spec: KpiSpec = kpis[track.kpi]
    const sample = sampleAt(track, bucketAt)
    const taken = takeStored(track, bucketAt)
    let made: Transition | undefined
    if (!taken && decides) {
      const parentFiring = parent?.alert !== undefined && parent.alert.state !== 'pending'
      const { alert } = track
      const baseline = baselineOf(historyOf(track, bucketAt), spec)
      const { to, because } = decide({
        name: track.kpi, kpi: spec, sample, baseline, parentFiring,
        alert: alert === undefined ? undefined : { state: alert.state as OpenState, frozen: alert.baseline },
        recoveredBefore: recoveredRun(track, spec, bucketAt),
      }) // prettier-ignore
      if (to !== undefined) {
        const decidedAt = bucketAt + bucketMs + settings.latenessMs
        const firedAt = alert?.firedAt ?? (to === 'firing' ? decidedAt : undefined)
        made = {
          kpi: track.kpi, grain: spec.grain, ...track.cell, bucketAt, decidedAt, firedAt,
          begunAt: alert?.begunAt ?? bucketAt,
          sequence: alert === undefined ? 0 : alert.sequence + 1,
          state: to,
          dueAt: firedAt === undefined ? undefined : firedAt + reviewMs,
          actual: sample === undefined || sample.denominator === 0 ? 0 : sample.numerator / sample.denominator,
          baseline: alert?.firedAt === undefined ? baseline.ratio : alert.baseline,
          denominator: sample?.denominator ?? 0,
          reason: because,
        } // prettier-ignore
        become(track, made)
      }
    }
    const held = parent?.alert?.state === 'firing'
    keep(track, bucketAt, sample, !held && track.alert?.state !== 'pending' && track.alert?.state !== 'firing')
    return made
  }

  return {
    step(bucketAt, cells, decides) {
      for (const cell of cells) for (const kpi of kpiNames) setSample(trackOf(kpi, cell), bucketAt, cell.sums)
      const made: Transition[] = []
      // The parents first: what they decide holds their children back.
      const parents = new Map<KpiName, Track>()
      for (const parents1 of [true, false])
        for (const track of tracks.values()) {
          if ((track.cell.dimension === 'all') !== parents1) continue
          if (parents1) parents.set(track.kpi, track)
          const transition = evaluate(track, bucketAt, decides, parents1 ? undefined : parents.get(track.kpi))
          if (transition !== undefined) made.push(transition)
        }
      return made
    },
    open: () => [...tracks.values()].flatMap((track) => (track.alert === undefined ? [] : [track.alert])),
  }
}

/** One KPI in one cell: a ring of the recent buckets, and the alert that is not resolved. */
type Track = {
  readonly kpi: KpiName
  readonly cell: Cell
  readonly bucketAt: Float64Array
  readonly numerator: Float64Array
  readonly denominator: Float64Array
  /** 1: counts towards baselines. */
  readonly counts: Uint8Array
  alert: Transition | undefined
  readonly stored: Transition[]
  storedTaken: number
}

const ringSize = baselineBuckets + 1
