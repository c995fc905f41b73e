import { expect, test } from 'vitest'
import { murmur2 } from '../hash.ts'
import { zone } from '../time/zone.ts'
import { compareTimers, decayDelayMs, decayInstants, intervalEnd, monthStarts, naiveRowInstants, type Timer } from './emission.ts'

const at = (text: string) => Date.parse(`${text}Z`)
const settings = { emitMs: 5_000, decayRows: true }

test("a flush's interval ends at the next multiple after its clock", () => {
  expect(intervalEnd(9_999, 5_000)).toBe(10_000)
  expect(intervalEnd(10_000, 5_000)).toBe(15_000)
  expect(intervalEnd(-1, 5_000)).toBe(0)
})

test('decay rows stand (murmur2(user_id) & 0x7fffffff) mod 60 seconds after their boundary', () => {
  // Kafka's own test vectors; −790332482 without its sign bit is 1357151166.
  expect(murmur2(new TextEncoder().encode('foobar'))).toBe(-790_332_482)
  expect(decayDelayMs('foobar')).toBe((1_357_151_166 % 60) * 1_000)
  expect(decayDelayMs('foobar')).toBe(6_000)
})

test('an event leaves four windows, at four boundaries', () => {
  const t = at('2026-06-15T12:03:00')
  expect(decayInstants('foobar', { eventAt: t, clockAt: t }).map((due) => new Date(due).toISOString())).toEqual([
    '2026-06-15T13:05:06.000Z',
    '2026-06-16T13:00:06.000Z',
    '2026-06-22T18:00:06.000Z',
    '2026-07-16T00:00:06.000Z',
  ])
})

test('a late event does not leave a window that it never was in', () => {
  const t = at('2026-06-15T12:03:00')
  expect(decayInstants('foobar', { eventAt: t, clockAt: at('2026-06-16T13:00:00') }).map((due) => new Date(due).toISOString())).toEqual([
    '2026-06-22T18:00:06.000Z',
    '2026-07-16T00:00:06.000Z',
  ])
})

test('one row where several are due at one instant', () => {
  const t = at('2026-06-15T12:03:00')
  const event = { eventAt: t, clockAt: t }
  const flushClocks = [t, t + 1, t + 1_999, at('2026-06-15T13:05:04')]
  const instants = naiveRowInstants({ id: 'foobar', flushClocks, events: [event, event] }, { ...settings, emitMs: 2_000 })
  expect(instants.map((due) => new Date(due).toISOString())).toEqual([
    '2026-06-15T12:03:02.000Z', // three flushes in one interval
    '2026-06-15T13:05:06.000Z', // a regular row and a decay row
    '2026-06-16T13:00:06.000Z',
    '2026-06-22T18:00:06.000Z',
    '2026-07-16T00:00:06.000Z',
  ])
})

test('decay rows can be switched off', () => {
  const t = at('2026-06-15T12:03:00')
  const user = { id: 'foobar', flushClocks: [t], events: [{ eventAt: t, clockAt: t }] }
  expect(naiveRowInstants(user, { ...settings, decayRows: false })).toEqual([t + 5_000])
})

test('timers fire in order of (due, bytes of user_id), an evaluation before the row of the same user', () => {
  const timer = (due: number, userId: string, kind: Timer['kind'] = 'row'): Timer => ({ due, userId, kind })
  const inOrder = [
    timer(1, 'z'),
    timer(2, ''),
    timer(2, 'Z'),
    timer(2, 'a', 'evaluation'),
    timer(2, 'a', 'row'),
    timer(2, 'ab', 'evaluation'),
    timer(2, 'é'),
    timer(2, '\uffee'), // EF …
    timer(2, '\u{1f600}'), // F0 …, though its UTF-16 comes before
    timer(3, 'a'),
  ]
  expect(inOrder.toReversed().toSorted(compareTimers)).toEqual(inOrder)
})

test('evaluations are at 00:00 on the 1st in the zone, those in (after, upTo]', () => {
  const shanghai = zone('Asia/Shanghai')
  const first = at('2026-01-31T16:00:00')
  expect(monthStarts(shanghai, first - 1, first)).toEqual([first])
  expect(monthStarts(shanghai, first, first + 1)).toEqual([])
  expect(monthStarts(shanghai, first - 1, at('2026-03-31T16:00:00'))).toEqual([first, at('2026-02-28T16:00:00'), at('2026-03-31T16:00:00')])
})
