// One run of the process role behind a store that can be made to fail, watched from outside as its operators would: over HTTP.
import { clickhouseStore } from '../adapters/clickhouse-store.ts'
import type { EmbeddedEngine } from '../adapters/embedded-store.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { defaultSettings } from '../../operators/settings.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log, RecordBatch } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import type { PartitionProgress } from '../roles/process/partition-progress.ts'
import { startProcess } from '../roles/process/process.ts'
import { openMonitoring } from '../start/monitoring.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'

/** Of the runs: small, so that an outage stops them early. */
export const blockEvents = 32
export const batchRecords = 10

export type Shown = {
  ready: boolean
  parts: { role: string; partition?: number; state: string; since: string; error?: string; to_do?: string }[]
  neighbours: { name: string; answers: boolean; error?: string }[]
}

export type Run = {
  /** By partition: the offset up to which the role took records from the log. */
  taken(): readonly number[]
  readyz(): Promise<{ status: number; shown: Shown }>
  /** Values of a metric, by their labels as written. */
  metric(name: string): Promise<Map<string, number>>
  processed(): Promise<boolean>
  stop(): Promise<void>
}

/**
 * The store of one database, through the proxy. `timeoutMs`: of inserts, and of questions too. Short only where no answer comes: on a slow
 * machine it would give up what is under way, and do it again.
 */
export const storeThrough = (url: string, engine: EmbeddedEngine, database: string, timeoutMs = 30_000): Store =>
  clickhouseStore({ url, ...engine.owner(), database, insertTimeoutMs: timeoutMs, queryTimeoutMs: timeoutMs })

export async function startRun(options: { log: Log; store: Store; topic: string; group: string }): Promise<Run> {
  const { topic, group } = options
  const taken: number[] = []
  let stopping = false
  // Waits between tries are short, so that tests are; a stop has all its time, which a slow machine needs for the last block.
  const clock: Clock = {
    now: () => systemClock.now(),
    sleep: (ms, signal) => systemClock.sleep(stopping ? ms : Math.min(ms, 50), signal),
  }
  const progress = new Map<number, PartitionProgress>()
  const monitoring = await openMonitoring({ serve: { host: '127.0.0.1', port: 0 }, logger: { info() {}, warn() {} } })
  const { log, store, report, started } = monitoring.beginProcess({ ...options, log: inSmallBatches(options.log, taken) })
  const role = await startProcess({
    clock,
    log,
    store,
    topic,
    names: namesOf(topic, group),
    settings: defaultSettings,
    blockSpanMs: 300,
    checkpointMs: 500,
    resolve: knownFlushes(),
    onProgress(of) {
      progress.set(of.partition, { ...of })
      report(of)
    },
    tell() {},
    limits: { block: { events: blockEvents, bytes: 1e9 } },
  })
  started(role)
  const get = (path: string) => fetch(`${monitoring.url()}${path}`)
  return {
    taken: () => taken,
    async readyz() {
      const response = await get('/readyz')
      return { status: response.status, shown: (await response.json()) as Shown }
    },
    async metric(name) {
      const lines = (await (await get('/metrics')).text()).split('\n')
      return new Map(
        lines.flatMap((line) => {
          const [, labels = '', value] = new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`).exec(line) ?? []
          return value === undefined ? [] : [[labels, Number(value)] as const]
        }),
      )
    },
    async processed() {
      const { partitions } = (await options.log.describeTopic(topic))!
      return partitions.every(({ end }, partition) => {
        const of = progress.get(partition)
        return of !== undefined && of.nextOffset >= end && of.insertingSince === undefined
      })
    },
    async stop() {
      stopping = true
      await role.stop()
      await monitoring.close()
    },
  }
}

/** The same log, read a few records at a time, so that one can see how many were wanted. */
function inSmallBatches(log: Log, taken: number[]): Log {
  return {
    ...log,
    async read(topic, partition, fromOffset) {
      const reader = await log.read(topic, partition, fromOffset)
      let batch: RecordBatch | undefined
      let at = 0
      return {
        ...reader,
        async next(waitMs) {
          if (batch === undefined || at >= batch.count) {
            batch = await reader.next(waitMs)
            at = 0
          }
          const from = at
          at = Math.min(batch.count, from + batchRecords)
          const nextOffset = at < batch.count ? batch.offsets[at]! : batch.nextOffset
          taken[partition] = nextOffset
          return {
            ...batch,
            count: at - from,
            offsets: batch.offsets.subarray(from, at),
            timestampsMs: batch.timestampsMs.subarray(from, at),
            keys: batch.keys.slice(from, at),
            values: batch.values.slice(from, at),
            headers: batch.headers.slice(from, at),
            nextOffset,
          }
        },
      }
    },
  }
}
