// The gamma function's logarithm and its derivative, as the models need them.

/** From here on Stirling's series with six terms is right to the last digits of a double. */
const large = 12
const lnSqrt2Pi = 0.9189385332046727

/** ln Γ(z) for z > 0; relative error below 1e-13. Shifted up by Γ(z + 1) = z Γ(z), then Stirling's series (Abramowitz and Stegun 6.1.41). */
export function lnGamma(z: number): number {
  let product = 1
  while (z < large) product *= z++
  const inverse = 1 / (z * z)
  const series =
    (1 / 12 + inverse * (-1 / 360 + inverse * (1 / 1260 + inverse * (-1 / 1680 + inverse * (1 / 1188 - (inverse * 691) / 360360))))) / z
  return (z - 0.5) * Math.log(z) - z + lnSqrt2Pi + series - Math.log(product)
}

/** ψ(z), the derivative of ln Γ, for z > 0 (Abramowitz and Stegun 6.3.18). */
export function digamma(z: number): number {
  let shift = 0
  while (z < large) shift += 1 / z++
  const inverse = 1 / (z * z)
  const series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse * (1 / 132)))))
  return Math.log(z) - 0.5 / z - series - shift
}

/**
 * For n = 0 … `upTo`: ln (a)_n, the logarithm of a (a + 1) … (a + n − 1) = Γ(a + n) / Γ(a), and its derivative by a. Sums, not
 * differences of large logarithms: exact also where a is very large or very small.
 */
export function lnRising(a: number, upTo: number): { value: Float64Array; slope: Float64Array } {
  const value = new Float64Array(upTo + 1)
  const slope = new Float64Array(upTo + 1)
  for (let n = 0; n < upTo; n++) {
    value[n + 1] = value[n]! + Math.log(a + n)
    slope[n + 1] = slope[n]! + 1 / (a + n)
  }
  return { value, slope }
}
