// How often customers will buy again: the BG/NBD model (Fader, Hardie and Lee, "Counting Your Customers" the Easy Way, 2005).
// While alive a customer buys at a rate λ ~ Gamma(r, alpha); after each purchase they leave for good with chance p ~ Beta(a, b).
import { lnRising } from './gamma.ts'
import { minimise } from './minimise.ts'

/** Of one customer. Times are in any one unit, from the customer's beginning; that unit is then alpha's and the horizon's. */
export type Customer = {
  /** Purchases after the beginning. */
  readonly frequency: number
  /** When the last of them was; 0 where there is none. */
  readonly recency: number
  /** How long the customer has been watched. */
  readonly age: number
}

/** Columns: one place for each customer, or for each kind of customer with `count` of them. */
export type Customers = {
  readonly frequency: ArrayLike<number>
  readonly recency: ArrayLike<number>
  readonly age: ArrayLike<number>
  readonly count?: ArrayLike<number>
}

export type BgNbdParams = { readonly r: number; readonly alpha: number; readonly a: number; readonly b: number }

export type Fit<Params> =
  | {
      readonly kind: 'fit'
      readonly params: Params
      readonly logLikelihood: number
      readonly customers: number
      readonly iterations: number
      /** False: the search ended before the likelihood was flat. The parameters are the best that were met. */
      readonly converged: boolean
      /** Parameters that ran to the end of what is looked at: the likelihood has no maximum in them, and their value says nothing. */
      readonly atEdge: readonly (keyof Params & string)[]
    }
  | { readonly kind: 'unfit'; readonly because: string }

/** Four parameters from fewer repeat buyers than this are noise. */
export const leastRepeatBuyers = 10

/**
 * The search's variables, each from −9 to 9: ln r, ln of alpha / r (time between purchases) in mean ages, ln b, ln (a / b). Where the
 * data do not tell how much customers differ, r and alpha, or a and b, go off together: then along one variable, to its end.
 */
const bound = 9
const paramsAt = (at: readonly number[], meanAge: number): BgNbdParams => ({
  r: Math.exp(at[0]!),
  alpha: Math.exp(at[0]! + at[1]!) * meanAge,
  a: Math.exp(at[2]! + at[3]!),
  b: Math.exp(at[2]!),
})
/** Which of them each parameter depends on. */
const variablesOf = { r: [0], alpha: [0, 1], a: [2, 3], b: [2] } as const

const unfit = (because: string) => ({ kind: 'unfit', because }) as const

export function fitBgNbd(customers: Customers): Fit<BgNbdParams> {
  const { frequency, recency, age } = customers
  const wrong = wrongColumns(customers)
  if (wrong !== undefined) return unfit(wrong)
  const size = frequency.length
  const weight = (i: number) => customers.count?.[i] ?? 1
  let [total, repeat, ages, most] = [0, 0, 0, 0]
  for (let i = 0; i < size; i++) {
    total += weight(i)
    if (frequency[i]! > 0) repeat += weight(i)
    ages += weight(i) * age[i]!
    most = Math.max(most, frequency[i]!)
  }
  if (total === 0) return unfit('there are no customers')
  if (repeat === 0) return unfit(`none of the ${total} customers has bought after the beginning`)
  if (repeat < leastRepeatBuyers)
    return unfit(`only ${repeat} of the ${total} customers have bought after the beginning; it takes ${leastRepeatBuyers}`)
  if (alike(customers)) return unfit(`all ${total} customers are alike: nothing tells rates of buying from leaving`)
  const meanAge = ages / total

  // Per customer, so that slopes mean the same however many there are.
  const objective = (at: readonly number[]) => {
    const { r, alpha, a, b } = paramsAt(at, meanAge)
    const [ofR, ofB, ofAb] = [lnRising(r, most), lnRising(b, most), lnRising(a + b, most)]
    const lnAlpha = Math.log(alpha)
    let [sum, byR, byAlpha, byA, byB] = [0, 0, 0, 0, 0]
    for (let i = 0; i < size; i++) {
      const n = weight(i)
      if (n === 0) continue
      const x = frequency[i]!
      const lnEnd = Math.log(alpha + age[i]!)
      // ln A3 = −(r + x) ln (alpha + T); A4 = a / (b + x − 1) (alpha + t)^−(r + x), where there is a purchase.
      let lnTimes = -(r + x) * lnEnd
      let gone = 0
      let lnLast = 0
      if (x > 0) {
        lnLast = Math.log(alpha + recency[i]!)
        const ratio = Math.exp(Math.log(a / (b + x - 1)) + (r + x) * (lnEnd - lnLast))
        if (ratio > 1e300) lnTimes += Math.log(a / (b + x - 1)) + (r + x) * (lnEnd - lnLast)
        else lnTimes += Math.log1p(ratio)
        gone = ratio > 1e300 ? 1 : ratio / (1 + ratio)
      }
      sum += n * (ofR.value[x]! + r * lnAlpha + ofB.value[x]! - ofAb.value[x]! + lnTimes)
      byR += n * (ofR.slope[x]! + lnAlpha - (1 - gone) * lnEnd - gone * lnLast)
      byAlpha += n * (r / alpha - (r + x) * ((1 - gone) / (alpha + age[i]!) + (gone === 0 ? 0 : gone / (alpha + recency[i]!))))
      byA += n * (gone / a - ofAb.slope[x]!)
      byB += n * (ofB.slope[x]! - ofAb.slope[x]! - (gone === 0 ? 0 : gone / (b + x - 1)))
    }
    return {
      value: -sum / total,
      slope: [byR * r + byAlpha * alpha, byAlpha * alpha, byA * a + byB * b, byA * a].map((part) => -part / total),
    }
  }

  // The second start is for those whose first leads nowhere: few leave, and rates hardly differ.
  const starts = [
    [0, 0, 1, -1],
    [2, -1, 2, -4],
  ]
  const found = starts.map((start) => minimise(objective, start, { bound }))
  const best = found.reduce((one, other) => (other.value < one.value - 1e-12 || Number.isNaN(one.value) ? other : one))
  if (!Number.isFinite(best.value)) return unfit('the likelihood of these customers cannot be computed')
  return {
    kind: 'fit',
    params: paramsAt(best.at, meanAge),
    logLikelihood: -best.value * total,
    customers: total,
    iterations: best.iterations,
    converged: best.converged,
    atEdge: (['r', 'alpha', 'a', 'b'] as const).filter((name) => variablesOf[name].some((i) => Math.abs(best.at[i]!) > bound - 1)),
  }
}

/** Chance that the customer has not left. One who never bought again cannot have: people leave after a purchase. */
export function probabilityAlive({ r, alpha, a, b }: BgNbdParams, { frequency: x, recency, age }: Customer): number {
  if (x === 0) return 1
  return 1 / (1 + Math.exp(Math.log(a / (b + x - 1)) + (r + x) * (Math.log(alpha + age) - Math.log(alpha + recency))))
}

/**
 * Purchases that are expected in (age, age + horizon]: formula (10) of the paper. Its 2F1 cancels to nothing for many parameters
 * and is undefined at a = 1, so the sum that it stands for is taken term by term, all of them positive. One who could not leave
 * would buy N times, N negative binomial; of these the k-th comes about if none of the k − 1 before it was the last:
 * alive × Σ P(N = n) Σ over k ≤ n of E (1 − chance)^(k − 1).
 */
export function expectedPurchases(params: BgNbdParams, customer: Customer, horizon: number): number {
  const { r, alpha, a, b } = params
  if (!(horizon > 0)) return 0
  const shape = r + customer.frequency
  const z = horizon / (alpha + customer.age + horizon)
  const stays = b + customer.frequency
  // Of n purchases `come` come about; `still` is the chance that the next does. Weights are P(N = n) but for a common factor.
  let [weight, weights, sum, come, still] = [1, 1, 0, 0, 1]
  for (let n = 1; n < mostTerms; n++) {
    const ratio = ((shape + n - 1) / n) * z
    weight *= ratio
    come += still
    still *= (stays + n - 1) / (a + stays + n - 1)
    weights += weight
    sum += weight * come
    if (weight > 1e250) [weight, weights, sum] = [weight * 1e-250, weights * 1e-250, sum * 1e-250]
    // From here on weights fall by this ratio or more, and `come` rises by less than 1 a term.
    const falls = Math.max(ratio, z)
    if (falls < 1 && weight * (come + 1 / (1 - falls)) <= 1e-15 * sum * (1 - falls)) break
  }
  return (probabilityAlive(params, customer) * sum) / weights
}

/** Far beyond what a horizon within reason takes: about 40 (alpha + age + horizon) / (alpha + age), or a few for each purchase. */
const mostTerms = 5_000_000

function wrongColumns({ frequency, recency, age, count }: Customers): string | undefined {
  const size = frequency.length
  if (recency.length !== size || age.length !== size || (count !== undefined && count.length !== size))
    return `the columns differ in length: ${size} frequencies, ${recency.length} recencies, ${age.length} ages`
  for (let i = 0; i < size; i++) {
    const [x, t, T, n] = [frequency[i]!, recency[i]!, age[i]!, count?.[i] ?? 1]
    if (!Number.isInteger(x) || x < 0) return `customer ${i}: a frequency of ${x}, want a whole number from 0`
    if (!(T >= 0 && T < Infinity)) return `customer ${i}: an age of ${T}, want 0 or more`
    if (!(t >= 0 && t <= T)) return `customer ${i}: a recency of ${t}, want from 0 to the age, ${T}`
    if (x === 0 && t > 0) return `customer ${i}: a recency of ${t} without a purchase`
    if (!Number.isInteger(n) || n < 0) return `customer ${i}: a count of ${n}, want a whole number from 0`
  }
  return undefined
}

function alike({ frequency, recency, age, count }: Customers): boolean {
  let first = -1
  for (let i = 0; i < frequency.length; i++) {
    if (count !== undefined && count[i] === 0) continue
    if (first < 0) first = i
    else if (frequency[i] !== frequency[first] || recency[i] !== recency[first] || age[i] !== age[first]) return false
  }
  return true
}
