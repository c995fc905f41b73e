import { expect, test } from 'vitest'
import { readRange, spanOf } from './range.ts'
import { rowsOf, seriesOf } from './shape.ts'

const at = (minute: number) => `2026-11-20 02:${String(minute).padStart(2, '0')}:00.000`
const ms = (minute: number) => Date.UTC(2026, 10, 20, 2, minute)
const time = { name: 'time', is: 'time' } as const
const number = (name: string) => ({ name, is: 'number' }) as const

test('a line for each value, with a gap where buckets are missing', () => {
  const rows = [
    { time: at(0), channel: 'ad', plays: 1 },
    { time: at(0), channel: 'kol', plays: 2 },
    { time: at(1), channel: 'ad', plays: null },
    { time: at(4), channel: 'ad', plays: '9007199254740993' },
  ]
  const span = { from: ms(0) + 1, to: ms(5) - 1 }
  expect(seriesOf(rows, [time, { name: 'channel', is: 'text' }, number('plays')], span)).toEqual({
    kind: 'series', from: ms(0), to: ms(5), times: [ms(0), ms(1), ms(2), ms(4)],
    lines: [{ name: 'ad', values: [1, null, null, 2 ** 53] }, { name: 'kol', values: [2, null, null, null] }],
  }) // prettier-ignore
})

test('a line for each column of numbers', () => {
  const { lines } = seriesOf([{ time: at(0), a: 1, b: 2 }], [time, number('a'), number('b')], { from: ms(0), to: ms(1) }) as {
    lines: unknown
  }
  expect(lines).toEqual([{ name: 'a', values: [1] }, { name: 'b', values: [2] }]) // prettier-ignore
})

test('rows have their instants as numbers, and nothing where there is nothing', () => {
  const columns = [{ name: 'day', is: 'time' }, number('n'), { name: 'word', is: 'text' }] as const
  expect(rowsOf([{ day: '2026-11-20', n: null, word: 'x' }], columns)).toEqual({
    kind: 'rows', columns: ['day', 'n', 'word'], rows: [[Date.UTC(2026, 10, 20), null, 'x']],
  }) // prettier-ignore
})

test('a live range ends where log time has come, and a fixed one stays', () => {
  expect(spanOf(readRange('now-6h', 'now') as never, 1e12)).toEqual({ from: 1e12 - 6 * 3_600_000, to: 1e12 })
  expect(spanOf(readRange('100', '200') as never, 1e12)).toEqual({ from: 100, to: 200 })
  for (const [from, to] of [
    ['now-1h', '5'],
    ['5', null],
    [null, '5'],
    ['-5', '5'],
    ['5', '5e3'],
    ['', ''],
    ['9', '9'],
  ] as const)
    // prettier-ignore
    expect(readRange(from, to)).toBeTypeOf('string')
})
