import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { plantedLeaves, type Planting } from '../testing/planted-leaves.ts'
import { attribute } from './attribute.ts'
import { expectedOf } from './baseline.ts'
import { effectsOf } from './effects.ts'
import { cellName, leavesProblem, type Cell, type Leaves } from './leaves.ts'

const completion: Planting = { seed: 1, sizes: [3, 6, 8, 5], volume: 60, rate: 0.45, causes: [] }
const failures: Planting = { ...completion, rate: 0.03, volume: 200 }
const fallTo = (factor: number, ...cells: Cell[]) => cells.map((cell) => ({ cell, factor }))

const named = (cells: readonly { readonly cell: Cell }[]) => cells.map(({ cell }) => cellName(cell)).toSorted()

describe.for([1, 2, 3])('planted incidents (seed %d)', (seed) => {
  test.for<[string, Planting, ...Cell[]]>([
    ['a platform falls by half', { ...completion, causes: fallTo(0.5, { a: 'a1' }) }, { a: 'a1' }],
    ['a fall of a fifth', { ...completion, causes: fallTo(0.8, { b: 'b2' }) }, { b: 'b2' }],
    ['one leaf of four falls by 15 %', { ...completion, sizes: [4], volume: 20_000, causes: fallTo(0.85, { a: 'a1' }) }, { a: 'a1' }],
    ['a cell of two dimensions falls', { ...completion, causes: fallTo(0.5, { a: 'a0', c: 'c3' }) }, { a: 'a0', c: 'c3' }],
    ['a cell of three falls', { ...completion, causes: fallTo(0.3, { a: 'a2', b: 'b1', d: 'd4' }) }, { a: 'a2', b: 'b1', d: 'd4' }],
    ['a cell stops', { ...completion, causes: fallTo(0, { c: 'c5' }) }, { c: 'c5' }],
    ['failures of one rise tenfold', { ...failures, causes: fallTo(10, { b: 'b4' }) }, { b: 'b4' }],
    ['failures of a cell of two double', { ...failures, causes: fallTo(2, { b: 'b4', d: 'd0' }) }, { b: 'b4', d: 'd0' }],
    ['a cell of three rises', { ...failures, causes: fallTo(8, { a: 'a0', b: 'b0', c: 'c0' }) }, { a: 'a0', b: 'b0', c: 'c0' }],
    ['two cells of one dimension fall', { ...completion, causes: fallTo(0.4, { c: 'c0' }, { c: 'c1' }) }, { c: 'c0' }, { c: 'c1' }],
    [
      'two cells of different dimensions rise',
      { ...failures, causes: fallTo(6, { a: 'a0', b: 'b3' }, { d: 'd2', c: 'c6' }) },
      { a: 'a0', b: 'b3' },
      { c: 'c6', d: 'd2' },
    ],
    ['leaves that are restless', { ...failures, restless: 0.3, causes: fallTo(5, { d: 'd1' }) }, { d: 'd1' }],
    ['a count, not a ratio', { ...completion, additive: true, causes: fallTo(0.6, { c: 'c2' }) }, { c: 'c2' }],
    ['everything falls alike', { ...completion, causes: fallTo(0.7, {}) }, {}],
    ['everything rises alike', { ...failures, causes: fallTo(3, {}) }, {}],
  ])('%s', ([, planting, ...truth]) => {
    const { causes, verdict } = attribute(plantedLeaves({ ...planting, seed }))
    expect(named(causes)).toEqual(named(truth.map((cell) => ({ cell }))))
    expect(verdict).toBe(Object.keys(truth[0]!).length === 0 ? 'everything' : 'cells')
  })

  test('nothing moved: no cause, however many cells are tried', () => {
    const quiet = attribute(plantedLeaves({ ...completion, seed: seed + 10 }))
    expect(quiet).toMatchObject({ verdict: 'unclear', causes: [] })
  })

  test('traffic moved to where the rate is low: the mix, and no cause', () => {
    const { causes, verdict, whole } = attribute(
      plantedLeaves({
        ...completion,
        seed,
        rateOf: (cell) => (cell['a'] === 'a0' ? 0.4 : 1.2),
        traffic: [{ cell: { a: 'a0' }, factor: 5 }],
      }),
    )
    expect({ verdict, causes }).toEqual({ verdict: 'mix', causes: [] })
    expect(whole.change).toBeLessThan(-0.1)
    expect(whole.mix / whole.change).toBeCloseTo(1, 1)
  })
})

test('a cause has its share, its effects and what was expected of it', () => {
  const { causes, whole } = attribute(plantedLeaves({ ...completion, causes: fallTo(0.5, { a: 'a1' }) }))
  const [cause] = causes
  expect(cause).toMatchObject({ cell: { a: 'a1' }, depth: 1 })
  expect(cause!.share).toBeGreaterThan(0.9)
  expect(cause!.share).toBeLessThan(1.1)
  expect(cause!.actual / cause!.expected).toBeCloseTo(0.5, 1)
  expect(cause!.effects.rate / whole.change).toBeCloseTo(1, 1)
  expect(whole.actual - whole.baseline).toBeCloseTo(whole.change, 12)
})

test('the direction that is asked for is the one that is looked at', () => {
  const leaves = plantedLeaves({
    ...failures,
    causes: [
      { cell: { b: 'b0' }, factor: 0.3 },
      { cell: { d: 'd0' }, factor: 4 },
    ],
  })
  expect(named(attribute(leaves, { direction: 'rise' }).causes)).toEqual(['d=d0'])
  expect(named(attribute(leaves, { direction: 'fall' }).causes)).toEqual(['b=b0'])
})

test('once the change is explained, no more is looked for: what is left was made up for elsewhere', () => {
  const [fall, lesser, rise] = [{ c: 'c0' }, { a: 'a0', b: 'b0' }, { a: 'a2', b: 'b5' }]
  const falls = fallTo(0.3, fall, lesser)
  const foundIn = (causes: Planting['causes']) => named(attribute(plantedLeaves({ ...completion, causes }), { direction: 'fall' }).causes)
  expect(foundIn(falls)).toEqual(['a=a0 and b=b0', 'c=c0'])
  expect(foundIn([...falls, { cell: rise, factor: 1.7 }])).toEqual(['c=c0'])
})

test('a cell without the volume is no cause, whatever its rate does', () => {
  const leaves = plantedLeaves({ ...completion, volume: 4, causes: fallTo(0, { a: 'a0', b: 'b0', c: 'c0' }) })
  expect(attribute(leaves).causes).toEqual([])
  const loud = plantedLeaves({ ...completion, causes: fallTo(0.2, { a: 'a0', b: 'b0' }) })
  expect(named(attribute(loud).causes)).toEqual(['a=a0 and b=b0'])
  expect(named(attribute(loud, { leastDenominator: 1e6 }).causes)).not.toContain('a=a0 and b=b0')
})

test('leaves that are new, or gone, do not stand for a change of rate', () => {
  const leaves = plantedLeaves({ ...failures, causes: fallTo(6, { b: 'b1' }) })
  const gone = (column: Float64Array, every: number) => column.map((value, i) => (i % every === 0 ? 0 : value))
  const torn: Leaves = {
    ...leaves,
    numerator: gone(leaves.numerator, 7),
    denominator: gone(leaves.denominator!, 7),
    baselineNumerator: gone(leaves.baselineNumerator, 11),
    baselineDenominator: gone(leaves.baselineDenominator!, 11),
  }
  expect(named(attribute(torn).causes)).toEqual(['b=b1'])
})

test('a dimension with one value, or none at all, is in no cause', () => {
  const leaves = plantedLeaves({ ...failures, sizes: [4, 1, 6], causes: fallTo(6, { a: 'a1' }) })
  expect(named(attribute(leaves).causes)).toEqual(['a=a1'])
  const alone = plantedLeaves({ ...failures, sizes: [1], volume: 1e5, causes: fallTo(6, {}) })
  expect(attribute(alone).whole.change).toBeGreaterThan(0.1)
})

test('nothing at all: no cause, no change, no failure', () => {
  const none: Leaves = {
    dimensions: ['a'], values: [[]], codes: [new Uint32Array(0)], numerator: new Float64Array(0), denominator: new Float64Array(0),
    baselineNumerator: new Float64Array(0), baselineDenominator: new Float64Array(0), baselineBuckets: 1, spread: 0.01,
  } // prettier-ignore
  expect(attribute(none)).toMatchObject({ verdict: 'unclear', causes: [], ranked: [], whole: { change: 0 } })
})

test('effects add up: to the change, both ways, and over cells that share no leaf', () => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.nat(),
        rate: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        factor: fc.double({ min: 0, max: 4, noNaN: true }),
      }),
      ({ seed, rate, factor }) => {
        const leaves = plantedLeaves({
          seed, rate, sizes: [3, 4], volume: 30, additive: seed % 3 === 0,
          causes: fallTo(factor, { a: 'a1' }), traffic: fallTo(3, { b: 'b0' }),
        }) // prettier-ignore
        const { whole } = attribute(leaves)
        expect(whole.numerator + whole.denominator).toBeCloseTo(whole.change, 9)
        expect(whole.rate + whole.mix).toBeCloseTo(whole.change, 9)
        const base = expectedOf(leaves)
        const parts = [0, 1, 2].map((code) => effectsOf(leaves, base, (i) => leaves.codes[0]![i] === code))
        for (const effect of ['numerator', 'denominator', 'rate', 'mix'] as const)
          expect(parts.reduce((sum, part) => sum + part[effect], 0)).toBeCloseTo(whole[effect], 9)
      },
    ),
    { numRuns: 60 },
  )
})

const right = plantedLeaves(completion)
test.each<[string, Partial<Leaves>, string]>([
  ['codes too few', { codes: [] }, 'codes of 0'],
  ['a code without a value', { values: [['a0'], ...right.values.slice(1)] }, 'which has 1 values'],
  ['a column too short', { baselineNumerator: new Float64Array(1) }, 'baselineNumerator has 1'],
  ['one denominator', { denominator: undefined }, 'not of both'],
  ['a negative figure', { numerator: right.numerator.map(() => -1) }, 'negative'],
  ['no buckets', { baselineBuckets: 0 }, '0 buckets'],
  ['no spread', { spread: NaN }, 'spread of NaN'],
])('columns that do not fit together throw, and say why: %s', (_, changes, why) => {
  expect(leavesProblem(right)).toBeUndefined()
  expect(leavesProblem({ ...right, ...changes })).toContain(why)
  expect(() => attribute({ ...right, ...changes })).toThrow(why)
})
