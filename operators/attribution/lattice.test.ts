import { expect, test } from 'vitest'
import { plantedLeaves, randomOf } from '../testing/planted-leaves.ts'
import { latticeOf, subsets, sumUp } from './lattice.ts'
import type { Leaves } from './leaves.ts'

const leaves = plantedLeaves({ seed: 3, sizes: [2, 5, 1, 6, 3, 4], volume: 10, rate: 0.2, causes: [] })

/** By cuboid and first leaf: the sum of the numerators. */
function sumsOf(of: Leaves, depth: number): Map<string, number> {
  const sums = new Map<string, number>()
  sumUp(latticeOf(of, depth), of.numerator, 1, ({ dimensions, firstLeaf }, column) => {
    for (const [cell, leaf] of firstLeaf.entries()) sums.set(dimensions.map((d) => `${d}:${of.codes[d]![leaf]}`).join(' '), column[cell]!)
  })
  return sums
}

test.each([1, 2, 3])('every cell of up to %i dimensions has the sum of its leaves, whatever it was rolled up from', (depth) => {
  const expected = new Map<string, number>()
  for (let size = 0; size <= depth; size++)
    for (const dimensions of subsets([0, 1, 3, 4, 5], size))
      for (const [i, value] of leaves.numerator.entries()) {
        const name = dimensions.map((d) => `${d}:${leaves.codes[d]![i]}`).join(' ')
        expected.set(name, (expected.get(name) ?? 0) + value)
      }
  expect(sumsOf(leaves, depth)).toEqual(expected)
  expect(latticeOf(leaves, depth).cells).toBe(expected.size)
})

test('dictionaries too large for a table are hashed, with the same cells', () => {
  const random = randomOf(9)
  const place = (size: number) => Array.from({ length: size }, () => Math.floor(random() * 90_000))
  const places = leaves.values.map(({ length }) => place(length))
  const spread: Leaves = {
    ...leaves,
    values: leaves.values.map(() => Array.from({ length: 90_000 }, (_, code) => `v${code}`)),
    codes: leaves.codes.map((column, d) => column.map((code) => places[d]![code]!)),
  }
  const named = (sums: Map<string, number>) => [...sums.values()].toSorted((a, b) => a - b)
  expect(named(sumsOf(spread, 3))).toEqual(named(sumsOf(leaves, 3)))
})
