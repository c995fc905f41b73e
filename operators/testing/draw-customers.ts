// Customers drawn from known parameters, from a seed: what a fit has to find again.
import type { BgNbdParams } from '../ltv/bg-nbd.ts'
import type { GammaGammaParams } from '../ltv/gamma-gamma.ts'
import { seeded } from './seeded.ts'

export type Draw = {
  /** In (0, 1). */
  unit(): number
  gamma(shape: number, rate: number): number
  beta(a: number, b: number): number
  exponential(rate: number): number
}

export function draw(seed: number): Draw {
  const random = seeded(seed)
  // The middle of each of its steps: never 0.
  const unit = () => random() + 0.5 / 2 ** 32
  const normal = () => Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit())
  // Marsaglia and Tsang, 2000; a shape below 1 through the one above it.
  const gamma = (shape: number, rate: number): number => {
    if (shape < 1) return gamma(shape + 1, rate) * unit() ** (1 / shape)
    const d = shape - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = normal()
      const v = (1 + c * x) ** 3
      if (v > 0 && Math.log(unit()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return (d * v) / rate
    }
  }
  const beta = (a: number, b: number) => {
    const one = gamma(a, 1)
    return one / (one + gamma(b, 1))
  }
  return { unit, gamma, beta, exponential: (rate) => -Math.log(unit()) / rate }
}

export type DrawnCustomer = { frequency: number; recency: number; age: number; purchasesAfter: number; average: number }

/** Ages are even in (0, maxAge]; `purchasesAfter` are those within `horizon` of the age. */
export function drawCustomers(
  seed: number,
  size: number,
  { r, alpha, a, b }: BgNbdParams,
  { p, q, gamma }: GammaGammaParams,
  maxAge: number,
  horizon: number,
): DrawnCustomer[] {
  const random = draw(seed)
  return Array.from({ length: size }, () => {
    const age = maxAge * random.unit()
    const rate = random.gamma(r, alpha)
    const leaving = random.beta(a, b)
    const nu = random.gamma(q, gamma)
    const customer = { frequency: 0, recency: 0, age, purchasesAfter: 0, average: 0 }
    let spent = 0
    for (let at = random.exponential(rate); at <= age + horizon; at += random.exponential(rate)) {
      if (at <= age) {
        customer.frequency++
        customer.recency = at
        spent += random.gamma(p, nu)
      } else customer.purchasesAfter++
      if (random.unit() < leaving) break
    }
    customer.average = customer.frequency === 0 ? 0 : spent / customer.frequency
    return customer
  })
}
