import { expect, test } from 'vitest'
import { naiveCorrectedTime, naiveInstantHeader, naiveReceivedAt } from './corrected-time.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test.each([
  ['a right clock, sent at once', { receivedAt: 1_000, recordAt: 1_005, sentAt: 1_000, occurredAt: 1_000 }, 1_000],
  ['a right clock, sent 300 ms later', { receivedAt: 1_000, recordAt: 1_005, sentAt: 1_000, occurredAt: 700 }, 700],
  ['a device clock a day ahead cancels out', { receivedAt: 1_000, recordAt: 1_005, sentAt: 86_401_000, occurredAt: 86_400_700 }, 700],
  ['a device clock at 1970 cancels out', { receivedAt: 1_000_000, recordAt: 1_000_005, sentAt: 500, occurredAt: 0 }, 999_500],
  ['a future occurred_at is clamped', { receivedAt: 1_000, recordAt: 1_005, sentAt: 1_000, occurredAt: 9_000 }, 1_000],
  ['a spooled flush is as old as when it was received', { receivedAt: 1_000, recordAt: 7_000, sentAt: 50, occurredAt: 40 }, 990],
  ['received_at after the record does not count', { receivedAt: 9_000, recordAt: 7_000, sentAt: 50, occurredAt: 40 }, 6_990],
])('%s', (_, times, t) => {
  expect(naiveCorrectedTime(times)).toBe(t)
})

test.each([
  ['0', 0],
  ['1790000000000', 1_790_000_000_000],
  ['-5', -5],
  ['0000000000000012', 12],
  ['4503599627370496', 2 ** 52],
  ['-4503599627370496', -(2 ** 52)],
  ['4503599627370497', null],
  ['00000000000000012', null],
  ['12345678901234567', null],
  ['', null],
  ['-', null],
  ['+5', null],
  [' 5', null],
  ['5 ', null],
  ['1e3', null],
  ['0x10', null],
  ['5.0', null],
  ['٥', null],
])("header '%s' says %s", (text, instant) => {
  expect(naiveInstantHeader(bytes(text))).toBe(instant)
})

test("received_at absent or malformed is the record's timestamp", () => {
  expect(naiveReceivedAt(undefined, 77)).toBe(77)
  expect(naiveReceivedAt(bytes('soon'), 77)).toBe(77)
  expect(naiveReceivedAt(bytes('76'), 77)).toBe(76)
})
