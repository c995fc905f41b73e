// For tests: metrics, a cadence of short weeks, chance from a seed, and cells whose figures a test says.
import { zone } from '../time/zone.ts'
import { evenCadence, type Cadence } from './cadence.ts'
import type { CellSamples, Detector, Step } from './detector.ts'
import type { Transition } from './track.ts'
import type { Metric, Sample } from './metric.ts'

export const minuteMs = 60_000
export const hourMs = 3_600_000
export const minutes = evenCadence(minuteMs, zone('UTC'), 'minute')
export const hours = evenCadence(hourMs, zone('Asia/Shanghai'), 'hour')

export const completion: Metric = {
  name: 'completion_rate', grain: 'minute', better: 'up', threshold: 0.15, minimumDenominator: 500, counts: 'plays', unit: 'ratio', kind: 'share',
} // prettier-ignore
export const registrations: Metric = {
  name: 'registrations', grain: 'hour', better: 'up', threshold: 0.15, minimumDenominator: 0, counts: 'registers', unit: 'count', kind: 'count',
} // prettier-ignore
export const noData: Metric = {
  name: 'no_data', grain: 'minute', better: 'up', threshold: 1, minimumDenominator: 50, counts: 'events', unit: 'count', kind: 'presence',
} // prettier-ignore

/** Days of four buckets, weeks of twelve. */
export const shortWeeks: Cadence = {
  indexOf: (at) => at / minuteMs,
  startOf: (at) => Math.floor(at / minuteMs) * minuteMs,
  endOf: (at) => at + minuteMs,
  back: (at, count) => at - count * minuteMs,
  lags: (at) => ({
    weeks: [1, 2, 3, 4].map((k) => at / minuteMs - 12 * k),
    days: [1, 2, 3, 4, 5, 6].map((k) => at / minuteMs - 4 * k),
  }),
  hold: 2,
  around: 1,
  kept: 50,
  recent: { of: 6, least: 3 },
  level: { before: 3, of: 8, least: 4 },
  scatter: { of: 20, least: 5 },
  called: 'bucket',
}

export const samplesOf = (dimension: CellSamples['dimension'], value: string, ...samples: (Sample | undefined)[]): CellSamples => ({
  dimension,
  value,
  samples,
})
export const share = (rate: number, of = 2_000): Sample => ({ numerator: Math.round(rate * of), denominator: of })
export const count = (of: number): Sample => ({ numerator: Math.round(of), denominator: 0 })

/** Steps through buckets [from, to), which `cells` says. */
export function run(
  one: Detector,
  { startMs, bucketMs, from, to, how = 'decide' }: { startMs: number; bucketMs: number; from: number; to: number; how?: Step },
  cells: (bucket: number) => readonly CellSamples[],
): Transition[] {
  const made = []
  for (let bucket = from; bucket < to; bucket++) made.push(...one.step(startMs + bucket * bucketMs, cells(bucket), how))
  return made
}

/** How many of `of` come out, each with chance `rate`. */
export function drawn(random: () => number, rate: number, of: number): Sample {
  let numerator = 0
  for (let i = 0; i < of; i++) if (random() < rate) numerator++
  return { numerator, denominator: of }
}

/** Normal deviate. */
export const deviate = (random: () => number) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
