// How much likelier a leaf's count is if its cell moved: the formulas of docs/guide/attribution.md, apart from the lattice.

/** Leaves below a cause move alike only so far: relative deviation of their effect, as a share of the effect's logarithm. */
export const unlikeness = 0.2
/** What was multiplied by less than e^-4 or more than e^4 is taken for that. */
export const greatestShift = 4
/** Shifts that are tried, as shares of the one that the first look found; between them a parabola is laid. */
export const shiftShares: readonly number[] = [0.25, 0.4, 0.6, 0.8, 1, 1.25, 1.6, 2.2]

/** Poisson: by how much `count` is likelier under its own mean than under `expected`. Kulldorff's scan has it. */
export function poissonGain(count: number, expected: number): number {
  if (expected <= 0) return 0
  return count <= 0 ? expected : count * Math.log(count / expected) - (count - expected)
}

/**
 * Negative binomial with mean `expected` and variance expected + spread × expected²: by how much the count is likelier where the
 * mean is e^shift times that. A leaf whose count is just that says at most (e^shift − 1 − shift) / spread, however large it is:
 * many leaves must agree.
 */
export function shiftGain(count: number, expected: number, shift: number, spread: number): number {
  if (expected <= 0) return 0
  const shape = 1 / spread
  return count * shift - (count + shape) * Math.log((shape + expected * Math.exp(shift)) / (shape + expected))
}

/** log(count / expected), within what is taken for possible. */
export function shiftOf(count: number, expected: number): number {
  const shift = Math.log(Math.max(count, 0.5) / Math.max(expected, 0.5))
  return Math.min(greatestShift, Math.max(-greatestShift, shift))
}

/** The highest point of gains at `shifts` (of equal length, in order), by a parabola through the highest and its neighbours. */
export function peakOf(gains: Float64Array, from: number, shifts: readonly number[]): number {
  let at = 0
  for (let k = 1; k < shifts.length; k++) if (gains[from + k]! > gains[from + at]!) at = k
  const peak = gains[from + at]!
  if (at === 0 || at === shifts.length - 1) return peak
  const left = shifts[at]! - shifts[at - 1]!
  const right = shifts[at + 1]! - shifts[at]!
  const rise = (peak - gains[from + at - 1]!) / left
  const fall = (gains[from + at + 1]! - peak) / right
  const curve = (fall - rise) / (left + right)
  if (curve >= 0) return peak
  const slope = (rise * right + fall * left) / (left + right)
  return peak - slope ** 2 / (4 * curve)
}
