import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignPartitions } from './assignment.ts'

test('every partition goes to one member, shares differ by at most one, and nobody loses more than needed', () => {
  const input = fc.record({
    partitions: fc.integer({ min: 1, max: 40 }),
    members: fc.uniqueArray(fc.record({ id: fc.string({ minLength: 1 }), owned: fc.uniqueArray(fc.nat(45)) }), {
      selector: ({ id }) => id,
      minLength: 1,
      maxLength: 7,
    }),
  })
  fc.assert(
    fc.property(input, ({ partitions, members }) => {
      const result = assignPartitions(partitions, members)
      const all = [...result.values()].flat().toSorted((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: partitions }, (_, partition) => partition))
      const sizes = [...result.values()].map((mine) => mine.length)
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      expect(assignPartitions(partitions, members.toReversed())).toEqual(result)
    }),
  )
})

test('a member that joins takes from the others only its share', () => {
  const before = { a: [0, 2, 4, 6], b: [1, 3, 5, 7] }
  const after = assignPartitions(8, [
    { id: 'a', owned: before.a },
    { id: 'b', owned: before.b },
    { id: 'c', owned: [] },
  ])
  expect(after.get('c')).toHaveLength(2)
  expect(after.get('a')).toEqual(before.a.slice(0, after.get('a')?.length))
  expect(after.get('b')).toEqual(before.b.slice(0, after.get('b')?.length))
})

test('the partitions of a member that left go round, the others stay', () => {
  const after = assignPartitions(4, [{ id: 'b', owned: [1, 3] }])
  expect(after).toEqual(new Map([['b', [0, 1, 2, 3]]]))
})
