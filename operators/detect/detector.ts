// The alerts of every metric of one cadence, in every cell: closed buckets in, in order, transitions out. What it knows it could
// read again: the buckets of the last weeks (lookbackBuckets), and its own earlier transitions.
import type { AlertState } from '../../schemas/tables/alerts.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Cadence } from './cadence.ts'
import { decide, recovered, type OpenState } from './decide.ts'
import { discoveryLimit } from './discoveries.ts'
import { judge, type Direction, type Judgement } from './judge.ts'
import { memory, type Memory } from './memory.ts'
import { hasDenominator, type Cell, type Metric, type Sample } from './metric.ts'
import { falseDiscoveryRate, levelBounds, outlierBuckets, reviewMs, tailShare } from './settings.ts'

/** `samples`: in the order of the detector's metrics. */
export type CellSamples = Cell & { readonly samples: readonly (Sample | undefined)[] }

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
}

export type DetectorOptions = { readonly metrics: readonly Metric[]; readonly cadence: Cadence; readonly latenessMs: number }

/**
 * `decide`: what becomes of alerts. `compare`: as history, of which how it scatters is wanted. `remember`: as history of which
 * only the figures are; the first `kept` of lookbackBuckets need no more.
 */
export type Step = 'decide' | 'compare' | 'remember'

export type Detector = {
  /**
   * One closed bucket with the samples of its cells; buckets in order. A transition that is stored already is taken over,
   * not decided again and not returned.
   */
  step(bucketAt: number, cells: readonly CellSamples[], how: Step): Transition[]
  /** Latest transition of every alert that is not resolved. */
  open(): Transition[]
}

type OpenTransition = Transition & { readonly state: OpenState }

/** One metric in one cell. */
type Track = {
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
  /** Not taken over yet, latest first. */
  readonly stored: Transition[]
}

/** A version that nobody has any more is no fault, but what a release is for. */
const watches = ({ kind }: Metric, { dimension }: Cell) => kind !== 'presence' || dimension !== 'app_version'

/** `stored`: what became of alerts before, in any order; of metrics that it does not have it is left alone. */
export function detector({ metrics, cadence, latenessMs }: DetectorOptions, stored: readonly Transition[]): Detector {
  const tracks = new Map<string, Track>()
  let ordered: Track[] = []
  /** Parents first, for what they decide holds their children back; then by name, so that the order says nothing of the past. */
  const inOrder = (): readonly Track[] => {
    if (ordered.length < tracks.size)
      ordered = [...tracks]
        .toSorted(([a, x], [b, y]) => Number(x.parent !== undefined) - Number(y.parent !== undefined) || (a < b ? -1 : 1))
        .map(([, track]) => track)
    return ordered
  }
  const trackOf = (metric: Metric, cell: Cell): Track => {
    const key = `${metric.name}/${cell.dimension}/${cell.value}`
    let track = tracks.get(key)
    if (track === undefined) {
      const parent = cell.dimension === 'all' ? undefined : trackOf(metric, { dimension: 'all', value: '' })
      track = {
        metric, parent, cell: { dimension: cell.dimension, value: cell.value }, memory: undefined, sample: undefined, judgement: undefined,
        alert: undefined, direction: 'fall', depth: 0, recoveredRun: 0, stored: [],
      } // prettier-ignore
      tracks.set(key, track)
    }
    return track
  }
  for (const transition of stored) {
    const metric = metrics.find(({ name, grain }) => name === transition.kpi && grain === transition.grain)
    if (metric !== undefined) trackOf(metric, transition).stored.push(transition)
  }
  for (const track of tracks.values())
    track.stored.sort((a, b) => b.bucketAt - a.bucketAt || b.begunAt - a.begunAt || b.sequence - a.sequence)

  function decideTrack(track: Track, judgement: Judgement, bucketAt: number, previousAt: number, limit: number): Transition | undefined {
    const { alert, metric, sample } = track
    const { to, baseline, because } = decide({
      metric, judgement, hold: cadence.hold, called: cadence.called,
      believed: judgement.off !== undefined && judgement.chance <= limit,
      alert: alert === undefined ? undefined : openAlert(track, alert),
      consecutive: alert?.bucketAt === previousAt,
      recoveredBefore: track.recoveredRun,
      parentFiring: hasFired(track.parent),
    }) // prettier-ignore
    if (to === undefined) return undefined
    const decidedAt = cadence.endOf(bucketAt) + latenessMs
    const firedAt = alert?.firedAt ?? (to === 'firing' ? decidedAt : undefined)
    return {
      kpi: metric.name, grain: metric.grain, ...track.cell, state: to, bucketAt, decidedAt, firedAt, baseline, reason: because,
      begunAt: alert === undefined ? bucketAt : alert.begunAt,
      sequence: alert === undefined ? 0 : alert.sequence + 1,
      dueAt: firedAt === undefined ? undefined : firedAt + reviewMs,
      actual: actualOf(metric, sample),
      denominator: sample === undefined ? 0 : sample.denominator,
    } // prettier-ignore
  }

  let previousAt = NaN
  return {
    step(bucketAt, cells, how) {
      const index = cadence.indexOf(bucketAt)
      const lags = cadence.lags(bucketAt)
      for (const cell of cells)
        for (const [m, metric] of metrics.entries()) if (watches(metric, cell)) trackOf(metric, cell).sample = cell.samples[m]

      const chances: number[] = []
      let tests = 0
      for (const track of inOrder()) {
        takeBefore(track, bucketAt)
        // Without a memory there is nothing to compare with.
        const past = how === 'remember' ? undefined : track.memory
        const judgement = (track.judgement = judge(track.metric, track.sample, past, index, lags))
        // A parent that recovers may be resolved in this very bucket.
        if (!judgement.tested || hasFired(track) || track.parent?.alert?.state === 'firing') continue
        tests++
        if (judgement.off !== undefined) chances.push(judgement.chance)
      }
      const limit = discoveryLimit(chances, tests, falseDiscoveryRate)

      const made: Transition[] = []
      for (const track of inOrder()) {
        const judgement = track.judgement!
        const before = track.alert
        if (!takeAt(track, bucketAt) && how === 'decide') {
          const transition = decideTrack(track, judgement, bucketAt, previousAt, limit)
          if (transition !== undefined) {
            made.push(transition)
            become(track, transition)
          }
        }
        keepBucket(track, judgement, before, index)
      }
      previousAt = bucketAt
      return made
    },
    open: () => [...tracks.values()].flatMap(({ alert }) => (alert === undefined ? [] : [alert])),
  }

  function keepBucket(track: Track, judgement: Judgement, before: OpenTransition | undefined, index: number): void {
    const { metric, alert, parent } = track
    const { value, expected, residual } = judgement
    track.sample = undefined
    track.judgement = undefined
    const good = before?.firedAt !== undefined && recovered(metric, judgement, openAlert(track, before)) === true
    track.recoveredRun = alert !== undefined && good ? track.recoveredRun + 1 : 0
    if (metric.kind === 'incident') return
    const says = !Number.isNaN(value) && !(metric.kind === 'presence' && value === 0)
    if (says) track.memory ??= memory(cadence, metric.kind === 'presence' ? [0, levelBounds[1]] : levelBounds)
    // A bucket in which it was dropping is no measure of what is normal; nor one in which a drop would have been held back.
    const normal = says && (alert === undefined ? !hasFired(parent) : alert.state === 'recovering')
    // That it is off for a while now and then is how it scatters; what lasts is not.
    const known = expected === undefined ? 0 : (track.memory?.known(expected.season) ?? 0)
    const outliers = Math.min(outlierBuckets, Math.floor(tailShare * known))
    const scatters = normal || (alert !== undefined && index - cadence.indexOf(alert.begunAt) < outliers)
    const share = normal && expected !== undefined && expected.season === 'week' && expected.seasonal !== 0
    track.memory?.keep(index, normal ? value : NaN, share ? value / expected.seasonal : NaN, scatters ? residual : NaN, expected?.season)
  }
}

const hasFired = (track: Track | undefined) => track?.alert !== undefined && track.alert.state !== 'pending'

function become(track: Track, transition: Transition): void {
  const { better, kind } = track.metric
  track.alert = isOpen(transition) ? transition : undefined
  if (transition.sequence > 0) return
  track.depth = Math.abs(transition.actual - transition.baseline) / Math.abs(transition.baseline)
  if (kind === 'presence' || better === 'up') track.direction = 'fall'
  else track.direction = better === 'down' || transition.actual > transition.baseline ? 'rise' : 'fall'
}

const openAlert = ({ direction, depth }: Track, { state, baseline }: OpenTransition) => ({ state, baseline, direction, depth })
const isOpen = (transition: Transition): transition is OpenTransition => transition.state !== 'resolved'

/** Takes over what is known of earlier buckets. */
function takeBefore(track: Track, bucketAt: number): void {
  for (let next; (next = track.stored.at(-1)) !== undefined && next.bucketAt < bucketAt; track.stored.pop()) become(track, next)
}

/** Whether what becomes of the alert in this bucket is known already. */
function takeAt(track: Track, bucketAt: number): boolean {
  let taken = false
  for (let next; (next = track.stored.at(-1)) !== undefined && next.bucketAt === bucketAt; track.stored.pop(), taken = true)
    become(track, next)
  return taken
}

function actualOf({ kind }: Metric, sample: Sample | undefined): number {
  if (sample === undefined) return 0
  if (!hasDenominator(kind)) return sample.numerator
  return sample.denominator > 0 ? sample.numerator / sample.denominator : 0
}
