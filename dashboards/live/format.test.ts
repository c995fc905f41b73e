import { expect, test } from 'vitest'
import { axisFigure, change, figure } from './format.ts'

test.each([
  [0.452, 'ratio', '45.2%', '45.2%'],
  [0.0182, 'ratio', '1.82%', '1.82%'],
  [-0.00001, 'ratio', '0.00%', '0.00%'],
  [93.8, 'CNY', '¥93.80', '¥93.80'],
  [12, 'CNY', '¥12', '¥12'],
  [11_150, 'fen', '¥112', '¥112'],
  [0.25, 's', '250 ms', '250 ms'],
  [74, 's', '74 s', '74 s'],
  [9_000, 's', '2.5 h', '2.5 小时'],
  [259_200, 's', '3 d', '3 天'],
  [5_400_000, 'ms', '5,400 s', '5,400 s'],
  [1_234_567, 'count', '1.23m', '123万'],
  [null, 'count', '–', '–'],
] as const)('%s of %s is written %s, in Chinese %s', (value, unit, en, zh) => {
  expect([figure(value, unit, 'en'), figure(value, unit, 'zh')]).toEqual([en, zh])
})

test.each([
  ['ticks 2.5 % apart', 'ratio', [0, 0.025, 0.05, 0.075], ['0.0%', '2.5%', '5.0%', '7.5%']],
  ['ticks 5 % apart', 'ratio', [0.4, 0.45, 0.5], ['40%', '45%', '50%']],
  ['ticks 0.2 % apart', 'ratio', [0.118, 0.12], ['11.8%', '12.0%']],
  ['ticks 0.25 % apart', 'ratio', [0.0175, 0.02], ['1.75%', '2.00%']],
  ['much money', 'CNY', [0, 200_000, 400_000], ['¥0', '¥200k', '¥400k']],
  ['many seconds', 's', [0, 10_000], ['0 s', '10,000 s']],
] as const)('%s can be told apart, and have room beside the axis', (_, unit, ticks, said) => {
  const apart = ticks[1] - ticks[0]
  const written = ticks.map((tick) => axisFigure(tick, unit, apart, 'en'))
  expect(written.map((text) => text.toLowerCase())).toEqual(said.map((text) => text.toLowerCase()))
})

test('a change has one digit and its sign, whatever its size', () => {
  expect([0.0355, -0.464, 0, 1.5].map((value) => change(value, 'en'))).toEqual(['+3.6%', '-46.4%', '0.0%', '+150.0%'])
})
