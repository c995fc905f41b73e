import { ClickHouseError } from '@clickhouse/client'
import { expect, test } from 'vitest'
import { StoreAway, StoreRefused } from '../ports/store.ts'
import { storeError } from './clickhouse-errors.ts'
import { extendsEnum } from './clickhouse-form.ts'
import { converterOf } from './clickhouse-rows.ts'

test.each([
  ['UInt64', '5', 5],
  ['Int64', '-9007199254740993', '-9007199254740993'],
  ['Nullable(Int64)', null, null],
  ['LowCardinality(Nullable(UInt64))', '7', 7],
  ['Array(Array(UInt64))', [['1'], []], [[1], []]],
  ["Map(Enum8('a, UInt64' = 1, 'b)' = 2), UInt64)", { 'b)': '3' }, { 'b)': 3 }],
  ['Tuple(`a b` UInt64, s String)', { 'a b': '1', s: '2' }, { 'a b': 1, s: '2' }],
  ['Tuple(UInt64, String)', ['1', '2'], [1, '2']],
  ['SimpleAggregateFunction(sum, UInt64)', '9', 9],
])('%s of a result', (type, sent, got) => {
  expect(converterOf(type)!(sent)).toEqual(got)
})

test.each(['String', 'UInt32', 'Float64', "DateTime64(3, 'UTC')", 'Array(String)', "Enum8('UInt64' = 1)", 'Tuple(a String)', 'UInt128'])(
  '%s of a result stays as it is',
  (type) => {
    expect(converterOf(type)).toBeUndefined()
  },
)

test.each([
  [new ClickHouseError({ message: 'm', code: '60', type: 'UNKNOWN_TABLE' }), StoreRefused],
  [new ClickHouseError({ message: 'm', code: '27', type: 'CANNOT_PARSE_INPUT_ASSERTION_FAILED' }), StoreRefused],
  [new ClickHouseError({ message: 'm', code: '516', type: 'AUTHENTICATION_FAILED' }), StoreRefused],
  [new ClickHouseError({ message: 'm', code: '999999', type: 'NEVER_HEARD_OF' }), StoreRefused],
  [new ClickHouseError({ message: 'm', code: '241', type: 'MEMORY_LIMIT_EXCEEDED' }), StoreAway],
  [new ClickHouseError({ message: 'm', code: '252', type: 'TOO_MANY_PARTS' }), StoreAway],
  [new ClickHouseError({ message: 'm', code: '243', type: 'NOT_ENOUGH_SPACE' }), StoreAway],
  [new ClickHouseError({ message: 'm', code: '236', type: 'ABORTED' }), StoreAway],
  [new ClickHouseError({ message: 'm', code: '999', type: 'KEEPER_EXCEPTION' }), StoreAway],
  [Object.assign(new Error(''), { code: 'ECONNREFUSED' }), StoreAway],
  [new Error('Timeout error.'), StoreAway],
])('%s is told for what it is', (error, kind) => {
  const told = storeError(error, 'insert into t')
  expect(told).toBeInstanceOf(kind)
  expect(told.message).toMatch(/^insert into t: \S/)
  expect(told.cause).toBe(error)
})

test('an enumeration may only gain symbols', () => {
  const was = "Enum8('a' = 0, 'b' = 1)"
  expect(extendsEnum(was, "Enum8('a' = 0, 'b' = 1, 'c' = 2)")).toBe(true)
  expect(extendsEnum(was, "Enum8('a' = 0, 'c' = 1)")).toBe(false)
  expect(extendsEnum(was, "Enum8('b' = 0, 'a' = 1)")).toBe(false)
  expect(extendsEnum(was, "Nullable(Enum8('a' = 0, 'b' = 1))")).toBe(false)
  expect(extendsEnum(was, 'String')).toBe(false)
})
