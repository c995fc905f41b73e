// Looked up together, in any order, users are those that each look-up alone finds.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2 } from '../hash.ts'
import { userRegistry } from '../users/registry.ts'
import { together, userFinder } from './user-finder.ts'

const idOf = (user: number) => new TextEncoder().encode(user % 3 === 0 ? `u${user}` : `user-${user}`)

// Stretches of one user after the other, as a changelog has them, with strangers and repetitions between.
const stretches = fc.array(
  fc.record({ from: fc.nat(120), length: fc.integer({ min: 1, max: 40 }), step: fc.constantFrom(1, 1, 1, 2, 0, -1) }),
  {
    maxLength: 12,
  },
)

test('finds who is there, and nobody else', () => {
  fc.assert(
    fc.property(stretches, fc.uniqueArray(fc.nat(99), { maxLength: 8 }), fc.integer({ min: 1, max: together }), (script, erased, most) => {
      const users = userRegistry(() => {})
      for (let user = 0; user < 100; user++) {
        const id = idOf(user)
        users.intern(id, 0, id.length, murmur2(id))
      }
      for (const slot of erased) users.forget(slot)
      // Some of them come back, to another slot.
      for (const slot of erased.slice(0, 3)) {
        const id = idOf(slot)
        users.intern(id, 0, id.length, murmur2(id))
      }
      const finder = userFinder(users)
      const asked = script.flatMap(({ from, length, step }) =>
        Array.from({ length }, (_, i) => from + i * step).filter((user) => user >= 0),
      )
      for (let at = 0; at < asked.length; at += most) {
        const ids = asked.slice(at, at + most).map(idOf)
        let end = 0
        for (const [i, id] of ids.entries()) {
          finder.starts[i] = end
          finder.lengths[i] = id.length
          end += id.length
        }
        finder.find(Buffer.concat(ids), ids.length)
        expect([...finder.slots.subarray(0, ids.length)]).toEqual(ids.map((id) => users.find(id, 0, id.length, murmur2(id))))
      }
    }),
    { numRuns: 300 },
  )
})
