// Days of a simulated service through the product's own detection and attribution, and what came of them.
import { detector, type CellSamples } from '../../../operators/detect/detector.ts'
import type { Transition } from '../../../operators/detect/track.ts'
import { cadenceOf } from '../../../operators/detect/cadence.ts'
import { beforeMs, type Part, type Parts, type PartsQuestion } from '../../../operators/detect/explained.ts'
import type { Metric, Sample } from '../../../operators/detect/metric.ts'
import { zone } from '../../../operators/time/zone.ts'
import { attribute } from '../../../operators/attribution/attribute.ts'
import { baselineOf, type Bucket } from '../../../operators/attribution/baseline.ts'
import { laterMsOf, windowsOf, type Revision } from '../../../operators/attribution/windows.ts'
import { dimensionNames, drawnKpiNames, drawnKpis, minuteMs, type DrawnKpi, type Plan } from './plan.ts'
import { leafMeasures, world, type LeafMeasure, type World, type WorldOptions } from './world.ts'

/** An alert that fired: when (minutes), and where the attribution says it came from. */
export type Fired = {
  readonly kpi: DrawnKpi | 'no_data'
  readonly dimension: string
  readonly value: string
  readonly atMinute: number
  readonly reason: string
  /** As the role explains it when it fires: from the buckets that made it fire. */
  readonly atOnce: Explained
  /** As it does once more: from all there is `laterMinutes` after, the alert still open or not. */
  readonly later: Explained
}

export type Explained = { readonly verdict: string; readonly causes: readonly Readonly<Record<string, string>>[] }

/** A Monday. */
const beginMs = Date.UTC(2026, 0, 5)
export const laterMinutes = laterMsOf('minute') / minuteMs
/** As far as an incident of three hours, and the hour before it. */
const ringMinutes = 300

export type RunOptions = WorldOptions & {
  readonly plan: Plan
  readonly metrics: readonly Metric[]
  readonly latenessMs: number
  /** Days that are history only. */
  readonly historyDays: number
  note(day: number): void
}

export function run({ plan, metrics, latenessMs, historyDays, note, ...options }: RunOptions): Fired[] {
  const made = world({ plan, ...options })
  const judge = detector({ metrics, cadence: cadenceOf('minute', zone('UTC')), latenessMs }, [])
  const ring: Record<LeafMeasure, Float64Array>[] = Array.from(
    { length: ringMinutes },
    () => Object.fromEntries(leafMeasures.map((measure) => [measure, new Float64Array(made.leaves)])) as Record<LeafMeasure, Float64Array>,
  )
  const fired: Fired[] = []
  const open: { at: number; transition: Transition; atOnce: Explained }[] = []
  for (let at = 0; at < plan.days * 1_440; at++) {
    if (at % 1_440 === 0) note(at / 1_440)
    const minute = made.minute(at)
    const kept = ring[at % ringMinutes]!
    for (const measure of leafMeasures) kept[measure].set(minute[measure])
    const transitions = judge.step(
      beginMs + at * minuteMs,
      cellsOf(made, minute, metrics),
      at >= historyDays * 1_440 ? 'decide' : 'compare',
      judge.asks().flatMap((question) => partsOf(question, at, ring, made) ?? []),
    )
    for (const transition of transitions)
      if (transition.state === 'firing' && transition.firedAt === transition.decidedAt)
        open.push({ at, transition, atOnce: explain(transition, 'firing', ring, made) })
    while (open.length > 0 && (open[0]!.at <= at - laterMinutes || at === plan.days * 1_440 - 1)) {
      const { transition, at: atMinute, atOnce } = open.shift()!
      const { kpi, dimension, value, reason } = transition
      fired.push({ kpi: kpi as Fired['kpi'], dimension, value, atMinute, reason, atOnce, later: explain(transition, 'later', ring, made) })
    }
  }
  return fired
}

function cellsOf(made: World, minute: Record<LeafMeasure, Float64Array>, metrics: readonly Metric[]): CellSamples[] {
  const sums = (d: number, measure: LeafMeasure) => {
    const column = minute[measure]
    const codes = made.codes[d]!
    const into = new Float64Array(made.values[d]!.length)
    for (let leaf = 0; leaf < made.leaves; leaf++) into[codes[leaf]!]! += column[leaf]!
    return into
  }
  const byDimension = dimensionNames.map(
    (_, d) => Object.fromEntries(leafMeasures.map((measure) => [measure, sums(d, measure)])) as Record<LeafMeasure, Float64Array>,
  )
  const samples = (of: (measure: LeafMeasure) => number): (Sample | undefined)[] =>
    metrics.map(({ name }) => {
      const kpi = drawnKpiNames.find((drawn) => drawn === name)
      if (kpi === undefined) return { numerator: of('plays'), denominator: 0 }
      return { numerator: of(kpi), denominator: of(drawnKpis[kpi].of) }
    })
  const all = samples((measure) => byDimension[0]![measure].reduce((sum, value) => sum + value, 0))
  return [
    { dimension: 'all', value: '', samples: all },
    ...dimensionNames.flatMap((dimension, d) =>
      made.values[d]!.map((value, v): CellSamples => ({ dimension, value, samples: samples((measure) => byDimension[d]![measure][v]!) })),
    ),
  ]
}

/** As the role reads them from events (pipeline/roles/detect/read-parts.ts). */
function partsOf(question: PartsQuestion, at: number, ring: readonly Record<LeafMeasure, Float64Array>[], made: World): Parts | undefined {
  const kpi = drawnKpiNames.find((name) => name === question.kpi)
  if (kpi === undefined) return undefined
  const begun = (question.begunAt - beginMs) / minuteMs
  const cells = question.cells.map(({ dimension, value }) => {
    const d = dimensionNames.findIndex((name) => name === dimension)
    return { codes: made.codes[d]!, code: made.values[d]!.indexOf(value) }
  })
  const placesOf = Array.from({ length: made.leaves }, (_, leaf) =>
    cells.flatMap(({ codes, code }, place) => (codes[leaf] === code ? [place] : [])),
  )
  const between = (from: number, to: number): Part[] => {
    const parts = new Map<string, { in: number[]; numerator: number; denominator: number }>()
    for (const [leaf, places] of placesOf.entries()) {
      if (places.length === 0) continue
      const key = places.join()
      const part = parts.get(key) ?? { in: places, numerator: 0, denominator: 0 }
      parts.set(key, part)
      for (let i = Math.max(from, at - ringMinutes + 1); i < to; i++) {
        part.numerator += ring[i % ringMinutes]![kpi][leaf]!
        part.denominator += ring[i % ringMinutes]![drawnKpis[kpi].of][leaf]!
      }
    }
    return [...parts.values()]
  }
  const before = beforeMs.minute / minuteMs
  return { kpi, cells: question.cells, now: between(at, at + 1), before: between(Math.max(0, begun - before), begun) }
}

function explain(transition: Transition, revision: Revision, ring: readonly Record<LeafMeasure, Float64Array>[], made: World): Explained {
  const kpi = drawnKpiNames.find((name) => name === transition.kpi)
  if (kpi === undefined) return { verdict: 'none', causes: [] }
  const windows = windowsOf(revision, 'minute', transition.begunAt, transition.bucketAt + minuteMs)
  const begun = (windows.from - beginMs) / minuteMs
  const length = windows.length / minuteMs
  const bucketOf = (from: number): Bucket => {
    const sum = (measure: LeafMeasure) => {
      const into = new Float64Array(made.leaves)
      for (let i = from; i < from + length; i++) {
        const column = ring[i % ringMinutes]![measure]
        for (let leaf = 0; leaf < into.length; leaf++) into[leaf]! += column[leaf]!
      }
      return into
    }
    return { numerator: sum(kpi), denominator: sum(drawnKpis[kpi].of) }
  }
  const before = Array.from({ length: windows.before }, (_, k) => bucketOf(begun - ((k + 1) * windows.step) / minuteMs))
  const now = bucketOf(begun)
  const { taken: _, ...baseline } = baselineOf(before)
  const { verdict, causes } = attribute(
    { dimensions: dimensionNames, values: made.values, codes: made.codes, ...now, ...baseline },
    { direction: 'fall' },
  )
  return { verdict, causes: causes.map(({ cell }) => cell) }
}
