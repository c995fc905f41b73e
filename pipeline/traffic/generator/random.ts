// Chance that comes from a seed: a mixing hash for what is always so (who a user is), and a stream for what happens.
import type { Quantiles, Weighted } from './marginals.ts'

/** Bijective on 32 bits, and far from linear (the finalizer `lowbias32` of C. Wellons' hash-prospector, public domain). */
export function mix(value: number): number {
  let x = value | 0
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return x ^ (x >>> 16)
}

/** 32 bits that depend on all three. */
export function hash(seed: number, value: number, salt: number): number {
  return mix(mix(mix(seed ^ Math.imul(salt, 0x9e3779b1)) ^ value) + salt)
}

/** In [0, 1). */
export const unit = (bits: number): number => (bits >>> 0) / 4294967296

/** 32 bits of a seed of any size. */
export function foldSeed(seed: number): number {
  return hash(seed | 0, Math.floor(seed / 4294967296) | 0, 0x5eed)
}

/** sfc32 (C. Doty-Humphrey, PractRand): 128 bits of state, which the caller may take out and put back. */
export type Stream = {
  readonly state: Int32Array
  start(a: number, b: number): void
  bits(): number
  /** In [0, 1). */
  unit(): number
}

export function stream(): Stream {
  const state = new Int32Array(4)
  const bits = () => {
    const t = (((state[0]! + state[1]!) | 0) + state[3]!) | 0
    state[3] = (state[3]! + 1) | 0
    state[0] = state[1]! ^ (state[1]! >>> 9)
    state[1] = (state[2]! + (state[2]! << 3)) | 0
    state[2] = (((state[2]! << 21) | (state[2]! >>> 11)) + t) | 0
    return t
  }
  return {
    state,
    start(a, b) {
      state[0] = a
      state[1] = b
      state[2] = mix(a ^ 0x2545f491)
      state[3] = 1
      for (let i = 0; i < 8; i++) bits()
    },
    bits,
    unit: () => (bits() >>> 0) / 4294967296,
  }
}

/** Picks by weight from a number in [0, 1): a table of 4,096 equal parts, so a weight counts to 1/4096. */
export function picker(weights: readonly number[]): (at: number) => number {
  const parts = 4096
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const table = new Uint16Array(parts)
  let upTo = 0
  let from = 0
  weights.forEach((weight, index) => {
    upTo += weight
    const end = index === weights.length - 1 ? parts : Math.round((upTo / total) * parts)
    table.fill(index, from, end)
    from = end
  })
  return (at) => table[(at * parts) | 0]!
}

export const weightsOf = <T>(weighted: Weighted<T>): number[] => weighted.map(([, weight]) => weight)

/** The distribution's value at a share in [0, 1). */
export function quantile(distribution: Quantiles, at: number): number {
  const { share, value, log } = distribution
  let i = 1
  while (i < share.length - 1 && at >= share[i]!) i++
  const part = (at - share[i - 1]!) / (share[i]! - share[i - 1]!)
  const low = value[i - 1]!
  const high = value[i]!
  return log ? low * (high / low) ** part : low + (high - low) * part
}

/** The same from a table of 4,096 steps, where it is asked for often. */
export function tabulated(distribution: Quantiles): (at: number) => number {
  const steps = 4096
  const table = Float64Array.from({ length: steps }, (_, step) => quantile(distribution, (step + 0.5) / steps))
  return (at) => table[(at * steps) | 0]!
}

/** A value between two, even in its logarithm. */
export const logEven = (low: number, high: number, at: number): number => low * (high / low) ** at
