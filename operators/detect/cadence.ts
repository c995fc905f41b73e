// How time runs for one grain: a number for every bucket, which buckets were the same time of week or day, and how many buckets the
// spans of settings.ts are.
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Zone } from '../time/zone.ts'
import { baselineDays, baselineWeeks } from './settings.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** Numbers of the buckets at the same local time, latest first. */
export type Lags = { readonly weeks: readonly number[]; readonly days: readonly number[] }

export type Cadence = {
  /** Consecutive buckets have consecutive numbers. */
  indexOf(bucketAt: number): number
  /** Start of the bucket that holds an instant. */
  startOf(at: number): number
  endOf(bucketAt: number): number
  /** Start of the bucket that is `count` before. */
  back(bucketAt: number, count: number): number
  lags(bucketAt: number): Lags
  /** Buckets in a row that make a drop. */
  readonly hold: number
  /** Buckets on either side that count as the same time. */
  readonly around: number
  /** Buckets that are kept for the baseline. */
  readonly kept: number
  /** The last so many are the baseline while there is no pattern of days yet, where at least so many of them say something. */
  readonly recent: { readonly of: number; readonly least: number }
  /** The level is taken from the `of` buckets that end `before` ones before this. */
  readonly level: { readonly before: number; readonly of: number; readonly least: number }
  /** The scatter is taken from the last `of`. */
  readonly scatter: { readonly of: number; readonly least: number }
  /** How the reasons call one: minute, hour, day. */
  readonly called: string
}

/** Of the scatter's memory: 28 days of hours, a day and ten hours of minutes. */
const scatterBuckets = 2_016

/** Buckets of equal length that divide an hour. */
export function evenCadence(bucketMs: number, zone: Zone, called: string): Cadence {
  const buckets = (ms: number) => Math.ceil(ms / bucketMs)
  const before = (bucketAt: number, ms: number) => {
    // Local time is what repeats: where the clocks were changed in between, the same hour is an hour off.
    const shift = zone.offsetAt(bucketAt) - zone.offsetAt(bucketAt - ms)
    return Math.floor(bucketAt / bucketMs) - Math.round((ms - shift) / bucketMs)
  }
  const around = Math.floor((15 * 60_000) / bucketMs)
  const startOf = (at: number) => {
    const shift = zone.offsetAt(at)
    return Math.floor((at + shift) / bucketMs) * bucketMs - shift
  }
  return {
    indexOf: (bucketAt) => Math.floor(bucketAt / bucketMs),
    startOf,
    endOf: (bucketAt) => bucketAt + bucketMs,
    back: (bucketAt, count) => startOf(bucketAt - count * bucketMs),
    lags: (bucketAt) => ({
      weeks: Array.from({ length: baselineWeeks }, (_, k) => before(bucketAt, (k + 1) * 7 * dayMs)),
      days: Array.from({ length: baselineDays }, (_, k) => before(bucketAt, (k + 1) * dayMs)),
    }),
    hold: 2,
    around,
    kept: buckets(baselineWeeks * 7 * dayMs + 2 * hourMs) + around + 1,
    recent: bucketMs < 10 * 60_000 ? { of: buckets(2 * hourMs), least: 30 } : { of: buckets(2 * dayMs), least: buckets(dayMs) },
    level: { before: buckets(2 * hourMs), of: buckets(dayMs), least: buckets(dayMs / 2) },
    scatter: { of: Math.min(buckets(baselineWeeks * 7 * dayMs), scatterBuckets), least: bucketMs < hourMs ? 60 : 24 },
    called,
  }
}

/** Days of the zone, of 23 to 25 hours. One bucket is a day's work: it is not waited for a second. */
export function dayCadence(zone: Zone): Cadence {
  const steps = (count: number, day: number, days: number) => Array.from({ length: count }, (_, k) => day - (k + 1) * days)
  return {
    indexOf: (bucketAt) => zone.dayOf(bucketAt),
    startOf: (at) => zone.startOfDay(zone.dayOf(at)),
    back: (bucketAt, count) => zone.startOfDay(zone.dayOf(bucketAt) - count),
    endOf: (bucketAt) => zone.startOfDay(zone.dayOf(bucketAt) + 1),
    lags: (bucketAt) => ({ weeks: steps(baselineWeeks, zone.dayOf(bucketAt), 7), days: [] }),
    hold: 1,
    around: 0,
    kept: baselineWeeks * 7 + 1,
    recent: { of: 14, least: 7 },
    // One day is no level: the week before it is.
    level: { before: 0, of: 7, least: 4 },
    scatter: { of: baselineWeeks * 7, least: 7 },
    called: 'day',
  }
}

export function cadenceOf(grain: Grain, zone: Zone): Cadence {
  if (grain === 'day') return dayCadence(zone)
  return evenCadence(grain === 'hour' ? hourMs : 60_000, zone, grain)
}

/** As much history as it takes to know all that it would know if it had never stopped. */
export function lookbackBuckets({ kept, level, scatter }: Cadence): number {
  return kept + level.before + level.of + scatter.of
}
