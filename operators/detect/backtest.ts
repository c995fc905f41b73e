// The detection of drops over a labelled series, and how good it was: the same operator as the product's, with its settings.
import type { Zone } from '../time/zone.ts'
import { dayCadence, evenCadence, type Cadence } from './cadence.ts'
import { detector } from './detector.ts'
import { valueOf, type Metric, type Sample } from './metric.ts'

export type LabelledSeries = {
  readonly name: string
  readonly stepMs: number
  /** Number of the first bucket: its start over stepMs. */
  readonly first: number
  /** Mean of each bucket, one after the other; NaN is a gap. */
  readonly values: Float64Array
  /** 1: labelled an anomaly. */
  readonly labels: Uint8Array
  /** Start of each bucket, where that is not its number × stepMs: days of a zone. */
  readonly starts?: readonly number[]
}

export const bucketStart = ({ starts, first, stepMs }: LabelledSeries, i: number): number => starts?.[i] ?? (first + i) * stepMs

const weekMs = 7 * 86_400_000
const dayMs = 86_400_000

/** First bucket after the time for learning: 14 days, or 7.7 days of a series shorter than three weeks. */
export function learnedAt({ stepMs, values }: LabelledSeries): number {
  const week = Math.floor(weekMs / stepMs)
  return values.length > 3 * week ? 2 * week : Math.floor(1.1 * week)
}

/** Buckets (counted from 0) in which an alert is open that has fired. */
export function alarmsOf(series: LabelledSeries, better: Metric['better'], zone: Zone): number[] {
  const { name, stepMs, first, values } = series
  const metric: Metric = {
    name,
    grain: 'minute',
    better,
    threshold: 0.15,
    minimumDenominator: 0,
    counts: 'values',
    unit: '',
    kind: 'count',
  }
  const cadence = stepMs === dayMs ? dayCadence(zone) : evenCadence(stepMs, zone, 'bucket')
  const samples = Array.from(values, (value) => (Number.isNaN(value) ? undefined : { numerator: value, denominator: 0 }))
  return alarmsIn(
    metric,
    cadence,
    samples.map((sample, i) => ({ at: (first + i) * stepMs, sample })),
  )
}

type Bucket = { readonly at: number; readonly sample: Sample | undefined }

function alarmsIn(metric: Metric, cadence: Cadence, buckets: readonly Bucket[]): number[] {
  const one = detector({ metrics: [metric], cadence, latenessMs: 0 }, [])
  const alarms: number[] = []
  for (const [i, { at, sample }] of buckets.entries()) {
    one.step(at, sample === undefined ? [] : [{ dimension: 'all', value: '', samples: [sample] }], 'decide')
    if (one.open().some(({ firedAt }) => firedAt !== undefined)) alarms.push(i)
  }
  return alarms
}

/** Half-open, ms. */
export type LabelledSpan = { readonly fromMs: number; readonly toMs: number }

/**
 * The history of a KPI in one cell, of buckets from `fromMs` on, as the detect role would have watched it: with the KPI's own kind, minimum
 * and threshold.
 */
export function kpiRun(
  name: string,
  metric: Metric,
  cadence: Cadence,
  {
    fromMs,
    toMs,
    samples,
    labelled,
  }: { fromMs: number; toMs: number; samples: ReadonlyMap<number, Sample>; labelled: readonly LabelledSpan[] },
): { series: LabelledSeries; alarms: number[] } {
  const buckets: Bucket[] = []
  for (let at = fromMs; at < toMs; at = cadence.endOf(at)) buckets.push({ at, sample: samples.get(at) })
  const series: LabelledSeries = {
    name,
    stepMs: metric.grain === 'day' ? dayMs : cadence.endOf(0),
    first: cadence.indexOf(fromMs),
    values: Float64Array.from(buckets, ({ sample }) => valueOf(metric, sample)),
    labels: Uint8Array.from(buckets, ({ at }) => Number(labelled.some((span) => at >= span.fromMs && at < span.toMs))),
    starts: buckets.map(({ at }) => at),
  }
  return { series, alarms: alarmsIn(metric, cadence, buckets) }
}

/** Of series that nobody has labelled: how often it alarms, and nothing of how well. */
export const unlabelled = (scores: Scores): UnknownScores => ({
  ...scores,
  precision: null,
  recall: null,
  falseAlarmsPerSeriesWeek: null,
  medianDelayBuckets: null,
})

type Run = { readonly from: number; to: number }

/** Buckets in ascending order, joined across gaps of up to `gap`. */
function runsOf(buckets: Iterable<number>, gap: number): Run[] {
  const runs: Run[] = []
  for (const bucket of buckets) {
    const last = runs.at(-1)
    if (last !== undefined && bucket - last.to <= gap) last.to = bucket
    else runs.push({ from: bucket, to: bucket })
  }
  return runs
}

export type Scores = {
  readonly series: number
  readonly labelledRuns: number
  readonly alarmRuns: number
  readonly precision: number
  readonly recall: number
  readonly falseAlarmsPerSeriesWeek: number
  /** From the start of a labelled run to the first alarm that finds it; null where none is found. */
  readonly medianDelayBuckets: number | null
}

export type UnknownScores = { readonly [K in keyof Scores]: Scores[K] | null }

/**
 * Labelled buckets, and those in alarm, join into runs across gaps of up to 2 h (at least two buckets). A labelled run is found when an
 * alarm run touches it, from one bucket before it to 2 h after its end; an alarm run is true when it does so to some labelled run.
 */
export function scoresOf(all: readonly { readonly series: LabelledSeries; readonly alarms: readonly number[] }[]): Scores {
  let labelledRuns = 0
  let alarmRuns = 0
  let trueRuns = 0
  let weeks = 0
  const delays: number[] = []
  for (const { series, alarms } of all) {
    const { stepMs, values, labels } = series
    const from = learnedAt(series)
    const gap = Math.max(2, Math.floor((2 * 3_600_000) / stepMs))
    const labelled = runsOf(
      [...labels.keys()].filter((i) => labels[i] !== 0 && i >= from),
      gap,
    )
    const raised = runsOf(
      alarms.filter((i) => i >= from),
      gap,
    )
    const touches = (alarm: Run, label: Run) => alarm.from <= label.to + gap && alarm.to >= label.from - 1
    labelledRuns += labelled.length
    alarmRuns += raised.length
    trueRuns += raised.filter((alarm) => labelled.some((label) => touches(alarm, label))).length
    weeks += Math.max(0, values.length - from) / Math.floor(weekMs / stepMs)
    for (const label of labelled) {
      const finds = raised.find((alarm) => touches(alarm, label))
      if (finds !== undefined) delays.push(Math.max(0, finds.from - label.from))
    }
  }
  const sorted = delays.toSorted((a, b) => a - b)
  return {
    series: all.length,
    labelledRuns,
    alarmRuns,
    precision: thousandths(trueRuns / Math.max(1, alarmRuns)),
    recall: thousandths(delays.length / Math.max(1, labelledRuns)),
    falseAlarmsPerSeriesWeek: weeks === 0 ? 0 : thousandths((alarmRuns - trueRuns) / weeks),
    medianDelayBuckets: sorted.length === 0 ? null : (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2,
  }
}

const thousandths = (figure: number) => Number(figure.toFixed(3))
