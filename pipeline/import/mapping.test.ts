import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { tellProblem } from '../config/value.ts'
import { mappingDigest, readMapping } from './mapping.ts'

const examples = new URL('../../docs/examples/', import.meta.url)
const guide = readFileSync(new URL('../../docs/guide/import.md', import.meta.url), 'utf8')
const good = readFileSync(new URL('shopping-log.mapping.yaml', examples), 'utf8')

const problems = (source: string) => {
  const read = readMapping(source, 'm.yaml')
  return read.ok ? [] : read.problems.map(tellProblem)
}

test.each(readdirSync(examples).filter((name) => name.includes('.mapping.')))('the example %s is right', (name) => {
  expect(problems(readFileSync(new URL(name, examples), 'utf8'))).toEqual([])
})

test('the mappings that the guide shows are right', () => {
  const shown = [...guide.matchAll(/^(?: {4}.*\n|\n)+/gm)]
    .map(([block]) => block.replace(/^ {4}/gm, ''))
    .filter((block) => /^name:/m.test(block))
  expect(shown.length).toBeGreaterThan(0)
  expect(shown.map(problems)).toEqual(shown.map(() => []))
})

test('a mapping may be JSON', () => {
  const read = readMapping(good, 'm.yaml')
  expect(read.ok && readMapping(JSON.stringify(read.mapping), 'm.json')).toEqual(read)
})

test.each([
  ['name: shopping-log\n', '', 'm.yaml: name: got nothing, wants a name'],
  ['name: shopping-log', 'name: a/b', 'm.yaml: name: got "a/b", wants at most 100 of the letters'],
  ['format: csv', 'format: xml', 'm.yaml: format: got "xml", wants csv or jsonl'],
  ['format: csv', 'format: jsonl', 'm.yaml: csv: got'],
  ['header: false', 'header: true', 'm.yaml: csv.columns: got "["user"'],
  ['  columns: [user, item, category, behavior, at]\n', '', 'm.yaml: csv.columns: got nothing, wants the names of the columns'],
  ['[user, item,', '[user, user,', 'm.yaml: csv.columns: got'],
  ['header: false', "header: false\n  delimiter: ';;'", 'm.yaml: csv.delimiter: got ";;", wants one character'],
  ['unit: s', 'unit: seconds', 'm.yaml: time.unit: got "seconds", wants one of s, ms, iso'],
  ['unit: s', 'unit: iso\n  zone: Asia/Shangai', 'm.yaml: time.zone: got "Asia/Shangai", wants a time zone such as Asia/Shanghai'],
  ['cart: like', 'cart: liked', 'm.yaml: behavior.values.cart: got "liked", wants a behaviour (register, '],
  ['[impression, click]', '[impression, clck]', 'm.yaml: behavior.values.pv.1: got "clck", wants a behaviour (register, '],
  ['behavior: purchase', 'behavior: buy', 'm.yaml: behavior.values.buy.behavior: got "buy", wants one of register, '],
  ['constant: 19900', 'constant: 199.5', 'm.yaml: behavior.values.buy.fields.amount_minor.constant: got "199.5", wants a whole number'],
  [
    '{ constant: 19900 }',
    '{ constant: 199, factor: 100 }',
    'm.yaml: behavior.values.buy.fields.amount_minor.factor: got "100", wants nothing beside constant',
  ],
  [
    'amount_minor',
    'amount',
    'm.yaml: behavior.values.buy.fields.amount: got "{"constant":19900}", wants nothing: no such name is known here',
  ],
  ['first_row: register', 'first_row: click', 'm.yaml: first_row: got "click", wants register'],
  ['first_row', 'flush_s: -1\nfirst_row', 'm.yaml: flush_s: got "-1", wants at least 0'],
  ['  user_id: { column: user }\n', '', 'm.yaml: fields.user_id: got nothing, wants column'],
  ['{ column: item }', '{ column: itm }', 'm.yaml: fields.content_id.column: got "itm", wants one of user, item, category, behavior, at'],
  ['{ column: item }', 'item', 'm.yaml: fields.content_id: got "item", wants column or constant'],
  [
    '{ column: item }',
    '{ column: item, constant: x }',
    'm.yaml: fields.content_id: got "{"column":"item","constant":"x"}", wants one of column and constant',
  ],
  ['{ column: item }', '{}', 'm.yaml: fields.content_id: got "{}", wants one of column and constant'],
  [
    '{ column: item }',
    '{ column: item, otherwise: x }',
    'm.yaml: fields.content_id.otherwise: got "x", wants nothing, where there are no values',
  ],
  ['constant: android', 'constant: phone', 'm.yaml: fields.platform.constant: got "phone", wants one of android, ios, '],
  ['constant: 8.0.0', 'constant: 8.0', 'm.yaml: fields.app_version.constant: got "8", wants text'],
] as const)('%j as %j is named', (from, to, expected) => {
  expect(good).toContain(from)
  const told = problems(good.replace(from, to))
  expect(told.join('\n')).toContain(expected)
})

test('every mistake is named at once', () => {
  expect(problems(good.replace('unit: s', 'unit: x').replace('cart: like', 'cart: x').replace('constant: CN-31', 'const: x'))).toHaveLength(
    4,
  )
})

test.each(['', '3', '[1]', 'a: [', 'name: a\nname: b'])('%j is no mapping', (source) => {
  expect(problems(source).length).toBeGreaterThan(0)
})

test('a digest changes with what decides events, and with nothing else', () => {
  const digest = (source: string, currency = 'CNY') => {
    const read = readMapping(source, 'm.yaml')
    if (!read.ok) throw new Error(read.problems.map(tellProblem).join('\n'))
    return mappingDigest(read.mapping, currency)
  }
  const is = digest(good)
  expect(digest(`# more\n${good}flush_s: 0\n`)).toBe(is)
  for (const other of [good.replace('unit: s', 'unit: ms'), good.replace('19900', '19901'), good.replace('cart: like', 'cart: share')])
    expect(digest(other)).not.toBe(is)
  expect(digest(good, 'USD')).not.toBe(is)
})
