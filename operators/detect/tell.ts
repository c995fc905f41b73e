// The reasons of decisions, in words and figures. Changes are relative and say so; differences in points are never given.
import type { Facts } from './facts.ts'
import type { Judgement } from './judge.ts'
import type { Expected } from './memory.ts'
import { hasDenominator, type Metric } from './metric.ts'
import { recoveredShareOf, significantZ, usualZ } from './settings.ts'

/** Why the bucket is off its baseline, or why not. */
export function tellBucket({ metric, judgement, believed, called }: Facts): string {
  const { value, sample, expected, z, off } = judgement
  const actual = tellOff(metric, judgement)
  if (metric.kind === 'incident') return value > 0 ? `${actual}: any one alerts` : actual
  if (metric.kind === 'presence') return tellPresence(actual, judgement, metric)
  if (sample === undefined || (hasDenominator(metric.kind) && sample.denominator === 0)) return `${actual}: no data is not a drop`
  if (Number.isNaN(value)) return `${actual}: fewer than ${metric.minimumDenominator} say nothing`
  if (expected === undefined) return `${actual}: there is too little history for a baseline`
  const { baseline } = expected
  const against = `the baseline ${figure(baseline)}, ${tellSeason(expected, called)}`
  if (Number.isNaN(z)) return `${actual} against ${against}: too little is known of how it scatters`
  const change =
    baseline === 0 ? 'off' : `${share(Math.abs(value - baseline) / Math.abs(baseline))} ${value < baseline ? 'below' : 'above'}`
  if (off === undefined && Math.abs(z) > significantZ)
    return `${actual} is ${change} ${against}: not more than ${share(metric.threshold)} ${side(metric)} what is usual`
  const figures = `${actual} is ${change} ${against}; z ${Math.abs(z).toFixed(1)}`
  if (off === undefined) return `${figures}, not above ${significantZ}: it can be chance`
  return believed ? `${figures}, above ${significantZ}` : `${figures}: among all that is tested in this ${called} it can be chance`
}

/** What it came to: `completion_rate 0.300 (2000 plays)`. */
export function tellOff(metric: Metric, { sample, value }: Judgement): string {
  if (metric.kind === 'presence') return `${sample?.numerator ?? 0} ${metric.counts}`
  if (sample === undefined) return metric.kind === 'incident' ? `${metric.name} 0` : `no ${metric.counts} in the bucket`
  if (!hasDenominator(metric.kind)) return `${metric.name} ${figure(value)}`
  if (sample.denominator === 0) return `no ${metric.counts} in the bucket`
  return `${metric.name} ${figure(sample.numerator / sample.denominator)} (${sample.denominator} ${metric.counts})`
}

/** What an alert must come back to; after "is" or "is not". */
export function tellLimit({ metric, judgement }: Facts, alert: NonNullable<Facts['alert']>): string {
  if (metric.kind === 'incident') return 'none'
  if (metric.kind === 'presence') return 'more than none'
  const limit = alert.direction === 'fall' ? `above ${share(recoveredShareOf(metric))}` : `below ${share(2 - recoveredShareOf(metric))}`
  if (hasDenominator(metric.kind)) return `${limit} of the baseline at firing, ${figure(alert.baseline)}`
  return `${limit} of the baseline ${figure(judgement.expected?.baseline ?? alert.baseline)}, or off it by no more than z ${usualZ}`
}

function tellPresence(actual: string, { value, expected }: Judgement, metric: Metric): string {
  if (expected === undefined) return `${actual}: there is too little history`
  const usual = `${figure(expected.baseline)} are usual at this time`
  if (value > 0) return `${actual}, ${usual}`
  return expected.baseline >= metric.minimumDenominator ? `no data: ${actual}, where ${usual}` : `${actual}, but only ${usual}`
}

function tellSeason({ season, spans, buckets, level }: Expected, called: string): string {
  const from = `the median of ${buckets} ${called}s`
  if (season === 'recent') return `${from} just before, for there is no history of days yet`
  const at = `level ${level.toFixed(2)}`
  if (season === 'day') return `${from} at this time of day on ${spans} days, for there is no history of three weeks yet, ${at}`
  return `${from} at this time of the week in ${spans} weeks, ${at}`
}

const side = ({ better }: Metric) => (better === 'up' ? 'below' : better === 'down' ? 'above' : 'off')
const figure = (value: number) => (Math.abs(value) >= 1_000 ? value.toFixed(0) : value.toPrecision(3))
const share = (of: number) => `${Number((of * 100).toFixed(1))} %`
