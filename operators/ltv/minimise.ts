// Finds the least value of a smooth function of a few variables: BFGS (Nocedal and Wright, Numerical Optimization, 6.1).

/** The value at a point, and its slope in each variable. A value that is not finite means "not here". */
export type Objective = (at: readonly number[]) => { readonly value: number; readonly slope: readonly number[] }

export type Minimum = {
  readonly at: readonly number[]
  readonly value: number
  /** Every slope is within `tolerance`, or points out of the bounds. */
  readonly converged: boolean
  readonly iterations: number
}

export type MinimiseOptions = {
  /** Every variable stays within ± this. */
  readonly bound: number
  /** Greatest slope that counts as none. */
  readonly tolerance?: number
  readonly maxIterations?: number
}

/** A step must gain this share of what the slope promises. */
const leastGain = 1e-4
const shortestStep = 1e-12

export function minimise(objective: Objective, start: readonly number[], options: MinimiseOptions): Minimum {
  const { bound, tolerance = 1e-8, maxIterations = 500 } = options
  const size = start.length
  let at = [...start]
  let { value, slope } = objective(at)
  let inverse = identity(size)
  let fresh = true
  let iterations = 0
  const free = (i: number) => !(Math.abs(at[i]!) >= bound && slope[i]! * at[i]! <= 0)
  const flat = () => slope.every((part, i) => !free(i) || Math.abs(part) <= tolerance)
  for (; iterations < maxIterations && !flat(); iterations++) {
    const projected = slope.map((part, i) => (free(i) ? part : 0))
    let direction = times(inverse, projected).map((part, i) => (free(i) ? -part : 0))
    let promised = dot(direction, projected)
    if (!(promised < 0)) {
      inverse = identity(size)
      fresh = true
      direction = projected.map((part) => -part)
      promised = dot(direction, projected)
    }
    // Variables are logarithms: a step of more than a few is a leap into the dark.
    const longest = Math.max(...direction.map(Math.abs))
    let length = Math.min(1, (fresh ? 0.5 : 3) / longest)
    let next = step(at, direction, length, bound)
    let there = objective(next)
    while (!(there.value <= value + leastGain * length * promised) && length * longest > shortestStep) {
      length /= 2
      next = step(at, direction, length, bound)
      there = objective(next)
    }
    if (!(there.value < value)) {
      // No way down along this direction: try the slope itself once, then it is as low as doubles can tell.
      if (fresh) break
      inverse = identity(size)
      fresh = true
      continue
    }
    const moved = next.map((part, i) => part - at[i]!)
    const turned = there.slope.map((part, i) => (free(i) ? part - slope[i]! : 0))
    const wasFree = at.map((_, i) => free(i))
    inverse = fresh ? scaled(size, moved, turned) : inverse
    inverse = updated(inverse, moved, turned)
    fresh = false
    ;({ value, slope } = there)
    at = next
    // What was learned of the curvature was of other variables.
    if (wasFree.some((was, i) => was !== free(i))) {
      inverse = identity(size)
      fresh = true
    }
  }
  // Where the value no longer changes in its last digits, slopes are only known to about the root of their precision.
  const nearlyFlat = slope.every((part, i) => !free(i) || Math.abs(part) <= tolerance * 100)
  return { at, value, converged: Number.isFinite(value) && nearlyFlat, iterations }
}

const identity = (size: number): number[][] =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)))
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, part, i) => sum + part * b[i]!, 0)
const times = (matrix: readonly (readonly number[])[], vector: readonly number[]) => matrix.map((row) => dot(row, vector))
const step = (at: readonly number[], direction: readonly number[], length: number, bound: number) =>
  at.map((part, i) => Math.max(-bound, Math.min(bound, part + length * direction[i]!)))

/** Before the first update the identity gets the size of the curvature that the first step met. */
function scaled(size: number, moved: readonly number[], turned: readonly number[]): number[][] {
  const factor = dot(moved, turned) / dot(turned, turned)
  return identity(size).map((row) => row.map((part) => part * (factor > 0 ? factor : 1)))
}

/** H' = (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ with ρ = 1 / yᵀs; left as it is where the curvature is not positive. */
function updated(inverse: number[][], moved: readonly number[], turned: readonly number[]): number[][] {
  const curvature = dot(moved, turned)
  if (!(curvature > 1e-14 * Math.sqrt(dot(moved, moved) * dot(turned, turned)))) return inverse
  const bent = times(inverse, turned)
  const factor = (1 + dot(turned, bent) / curvature) / curvature
  return inverse.map((row, i) =>
    row.map((part, j) => part + factor * moved[i]! * moved[j]! - (bent[i]! * moved[j]! + moved[i]! * bent[j]!) / curvature),
  )
}
