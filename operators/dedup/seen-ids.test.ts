// Remembered ids against a plain map of them.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seenIds, type SeenIds } from './seen-ids.ts'

type Step = { hours: number; slot: number; id: number }

const steps = fc.array(
  fc.record({
    hours: fc.oneof(
      { weight: 30, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }) },
      fc.constantFrom(4, 5, 9),
    ),
    slot: fc.nat(3),
    id: fc.nat(40),
  }),
  { maxLength: 400 },
)

/** Few different low halves, so that tables have collisions. */
const halves = (id: number): [number, number] => [(id % 3) * 8, Math.floor(id / 3)]

/** Which ids are known, as a plain map says it. */
function naiveIds(keepHours: number) {
  const at = new Map<string, number>()
  let hour = 1_000
  const alive = (added: number | undefined) => added !== undefined && hour - added <= keepHours
  return {
    /** Goes on in both, and asks both; `adds`: whether what is not known is added. */
    step(ids: SeenIds, { hours, slot, id }: Step, adds: boolean): void {
      hour += hours
      ids.advance(hour)
      const [low, high] = halves(id)
      const known = alive(at.get(`${slot}/${id}`))
      expect(ids.has(slot, low, high)).toBe(known)
      if (known || !adds) return
      ids.add(slot, low, high)
      at.set(`${slot}/${id}`, hour)
    },
    hour: () => hour,
    size: () => [...at.values()].filter(alive).length,
  }
}

test('an id is known in its hour and the kept hours after it, to its user alone', () => {
  const keepHours = 4
  fc.assert(
    fc.property(steps, (script: Step[]) => {
      const ids = seenIds(keepHours, 4)
      const naive = naiveIds(keepHours)
      for (const step of script) {
        naive.step(ids, step, true)
        expect(ids.size()).toBe(naive.size())
      }
    }),
    { numRuns: 300 },
  )
})

test('what a restore brings is known as what it was taken from, and goes on from there', () => {
  const keepHours = 4
  fc.assert(
    fc.property(steps, steps, (before: Step[], after: Step[]) => {
      const naive = naiveIds(keepHours)
      // Half of those asked for are not added, so that a table is made by the question too.
      const play = (ids: SeenIds, step: Step) => naive.step(ids, step, step.id % 2 === 1)
      const first = seenIds(keepHours, 4)
      const kept: { hour: number; slot: number; pairs: Uint8Array }[] = []
      const drain = () =>
        first.drainNew((hour, slot, entries, from, count) => {
          const pairs = new Int32Array(count * 2)
          for (let i = 0; i < count; i++) pairs.set(entries.subarray(from + i * 3 + 1, from + i * 3 + 3), i * 2)
          kept.push({ hour, slot, pairs: new Uint8Array(pairs.buffer) })
        })
      for (const step of before) {
        play(first, step)
        drain()
      }
      const second = seenIds(keepHours, 4)
      for (const { hour, slot, pairs } of kept) {
        second.advance(hour)
        second.restore(slot, pairs, 0, pairs.length / 8)
      }
      second.advance(naive.hour())
      second.endRestore()
      expect(second.size()).toBe(first.size())
      second.drainNew(() => expect.unreachable('it was drained before'))
      for (const step of after) play(second, step)
    }),
    { numRuns: 300 },
  )
})

test('a restored run that is longer than a chunk', () => {
  const ids = seenIds(2, 2)
  const pairs = Int32Array.from({ length: 20_000 }, (_, i) => i)
  ids.advance(7)
  ids.restore(1, new Uint8Array(pairs.buffer), 0, 10_000)
  ids.endRestore()
  for (let i = 0; i < 20_000; i += 2) expect(ids.has(1, i, i + 1)).toBe(true)
  expect(ids.has(1, 0, 2)).toBe(false)
  expect(ids.has(0, 0, 1)).toBe(false)
  ids.advance(10)
  expect(ids.has(1, 0, 1)).toBe(false)
  expect(ids.size()).toBe(0)
})

test('across many chunks and hours, a hot user among idle ones', () => {
  const ids = seenIds(2, 2)
  const perHour = 9_000 // more than two chunks
  for (let hour = 0; hour < 12; hour++) {
    ids.advance(hour)
    ids.add(1, hour, -1)
    for (let i = 0; i < perHour; i++) ids.add(0, Math.imul(hour * perHour + i, 0x9e3779b1), i)
    const kept = Math.min(hour + 1, 3)
    expect(ids.size()).toBe(kept * (perHour + 1))
    for (let past = 0; past <= hour; past++) {
      expect(ids.has(1, past, -1)).toBe(hour - past <= 2)
      expect(ids.has(0, Math.imul(past * perHour + 77, 0x9e3779b1), 77)).toBe(hour - past <= 2)
    }
  }
})

test('what is new is drained once, in order, and what expired before it was drained is left out', () => {
  const ids = seenIds(1, 3)
  const drained: string[] = []
  const drain = () => {
    drained.length = 0
    ids.drainNew((hour, slot, entries, from, count) => {
      for (let i = from; i < from + count * 3; i += 3) drained.push(`${hour}/${slot}/${entries[i + 1]}/${entries[i + 2]}`)
    })
    return [...drained]
  }
  ids.advance(5)
  ids.add(0, 1, 1)
  ids.add(2, 2, 2)
  expect(drain()).toEqual(['5/0/1/1', '5/2/2/2'])
  expect(drain()).toEqual([])
  ids.add(0, 3, 3)
  ids.advance(6)
  ids.add(1, 4, 4)
  expect(drain()).toEqual(['5/0/3/3', '6/1/4/4'])
  ids.add(1, 5, 5)
  ids.advance(9)
  ids.add(1, 6, 6)
  expect(drain()).toEqual(['9/1/6/6'])
})
