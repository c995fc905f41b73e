// The process role for the customer signals beside a topic of behaviour, in this process.
import { systemClock } from '../adapters/system-clock.ts'
import type { OperatorSettings } from '../../operators/settings.ts'
import type { Logger } from '../log/logger.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import type { PartitionStatus } from '../roles/process/partition-status.ts'
import { startProcess, type ProcessRole } from '../roles/process/process.ts'
import { beWriter } from './be-writer.ts'
import { migrateWhenThere, whenThere } from './migrate-when-there.ts'
import type { Monitoring } from './monitoring.ts'
import { progressBoard, type ProgressBoard } from './progress.ts'
import { topicPlan } from './topic-plan.ts'

export type SignalsOptions = {
  log: Log
  /** Of the signals' own database. */
  store: Store
  topic: string
  group: string
  operators: OperatorSettings
  blockSpanS: number
  checkpointS: number
  logger: Logger
  monitoring: Pick<Monitoring, 'role' | 'beginSignals'>
  /** Aborted: wait no longer for a store that is away. */
  signal: AbortSignal
}

/** Its topic must be there. Undefined where `signal` came before the store. */
export async function startSignals(options: SignalsOptions): Promise<{ role: ProcessRole; board: ProgressBoard } | undefined> {
  const { log, store, topic, group, signal } = options
  const plan = topicPlan(topic, group)
  const logger = options.logger.child({ role: 'signals' })
  const tellState = options.monitoring.role('signals')
  const monitored = options.monitoring.beginSignals({ log, store, topic })
  if (!(await migrateWhenThere(store, signal, logger, plan))) return undefined
  if (!(await whenThere(() => beWriter(store, topic, group), signal, logger))) return undefined
  const board = progressBoard(Date.now)
  const started: { role?: ProcessRole } = {}
  const look = () => {
    const one = worst(started.role?.status() ?? [])
    if (one !== undefined) tellState(one.state, one.error)
  }
  const role = await startProcess({
    clock: systemClock,
    log: monitored.log,
    store: monitored.store,
    topic,
    names: plan.names,
    work: plan.work,
    settings: options.operators,
    blockSpanMs: options.blockSpanS * 1000,
    checkpointMs: options.checkpointS * 1000,
    resolve: plan.resolve,
    onProgress(progress) {
      board.report(progress)
      monitored.report(progress)
      look()
    },
    tell(level, message, facts) {
      logger[level](facts, message)
      look()
    },
  })
  started.role = role
  monitored.started(role)
  look()
  return { role, board }
}

const gravity: readonly PartitionStatus['state'][] = ['running', 'restoring', 'retrying', 'waiting_for_store', 'stopped']
const worst = (all: readonly PartitionStatus[]) =>
  all.toSorted((one, other) => gravity.indexOf(other.state) - gravity.indexOf(one.state))[0]
