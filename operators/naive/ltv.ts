// The twin of operators/ltv: what the models say of one customer with known rates, averaged over all rates by numerical integration.
import type { BgNbdParams, Customer } from '../ltv/bg-nbd.ts'
import type { GammaGammaParams } from '../ltv/gamma-gamma.ts'

/** A value that chance takes, and how likely. */
type Node = readonly [value: number, weight: number]

/**
 * Places in (0, 1) and weights of the double exponential rule: ends where a density is singular are no harm. `density` is the
 * logarithm of any multiple of one, of u and 1 − u; the weights come to 1.
 */
function nodesOf(
  density: (u: number, rest: number) => number,
  valueOf: (u: number, rest: number) => number,
  stepWidth: number = 1 / 32,
): Node[] {
  const nodes: Node[] = []
  const steps = Math.floor(6.08 / stepWidth)
  for (let i = -steps; i <= steps; i++) {
    const s = i * stepWidth
    const u = 1 / (1 + Math.exp(-Math.PI * Math.sinh(s)))
    const rest = 1 / (1 + Math.exp(Math.PI * Math.sinh(s)))
    const weight = Math.exp(density(u, rest) + Math.log(u) + Math.log(rest)) * Math.cosh(s)
    if (weight > 0) nodes.push([valueOf(u, rest), weight])
  }
  const total = nodes.reduce((sum, [, weight]) => sum + weight, 0)
  return nodes.map(([value, weight]) => [value, weight / total])
}

const betaNodes = (a: number, b: number) =>
  nodesOf(
    (p, rest) => (a - 1) * Math.log(p) + (b - 1) * Math.log(rest),
    (p) => p,
  )
/** λ = u / (1 − u), scaled to where the density lies. */
const gammaNodes = (shape: number, rate: number, stepWidth?: number) =>
  nodesOf(
    (u, rest) => (shape - 1) * Math.log(u / rest) - (shape * u) / rest - 2 * Math.log(rest),
    (u, rest) => ((shape / rate) * u) / rest,
    stepWidth,
  )

const mean = (nodes: readonly Node[], f: (value: number) => number) => nodes.reduce((sum, [value, weight]) => sum + weight * f(value), 0)

/** Over all rates λ and chances p. */
function meanOverAll({ r, alpha, a, b }: BgNbdParams, f: (rate: number, p: number) => number): number {
  const [rates, chances] = [gammaNodes(r, alpha), betaNodes(a, b)]
  return mean(chances, (p) => mean(rates, (rate) => f(rate, p)))
}

/** Likelihood of a customer who buys at rate λ and leaves with chance p after each purchase (formula 3 of the paper). */
const likelihoodKnowing = (rate: number, p: number, { frequency: x, recency, age }: Customer) =>
  (1 - p) ** x * rate ** x * Math.exp(-rate * age) + (x > 0 ? p * (1 - p) ** (x - 1) * rate ** x * Math.exp(-rate * recency) : 0)

const likelihood = (params: BgNbdParams, customer: Customer) => meanOverAll(params, (rate, p) => likelihoodKnowing(rate, p, customer))

/** The same, of one who has not left. */
const aliveKnowing = (rate: number, p: number, { frequency: x, age }: Customer) => (1 - p) ** x * rate ** x * Math.exp(-rate * age)

export function naiveLogLikelihood(params: BgNbdParams, customer: Customer): number {
  return Math.log(likelihood(params, customer))
}

export function naiveProbabilityAlive(params: BgNbdParams, customer: Customer): number {
  return meanOverAll(params, (rate, p) => aliveKnowing(rate, p, customer)) / likelihood(params, customer)
}

/** Someone alive, with rate λ and chance p, buys (1 − e^(−λ p t)) / p times within t. */
export function naiveExpectedPurchases(params: BgNbdParams, customer: Customer, horizon: number): number {
  const after = meanOverAll(params, (rate, p) => (aliveKnowing(rate, p, customer) * -Math.expm1(-rate * p * horizon)) / p)
  return after / likelihood(params, customer)
}

/** Of Gamma(p, ν) amounts, ν ~ Gamma(q, gamma): the mean p / ν given x amounts of that average. */
export function naiveExpectedAverage({ p, q, gamma }: GammaGammaParams, frequency: number, average: number): number {
  // Given ν the average of x amounts is Gamma(p x, ν x): as a function of ν, ν^(p x) e^(−ν x m).
  const given = (nu: number) => (frequency === 0 ? 1 : nu ** (p * frequency) * Math.exp(-nu * frequency * average))
  // Many purchases leave a narrow range of ν.
  const nodes = gammaNodes(q, gamma, 1 / 256)
  return mean(nodes, (nu) => (given(nu) * p) / nu) / mean(nodes, given)
}
