import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { naiveSignals } from '../../operators/naive/signals.ts'
import { signalKinds } from '../../schemas/customer-signal.ts'
import { embeddedLog } from '../adapters/embedded-log.ts'
import type { Log } from '../ports/log.ts'
import { copiedRecords } from '../testing/copied-records.ts'
import { signalsOf } from './generator/signals.ts'
import { writeSignals } from './write-signals.ts'

const directory = mkdtempSync(join(tmpdir(), 'reelpulse-signals-'))
let log: Log
beforeAll(async () => {
  log = await embeddedLog(directory)
})
afterAll(async () => {
  await log?.close()
  rmSync(directory, { recursive: true })
})

const fromMs = Date.UTC(2026, 2, 1)
const untilMs = fromMs + 1_200_000

async function signalsIn(topic: string) {
  const { accepted, rejected } = naiveSignals(
    (await copiedRecords(log, topic, 0)).map((record) => ({
      ...record,
      headers: record.headers ?? undefined,
      timestampMs: record.timestampMs!,
    })),
    { partition: 0, partitionCount: 1, currency: 'CNY' },
  )
  return {
    accepted: accepted.map(({ offset: _, ...row }) => ({ ...row, signal_id: Buffer.from(row.signal_id).toString('hex') })),
    rejected,
  }
}

test('all kinds come, every one of them counts, and all have ids of their own', async () => {
  await log.createTopic({ topic: 'once', partitions: 1, timestamps: 'create' })
  const written = await writeSignals(log, 'once', { seed: 1, eventsPerSecond: 500, fromMs, untilMs })
  const { accepted, rejected } = await signalsIn('once')
  expect(rejected).toEqual([])
  expect(accepted).toHaveLength(written)
  expect(new Set(accepted.map(({ signal_id }) => signal_id)).size).toBe(written)
  expect(new Set(accepted.map(({ kind }) => kind))).toEqual(new Set(signalKinds))
  // About 0.24 % of 500 events a second, and 4 channels' costs a minute at most.
  expect(written).toBeGreaterThan(1_200)
  expect(written).toBeLessThan(1_800)
})

test('broken off and gone on with, the same come, each once', async () => {
  await log.createTopic({ topic: 'twice', partitions: 1, timestamps: 'create' })
  const middle = fromMs + 500_000
  const first = await writeSignals(log, 'twice', { seed: 1, eventsPerSecond: 500, fromMs, untilMs: middle })
  const second = await writeSignals(log, 'twice', { seed: 1, eventsPerSecond: 500, fromMs, untilMs })
  const whole = await signalsIn('once')
  expect(first).toBeGreaterThan(0)
  expect(second).toBeGreaterThan(0)
  // The second after the clock may be left out.
  const there = (await signalsIn('twice')).accepted
  const known = new Set(whole.accepted.map(({ signal_id }) => signal_id))
  expect(there.every(({ signal_id }) => known.has(signal_id))).toBe(true)
  expect(new Set(there.map(({ signal_id }) => signal_id)).size).toBe(there.length)
  expect(whole.accepted.length - there.length).toBeLessThan(20)
})

test('another seed sends others', () => {
  expect(signalsOf(2, 1_800_000_000, 500)).not.toEqual(signalsOf(1, 1_800_000_000, 500))
  expect(signalsOf(1, 1_800_000_000, 500)).toEqual(signalsOf(1, 1_800_000_000, 500))
})
