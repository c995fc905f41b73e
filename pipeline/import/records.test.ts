import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Line } from './lines.ts'
import { maxLineBytes } from './lines.ts'
import type { Mapping } from './mapping.ts'
import { recordsOf, WrongHeader } from './records.ts'

const mappingOf = (format: 'csv' | 'jsonl', csv?: Mapping['csv']) => ({ format, csv }) as Mapping
const linesOf = (text: string): Line[] =>
  (text.endsWith('\n') ? text.slice(0, -1) : text)
    .split('\n')
    .map((line, i) => ({ number: i + 1, bytes: Buffer.from(line.replace(/\r$/, '')), tooLong: false }))

/** Each record as [line, its cells or why it is bad]; the lines come in the given chunks. */
function read(mapping: Mapping, lines: readonly Line[], wanted: string[], chunks: readonly number[] = []) {
  const { records, cellsOf } = recordsOf(mapping, wanted)
  const found = []
  let from = 0
  for (const size of [...chunks, lines.length]) {
    found.push(...records.take(lines.slice(from, from + size)))
    from = Math.min(lines.length, from + size)
  }
  found.push(...records.end())
  return found.map((record) => {
    if ('bad' in record) return [record.line, record.bad]
    const cells = cellsOf(record.raw)
    return [record.line, wanted.map((column) => cells(column))]
  })
}

const bare = mappingOf('csv', { header: false, columns: ['a', 'b'], delimiter: ',' })
const headed = mappingOf('csv', { header: true, delimiter: ',' })
const stray = 'a quote is in the wrong place, or not closed'

describe('CSV', () => {
  test('columns go by the header, wherever they stand in it', () => {
    expect(read(headed, linesOf(' c ,"b",a\r\n1,2,3\r\n'), ['a', 'b'])).toEqual([[2, ['3', '2']]])
  })

  test('a header that lacks a column, or has one twice, is refused', () => {
    expect(() => read(headed, linesOf('a,c\n1,2\n'), ['a', 'b'])).toThrow(new WrongHeader('the header lacks b: it has "a", "c"'))
    expect(() => read(headed, linesOf('a,a\n1,2\n'), ['a'])).toThrow('a name twice')
    expect(() => read(headed, linesOf('a,"b\n1,2\n'), ['a'])).toThrow(WrongHeader)
  })

  test('another delimiter', () => {
    expect(read(mappingOf('csv', { header: false, columns: ['a', 'b'], delimiter: '\t' }), linesOf('1,5\t2\n'), ['a', 'b'])).toEqual([
      [1, ['1,5', '2']],
    ])
  })

  test('a quoted cell may hold delimiters, quotes and lines; the row is told by its first', () => {
    expect(read(bare, linesOf('"x, y","say ""hi"""\n"1\n\n2",3\n4,""\n'), ['a', 'b'])).toEqual([
      [1, ['x, y', 'say "hi"']],
      [2, ['1\n\n2', '3']],
      [5, ['4', null]],
    ])
  })

  test('empty lines are no rows', () => {
    expect(read(bare, linesOf('\n1,2\n\n\n3,4\n'), ['a'])).toEqual([
      [2, ['1']],
      [5, ['3']],
    ])
  })

  test.each([
    ['a quote that is not closed', '1,2\n"3,4\n5,6\n7,8\n', [[1, ['1', '2']], [2, stray], [3, ['5', '6']], [4, ['7', '8']]]],
    ['text after a closing quote', '1,2\n"3"x,4\n5,6\n', [[1, ['1', '2']], [2, stray], [3, ['5', '6']]]],
    ['a quote amid a cell', '5" screen,4\n5,6\n', [[1, stray], [2, ['5', '6']]]],
    ['two of them', '5" screen,4\n7" screen,4\n5,6\n', [[1, stray], [2, stray], [3, ['5', '6']]]],
    ['one at the end', '1,2\n3,"\n', [[1, ['1', '2']], [2, stray]]],
    ['too few and too many cells', '1\n1,2\n1,2,3\n', [[1, '1 cells, not 2'], [2, ['1', '2']], [3, '3 cells, not 2']]],
  ] as const)('%s costs its own line, no other', (_, text, expected) => {
    expect(read(bare, linesOf(text), ['a', 'b'])).toEqual(expected)
  }) // prettier-ignore

  test('a stray quote does not swallow more than it must, also where thousands of lines follow', () => {
    const lines = linesOf(`"1,2\n${'3,4\n'.repeat(5_000)}`)
    const found = read(bare, lines, ['a'])
    expect(found).toHaveLength(5_001)
    expect(found.filter(([, what]) => what === stray)).toEqual([[1, stray]])
  })

  test('a line that is not UTF-8, or too long, is bad, also within quotes', () => {
    const lines = linesOf('1,2\nX\n"3\nX",4\n5,6\n').map((line) =>
      line.bytes.toString().startsWith('X') ? { ...line, bytes: Buffer.from([0x31, 0x2c, 0xff]) } : line,
    )
    expect(read(bare, lines, ['a', 'b'])).toEqual([
      [1, ['1', '2']],
      [2, 'not valid UTF-8'],
      [3, stray],
      [4, 'not valid UTF-8'],
      [5, ['5', '6']],
    ])
    expect(read(bare, [{ number: 1, bytes: Buffer.from('1,2'), tooLong: true }], ['a'])).toEqual([[1, `longer than ${maxLineBytes} bytes`]])
  })

  test('whatever cells hold, they come back with the line that they begin on, however the lines are chunked', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', 'é', ' '), maxLength: 6 })
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 40 }), fc.array(fc.nat(7)), (rows, chunks) => {
        let line = 1
        const expected: unknown[] = []
        let text = ''
        for (const row of rows) {
          const written = `${row.map((value) => `"${value.replaceAll('"', '""')}"`).join(',')}\n`
          expected.push([line, row.map((value) => value || null)])
          text += written
          line += written.split('\n').length - 1
        }
        expect(rows.length === 0 ? [] : read(bare, linesOf(text), ['a', 'b'], chunks)).toEqual(expected)
      }),
    )
  })
})

describe('JSON Lines', () => {
  const json = mappingOf('jsonl')

  test('cells are text, whatever their type; nested by dots; what is absent, null or empty says nothing', () => {
    const text = '{"a":1,"b":{"c":true},"b.d":"dotted","e":null,"f":"","g":{},"h":[1]}'
    expect(read(json, linesOf(text), ['a', 'b.c', 'b.d', 'e', 'f', 'g', 'h', 'x', 'a.y', 'toString'])).toEqual([
      [1, ['1', 'true', 'dotted', null, null, undefined, undefined, null, null, null]],
    ])
  })

  test('a number too long for a double keeps its digits', () => {
    expect(read(json, linesOf('{"a":12345678901234567890,"b":0.1,"c":9007199254740993}'), ['a', 'b', 'c'])).toEqual([
      [1, ['12345678901234567890', '0.1', '9007199254740993']],
    ])
  })

  test('what is no object is bad, a blank line is nothing', () => {
    const found = read(json, linesOf('[1]\n\n 3\n{"a":\n{"a":2}\n'), ['a'])
    expect(found.map(([line, what]) => [line, typeof what === 'string' ? what.slice(0, 7) : what])).toEqual([
      [1, 'no JSON'],
      [3, 'no JSON'],
      [4, 'no JSON'],
      [5, ['2']],
    ])
  })
})
