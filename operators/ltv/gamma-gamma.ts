// What a purchase of a customer is worth: the Gamma-Gamma model (Fader and Hardie, 2013, after Colombo and Jiang, 1999). Amounts
// of a customer are Gamma(p, ν) with ν ~ Gamma(q, gamma): the fewer purchases are known, the nearer to everybody's mean.
import { leastRepeatBuyers, type Fit } from './bg-nbd.ts'
import { digamma, lnGamma } from './gamma.ts'
import { minimise } from './minimise.ts'

/** Columns of customers who have bought: how often, and for how much on average. */
export type Buyers = {
  readonly frequency: ArrayLike<number>
  readonly average: ArrayLike<number>
  readonly count?: ArrayLike<number>
}

/** gamma has the unit of the amounts. q is above 1, else nobody would have a mean. */
export type GammaGammaParams = { readonly p: number; readonly q: number; readonly gamma: number }

/** The search's variables, each from −9 to 9: ln p, ln (q − 1), ln of the model's mean, p gamma / (q − 1), in observed means. */
const bound = 9
const paramsAt = (at: readonly number[], mean: number): GammaGammaParams => ({
  p: Math.exp(at[0]!),
  q: 1 + Math.exp(at[1]!),
  gamma: Math.exp(at[2]! + at[1]! - at[0]!) * mean,
})
const variablesOf = { p: [0], q: [1], gamma: [0, 1, 2] } as const

const unfit = (because: string) => ({ kind: 'unfit', because }) as const

export function fitGammaGamma(buyers: Buyers): Fit<GammaGammaParams> {
  const { frequency, average } = buyers
  const wrong = wrongColumns(buyers)
  if (wrong !== undefined) return unfit(wrong)
  const size = frequency.length
  const weight = (i: number) => buyers.count?.[i] ?? 1
  let [total, averages, least, most] = [0, 0, Infinity, -Infinity]
  for (let i = 0; i < size; i++) {
    if (weight(i) === 0) continue
    total += weight(i)
    averages += weight(i) * average[i]!
    least = Math.min(least, average[i]!)
    most = Math.max(most, average[i]!)
  }
  if (total < leastRepeatBuyers) return unfit(`only ${total} customers have bought; it takes ${leastRepeatBuyers}`)
  if (least === most) return unfit(`every customer's average is ${least}: there is nothing to model`)
  const mean = averages / total

  // Per buyer. Amounts are taken as multiples of the mean.
  const objective = (at: readonly number[]) => {
    const { p, q, gamma } = paramsAt(at, 1)
    const [lnGammaQ, psiQ, lnScale] = [lnGamma(q), digamma(q), Math.log(gamma)]
    let [sum, byP, byQ, byGamma] = [0, 0, 0, 0]
    for (let i = 0; i < size; i++) {
      const n = weight(i)
      if (n === 0) continue
      const x = frequency[i]!
      const m = average[i]! / mean
      const [lnM, lnX, lnAll] = [Math.log(m), Math.log(x), Math.log(gamma + m * x)]
      sum += n * (lnGamma(p * x + q) - lnGamma(p * x) - lnGammaQ + q * lnScale + (p * x - 1) * lnM + p * x * lnX - (p * x + q) * lnAll)
      const psiAll = digamma(p * x + q)
      byP += n * x * (psiAll - digamma(p * x) + lnM + lnX - lnAll)
      byQ += n * (psiAll - psiQ + lnScale - lnAll)
      byGamma += n * (q / gamma - (p * x + q) / (gamma + m * x))
    }
    return {
      value: -sum / total,
      slope: [byP * p - byGamma * gamma, byQ * (q - 1) + byGamma * gamma, byGamma * gamma].map((part) => -part / total),
    }
  }

  const best = minimise(objective, [1, 0.7, 0], { bound })
  if (!Number.isFinite(best.value)) return unfit('the likelihood of these amounts cannot be computed')
  return {
    kind: 'fit',
    params: paramsAt(best.at, mean),
    // A density of amounts: in their own unit it is smaller by the mean.
    logLikelihood: -best.value * total - total * Math.log(mean),
    customers: total,
    iterations: best.iterations,
    converged: best.converged,
    atEdge: (['p', 'q', 'gamma'] as const).filter((name) => variablesOf[name].some((i) => Math.abs(best.at[i]!) > bound - 1)),
  }
}

/** Mean amount that is expected of a customer's further purchases. Without a purchase yet: everybody's. */
export function expectedAverage({ p, q, gamma }: GammaGammaParams, frequency: number, average: number): number {
  return (p * (gamma + (frequency === 0 ? 0 : frequency * average))) / (p * frequency + q - 1)
}

function wrongColumns({ frequency, average, count }: Buyers): string | undefined {
  const size = frequency.length
  if (average.length !== size || (count !== undefined && count.length !== size))
    return `the columns differ in length: ${size} frequencies, ${average.length} averages`
  for (let i = 0; i < size; i++) {
    const [x, m, n] = [frequency[i]!, average[i]!, count?.[i] ?? 1]
    if (!Number.isInteger(x) || x < 1) return `buyer ${i}: a frequency of ${x}, want a whole number from 1`
    if (!(m > 0 && m < Infinity)) return `buyer ${i}: an average of ${m}, want more than 0`
    if (!Number.isInteger(n) || n < 0) return `buyer ${i}: a count of ${n}, want a whole number from 0`
  }
  return undefined
}
