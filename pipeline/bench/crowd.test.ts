import { expect, test } from 'vitest'
import { readWish } from '../roles/serve/wish.ts'
import { people, places } from './crowd.ts'

test('a crowd looks at what the server shows: every place, the first most of all', () => {
  expect(places.reduce((sum, { ofHundred }) => sum + ofHundred, 0)).toBe(100)
  for (const { query } of places) expect(readWish(new URLSearchParams(query)), query).toHaveProperty('info')
  const crowd = people(200)
  for (const { query, ofHundred } of places) expect(crowd.filter(({ place }) => place === query)).toHaveLength(2 * ofHundred)
  expect(new Set(people(50).map(({ place }) => place)).size).toBe(places.length)
})

test('a few of it stop reading, a few come and go', () => {
  const counts = Object.groupBy(people(200), ({ habit }) => habit)
  expect([counts.stays?.length, counts['comes and goes']?.length, counts['stops reading']?.length]).toEqual([186, 10, 4])
})
