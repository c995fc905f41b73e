import { expect, test } from 'vitest'
import type { Behavior } from '../../schemas/behavior-batch.ts'
import { featureNames, windows } from '../../schemas/measures.ts'
import { arrivedInWindow, isComplete, naiveRolling, tileLeavesAt, tileOf, tilesAt, type Measured } from './rolling.ts'

const [hour1, hours24, days7, days30] = windows
const at = (text: string) => Date.parse(`2026-06-${text}Z`)
const event = (behavior: Behavior, eventAt: number, changes: Partial<Measured> = {}): Measured => ({
  behavior, eventAt, clockAt: eventAt, watchMs: null, durationMs: null, amountMinor: null, ...changes,
}) // prettier-ignore
const nonZero = (features: object) => Object.fromEntries(Object.entries(features).filter(([, value]) => value !== 0))

test('the window at A covers tiles floor((A−W)/hop) … floor((A−1)/hop)', () => {
  const asOf = at('15T12:34:56.789')
  for (const [window, from, to] of [
    [hour1, '15T11:30:00', '15T12:35:00'],
    [hours24, '14T12:00:00', '15T13:00:00'],
    [days7, '08T12:00:00', '15T18:00:00'],
    [days30, '16T00:00:00', '16T00:00:00'],
  ] as const) {
    const { first, last } = tilesAt(window, asOf)
    expect(new Date(first * window.hopMs)).toEqual(window === days30 ? new Date('2026-05-16') : new Date(at(from)))
    expect(new Date((last + 1) * window.hopMs)).toEqual(new Date(at(to)))
  }
})

test('a window at a hop boundary has lost the tile that ends W before, and not yet begun the next', () => {
  const asOf = at('15T12:00:00')
  expect(tilesAt(hour1, asOf)).toEqual({ first: tileOf(hour1, at('15T11:00:00')), last: tileOf(hour1, at('15T11:55:00')) })
  expect(tilesAt(hour1, asOf - 1).first).toBe(tileOf(hour1, at('15T10:55:00')))
  expect(tilesAt(hour1, asOf + 1).last).toBe(tileOf(hour1, at('15T12:00:00')))
})

test('a tile leaves at (k + 1) · hop + W', () => {
  const tile = tileOf(hour1, at('15T11:02:00'))
  const leaves = at('15T12:05:00')
  expect(tileLeavesAt(hour1, tile)).toBe(leaves)
  expect(tilesAt(hour1, leaves - 1).first).toBe(tile)
  expect(tilesAt(hour1, leaves).first).toBe(tile + 1)
})

test('the head is right to the millisecond', () => {
  const play = event('like', at('15T12:00:00'))
  expect(naiveRolling([play], play.clockAt)['likes_1h']).toBe(0)
  expect(naiveRolling([play], play.clockAt + 1)['likes_1h']).toBe(1)
})

test('the tail is right to a hop', () => {
  const like = event('like', at('15T12:03:00'))
  expect(naiveRolling([like], at('15T13:04:59.999'))['likes_1h']).toBe(1)
  expect(naiveRolling([like], at('15T13:05:00.000'))['likes_1h']).toBe(0)
  expect(naiveRolling([like], at('16T12:59:59.999'))['likes_24h']).toBe(1)
  expect(naiveRolling([like], at('16T13:00:00.000'))['likes_24h']).toBe(0)
  expect(naiveRolling([like], at('22T17:59:59.999'))['likes_7d']).toBe(1)
  expect(naiveRolling([like], at('22T18:00:00.000'))['likes_7d']).toBe(0)
  expect(naiveRolling([like], Date.parse('2026-07-15T23:59:59.999Z'))['likes_30d']).toBe(1)
  expect(naiveRolling([like], Date.parse('2026-07-16T00:00:00.000Z'))['likes_30d']).toBe(0)
})

test('a late event lands in the tile of its own time', () => {
  const late = event('like', at('15T10:00:00'), { clockAt: at('15T12:00:00') })
  expect(nonZero(naiveRolling([late], at('15T12:00:05')))).toEqual({ likes_24h: 1, likes_7d: 1, likes_30d: 1 })
  expect(naiveRolling([late], at('16T11:00:00'))['likes_24h']).toBe(0)
})

test('an event adds to each window that still holds its tile at clock_at', () => {
  const tile = at('15T12:00:00')
  const arrives = (clockAt: number) => arrivedInWindow(hour1, { eventAt: tile + 60_000, clockAt })
  expect(arrives(tile + 60_000)).toBe(true)
  expect(arrives(at('15T13:04:59.999'))).toBe(true)
  expect(arrives(at('15T13:05:00.000'))).toBe(false)
})

test('each measure counts what it says, in each window', () => {
  const t = at('15T12:00:00')
  const one = (behavior: Behavior, changes: Partial<Measured> = {}) => nonZero(naiveRolling([event(behavior, t, changes)], t + 1))
  const inAll = (measures: Record<string, number>) =>
    Object.fromEntries(windows.flatMap((window) => Object.entries(measures).map(([name, value]) => [`${name}_${window.name}`, value])))
  expect(one('register')).toEqual(inAll({ registers: 1 }))
  expect(one('session_start')).toEqual(inAll({ session_starts: 1 }))
  expect(one('session_end')).toEqual(inAll({ session_ends: 1 }))
  expect(one('impression')).toEqual(inAll({ impressions: 1 }))
  expect(one('click')).toEqual(inAll({ clicks: 1 }))
  expect(one('like')).toEqual(inAll({ likes: 1 }))
  expect(one('comment')).toEqual(inAll({ comments: 1 }))
  expect(one('share')).toEqual(inAll({ shares: 1 }))
  expect(one('follow')).toEqual(inAll({ follows: 1 }))
  expect(one('search')).toEqual(inAll({ searches: 1 }))
  expect(one('purchase', { amountMinor: 19_900 })).toEqual(inAll({ purchases: 1, amount_minor: 19_900 }))
  expect(one('play', { watchMs: 9, durationMs: 100 })).toEqual(inAll({ plays: 1, watch_ms: 9 }))
  expect(one('play', { watchMs: 90, durationMs: 100 })).toEqual(inAll({ plays: 1, completes: 1, watch_ms: 90 }))
  expect(one('like', { watchMs: 90, durationMs: 100, amountMinor: 5 })).toEqual(inAll({ likes: 1 }))
})

test('complete is nine tenths, by integers', () => {
  const play = (watchMs: number, durationMs: number) => isComplete({ behavior: 'play', watchMs, durationMs })
  expect(play(899, 1_000)).toBe(false)
  expect(play(900, 1_000)).toBe(true)
  expect(play(9, 11)).toBe(false)
  expect(play(10, 11)).toBe(true)
  expect(play(2 ** 31 - 1, 2 ** 31 - 1)).toBe(true)
})

test('columns are the catalogue’s, in its order', () => {
  expect(Object.keys(naiveRolling([], 0))).toEqual(featureNames)
})
