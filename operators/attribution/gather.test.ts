import fc from 'fast-check'
import { expect, test } from 'vitest'
import { baselineOf } from './baseline.ts'
import { gather, type Counted } from './gather.ts'
import { leavesProblem } from './leaves.ts'

const values = [
  ['', 'a', 'b'],
  ['', "c'd", 'other'],
]

/** Each row: leaf, window, numerator, denominator. */
function counted(rows: readonly (readonly [number, number, number, number])[], before: number, isRatio = true): Counted {
  const of = (column: 0 | 1 | 2 | 3) => rows.map((row) => row[column])
  return {
    dimensions: ['x', 'y'], values, before, leaf: Float64Array.from(of(0)), window: Uint8Array.from(of(1)),
    numerator: Float64Array.from(of(2)), denominator: isRatio ? Float64Array.from(of(3)) : undefined,
  } // prettier-ignore
}

test('leaves are what their rows say, window by window', () => {
  const row = fc.tuple(fc.nat(8), fc.nat(4), fc.nat(9), fc.integer({ min: 10, max: 30 }))
  fc.assert(
    fc.property(fc.uniqueArray(row, { selector: ([leaf, window]) => `${leaf}/${window}` }), (some) => {
      const rows = some.toSorted((p, q) => p[0] - q[0] || p[1] - q[1])
      const got = gather(counted(rows, 4))
      const windows = Math.max(...rows.map(([, window]) => window))
      if (rows.every(([, window]) => window !== 0) || windows === 0) return got.kind === 'nothing'
      if (got.kind !== 'leaves') return false
      const { leaves } = got
      const numbers = [...new Set(rows.map(([leaf]) => leaf))]
      const at = (leaf: number, window: number) => rows.find(([l, w]) => l === leaf && w === window) ?? [leaf, window, 0, 0]
      const bucket = (window: number) => ({
        numerator: Float64Array.from(numbers, (leaf) => at(leaf, window)[2]),
        denominator: Float64Array.from(numbers, (leaf) => at(leaf, window)[3]),
      })
      const { taken: _, ...baseline } = baselineOf(Array.from({ length: windows }, (_, k) => bucket(k + 1)))
      expect(leavesProblem(leaves)).toBeUndefined()
      expect({ ...leaves, values: [], codes: [] }).toEqual({ dimensions: ['x', 'y'], values: [], codes: [], ...bucket(0), ...baseline })
      const names = numbers.map((leaf) => [values[0]![leaf % 3], values[1]![Math.floor(leaf / 3)]])
      expect(numbers.map((_, i) => leaves.codes.map((codes, d) => leaves.values[d]![codes[i]!]))).toEqual(names)
      // Only what is there is in the dictionaries.
      expect(leaves.values.map(({ length }) => length)).toEqual([0, 1].map((d) => new Set(names.map((name) => name[d])).size))
      return true
    }),
  )
})

test.each<[string, Counted, string]>([
  ['no events', counted([], 3), 'neither'],
  ['none in the window', counted([[1, 2, 3, 9]], 3), 'in the window'],
  ['none before it', counted([[1, 0, 3, 9]], 3), 'before the window'],
  ['numerators only', counted([[1, 0, 3, 0], [1, 1, 3, 9]], 3), 'in the window'], // prettier-ignore
])('%s: nothing can be said, and why', (_, rows, because) => {
  const got = gather(rows)
  expect(got.kind === 'nothing' && got.because).toContain(because)
})

test('of a count none in the window is a fall, not nothing; amounts are counted by what one weighs', () => {
  const got = gather(counted([[1, 1, 300, 0], [1, 2, 500, 0]], 2, false), 100) // prettier-ignore
  expect(got).toMatchObject({ kind: 'leaves', leaves: { denominator: undefined, baselineBuckets: 2 } })
  if (got.kind === 'leaves') expect([...got.leaves.baselineNumerator, ...got.leaves.numerator]).toEqual([8, 0])
})

test('windows before the log began are no measure of what is usual', () => {
  const got = gather(counted([[1, 0, 3, 9], [1, 1, 3, 9]], 20)) // prettier-ignore
  expect(got).toMatchObject({ kind: 'leaves', leaves: { baselineBuckets: 1 } })
})
