import { describe, expect, test } from 'vitest'
import { zone } from './zone.ts'

const at = (text: string) => Date.parse(text)
const day = (text: string) => at(`${text}T00:00:00Z`) / 86_400_000

describe('a day of the zone', () => {
  test.each([
    ['Asia/Shanghai', '2026-06-14T15:59:59.999Z', '2026-06-14'],
    ['Asia/Shanghai', '2026-06-14T16:00:00.000Z', '2026-06-15'],
    ['UTC', '2026-06-14T23:59:59.999Z', '2026-06-14'],
    ['Asia/Kolkata', '2026-06-14T18:29:59.999Z', '2026-06-14'],
    ['Asia/Kolkata', '2026-06-14T18:30:00.000Z', '2026-06-15'],
    // Summer begins on 8 March 2026 at 02:00 and ends on 1 November at 02:00.
    ['America/New_York', '2026-03-08T04:59:59.999Z', '2026-03-07'],
    ['America/New_York', '2026-03-08T05:00:00.000Z', '2026-03-08'],
    ['America/New_York', '2026-03-09T03:59:59.999Z', '2026-03-08'],
    ['America/New_York', '2026-03-09T04:00:00.000Z', '2026-03-09'],
    ['America/New_York', '2026-11-01T03:59:59.999Z', '2026-10-31'],
    ['America/New_York', '2026-11-02T04:59:59.999Z', '2026-11-01'],
    ['America/New_York', '2026-11-02T05:00:00.000Z', '2026-11-02'],
    // On 4 November 2018 the clocks went from 00:00 to 01:00.
    ['America/Sao_Paulo', '2018-11-04T02:59:59.999Z', '2018-11-03'],
    ['America/Sao_Paulo', '2018-11-04T03:00:00.000Z', '2018-11-04'],
    // On 18 February 2018 they went from 00:00 back to 23:00 of the 17th.
    ['America/Sao_Paulo', '2018-02-18T02:30:00.000Z', '2018-02-17'],
    ['America/Sao_Paulo', '2018-02-18T03:00:00.000Z', '2018-02-18'],
    // Before the epoch, and in the days of local mean time (+8:05:43).
    ['Asia/Shanghai', '1969-12-31T15:59:59.999Z', '1969-12-31'],
    ['Asia/Shanghai', '1900-01-01T15:54:16.999Z', '1900-01-01'],
    ['Asia/Shanghai', '1900-01-01T15:54:17.000Z', '1900-01-02'],
  ])('%s: %s is on %s', (name, instant, date) => {
    expect(zone(name).dayOf(at(instant))).toBe(day(date))
  })

  test.each([
    ['Asia/Shanghai', '2026-06-15', '2026-06-14T16:00:00Z'],
    ['America/New_York', '2026-03-08', '2026-03-08T05:00:00Z'],
    ['America/New_York', '2026-03-09', '2026-03-09T04:00:00Z'],
    ['America/New_York', '2026-11-01', '2026-11-01T04:00:00Z'],
    ['America/New_York', '2026-11-02', '2026-11-02T05:00:00Z'],
    // There was no 00:00: the day began at 01:00.
    ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00Z'],
    ['America/Sao_Paulo', '2018-02-18', '2018-02-18T03:00:00Z'],
    ['Asia/Beirut', '2022-03-27', '2022-03-26T22:00:00Z'],
    // The clocks went from 00:01 back to 23:01: the day began, ended, and began again.
    ['America/St_Johns', '2009-11-01', '2009-11-01T02:30:00Z'],
  ])('%s: %s begins at %s', (name, date, instant) => {
    expect(new Date(zone(name).startOfDay(day(date)))).toEqual(new Date(instant))
  })
})

describe('a month of the zone', () => {
  test.each([
    ['Asia/Shanghai', '2026-01-31T15:59:59.999Z', '2026-01-31T16:00:00Z'],
    ['Asia/Shanghai', '2026-01-31T16:00:00.000Z', '2026-02-28T16:00:00Z'],
    ['Asia/Shanghai', '2026-12-31T15:59:59.999Z', '2026-12-31T16:00:00Z'],
    ['Asia/Shanghai', '2024-02-10T00:00:00.000Z', '2024-02-29T16:00:00Z'],
    ['UTC', '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00Z'],
    ['UTC', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00Z'],
    ['America/New_York', '2026-03-08T12:00:00.000Z', '2026-04-01T04:00:00Z'],
    ['America/New_York', '2026-11-01T12:00:00.000Z', '2026-12-01T05:00:00Z'],
    ['America/New_York', '2026-11-01T03:59:59.999Z', '2026-11-01T04:00:00Z'],
    ['America/Sao_Paulo', '2018-10-20T00:00:00.000Z', '2018-11-01T03:00:00Z'],
    ['America/Sao_Paulo', '2018-11-04T03:00:00.000Z', '2018-12-01T02:00:00Z'],
    // Asunción's clocks went from 00:00 to 01:00 on 1 October 2017: that month began at 01:00.
    ['America/Asuncion', '2017-09-20T00:00:00.000Z', '2017-10-01T04:00:00Z'],
    ['America/Asuncion', '2017-10-01T04:00:00.000Z', '2017-11-01T03:00:00Z'],
  ])('%s: the first to begin after %s begins at %s', (name, after, start) => {
    expect(new Date(zone(name).nextMonthStart(at(after)))).toEqual(new Date(start))
  })
})

describe('an hour of the zone', () => {
  test.each([
    ['Asia/Shanghai', '2026-06-14T15:59:59.999Z', '2026-06-14T15:00:00Z'],
    ['Asia/Kolkata', '2026-06-14T15:29:59.999Z', '2026-06-14T14:30:00Z'],
    ['Asia/Kolkata', '2026-06-14T15:30:00.000Z', '2026-06-14T15:30:00Z'],
    ['Asia/Kathmandu', '2026-06-14T15:30:00.000Z', '2026-06-14T15:15:00Z'],
    // 01:30 comes twice, in two hours.
    ['America/New_York', '2026-11-01T05:30:00.000Z', '2026-11-01T05:00:00Z'],
    ['America/New_York', '2026-11-01T06:30:00.000Z', '2026-11-01T06:00:00Z'],
  ])('%s: %s is in the hour from %s', (name, instant, start) => {
    expect(new Date(zone(name).startOfHour(at(instant)))).toEqual(new Date(start))
  })
})

test('an unknown zone is refused', () => {
  expect(() => zone('Asia/Nowhere')).toThrow(RangeError)
})

// Every quarter of an hour of years in which these zones changed their clocks, against the runtime's own calendar. Asked
// in a scattered order, so that no answer leans on the one before.
test.each([
  ['Asia/Shanghai', 2026],
  ['America/New_York', 2026],
  ['America/Sao_Paulo', 2018],
  ['Asia/Beirut', 2022],
  ['Australia/Lord_Howe', 2025],
  ['America/St_Johns', 2009],
  ['Pacific/Apia', 2011],
  ['Africa/Casablanca', 2025],
])('every quarter of an hour in %s of %d is on the day of the calendar, and days begin where it turns', (name, year) => {
  const calendar = new Intl.DateTimeFormat('en-CA', { timeZone: name, year: 'numeric', month: '2-digit', day: '2-digit' })
  const subject = zone(name)
  const begin = Date.UTC(year, 0, 1)
  const quarters = 366 * 96
  const days: number[] = []
  for (let i = 0; i < quarters; i++) {
    const j = (i * 7_919) % quarters
    days[j] = subject.dayOf(begin + j * 900_000)
  }
  let wrong = 0
  for (let j = 0; j < quarters; j += 2) if (day(calendar.format(begin + j * 900_000)) !== days[j]) wrong++
  expect(wrong).toBe(0)
  // A day that clocks put back begins where it first began.
  let latest = days[0]!
  for (let j = 1; j < quarters; j++) {
    if (days[j]! <= latest) continue
    latest = days[j]!
    const start = subject.startOfDay(days[j]!)
    expect(start).toBeGreaterThan(begin + (j - 1) * 900_000)
    expect(start).toBeLessThanOrEqual(begin + j * 900_000)
    expect(subject.dayOf(start)).toBe(days[j])
    expect(subject.dayOf(start - 1)).toBeLessThan(days[j]!)
  }
})

test('month starts follow one another, each at the beginning of a first day, in any zone', () => {
  for (const name of ['Asia/Shanghai', 'America/New_York', 'America/Sao_Paulo', 'America/Asuncion', 'Pacific/Apia', 'America/St_Johns']) {
    const subject = zone(name)
    let start = at('2005-01-10T00:00:00Z')
    for (let month = 1; month <= 120; month++) {
      start = subject.nextMonthStart(start)
      expect(new Date(subject.dayOf(start) * 86_400_000)).toEqual(new Date(Date.UTC(2005, month, 1)))
      expect(subject.dayOf(start - 1)).toBeLessThan(subject.dayOf(start))
      expect(subject.nextMonthStart(start - 1)).toBe(start)
    }
  }
})
