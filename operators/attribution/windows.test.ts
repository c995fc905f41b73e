import { expect, test } from 'vitest'
import { bucketsToResolve } from '../detect/settings.ts'
import { earliestOf, laterMsOf, windowsOf } from './windows.ts'

const minute = 60_000
const at = (minutes: number) => minutes * minute

test('an alert that fires after two minutes is compared with the hour before, in pieces of two', () => {
  const windows = windowsOf('firing', 'minute', at(100), at(102))
  expect(windows).toEqual({ from: at(100), length: at(2), step: at(2), before: 30 })
  expect(earliestOf(windows)).toBe(at(40))
})

test('a later look has the minutes since, in pieces as long, which do not reach beyond the hour', () => {
  const windows = windowsOf('later', 'minute', at(100), at(102))
  expect(windows).toEqual({ from: at(100), length: at(17), step: at(17), before: 3 })
  expect(laterMsOf('minute')).toBe(at(15))
})

test('what is explained at the end has none of the minutes in which all was well again', () => {
  const { from, length } = windowsOf('resolved', 'minute', at(100), at(110 + bucketsToResolve))
  expect(from + length).toBe(at(110))
})

test('it is never empty, and never longer than twenty minutes', () => {
  expect(windowsOf('resolved', 'minute', at(100), at(101)).length).toBe(at(1))
  expect(windowsOf('resolved', 'minute', at(100), at(900))).toMatchObject({ length: at(20), before: 3 })
})

test('hours are compared with the same ones of a week of days, days with those of four weeks', () => {
  const hour = 60 * minute
  const day = 24 * hour
  expect(windowsOf('firing', 'hour', 0, 2 * hour)).toEqual({ from: 0, length: 2 * hour, step: day, before: 7 })
  expect(windowsOf('firing', 'day', 0, day)).toEqual({ from: 0, length: day, step: 7 * day, before: 4 })
  // A window of a day after its clocks were set back does not overlap those it is compared with.
  expect(windowsOf('later', 'day', 0, 25 * hour).length).toBeLessThan(7 * day)
})
