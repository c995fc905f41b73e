import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { naiveExpectedAverage, naiveExpectedPurchases, naiveLogLikelihood, naiveProbabilityAlive } from '../naive/ltv.ts'
import { cdnowSample, readCdnowSample } from '../../pipeline/ltv/cdnow-sample.ts'
import { drawCustomers, type DrawnCustomer } from '../testing/draw-customers.ts'
import { expectedPurchases, fitBgNbd, leastRepeatBuyers, probabilityAlive, type BgNbdParams, type Customer } from './bg-nbd.ts'
import { digamma, lnGamma } from './gamma.ts'
import { expectedAverage, fitGammaGamma } from './gamma-gamma.ts'
import { cohortValues, lifetimeValue, type ValueModel } from './lifetime-value.ts'

const columns = (customers: readonly Customer[]) => ({
  frequency: customers.map((customer) => customer.frequency),
  recency: customers.map((customer) => customer.recency),
  age: customers.map((customer) => customer.age),
})
const near = (actual: number, expected: number, relative: number) =>
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * Math.max(Math.abs(expected), 1e-300))
function fitted<T extends { kind: string }>(fit: T): Extract<T, { kind: 'fit' }> {
  expect(fit).toMatchObject({ kind: 'fit' })
  return fit as Extract<T, { kind: 'fit' }>
}

describe.skipIf(cdnowSample === undefined)('the CDNOW sample (REELPULSE_CDNOW_SAMPLE names the file)', () => {
  const dayOf = (day: string) => Date.parse(day) / 86_400_000
  const lastDay = dayOf('1997-09-30')
  const weeksAfter = 39
  const people = new Map<string, Map<number, number>>()
  for (const { customer, day, amount } of cdnowSample === undefined ? [] : readCdnowSample(cdnowSample)) {
    const days = people.get(customer) ?? new Map<number, number>()
    people.set(customer, days.set(dayOf(day), (days.get(dayOf(day)) ?? 0) + Number(amount)))
  }
  const customers = [...people.values()].map((amounts) => {
    const days = [...amounts.keys()].toSorted((one, other) => one - other)
    const before = days.filter((day) => day <= lastDay)
    const again = before.slice(1)
    return {
      frequency: again.length,
      recency: (before.at(-1)! - days[0]!) / 7,
      age: (lastDay - days[0]!) / 7,
      purchasesAfter: days.filter((day) => day > lastDay && day <= lastDay + weeksAfter * 7).length,
      average: again.length === 0 ? 0 : again.reduce((sum, day) => sum + amounts.get(day)!, 0) / again.length,
    }
  })
  const fit = fitBgNbd(columns(customers))

  test('BG/NBD comes to the published parameters and likelihood', () => {
    expect(customers).toHaveLength(2_357)
    const { params, logLikelihood, converged, atEdge } = fitted(fit)
    expect([params.r, params.alpha, params.a, params.b].map((value) => value.toFixed(3))).toEqual(['0.243', '4.414', '0.793', '2.426'])
    expect(logLikelihood.toFixed(1)).toBe('-9582.4')
    expect({ converged, atEdge }).toEqual({ converged: true, atEdge: [] })
  })

  test('the purchases of the 39 weeks after are as far from the expected ones as is known', () => {
    const { params } = fitted(fit)
    const errors = customers.map((customer) => Math.abs(expectedPurchases(params, customer, weeksAfter) - customer.purchasesAfter))
    expect((errors.reduce((sum, error) => sum + error, 0) / customers.length).toFixed(3)).toBe('0.785')
  })

  test('Gamma-Gamma comes to the published parameters', () => {
    const buyers = customers.filter(({ average }) => average > 0)
    expect(buyers).toHaveLength(946)
    const { params, converged } = fitted(
      fitGammaGamma({ frequency: buyers.map(({ frequency }) => frequency), average: buyers.map(({ average }) => average) }),
    )
    expect([params.p, params.q, params.gamma].map((value) => value.toFixed(2))).toEqual(['6.25', '3.74', '15.44'])
    expect(converged).toBe(true)
  })
})

const truths: { name: string; params: BgNbdParams; maxAge: number }[] = [
  { name: 'as at a shop', params: { r: 0.25, alpha: 4.4, a: 0.8, b: 2.4 }, maxAge: 52 },
  { name: 'frequent and faithful', params: { r: 1.5, alpha: 3, a: 0.7, b: 6 }, maxAge: 40 },
  { name: 'many leave', params: { r: 0.6, alpha: 2, a: 2, b: 2 }, maxAge: 30 },
]

describe.each(truths)('customers drawn from known parameters: $name', ({ params: truth, maxAge }) => {
  const amounts = { p: 4, q: 3.5, gamma: 30 }
  const horizon = 20
  const customers = drawCustomers(20_260_401, 20_000, truth, amounts, maxAge, horizon)
  const { params, logLikelihood, converged } = fitted(fitBgNbd(columns(customers)))

  test('the fit finds them again', () => {
    expect(converged).toBe(true)
    near(params.r, truth.r, 0.1)
    near(params.alpha, truth.alpha, 0.15)
    // Beta's two parameters are only weakly told apart; their mean is not.
    near(params.a / (params.a + params.b), truth.a / (truth.a + truth.b), 0.15)
  })

  test('no parameters nearby, and not the true ones, are more likely', () => {
    const at = (other: BgNbdParams) => likelihood(other, customers)
    near(at(params), logLikelihood, 1e-12)
    expect(at(truth)).toBeLessThan(logLikelihood)
    for (const name of ['r', 'alpha', 'a', 'b'] as const)
      for (const factor of [0.99, 1.01]) expect(at({ ...params, [name]: params[name] * factor })).toBeLessThan(logLikelihood)
  })

  test('what is expected of all of them is what they do', () => {
    expectMet(customers, params, horizon)
  })

  test('their amounts are found again too', () => {
    const buyers = customers.filter(({ frequency }) => frequency > 0)
    const found = fitted(
      fitGammaGamma({ frequency: buyers.map(({ frequency }) => frequency), average: buyers.map(({ average }) => average) }),
    )
    expect(found.converged).toBe(true)
    near(found.params.p, amounts.p, 0.1)
    near(found.params.q, amounts.q, 0.1)
    near(found.params.gamma, amounts.gamma, 0.15)
  })
})

/** All together they buy as expected, within four standard errors of so many customers. */
function expectMet(customers: readonly DrawnCustomer[], params: BgNbdParams, horizon: number): void {
  const errors = customers.map((customer) => customer.purchasesAfter - expectedPurchases(params, customer, horizon))
  const standardError = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0))
  expect(Math.abs(errors.reduce((sum, error) => sum + error, 0)) / standardError).toBeLessThan(4)
}

/** The likelihood of the paper, written down plainly with lnGamma. */
function likelihood({ r, alpha, a, b }: BgNbdParams, customers: readonly Customer[]): number {
  return customers.reduce((sum, { frequency: x, recency, age }) => {
    const common = lnGamma(r + x) - lnGamma(r) + r * Math.log(alpha) + lnGamma(a + b) + lnGamma(b + x) - lnGamma(b) - lnGamma(a + b + x)
    const stayed = (alpha + age) ** -(r + x)
    const left = x > 0 ? (a / (b + x - 1)) * (alpha + recency) ** -(r + x) : 0
    return sum + common + Math.log(stayed + left)
  }, 0)
}

describe('against the twin that integrates over all rates', () => {
  const param = (from: number, to: number) => fc.double({ min: Math.log(from), max: Math.log(to), noNaN: true }).map(Math.exp)
  const params = fc.record({ r: param(0.2, 20), alpha: param(0.5, 50), a: param(0.2, 10), b: param(0.3, 20) })
  const customer = fc
    .record({ frequency: fc.integer({ min: 0, max: 12 }), last: fc.double({ min: 0, max: 1, noNaN: true }), age: param(0.1, 100) })
    .map(({ frequency, last, age }): Customer => ({ frequency, recency: frequency === 0 ? 0 : last * age, age }))
  const horizon = param(0.05, 300)

  test('likelihood, chance to be alive and expected purchases are the same', () => {
    fc.assert(
      fc.property(params, customer, horizon, (params, customer, horizon) => {
        near(likelihood(params, [customer]), naiveLogLikelihood(params, customer), 1e-6)
        near(probabilityAlive(params, customer), naiveProbabilityAlive(params, customer), 1e-6)
        near(expectedPurchases(params, customer, horizon), naiveExpectedPurchases(params, customer, horizon), 1e-6)
      }),
      { numRuns: 20 },
    )
  })

  test.each<[string, BgNbdParams, Customer, number]>([
    ['a = 1', { r: 0.5, alpha: 3, a: 1, b: 2 }, { frequency: 2, recency: 5, age: 8 }, 10],
    ['next to a = 1', { r: 0.5, alpha: 3, a: 1 + 1e-9, b: 2 }, { frequency: 2, recency: 5, age: 8 }, 10],
    ['a + b = 1 without a purchase', { r: 0.5, alpha: 3, a: 0.4, b: 0.6 }, { frequency: 0, recency: 0, age: 8 }, 10],
    ['a + b below 1', { r: 0.5, alpha: 3, a: 0.3, b: 0.3 }, { frequency: 0, recency: 0, age: 8 }, 10],
    ['a far horizon', { r: 0.5, alpha: 3, a: 0.8, b: 2 }, { frequency: 3, recency: 7, age: 8 }, 20_000],
    ['nearly nobody leaves', { r: 0.8, alpha: 3, a: 0.05, b: 5 }, { frequency: 3, recency: 7, age: 8 }, 30],
  ])('expected purchases hold where the formula of the paper does not: %s', (_, params, customer, horizon) => {
    near(expectedPurchases(params, customer, horizon), naiveExpectedPurchases(params, customer, horizon), 1e-6)
  })

  test('the expected average is the same', () => {
    const amounts = fc.record({ p: param(0.3, 10), q: param(1.5, 10), gamma: param(1, 50) })
    fc.assert(
      fc.property(amounts, fc.integer({ min: 0, max: 8 }), param(0.1, 50), (amounts, frequency, average) => {
        near(expectedAverage(amounts, frequency, average), naiveExpectedAverage(amounts, frequency, average), 1e-6)
      }),
      { numRuns: 100 },
    )
  })
})

test('expected purchases stay finite and rise with the horizon where parameters are at the edge', () => {
  const edge = fc.constantFrom(1.3e-4, 0.01, 1, 30, 8_000)
  fc.assert(
    fc.property(edge, edge, edge, edge, fc.integer({ min: 0, max: 200 }), (r, alpha, a, b, frequency) => {
      const customer = { frequency, recency: frequency === 0 ? 0 : 30, age: 40 }
      const [soon, later] = [5, 50].map((horizon) => expectedPurchases({ r, alpha, a, b }, customer, horizon))
      expect(soon).toBeGreaterThanOrEqual(0)
      expect(later!).toBeLessThan(Infinity)
      expect(later!).toBeGreaterThanOrEqual(soon! * (1 - 1e-6))
      // Nobody is expected to buy more than one who cannot leave.
      expect(later!).toBeLessThanOrEqual(((r + frequency) / (alpha + 40)) * 50 * (1 + 1e-6))
    }),
    { numRuns: 300 },
  )
})

describe('what cannot be fitted is said, not thrown', () => {
  const one = (frequency: number, recency: number, age: number): Customer => ({ frequency, recency, age })
  const many = (customer: Customer, size: number) => Array.from({ length: size }, () => customer)
  test.each<[string, readonly Customer[], RegExp]>([
    ['nobody', [], /no customers/],
    ['no repeat buyers', many(one(0, 0, 30), 500), /none of the 500 customers has bought/],
    ['too few', [...many(one(0, 0, 30), 500), ...many(one(2, 10, 30), leastRepeatBuyers - 1)], /only 9 of the 509/],
    ['all the same', many(one(3, 20, 30), 500), /all 500 customers are alike/],
    ['a purchase after the end', [one(1, 31, 30)], /customer 0: a recency of 31, want from 0 to the age, 30/],
    ['half a purchase', [one(1.5, 3, 30)], /customer 0: a frequency of 1.5/],
    ['no number', [one(1, 1, 2), one(NaN, 0, 1)], /customer 1: a frequency of NaN/],
    ['an endless age', [one(0, 0, Infinity)], /customer 0: an age of Infinity/],
  ])('%s', (_, customers, because) => {
    const fit = fitBgNbd(columns(customers))
    expect(fit.kind).toBe('unfit')
    expect(fit.kind === 'unfit' && fit.because).toMatch(because)
  })

  test('columns of different lengths', () => {
    expect(fitBgNbd({ frequency: [1, 2], recency: [1], age: [2, 3] })).toMatchObject({
      kind: 'unfit',
      because: expect.stringMatching(/differ in length/),
    })
  })

  test('nobody leaves: what runs to the edge is named, and predictions are those of buying alone', () => {
    const customers = drawCustomers(7, 3_000, { r: 1, alpha: 3, a: 1e-7, b: 1 }, { p: 4, q: 3, gamma: 30 }, 40, 10)
    const fit = fitted(fitBgNbd(columns(customers)))
    expect(fit.atEdge).toContain('a')
    expectMet(customers, fit.params, 10)
  })

  test.each<[string, number[], number[], RegExp]>([
    ['too few buyers', [1, 2], [5, 6], /only 2 customers have bought/],
    ['every average the same', Array.from({ length: 50 }, () => 3), Array.from({ length: 50 }, () => 20), /every customer's average is 20/],
    ['an average of 0', [1], [0], /buyer 0: an average of 0/],
    ['a buyer who has not bought', [0], [3], /buyer 0: a frequency of 0/],
  ])('amounts: %s', (_, frequency, average, because) => {
    const fit = fitGammaGamma({ frequency, average })
    expect(fit.kind === 'unfit' && fit.because).toMatch(because)
  })
})

test('customers that are counted are as if they stood there one by one', () => {
  const customers = drawCustomers(3, 400, { r: 0.8, alpha: 4, a: 0.8, b: 3 }, { p: 4, q: 3, gamma: 30 }, 30, 1)
  const twice = fitted(fitBgNbd(columns([...customers, ...customers])))
  const counted = fitted(fitBgNbd({ ...columns(customers), count: customers.map(() => 2) }))
  expect(counted.customers).toBe(800)
  near(counted.logLikelihood, twice.logLikelihood, 1e-9)
  near(counted.params.r, twice.params.r, 1e-4)
})

test('a cohort is worth what its customers are, summed one by one', () => {
  const purchases = { r: 0.6, alpha: 20, a: 0.8, b: 3 }
  const amounts = { p: 4, q: 3, gamma: 3_000 }
  const lastDay = 100
  const drawn = drawCustomers(11, 3_000, purchases, amounts, 60, 1).map((customer) => {
    const cohort = lastDay - Math.floor(customer.age / 10) * 10
    const recency = Math.min(Math.floor(customer.recency / 10) * 10, lastDay - cohort)
    return { cohort, frequency: Math.min(customer.frequency, 3), recency, average: Math.round(customer.average) }
  })
  const groups = Map.groupBy(drawn, ({ cohort, frequency, recency }) => `${cohort}/${frequency}/${recency}`)
  for (const kind of ['gamma_gamma', 'mean'] as const) {
    const model: ValueModel = {
      purchases,
      amounts: kind === 'mean' ? { kind, mean: 900, because: '' } : { kind, params: amounts },
      horizon: 8,
      margin: 0.3,
    }
    const values = cohortValues(
      [...groups.values()].map((group) => {
        const spent = group.reduce((sum, { frequency, average }) => sum + frequency * average, 0)
        const buyers = group.filter(({ frequency }) => frequency > 0).length
        return { ...group[0]!, customers: group.length, buyers, spent, realised: spent }
      }),
      lastDay,
      7,
      model,
    )
    expect(values.map(({ cohort }) => cohort)).toEqual(
      [...new Set(drawn.map(({ cohort }) => cohort))].toSorted((one, other) => one - other),
    )
    for (const value of values) {
      const members = drawn.filter(({ cohort }) => cohort === value.cohort)
      const worth = members.reduce((sum, { frequency, recency, average, cohort }) => {
        const customer = { frequency, recency: recency / 7, age: (lastDay - cohort) / 7, average, realised: frequency * average }
        return sum + lifetimeValue(customer, model)
      }, 0)
      expect(value.customers).toBe(members.length)
      near(value.value, worth / members.length, 1e-9)
    }
  }
})

test.each([
  [0.5, Math.log(Math.PI) / 2],
  [1, 0],
  [5, Math.log(24)],
  [1e-10, -Math.log(1e-10) - 0.5772156649015329e-10],
  [171, 706.5730622457874],
  [1e6, 12815504.569147611],
])('lnGamma(%d)', (z, expected) => {
  expect(Math.abs(lnGamma(z) - expected)).toBeLessThanOrEqual(1e-13 * Math.max(1, Math.abs(expected)))
})

test('digamma is the slope of lnGamma', () => {
  expect(digamma(1)).toBeCloseTo(-0.5772156649015329, 13)
  for (const z of [0.05, 0.7, 3, 11.9, 12.1, 400]) {
    const step = z * 1e-5
    near(digamma(z), (lnGamma(z + step) - lnGamma(z - step)) / (2 * step), 1e-6)
  }
})
