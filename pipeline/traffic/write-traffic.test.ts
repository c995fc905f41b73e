import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { partitionOf } from '../../operators/hash.ts'
import { embeddedLog, type EmbeddedLog } from '../adapters/embedded-log.ts'
import { textHeaders } from '../text-headers.ts'
import { topicTail } from './topic-tail.ts'
import { readFlush, type ReadFlush } from './generator/read-flush.ts'
import { liveTraffic, TopicIsLater, writeTraffic } from './write-traffic.ts'

let directory: string
let log: EmbeddedLog
let wallMs: number

beforeEach(async () => {
  wallMs = Date.parse('2026-11-20T12:00:00Z')
  directory = mkdtempSync(join(tmpdir(), 'reelpulse-traffic-'))
  log = await embeddedLog(directory, { maintainEveryMs: 0, now: () => wallMs })
})

afterEach(async () => {
  await log.close()
  rmSync(directory, { recursive: true })
})

type Kept = { timestampMs: number; key: string | null; flush: ReadFlush | undefined; headers: Record<string, string> }

async function readAll(topic: string): Promise<Kept[][]> {
  const { partitions } = (await log.describeTopic(topic))!
  return await Promise.all(
    partitions.map(async ({ begin, end }, partition) => {
      const reader = await log.read(topic, partition, begin)
      const kept: Kept[] = []
      while (kept.length < end - begin) {
        const batch = await reader.next(1_000)
        for (let i = 0; i < batch.count; i++) {
          const key = batch.keys[i] ?? null
          const value = batch.values[i] ?? null
          kept.push({
            timestampMs: batch.timestampsMs[i]!,
            key: key === null ? null : Buffer.from(key).toString(),
            flush: value === null ? undefined : readFlush(value),
            headers: textHeaders(batch.headers[i]),
          })
        }
      }
      await reader.close()
      return kept
    }),
  )
}

const flushesOf = (partitions: Kept[][]) => partitions.flat().flatMap(({ flush }) => flush ?? [])
const fromMs = Date.parse('2026-10-01T00:00:00Z')

describe('a span of log time', () => {
  const span = { seed: 5, fromMs, eventsPerSecond: 5, spanMs: 2 * 3_600_000 }

  test('lies in the partitions of its users, time never going back, and ends with a tick on each that moves the clock', async () => {
    const written = await writeTraffic(log, 'span', { ...span, partitions: 3 })
    const partitions = await readAll('span')
    const endMs = fromMs + span.spanMs
    expect(written).toMatchObject({ fromMs, reachedMs: endMs })
    expect(written.events).toBeGreaterThan(10_000)
    partitions.forEach((kept, partition) => {
      expect(kept.at(-1)).toEqual({
        timestampMs: endMs,
        key: null,
        flush: undefined,
        headers: { reelpulse: 'tick', clock_at: String(endMs) },
      })
      const flushes = kept.slice(0, -1)
      expect(flushes.length).toBeGreaterThan(500)
      expect(flushes.filter((one, i) => i > 0 && one.timestampMs < flushes[i - 1]!.timestampMs)).toEqual([])
      expect(flushes.filter(({ key, flush }) => key !== flush?.user || partitionOf(Buffer.from(key), 3) !== partition)).toEqual([])
    })
    expect(flushesOf(partitions).reduce((sum, { events }) => sum + events.length, 0)).toBe(written.events)
  })

  test('goes on where the topic ends: same users, no one registers again, no id repeats', async () => {
    const first = await writeTraffic(log, 'span', span)
    const second = await writeTraffic(log, 'span', span)
    expect(second.fromMs).toBe(first.reachedMs + 1)
    expect(second.registered).toBeGreaterThan(first.registered)
    const partitions = await readAll('span')
    for (const kept of partitions) expect(kept.filter((one, i) => i > 0 && one.timestampMs < kept[i - 1]!.timestampMs)).toEqual([])
    const flushes = flushesOf(partitions)
    const distinct = [...new Map(flushes.map((flush) => [flush.batchId, flush])).values()]
    const ids = distinct.flatMap((flush) => flush.events.map((event) => event.id))
    expect(new Set(ids).size).toBe(ids.length)
    const registered = distinct.filter((flush) => flush.events.some((event) => event.behavior === 'register')).map((flush) => flush.user)
    expect(new Set(registered).size).toBe(registered.length)
    const usersOf = (from: number, to: number) =>
      new Set(
        partitions
          .flat()
          .flatMap(({ timestampMs, key }) => (key?.startsWith('u') === true && timestampMs >= from && timestampMs < to ? key : [])),
      )
    expect(usersOf(fromMs, second.fromMs).intersection(usersOf(second.fromMs, Infinity)).size).toBeGreaterThan(50)
  })

  test('the same twice into two topics gives the same records', async () => {
    await writeTraffic(log, 'one', { ...span, events: 5_000 })
    await writeTraffic(log, 'two', { ...span, events: 5_000 })
    expect(await readAll('two')).toEqual(await readAll('one'))
  })

  test('goes on in a topic that was given more partitions, in all of them', async () => {
    await writeTraffic(log, 'span', span)
    await log.addPartitions('span', 6)
    await writeTraffic(log, 'span', span)
    const kept = await readAll('span')
    expect(kept.map((records) => records.filter(({ flush }) => flush !== undefined).length > 10)).toEqual(Array(6).fill(true))
  })

  test('ends early when told to, with the clocks moved', async () => {
    const stop = new AbortController()
    const written = await writeTraffic(log, 'span', { ...span, onProgress: () => stop.abort(), signal: stop.signal })
    expect(written.events).toBeLessThan(20_000)
    for (const kept of await readAll('span')) expect(kept.at(-1)!.headers).toHaveProperty('clock_at', String(written.reachedMs))
  })

  test('is refused before the topic’s clock where the start is exact', async () => {
    await writeTraffic(log, 'span', { ...span, events: 100 })
    await expect(writeTraffic(log, 'span', { ...span, exactFrom: true })).rejects.toThrow(TopicIsLater)
  })

  test('is refused on a topic whose timestamps are the log’s', async () => {
    await log.createTopic({ topic: 'live', partitions: 4, timestamps: 'append' })
    await expect(writeTraffic(log, 'live', span)).rejects.toThrow(
      'topic live exists, but timestamps is append, want create; give another --topic',
    )
  })
})

describe('live traffic', () => {
  /** Runs by a clock of its own: waiting moves it, and nothing else. */
  async function live(forMs: number, more: Partial<Parameters<typeof liveTraffic>[2]> = {}, onWait: (waited: number) => void = () => {}) {
    const stop = new AbortController()
    const startMs = wallMs
    return await liveTraffic(log, 'live', {
      seed: 9,
      rate: 100,
      signal: stop.signal,
      now: () => wallMs,
      sleep: async (ms) => {
        wallMs += Math.max(1, ms)
        onWait(wallMs - startMs)
        if (wallMs - startMs >= forMs) stop.abort()
      },
      ...more,
    })
  }

  test('comes at the rate, with the log’s timestamps', async () => {
    const written = await live(120_000)
    expect(written.events / 120).toBeGreaterThan(85)
    expect(written.events / 120).toBeLessThan(115)
    expect((await log.describeTopic('live'))!.timestamps).toBe('append')
    const flushes = (await readAll('live')).flat()
    const off = flushes.map(({ timestampMs, flush }) => Math.abs(timestampMs - flush!.sentAt)).toSorted((a, b) => a - b)
    expect(off[Math.floor(off.length / 2)]).toBeLessThan(1_500)
  })

  test('makes up for a stall little by little', async () => {
    let stalled = false
    const perSecond = new Map<number, number>()
    let before = 0
    const written = await live(
      120_000,
      {
        onProgress({ events }) {
          const second = Math.floor(wallMs / 1000)
          perSecond.set(second, (perSecond.get(second) ?? 0) + events - before)
          before = events
        },
      },
      (waited) => {
        if (waited < 30_000 || stalled) return
        stalled = true
        wallMs += 8_000
      },
    )
    expect(written.events / 120).toBeGreaterThan(85)
    expect(Math.max(...perSecond.values())).toBeLessThan(350)
  })

  test('begins anew after a long sleep, instead of sending what was missed', async () => {
    let slept = false
    const written = await live(8 * 3_600_000 + 60_000, {}, (waited) => {
      if (waited < 30_000 || slept) return
      slept = true
      wallMs += 8 * 3_600_000
    })
    expect(written.events).toBeLessThan(100 * 60 * 1.3)
  })

  test('goes on with the same users after a stop, though ticks have filled the end of the topic', async () => {
    const first = await live(60_000)
    const tick = { key: null, value: null, headers: { reelpulse: Buffer.from('tick') } }
    for (let i = 0; i < 4; i++) {
      await log.append(
        'live',
        Array.from({ length: 5_000 }, (_, at) => ({ ...tick, partition: at % 4 })),
      )
    }
    wallMs += 60_000
    const tail = await topicTail(log, 'live')
    // Whoever had begun to register, but whose flush was still on the device, will not be heard of.
    expect(first.registered - tail.registered).toBeLessThan(first.registered / 2)
    expect(tail.registered).toBeGreaterThan(20)
    expect(tail.registered).toBeLessThanOrEqual(first.registered)
    expect((await live(60_000)).registered).toBeGreaterThan(tail.registered)
  })
})
