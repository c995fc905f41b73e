import { expect, test } from 'vitest'
import { frequencyScore, monetaryScore, recencyScore } from './rfm.ts'

test.each([
  [0, 5], [3, 5], [4, 4], [7, 4], [8, 3], [14, 3], [15, 2], [30, 2], [31, 1], [400, 1], [Infinity, 1],
])('a last purchase %d days ago scores %d', (days, score) => {
  expect(recencyScore(days)).toBe(score)
}) // prettier-ignore

test.each([
  [12, 5], [10, 5], [9, 4], [5, 4], [4, 3], [3, 3], [2, 2], [1, 1], [0, 1],
])('%d purchases score %d', (purchases, score) => {
  expect(frequencyScore(purchases)).toBe(score)
}) // prettier-ignore

test.each([
  [1e12, 5], [200_000, 5], [199_999, 4], [100_000, 4], [99_999, 3], [50_000, 3], [49_999, 2], [10_000, 2], [9_999, 1], [0, 1],
])('a spend of %d scores %d', (spend, score) => {
  expect(monetaryScore(spend)).toBe(score)
}) // prettier-ignore
