import fc from 'fast-check'
import { expect, test } from 'vitest'
import { userSet } from './user-set.ts'

test('a user is new once', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 3 })), (ids) => {
      const set = userSet()
      const twin = new Set<string>()
      for (const id of ids) {
        expect(set.add(id)).toBe(!twin.has(id))
        twin.add(id)
      }
      expect(set.size()).toBe(twin.size)
    }),
  )
})

test('also while it grows', () => {
  const set = userSet()
  for (const isNew of [true, false]) for (let i = 0; i < 50_000; i++) if (set.add(`u${i}`) !== isNew) throw new Error(`u${i}`)
  expect(set.size()).toBe(50_000)
})
