// What the baseline says: which of its buckets are normal, how much leaves vary from one to the next, and what each leaf would
// have had in the bucket that is explained.
import type { Leaves } from './leaves.ts'

/** One bucket of the baseline, by leaf. */
export type Bucket = { readonly numerator: Float64Array; readonly denominator: Float64Array | undefined }

export type Baseline = Pick<Leaves, 'baselineNumerator' | 'baselineDenominator' | 'baselineBuckets' | 'spread'> & {
  /** Which buckets were taken, in the order in which they were given. */
  readonly taken: readonly boolean[]
}

/** A bucket further from the median than so many deviations, and than this share of it, is not normal: the trouble may have begun in it. */
const farDeviations = 3
const farShare = 0.1
/** Of a normal sample, its median absolute deviation times this is its standard deviation. */
const deviationOfMad = 1.4826
/** Rates are never known better than to 3 %, nor is a leaf so restless that nothing can be said. */
export const spreadLimits: readonly [least: number, most: number] = [0.001, 0.5]

/** Sums of the normal buckets, by leaf, and the spread between them. At least one bucket with anything in it is needed. */
export function baselineOf(buckets: readonly Bucket[]): Baseline {
  const levels = buckets.map(levelOf)
  const known = levels.filter((level) => level !== undefined)
  const middle = medianOf(known)
  const deviation = deviationOfMad * medianOf(known.map((level) => Math.abs(level - middle)))
  const taken = levels.map((level) => level !== undefined && Math.abs(level - middle) <= farDeviations * deviation + farShare * middle)
  const normal = buckets.filter((_, i) => taken[i])
  const count = buckets[0]?.numerator.length ?? 0
  const sumOf = (column: (bucket: Bucket) => Float64Array) => {
    const sums = new Float64Array(count)
    for (const bucket of normal) {
      const values = column(bucket)
      for (let i = 0; i < count; i++) sums[i]! += values[i]!
    }
    return sums
  }
  const baselineNumerator = sumOf((bucket) => bucket.numerator)
  const baselineDenominator = buckets[0]?.denominator === undefined ? undefined : sumOf((bucket) => bucket.denominator!)
  const spread = spreadOf(normal, baselineNumerator, baselineDenominator)
  return { baselineNumerator, baselineDenominator, baselineBuckets: normal.length, spread, taken }
}

function levelOf({ numerator, denominator }: Bucket): number | undefined {
  const top = total(numerator)
  if (denominator === undefined) return top
  const bottom = total(denominator)
  return bottom > 0 ? top / bottom : undefined
}

/**
 * By moments: the variance of counts around what a leaf's own mean rate expects is expected (1 − its share of the mean) plus
 * spread × expected².
 */
function spreadOf(buckets: readonly Bucket[], numerator: Float64Array, denominator: Float64Array | undefined): number {
  let beyond = 0
  let squares = 0
  for (let i = 0; i < numerator.length; i++) {
    const whole = denominator === undefined ? buckets.length : denominator[i]!
    if (whole <= 0) continue
    for (const bucket of buckets) {
      const part = bucket.denominator === undefined ? 1 : bucket.denominator[i]!
      const expected = (numerator[i]! * part) / whole
      beyond += (bucket.numerator[i]! - expected) ** 2 - expected * (1 - part / whole)
      squares += expected ** 2
    }
  }
  return held(squares > 0 ? beyond / squares : 0)
}

export const held = (spread: number): number => Math.min(spreadLimits[1], Math.max(spreadLimits[0], spread))

/** A leaf's own rate counts as much as everyone's once it has seen so many events. */
const priorEvents = 3

export type Expected = {
  /** By leaf, in the bucket's own traffic: denominator × the leaf's baseline rate, drawn towards everyone's. */
  readonly expected: Float64Array
  /** Everyone's baseline: a ratio, or of an additive KPI the sum a bucket. */
  readonly level: number
}

export function expectedOf(leaves: Leaves): Expected {
  const { denominator, baselineNumerator, baselineDenominator, baselineBuckets } = leaves
  const count = baselineNumerator.length
  const expected = new Float64Array(count)
  const top = total(baselineNumerator)
  if (denominator === undefined || baselineDenominator === undefined) {
    for (let i = 0; i < count; i++) expected[i] = baselineNumerator[i]! / baselineBuckets
    return { expected, level: top / baselineBuckets }
  }
  const bottom = total(baselineDenominator)
  const level = bottom > 0 ? top / bottom : 0
  const prior = level > 0 ? priorEvents / level : 1
  for (let i = 0; i < count; i++)
    expected[i] = (denominator[i]! * (baselineNumerator[i]! + priorEvents * Number(level > 0))) / (baselineDenominator[i]! + prior)
  return { expected, level }
}

export function total(values: Float64Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum
}

function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).toSorted()
  const middle = sorted.length >> 1
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
