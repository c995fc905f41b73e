// Which of many suspicions to believe. Benjamini, Hochberg: Controlling the false discovery rate (1995).

/** Chance that a normal deviate exceeds z, for z of 2 and more: Laplace's continued fraction. */
export function normalTail(z: number): number {
  let fraction = z
  for (let k = 40; k > 0; k--) fraction = z + k / fraction
  return Math.exp((-z * z) / 2) / (Math.sqrt(2 * Math.PI) * fraction)
}

/** Chances up to this are believed; −1 where none is. `tests`: all that was tested, of which `chances` are the small ones. */
export function discoveryLimit(chances: readonly number[], tests: number, rate: number): number {
  const ascending = chances.toSorted((a, b) => a - b)
  for (let k = ascending.length; k > 0; k--) if (ascending[k - 1]! <= (rate * k) / tests) return ascending[k - 1]!
  return -1
}
