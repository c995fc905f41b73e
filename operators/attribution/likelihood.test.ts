import { expect, test } from 'vitest'
import { greatestShift, peakOf, poissonGain, shiftGain, shiftOf } from './likelihood.ts'

test.each([
  [10, 10, 0],
  [0, 7, 7],
  [20, 10, 20 * Math.LN2 - 10],
  [3, 0, 0],
])('poissonGain(%d, %d)', (count, expected, gain) => {
  expect(poissonGain(count, expected)).toBeCloseTo(gain, 12)
})

test('without spread, a shift to the count itself gains what Poisson says', () => {
  expect(shiftGain(20, 10, Math.LN2, 1e-9)).toBeCloseTo(poissonGain(20, 10), 5)
  expect(shiftGain(2, 10, Math.log(0.2), 1e-9)).toBeCloseTo(poissonGain(2, 10), 5)
})

test.each([10, 2, 0.5, 0.1])('one leaf that is multiplied by %d says at most so much, however large: many must agree', (factor) => {
  const shift = Math.log(factor)
  const most = (factor - 1 - shift) / 0.2
  const gain = (size: number) => shiftGain(factor * size, size, shift, 0.2)
  expect(gain(100)).toBeLessThan(most)
  expect(gain(1e7)).toBeLessThan(most)
  expect(gain(1e7)).toBeCloseTo(most, 4)
})

test('a leaf that did not move speaks against', () => {
  expect(shiftGain(100, 100, 1, 0.05)).toBeLessThan(0)
  expect(shiftGain(100, 100, -1, 0.05)).toBeLessThan(0)
  expect(shiftGain(5, 0, 1, 0.05)).toBe(0)
})

test('shifts are held within what is possible', () => {
  expect(shiftOf(20, 10)).toBeCloseTo(Math.LN2, 12)
  expect(shiftOf(1e9, 1)).toBe(greatestShift)
  expect(shiftOf(0, 1e9)).toBe(-greatestShift)
})

test('the peak lies on the parabola through the highest and its neighbours, or at an end', () => {
  const shifts = [0.5, 1, 2, 4]
  const parabola = (x: number) => 7 - 3 * (x - 1.3) ** 2
  expect(peakOf(Float64Array.from([9, ...shifts.map(parabola)]), 1, shifts)).toBeCloseTo(7, 12)
  expect(peakOf(Float64Array.of(1, 2, 3, 4), 0, shifts)).toBe(4)
  expect(peakOf(Float64Array.of(4, 3, 2, 1), 0, shifts)).toBe(4)
  expect(peakOf(Float64Array.of(2, 2, 2, 2), 0, shifts)).toBe(2)
})
