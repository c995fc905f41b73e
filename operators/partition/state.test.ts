// Ids at rest: however many, in values that a topic takes.
import { expect, test } from 'vitest'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import { defaultSettings } from '../settings.ts'
import { plainBatch, plainEvent, uuidOf } from '../testing/generate.ts'
import { partitionOperator } from './partition.ts'
import { takeNewIds, userStateReader, userStateWriter } from './state.ts'

const ignore = () => {}
const operator = () =>
  partitionOperator({
    settings: defaultSettings,
    partition: 0,
    partitionCount: 1,
    operators: 'all',
    resolve: () => 'unknown_schema',
    sink: { accepted: ignore, rejectedEvent: ignore, rejectedRecord: ignore, features: ignore, tierChanged: ignore },
  })
const at = Date.UTC(2026, 10, 1, 12)
const value = (first: number, count: number) =>
  encodeSingleObject(
    behaviorBatch,
    plainBatch(
      'hot',
      at,
      Array.from({ length: count }, (_, i) => plainEvent(uuidOf(first + i), 'session_start', at)),
    ),
  )

test("a hot user's hour is kept in values of bounded size, and comes back whole", () => {
  const first = operator()
  const key = new TextEncoder().encode('hot')
  const flushes = 200
  for (let i = 0; i < flushes; i++) first.apply(i, at, key, value(i * 1_000, 1_000), undefined)
  expect(first.counters.events).toBe(flushes * 1_000)
  const generations = takeNewIds(first.state)
  expect(generations.length).toBeGreaterThan(2)
  for (const { ids } of generations) expect(ids.length).toBeLessThan(1_000_000)

  const second = operator()
  const reader = userStateReader(second.state)
  reader.put(reader.slotFor(key, 0), userStateWriter(first.state)(0))
  for (const generation of generations) reader.putIds(generation)
  reader.done(at)
  second.apply(flushes, at, key, value(137_000, 1_000), undefined)
  second.apply(flushes + 1, at, key, value(flushes * 1_000, 1_000), undefined)
  expect([second.counters.duplicates, second.counters.events]).toEqual([1_000, 1_000])
})

test("a user's state does not grow with their traffic", () => {
  const partition = operator()
  const key = new TextEncoder().encode('hot')
  const write = userStateWriter(partition.state)
  const sizes: number[] = []
  for (let i = 0; i < 100; i++) {
    partition.apply(i, at, key, value(i * 1_000, 1_000), undefined)
    if (i === 0 || i === 99) sizes.push(write(0).length)
  }
  expect(partition.windows.tiles()).toBe(4)
  // A hundred times the events make some varints a byte or two longer, and nothing else.
  expect(sizes[1]! - sizes[0]!).toBeLessThan(20)
})
