// Runs process members over a topic until all that it holds is processed, for tests of the whole role on real parts.
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../adapters/system-clock.ts'
import type { PartitionOptions } from '../../operators/partition/partition.ts'
import { defaultSettings, type OperatorSettings } from '../../operators/settings.ts'
import { views } from '../../operators/views.ts'
import { blockTables } from '../../schemas/tables/catalogue.ts'
import { kpiCellsTable } from '../../schemas/tables/kpi-cells.ts'
import { kpiDailyTable } from '../../schemas/tables/kpi-daily.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import type { PartitionLimits } from '../roles/process/partition-options.ts'
import type { PartitionProgress } from '../roles/process/partition-progress.ts'
import { runPartition } from '../roles/process/partition-run.ts'
import { startProcess } from '../roles/process/process.ts'
import { topicPlan } from '../start/topic-plan.ts'

export type Member = { log: Log; store: Store }

export type ProcessedOptions = {
  topic: string
  members: readonly Member[]
  group?: string
  settings?: Partial<OperatorSettings>
  limits?: PartitionLimits
  checkpointMs?: number
  /** Undefined: the schemas that came with the program. */
  resolve?: PartitionOptions['resolve']
  /** Hears what the role tells people, besides errors. */
  onTold?: (message: string, facts: Readonly<Record<string, unknown>>) => void
}

/** Processes all that the topic holds when it is called, with all members at once; stops them cleanly. Throws where a partition stops. */
export async function processAll(options: ProcessedOptions): Promise<PartitionProgress[]> {
  const { topic, members, group = 'reelpulse' } = options
  const ends = (await members[0]!.log.describeTopic(topic))!.partitions.map(({ end }) => end)
  const progress = new Map<number, PartitionProgress>()
  const errors: string[] = []
  const plan = topicPlan(topic, group)
  const roles = []
  for (const { log, store } of members)
    roles.push(
      await startProcess({
        clock: systemClock,
        log,
        store,
        topic,
        names: plan.names,
        work: plan.work,
        settings: { ...defaultSettings, ...options.settings },
        blockSpanMs: 300,
        checkpointMs: options.checkpointMs ?? 1_000,
        resolve: options.resolve ?? plan.resolve,
        onProgress: (of) => progress.set(of.partition, { ...of, rows: { ...of.rows } }),
        tell: (level, message, facts) => {
          if (level === 'error') errors.push(`${message} ${JSON.stringify(facts)}`)
          else options.onTold?.(message, facts)
        },
        ...(options.limits === undefined ? {} : { limits: options.limits }),
      }),
    )
  while (errors.length === 0 && !ends.every((end, partition) => (progress.get(partition)?.nextOffset ?? 0) >= end)) await sleep(50)
  await Promise.all(roles.map((role) => role.stop()))
  if (errors.length > 0) throw new Error(errors.join('\n'))
  return [...progress.values()]
}

/**
 * Owners that apply all that the topic holds now, make no checkpoint, and are killed: what they inserted lies beyond the last one,
 * the last block perhaps only in part.
 */
export async function dieBeyondCheckpoint({ topic, members, group = 'reelpulse', limits, settings }: ProcessedOptions): Promise<void> {
  const { log, store } = members[0]!
  const plan = topicPlan(topic, group)
  const { partitions, timestamps } = (await log.describeTopic(topic))!
  for (const [partition, { end }] of partitions.entries()) {
    const killed = new AbortController()
    const run = runPartition({
      clock: systemClock,
      log,
      store,
      target: { topic, partition, partitionCount: partitions.length, timestamps },
      names: plan.names,
      work: plan.work,
      settings: { ...defaultSettings, ...settings },
      blockSpanMs: 1e9,
      checkpointMs: 1e9,
      resolve: plan.resolve,
      abort: killed.signal,
      stop: new AbortController().signal,
      report({ nextOffset }) {
        if (nextOffset >= end) killed.abort(new Error('killed'))
      },
      tell: () => {},
      ...(limits === undefined ? {} : { limits }),
    })
    await run.then(
      () => Promise.reject(new Error(`partition ${partition} was to be killed, and returned`)),
      (error: unknown) => {
        if (!killed.signal.aborted) throw error
      },
    )
  }
}

const ownViews: readonly string[] = ['users', 'kpi_minute', 'kpi_hour', 'kpi_day']

/** The tables that blocks go into and that `skip` takes from, with their views; rows of `user_features` stay as they were inserted, so that all can be compared. */
export async function prepareStore(store: Store): Promise<void> {
  await store.migrate(
    [...blockTables, kpiCellsTable, kpiDailyTable],
    views.filter(({ name }) => ownViews.includes(name)),
  )
  await store.command('SYSTEM STOP MERGES user_features')
}
