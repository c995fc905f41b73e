// Leaves of a made-up KPI with known causes, from a seed: counts scatter as counts do, and a cause multiplies the rate of all below it.
import { baselineOf, type Bucket } from '../attribution/baseline.ts'
import type { Cell, Leaves } from '../attribution/leaves.ts'

export type Planting = {
  readonly seed: number
  /** Values of each dimension, which are named a, b, c … with the values a0, a1 … */
  readonly sizes: readonly number[]
  /** Mean denominator of a leaf in a bucket. */
  readonly volume: number
  readonly rate: number
  readonly buckets?: number
  readonly causes: readonly { readonly cell: Cell; readonly factor: number }[]
  /** Multiplies the traffic of a cell in the bucket that is explained. */
  readonly traffic?: readonly { readonly cell: Cell; readonly factor: number }[]
  /** A leaf's own rate, as a multiple of `rate`. */
  readonly rateOf?: (cell: Cell) => number
  /** Relative deviation of a leaf's rate from bucket to bucket. */
  readonly restless?: number
  readonly additive?: boolean
}

export function plantedLeaves(planting: Planting): Leaves {
  const { sizes, volume, rate, buckets = 10, causes, traffic = [], rateOf = () => 1, restless = 0, additive = false } = planting
  const random = randomOf(planting.seed)
  const dimensions = sizes.map((_, d) => String.fromCharCode(97 + d))
  const values = sizes.map((size, d) => Array.from({ length: size }, (_, code) => `${dimensions[d]}${code}`))
  const count = sizes.reduce((product, size) => product * size, 1)
  const codes = sizes.map(() => new Uint32Array(count))
  for (let i = 0; i < count; i++)
    for (let d = 0, rest = i; d < sizes.length; d++) {
      codes[d]![i] = rest % sizes[d]!
      rest = Math.floor(rest / sizes[d]!)
    }
  const cells: Cell[] = Array.from({ length: count }, (_, i) =>
    Object.fromEntries(dimensions.map((dimension, d) => [dimension, values[d]![codes[d]![i]!]!])),
  )
  const weights = cells.map(() => 0.3 + 1.4 * random())
  const factorIn = (cell: Cell, factors: NonNullable<Planting['traffic']>) =>
    factors.reduce((product, one) => (isIn(cell, one.cell) ? product * one.factor : product), 1)

  function bucket(isLast: boolean): Bucket & { denominator: Float64Array } {
    const numerator = new Float64Array(count)
    const denominator = new Float64Array(count)
    for (const [i, cell] of cells.entries()) {
      const size = volume * weights[i]! * (isLast ? factorIn(cell, traffic) : 1)
      denominator[i] = additive ? size : scattered(size, random)
      const mean = denominator[i]! * rate * rateOf(cell) * (isLast ? factorIn(cell, causes) : 1) * (1 + restless * normal(random))
      numerator[i] = scattered(Math.max(0, mean), random)
    }
    return { numerator, denominator }
  }
  const isRatio = (made: Bucket): Bucket => (additive ? { numerator: made.numerator, denominator: undefined } : made)
  const { taken: _, ...baseline } = baselineOf(Array.from({ length: buckets }, () => isRatio(bucket(false))))
  return { dimensions, values, codes, ...isRatio(bucket(true)), ...baseline }
}

const isIn = (inner: Cell, outer: Cell) => Object.entries(outer).every(([dimension, value]) => inner[dimension] === value)

/** Park and Miller's. */
export function randomOf(seed: number): () => number {
  let state = (Math.abs(Math.trunc(seed)) % 2_147_483_646) + 1
  const next = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  for (let i = 0; i < 5; i++) next()
  return next
}

/** Box and Muller's. */
const normal = (random: () => number) => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random())

/** A Poisson count; of a large mean, the normal that it is near. */
function scattered(mean: number, random: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)))
  let count = 0
  for (let product = random(), least = Math.exp(-mean); product > least; product *= random()) count++
  return count
}
