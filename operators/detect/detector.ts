// The alerts of every metric of one cadence, in every cell: closed buckets in, in order, transitions out. What it knows it could
// read again: the buckets of the last weeks (lookbackBuckets), and its own earlier transitions.
import type { Cadence } from './cadence.ts'
import { decide, recovered } from './decide.ts'
import { discoveryLimit } from './discoveries.ts'
import { explainedBy, type Parts, type PartsQuestion } from './explained.ts'
import { judge, type Judgement } from './judge.ts'
import { memory, type Memory } from './memory.ts'
import { valueOf, type Cell, type Metric, type Sample } from './metric.ts'
import { falseDiscoveryRate, levelBounds, outlierBuckets, reviewMs, tailShare } from './settings.ts'
import {
  actualOf,
  become,
  believed,
  hasFired,
  isQuiet,
  isSaid,
  isSuspect,
  openAlert,
  takeAt,
  takeBefore,
  type OpenTransition,
  type Track,
  type Transition,
} from './track.ts'

/** `samples`: in the order of the detector's metrics. */
export type CellSamples = Cell & { readonly samples: readonly (Sample | undefined)[] }

export type DetectorOptions = { readonly metrics: readonly Metric[]; readonly cadence: Cadence; readonly latenessMs: number }

/**
 * `decide`: what becomes of alerts. `compare`: as history, of which how it scatters is wanted. `remember`: as history of which
 * only the figures are; the first `kept` of lookbackBuckets need no more.
 */
export type Step = 'decide' | 'compare' | 'remember'

export type Detector = {
  /**
   * One closed bucket with the samples of its cells; buckets in order. A transition that is stored already is taken over,
   * not decided again and not returned. What is held back comes before what holds it. `parts`: the answers to `asks`, of this bucket;
   * a KPI without one holds nothing back but for everything together.
   */
  step(bucketAt: number, cells: readonly CellSamples[], how: Step, parts?: readonly Parts[]): Transition[]
  /** What it takes to decide the next bucket: of KPIs of which several cells are suspected or fire. */
  asks(): PartsQuestion[]
  /** Latest transition of every alert that is not resolved. */
  open(): Transition[]
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
  const held = new Set<Track>()
  const ofCells = new Map<string, readonly (Track | undefined)[]>()
  /** In the order of the metrics. */
  const tracksOf = (cell: Cell): readonly (Track | undefined)[] => {
    const key = `${cell.dimension}/${cell.value}`
    let found = ofCells.get(key)
    if (found === undefined)
      ofCells.set(key, (found = metrics.map((metric) => (watches(metric, cell) ? trackOf(metric, cell) : undefined))))
    return found
  }
  const trackOf = (metric: Metric, cell: Cell): Track => {
    const key = `${metric.name}/${cell.dimension}/${cell.value}`
    let track = tracks.get(key)
    if (track === undefined) {
      const parent = cell.dimension === 'all' ? undefined : trackOf(metric, { dimension: 'all', value: '' })
      track = {
        metric, parent, cell: { dimension: cell.dimension, value: cell.value }, memory: undefined, sample: undefined, judgement: undefined,
        alert: undefined, direction: 'fall', depth: 0, recoveredRun: 0, isHeld: false, stored: [],
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

  /** Of those that would fire in this bucket, and those held back before, which another one explains: the most certain first. */
  function holdBack(all: readonly Parts[], isBelieved: (track: Track) => boolean): Map<Track, Track> {
    const heldBy = new Map<Track, Track>()
    for (const parts of all) {
      const metric = metrics.find(({ name }) => name === parts.kpi)
      if (metric === undefined) continue
      const there = parts.cells.map((cell) => tracks.get(`${metric.name}/${cell.dimension}/${cell.value}`))
      const holders = there.flatMap((track, place) => (hasFired(track) ? [place] : []))
      const suspects = there
        .flatMap((track, place) => (track !== undefined && isSuspect(track) && isBelieved(track) ? [{ track, place }] : []))
        .toSorted((a, b) => Math.abs(b.track.judgement!.z) - Math.abs(a.track.judgement!.z) || a.place - b.place)
      for (const { track, place } of suspects) {
        const judgement = track.judgement!
        const alike = holders.filter((other) => there[other]!.direction === judgement.off)
        const [first] = explainedBy(parts, { place, metric, judgement, memory: track.memory! }, alike) ?? []
        if (first !== undefined) heldBy.set(track, there[first]!)
        else if (track.alert !== undefined) holders.push(place)
      }
    }
    return heldBy
  }

  function decideTrack(
    track: Track,
    judgement: Judgement,
    { bucketAt, previousAt, limit, by }: { bucketAt: number; previousAt: number; limit: number; by: Track | undefined },
  ): Transition | undefined {
    const { alert, metric, sample } = track
    const { to, baseline, because } = decide({
      metric, judgement, hold: cadence.hold, called: cadence.called,
      believed: believed(judgement, limit),
      alert: alert === undefined ? undefined : openAlert(track, alert),
      consecutive: alert?.bucketAt === previousAt,
      recoveredBefore: track.recoveredRun,
      parentFiring: hasFired(track.parent),
      explainedBy: by?.cell,
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
      ...(by === undefined ? {} : { held: { by: { ...by.cell, begunAt: by.alert?.begunAt ?? bucketAt } } }),
    } // prettier-ignore
  }

  let previousAt = NaN
  return {
    step(bucketAt, cells, how, parts = []) {
      const index = cadence.indexOf(bucketAt)
      const lags = cadence.lags(bucketAt)
      for (const cell of cells) for (const [m, track] of tracksOf(cell).entries()) if (track !== undefined) track.sample = cell.samples[m]

      const chances: number[] = []
      let tests = 0
      for (const track of inOrder()) {
        takeBefore(track, bucketAt)
        if (how === 'remember' && isQuiet(track)) continue
        // Without a memory there is nothing to compare with.
        const past = how === 'remember' ? undefined : track.memory
        const judgement = (track.judgement = judge(track.metric, track.sample, past, index, lags))
        // A parent that recovers may be resolved in this very bucket.
        if (!judgement.tested || hasFired(track) || track.parent?.alert?.state === 'firing') continue
        tests++
        if (judgement.off !== undefined) chances.push(judgement.chance)
      }
      const limit = discoveryLimit(chances, tests, falseDiscoveryRate)
      const heldBy = holdBack(how === 'decide' ? parts : [], (track) => {
        const { alert, judgement } = track
        if (judgement === undefined || !believed(judgement, limit)) return false
        return alert === undefined || (alert.bucketAt === previousAt && track.direction === judgement.off)
      })

      const made: Transition[] = []
      const madeHeld: Transition[] = []
      for (const track of inOrder()) {
        const { judgement } = track
        if (judgement === undefined) {
          rememberQuiet(track, index)
          continue
        }
        const before = track.alert
        if (!takeAt(track, bucketAt) && how === 'decide') {
          const transition = decideTrack(track, judgement, { bucketAt, previousAt, limit, by: heldBy.get(track) })
          if (transition !== undefined) {
            ;(transition.held === undefined ? made : madeHeld).push(transition)
            become(track, transition)
          }
        }
        if (track.isHeld) held.add(track)
        keepBucket(track, judgement, before, index)
      }
      for (const track of held)
        if (!track.isHeld || !tracksOfKpi(track).some(hasFired)) {
          track.isHeld = false
          held.delete(track)
        }
      previousAt = bucketAt
      return [...madeHeld, ...made]
    },
    asks: () =>
      metrics.flatMap(({ name, kind }) => {
        if (kind === 'incident' || kind === 'presence') return []
        const own = inOrder().filter(({ metric, parent }) => metric.name === name && parent !== undefined)
        const asked = own.filter(({ alert, isHeld }) => alert !== undefined || isHeld)
        if (!asked.some(isSuspect) || new Set(asked.map(({ cell }) => cell.dimension)).size < 2) return []
        const begunAt = Math.min(...asked.flatMap(({ alert }) => alert?.begunAt ?? []))
        return Number.isFinite(begunAt) ? [{ kpi: name, begunAt, cells: asked.map(({ cell }) => cell) }] : []
      }),
    open: () => [...tracks.values()].flatMap(({ alert }) => (alert === undefined ? [] : [alert])),
  }

  function tracksOfKpi({ metric }: Track): Track[] {
    return inOrder().filter((track) => track.metric === metric && track.parent !== undefined)
  }

  /** What keepBucket does of a bucket that is only remembered, where nothing fires: most of a start. */
  function rememberQuiet(track: Track, index: number): void {
    const { metric, sample } = track
    track.sample = undefined
    if (metric.kind === 'incident') return
    const value = valueOf(metric, sample)
    if (isSaid(metric, value)) track.memory ??= memoryOf(metric)
    else if (track.memory === undefined) return
    track.memory.keep(index, isSaid(metric, value) ? value : NaN, NaN, NaN, undefined)
  }

  function memoryOf({ kind }: Metric): Memory {
    return memory(cadence, kind === 'presence' ? [0, levelBounds[1]] : levelBounds)
  }

  function keepBucket(track: Track, judgement: Judgement, before: OpenTransition | undefined, index: number): void {
    const { metric, alert, parent } = track
    const { value, expected, residual } = judgement
    track.sample = undefined
    track.judgement = undefined
    const good = before?.firedAt !== undefined && recovered(metric, judgement, openAlert(track, before)) === true
    track.recoveredRun = alert !== undefined && good ? track.recoveredRun + 1 : 0
    if (metric.kind === 'incident') return
    const says = isSaid(metric, value)
    if (says) track.memory ??= memoryOf(metric)
    // A bucket in which it was dropping is no measure of what is normal; nor one in which a drop would have been held back.
    const normal = says && (alert === undefined ? !hasFired(parent) && !track.isHeld : alert.state === 'recovering')
    // That it is off for a while now and then is how it scatters; what lasts is not.
    const known = expected === undefined ? 0 : (track.memory?.known(expected.season) ?? 0)
    const outliers = Math.min(outlierBuckets, Math.floor(tailShare * known))
    const scatters = normal || (alert !== undefined && index - cadence.indexOf(alert.begunAt) < outliers)
    const share = normal && expected !== undefined && expected.season === 'week' && expected.seasonal !== 0
    track.memory?.keep(index, normal ? value : NaN, share ? value / expected.seasonal : NaN, scatters ? residual : NaN, expected?.season)
  }
}
