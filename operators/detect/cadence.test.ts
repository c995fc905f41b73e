import { expect, test } from 'vitest'
import { zone } from '../time/zone.ts'
import { cadenceOf, lookbackBuckets } from './cadence.ts'

const newYork = zone('America/New_York')
const hour = 3_600_000

test('the same hour is the same local hour, also where the clocks were changed in between', () => {
  const cadence = cadenceOf('hour', newYork)
  // Clocks went forward on 8 March 2026: 09:00 on the 10th is 13:00 UTC, on the 3rd it was 14:00 UTC.
  const { weeks, days } = cadence.lags(Date.UTC(2026, 2, 10, 13))
  expect(weeks.slice(0, 2)).toEqual([cadence.indexOf(Date.UTC(2026, 2, 3, 14)), cadence.indexOf(Date.UTC(2026, 1, 24, 14))])
  expect(days.slice(0, 3)).toEqual([9, 8, 7].map((day) => cadence.indexOf(Date.UTC(2026, 2, day, day === 7 ? 14 : 13))))
})

test('days are those of the zone, and a day of 23 hours is one', () => {
  const cadence = cadenceOf('day', newYork)
  const eighth = Date.UTC(2026, 2, 8, 5)
  expect(cadence.endOf(eighth) - eighth).toBe(23 * hour)
  expect(cadence.indexOf(cadence.endOf(eighth))).toBe(cadence.indexOf(eighth) + 1)
  expect(cadence.lags(eighth).weeks).toEqual([1, 2, 3, 4].map((k) => cadence.indexOf(eighth) - 7 * k))
})

test.each(['minute', 'hour', 'day'] as const)('what a %s compares with is still remembered', (grain) => {
  const cadence = cadenceOf(grain, newYork)
  const at = Date.UTC(2026, 2, 10, 13)
  const { weeks, days } = cadence.lags(at)
  expect(cadence.indexOf(at) - Math.min(...weeks, ...days) + cadence.around).toBeLessThan(cadence.kept)
  expect(lookbackBuckets(cadence)).toBeGreaterThan(cadence.kept)
})

test('a bucket begins where the counts begin it, also where the zone is half an hour off', () => {
  const kolkata = zone('Asia/Kolkata')
  const hours = cadenceOf('hour', kolkata)
  const at = Date.UTC(2026, 2, 10, 13, 10)
  expect(hours.startOf(at)).toBe(kolkata.startOfHour(at))
  expect(hours.back(hours.startOf(at), 3)).toBe(hours.startOf(at) - 3 * hour)
  expect(cadenceOf('minute', kolkata).startOf(at + 59_999)).toBe(at)
  const days = cadenceOf('day', newYork)
  expect(days.startOf(Date.UTC(2026, 2, 8, 20))).toBe(Date.UTC(2026, 2, 8, 5))
  expect(days.back(Date.UTC(2026, 2, 9, 4), 2)).toBe(Date.UTC(2026, 2, 7, 5))
})
