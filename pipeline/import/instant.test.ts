import { describe, expect, test } from 'vitest'
import { instantReader, type TimeUnit } from './instant.ts'

const read = (text: string, unit: TimeUnit, zone?: string) => {
  const instant = instantReader(unit, zone)(text)
  return instant.ok ? instant.ms : instant.wants
}

test.each([
  ['s', '1511848894', 1_511_848_894_000],
  ['s', '1511848894.3', 1_511_848_894_300],
  ['s', '0.0019', 1],
  ['s', '-1.5', -1_500],
  ['ms', '1511848894123', 1_511_848_894_123],
  ['ms', '1511848894123.9', 1_511_848_894_123],
] as const)('in %s, %s is %d ms', (unit, text, ms) => {
  expect(read(text, unit)).toBe(ms)
})

test.each(['', 'soon', '1e9', '0x10', ' 1', '1,5', 'NaN'])('%j is no number of seconds', (text) => {
  expect(read(text, 's')).toBe('seconds since 1970')
})

describe('ISO times', () => {
  test.each([
    ['2017-11-25T00:00:00Z', '2017-11-25T00:00:00.000Z'],
    ['2017-11-25T08:00:00+08:00', '2017-11-25T00:00:00.000Z'],
    ['2017-11-25 08:00+0800', '2017-11-25T00:00:00.000Z'],
    ['2017-11-25T03:30:00.1239+03', '2017-11-25T00:30:00.123Z'],
    ['2017-11-24T18:30:00,5-05:30', '2017-11-25T00:00:00.500Z'],
    ['2016-02-29t12:00:00z', '2016-02-29T12:00:00.000Z'],
  ])('%s', (text, instant) => {
    expect(read(text, 'iso')).toBe(Date.parse(instant))
    // An offset of their own wins over the zone.
    expect(read(text, 'iso', 'America/New_York')).toBe(Date.parse(instant))
  })

  test.each([
    ['2017-11-25', 'Asia/Shanghai', '2017-11-24T16:00:00.000Z'],
    ['2017-11-25 14:01:02', 'Asia/Shanghai', '2017-11-25T06:01:02.000Z'],
    ['2017-11-25 14:01:02', 'UTC', '2017-11-25T14:01:02.000Z'],
    ['2026-07-01 00:00', 'Europe/Berlin', '2026-06-30T22:00:00.000Z'],
    ['2026-01-01 00:00', 'Europe/Berlin', '2025-12-31T23:00:00.000Z'],
    // Clocks are put forward at 2:00 and back at 3:00.
    ['2026-03-29 01:59:59', 'Europe/Berlin', '2026-03-29T00:59:59.000Z'],
    ['2026-03-29 03:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['2026-10-25 01:59', 'Europe/Berlin', '2026-10-24T23:59:00.000Z'],
    ['2026-10-25 02:30', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'], // the first of two
    ['2026-10-25 03:00', 'Europe/Berlin', '2026-10-25T02:00:00.000Z'],
  ])('%s in %s', (text, zone, instant) => {
    expect(read(text, 'iso', zone)).toBe(Date.parse(instant))
  })

  test.each([
    ['2017-11-25 08:00', undefined, /offset such as Z/],
    ['2026-03-29 02:30', 'Europe/Berlin', /clocks of Europe\/Berlin showed/],
    ['2017-02-29T00:00Z', undefined, /exist/],
    ['2017-13-01T00:00Z', undefined, /exist/],
    ['2017-11-25T24:00Z', undefined, /exist/],
    ['2017-11-25T10:60Z', undefined, /exist/],
    ['25.11.2017', 'UTC', /such as/],
    ['2017-11-25T1:00Z', undefined, /such as/],
    ['', 'UTC', /such as/],
  ])('%s in %s is none', (text, zone, wants) => {
    expect(read(text, 'iso', zone)).toMatch(wants)
  })
})
