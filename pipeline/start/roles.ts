// Runs the process and detect roles of one topic beside each other in this process, and keeps what people want to see.
import { systemClock } from '../adapters/system-clock.ts'
import type { OperatorSettings } from '../../operators/settings.ts'
import { cellText, likelyCauseText } from '../../operators/alerts/tell.ts'
import { callbackNotifier } from '../adapters/callback-notifier.ts'
import { receiversOf } from '../alerts/receivers.ts'
import type { DetectSettings } from '../config/groups.ts'
import type { Logger } from '../log/logger.ts'
import type { Log } from '../ports/log.ts'
import type { Notifier } from '../ports/notifier.ts'
import type { Store } from '../ports/store.ts'
import { detect } from '../roles/detect.ts'
import { startProcess, type ProcessRole } from '../roles/process/process.ts'
import { beWriter } from './be-writer.ts'
import { migrateWhenThere, whenThere } from './migrate-when-there.ts'
import type { Monitoring } from './monitoring.ts'
import type { AlertLine, ProgressBoard } from './progress.ts'
import { knownFlushes, namesOf } from './topic-plan.ts'

export type RolesOptions = {
  log: Log
  store: Store
  topic: string
  group: string
  operators: OperatorSettings
  blockSpanS: number
  checkpointS: number
  detect: DetectSettings
  logger: Logger
  monitoring: Monitoring
  board: ProgressBoard
  onAlert(line: AlertLine): void
  /** Aborted: wait no longer for a store that is away. */
  signal: AbortSignal
}

export type Roles = {
  process: ProcessRole
  /** Process first, so that all in flight lands; then detect. */
  stop(): Promise<void>
}

/** Undefined where `signal` came before the store. */
export async function startRoles(options: RolesOptions): Promise<Roles | undefined> {
  const { store, topic, logger, board, monitoring, signal } = options
  const processLogger = logger.child({ role: 'process' })
  const monitored = monitoring.beginProcess(options)
  if (!(await migrateWhenThere(store, signal, processLogger))) return undefined
  if (!(await whenThere(() => beWriter(store, topic, options.group), signal, processLogger))) return undefined
  const process = await startProcess({
    clock: systemClock,
    log: monitored.log,
    store: monitored.store,
    topic,
    names: namesOf(topic, options.group),
    settings: options.operators,
    blockSpanMs: options.blockSpanS * 1000,
    checkpointMs: options.checkpointS * 1000,
    resolve: knownFlushes(),
    onProgress(progress) {
      board.report(progress)
      monitored.report(progress)
    },
    tell: (level, message, facts) => processLogger[level](facts, message),
  })
  monitored.started(process)

  const stopDetect = new AbortController()
  const notifiers: Notifier[] = [
    callbackNotifier('view', (notification) => {
      const { decidedAt, firedAt, state, kpi, dimension, value, reason } = notification
      // What was only suspected, and did not come true, is in table `alerts`; nobody is told.
      if (firedAt === undefined) return
      const likely = likelyCauseText(notification)
      const cause = likely === undefined ? '' : `; likely cause: ${likely}`
      const line = { at: decidedAt, state, text: `${kpi} of ${cellText({ dimension, value })}: ${reason}${cause}` }
      board.alert(line)
      options.onAlert(line)
    }),
  ]
  notifiers.push(...receiversOf({ settings: options.detect, topic, openLog: () => Promise.resolve(options.log) }))
  const tellDetect = monitoring.role('detect')
  const detecting = detect({
    store,
    settings: { topic, latenessMs: options.detect.latenessS * 1000, zone: options.operators.zone },
    notifiers,
    watch: monitoring.beginDetect(),
    log: logger.child({ role: 'detect' }),
    signal: stopDetect.signal,
    onState: tellDetect,
  }).catch((error: unknown) => {
    tellDetect('stopped', error instanceof Error ? error.message : String(error))
    logger.error({ err: error }, 'detect has stopped, and stays so until the program is started again')
  })

  return {
    process,
    async stop() {
      await process.stop()
      stopDetect.abort()
      await detecting
    },
  }
}
