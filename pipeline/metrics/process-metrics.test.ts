import { expect, test } from 'vitest'
import { StoreAway, type Store } from '../ports/store.ts'
import type { PartitionProgress } from '../roles/process/partition-progress.ts'
import type { PartitionStatus } from '../roles/process/partition-status.ts'
import { processMetrics } from './process-metrics.ts'
import { metrics } from './registry.ts'

const now = 1_000_000

function measured(status: PartitionStatus[], isLive = true) {
  const { registry, answer } = metrics(() => Promise.resolve(true))
  const of = processMetrics({ registry, now: () => now, status: () => status, ends: () => [50, 70], isLive: () => isLive })
  const read = async () => {
    const lines = String((await answer()).body).split('\n')
    return (name: string): string[] =>
      lines.filter((line) => line.startsWith(`reelpulse_${name}{`)).map((line) => line.slice(`reelpulse_${name}`.length))
  }
  return { ...of, read }
}

const progress = (of: Partial<PartitionProgress>): PartitionProgress => ({
  partition: 0, state: 'running', storeError: undefined, storeWaitMs: 0, insertingSince: undefined, bufferedBytes: 0, restore: { records: 0, ofRecords: 0, users: 0 }, nextOffset: 0, endOffset: 0,
  clock: now, records: 0, events: 0, duplicates: 0, rejected: 0, blocks: 0, rows: {}, users: 0, usersByTier: [], tierChanges: [], checkpointAt: now, ...of,
}) // prettier-ignore

const running = (partition: number): PartitionStatus => ({ partition, state: 'running', since: 0 })

test('counters go on where a new owner counts from 0 again', async () => {
  const { report, read } = measured([running(0)])
  report(progress({ records: 10, events: 40, blocks: 2, storeWaitMs: 1_500, rows: { events: 40 } }))
  report(progress({ records: 0 }))
  report(progress({ records: 3, events: 5, blocks: 1, storeWaitMs: 500, rows: { events: 5 } }))
  const shown = await read()
  expect(shown('records_total')).toEqual(['{partition="0"} 13'])
  expect(shown('events_total')).toEqual(['{partition="0"} 45'])
  expect(shown('blocks_total')).toEqual(['{partition="0"} 3'])
  expect(shown('store_wait_seconds_total')).toEqual(['{partition="0"} 2'])
  expect(shown('inserted_rows_total')).toEqual(['{table="events"} 45'])
})

test("a partition's gauges go with it; its counters stay", async () => {
  const status = [running(0), running(1)]
  const { report, read } = measured(status)
  for (const partition of [0, 1]) report(progress({ partition, records: 1, nextOffset: 20, clock: now - 4_000, checkpointAt: now - 9_000 }))
  let shown = await read()
  expect(shown('lag_records')).toEqual(['{partition="0"} 30', '{partition="1"} 50'])
  expect(shown('lag_seconds')).toEqual(['{partition="0"} 4', '{partition="1"} 4'])
  expect(shown('checkpoint_age_seconds')).toEqual(['{partition="0"} 9', '{partition="1"} 9'])
  status.shift()
  status[0] = { ...status[0]!, state: 'stopped' }
  shown = await read()
  expect(shown('lag_records')).toEqual(['{partition="1"} 50'])
  expect(shown('records_total')).toHaveLength(2)
  expect(shown('partition_state').filter((line) => line.endsWith(' 1'))).toEqual(['{partition="1",state="stopped"} 1'])
})

test('lag in seconds is 0 where nothing waits, and not known of a topic whose time is not the wall clock', async () => {
  const caughtUp = progress({ nextOffset: 50, clock: now - 4_000 })
  const live = measured([running(0)])
  live.report(caughtUp)
  expect((await live.read())('lag_seconds')).toEqual(['{partition="0"} 0'])
  const backfill = measured([running(0)], false)
  backfill.report(caughtUp)
  expect((await backfill.read())('lag_seconds')).toEqual([])
})

test('while a new owner restores, the lag stays what it was, and the restore is told', async () => {
  const { report, read } = measured([{ partition: 0, state: 'restoring', since: 0 }])
  report(progress({ nextOffset: 20, records: 5 }))
  report(progress({ state: 'restoring', nextOffset: 0, clock: -Infinity, restore: { records: 30, ofRecords: 90, users: 12 } }))
  const shown = await read()
  expect(shown('lag_records')).toEqual(['{partition="0"} 30'])
  expect(shown('restored_records')).toEqual(['{partition="0"} 30'])
  expect(shown('restore_records')).toEqual(['{partition="0"} 90'])
})

test('an insert counts by what became of it', async () => {
  const { store, read } = measured([])
  const answers: (Error | undefined)[] = [new StoreAway('…', { reason: 'TOO_MANY_PARTS' }), new StoreAway('…'), undefined]
  const insert = () => {
    const answer = answers.shift()
    return answer === undefined ? Promise.resolve() : Promise.reject(answer)
  }
  const counted = store({ insert } as unknown as Store)
  const block = { table: 'events', columns: [], rows: new Uint8Array(7), token: 't' }
  await expect(counted.insert(block)).rejects.toThrow(StoreAway)
  await expect(counted.insert(block)).rejects.toThrow(StoreAway)
  await counted.insert(block)
  const shown = await read()
  expect(shown('insert_retries_total')).toEqual(['{table="events",reason="TOO_MANY_PARTS"} 1', '{table="events",reason="UNKNOWN"} 1'])
  expect(shown('insert_seconds_count')).toEqual(['{table="events"} 1'])
  expect(shown('inserted_bytes_total')).toEqual(['{table="events"} 7'])
})

test('a block counts once the store has it: how large, how fresh, what was set aside', async () => {
  const { report, read } = measured([running(0)])
  const rejected = new Map([['too_old', 3]])
  report(progress({ acknowledged: { events: 7, rows: 20, bytes: 900, eventAts: [now - 4_000, now - 70_000], rejected, insertMs: 250 } }))
  report(progress({}))
  const shown = await read()
  expect(
    shown('freshness_seconds_bucket')
      .filter((line) => / [12]$/.test(line))
      .slice(0, 2),
  ).toEqual(['{le="5"} 1', '{le="10"} 1'])
  expect(shown('freshness_seconds_bucket').at(-1)).toBe('{le="+Inf"} 2')
  expect(shown('block_events_bucket').at(-1)).toBe('{le="+Inf"} 1')
  expect(shown('rejected_by_reason_total')).toContain('{reason="too_old"} 3')
})

test('of a topic whose time is not the wall clock nothing is said of freshness or delay', async () => {
  const { report, read } = measured([running(0)], false)
  report(progress({ acknowledged: { events: 1, rows: 2, bytes: 3, eventAts: [0], rejected: new Map(), insertMs: 1 } }))
  const shown = await read()
  expect(shown('freshness_seconds_bucket').at(-1)).toBe('{le="+Inf"} 0')
  expect(shown('watermark_delay_seconds')).toEqual([])
})

test('the watermark is late by the wall clock, also where nothing waits', async () => {
  const { report, read } = measured([running(0)])
  report(progress({ nextOffset: 50, clock: now - 4_000 }))
  expect((await read())('watermark_delay_seconds')).toEqual(['{partition="0"} 4'])
})
