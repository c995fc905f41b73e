// Windows that were put back go on as those that they were taken from, whatever is asked of them first.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byteWriter, taken } from '../bytes.ts'
import { keptBytes } from './kept-bytes.ts'
import { rollingWindows, type RollingWindows } from './window.ts'

const users = 4
const begin = Date.UTC(2026, 9, 1)

const steps = fc.array(
  fc.record({
    what: fc.constantFrom('add', 'add', 'add', 'sums', 'slide', 'write', 'clear', 'leave'),
    slot: fc.nat(users - 1),
    afterMs: fc.oneof(fc.nat(900_000), fc.nat(86_400_000 * 3)),
    lateMs: fc.oneof(fc.constant(0), fc.nat(86_400_000 * 2)),
    behavior: fc.nat(11),
    watchMs: fc.constantFrom(0, 0, 700, 4_000_000_000),
    amountMinor: fc.constantFrom(0, 0, 1_990),
  }),
  { maxLength: 60 },
)
type Step = typeof steps extends fc.Arbitrary<(infer S)[]> ? S : never

function bytesOf(windows: RollingWindows, slot: number, lastSeen: number): Uint8Array {
  const to = byteWriter()
  windows.write(slot, to, lastSeen)
  return taken(to)
}

test('put back, they go on as before', () => {
  fc.assert(
    fc.property(steps, steps, (before, after) => {
      let clock = begin
      const lastSeen = new Float64Array(users).fill(begin)
      const play = (all: RollingWindows[], script: readonly Step[]) => {
        for (const { what, slot, afterMs, lateMs, behavior, watchMs, amountMinor } of script) {
          clock += afterMs
          const t = clock - lateMs
          const seen = all.map((windows) => {
            if (what === 'leave') return windows.nextLeave(slot)
            if (what === 'write') return bytesOf(windows, slot, lastSeen[slot]!)
            if (what === 'clear') return windows.clear(slot)
            windows.slide(slot, clock)
            if (what === 'add') windows.add(slot, t, clock, behavior, behavior === 4, watchMs, amountMinor)
            if (what === 'sums') return [...windows.sums(slot)]
          })
          if (what === 'add') lastSeen[slot] = Math.max(lastSeen[slot]!, t)
          for (const one of seen.slice(1)) expect(one).toEqual(seen[0])
        }
      }
      const first = rollingWindows(users)
      play([first], before)
      const second = rollingWindows(users)
      for (let slot = 0; slot < users; slot++) {
        const bytes = bytesOf(first, slot, lastSeen[slot]!)
        const from = { bytes, at: 0 }
        second.read(slot, from, lastSeen[slot]!)
        expect(from.at).toBe(bytes.length)
      }
      play([first, second], after)
      expect(second.tiles()).toBe(first.tiles())
    }),
    { numRuns: 400 },
  )
})

test('a value that is cut short is told when it is read', () => {
  const windows = rollingWindows(1)
  windows.slide(0, begin)
  for (let i = 0; i < 5; i++) windows.add(0, begin + i * 3_600_000, begin + i * 3_600_000, 3, false, 300, 0)
  const bytes = bytesOf(windows, 0, begin + 5 * 3_600_000)
  for (let length = 0; length < bytes.length; length++)
    expect(() => rollingWindows(1).read(0, { bytes: bytes.subarray(0, length), at: 0 }, begin)).toThrow(/cut short or broken/)
})

test('a measure that there is not is told', () => {
  expect(() => rollingWindows(1).read(0, { bytes: Uint8Array.of(1, 0, 0, 0x80, 1, 0, 0, 0), at: 0 }, begin)).toThrow(
    /measures 32768 at byte 2/,
  )
})

test('kept bytes are there until they are dropped, and their memory goes with the last of a chunk', () => {
  const kept = keptBytes()
  const values = Array.from({ length: 3_000 }, (_, i) => new Uint8Array(1_000).fill(i % 251))
  const handles = values.map((value) => kept.keep(value, 0, value.length))
  const size = kept.size()
  expect(size).toBeGreaterThanOrEqual(3_000_000)
  const read = (handle: number) => kept.chunkOf(handle).slice(kept.placeOf(handle), kept.placeOf(handle) + 1_000)
  for (const [i, handle] of handles.entries()) if (i % 100 === 0) expect(read(handle)).toEqual(values[i])
  for (const handle of handles.slice(0, 2_900)) kept.drop(handle)
  expect(kept.size()).toBeLessThan(size / 2)
  for (const [i, handle] of handles.entries()) if (i >= 2_900) expect(read(handle)).toEqual(values[i])
  for (const handle of handles.slice(2_900)) kept.drop(handle)
  expect(kept.size()).toBe(0)
  // One that is larger than a chunk, and what comes behind it.
  const large = kept.keep(new Uint8Array(3 << 20).fill(7), 0, 3 << 20)
  const small = kept.keep(new Uint8Array(1_000).fill(9), 0, 1_000)
  expect(kept.chunkOf(large)[(3 << 20) - 1]).toBe(7)
  expect(read(small)).toEqual(new Uint8Array(1_000).fill(9))
})
