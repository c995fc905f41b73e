// `reelpulse process`: the process role on its own.
import { z } from 'zod'
import {
  dataSettings,
  endpointSettings,
  logSettings,
  loggerSettings,
  processSettings,
  serveSettings,
  storeSettings,
  topicSettings,
} from '../../config/groups.ts'
import { defaultSignalsTopic, defaultTopic } from '../../config/names.ts'
import { defineCommand, exitGood, UsageError } from '../command.ts'

const tellMs = 10_000

export const command = defineCommand({
  name: 'process',
  summary: "the process role alone: a topic's flushes in, features, tiers and KPI deltas out",
  help: `Takes its share of the topic's partitions, keeps the state of their users, and writes what follows from every flush into the
tables, once. Topic customer-signals, and any whose name ends in .customer-signals, holds customer signals instead: these go into table
customer_signals of its database. Start as many as you like with the same group: they share the partitions, and take over from one that dies. Ends with
Ctrl-C: what is in flight lands first, and the next start goes on from there. Topics behavior-events and customer-signals are created where they are missing.
/healthz, /readyz and /metrics answer on --port.

--until-end stops by itself once everything that the topic holds at the start is processed; it wants to be the only one of its group.`,
  examples: [
    ['process', 'Topic behavior-events, until Ctrl-C.'],
    ['process --topic customer-signals', 'Ratings, replies, NPS, reports and cost.'],
    ['process --topic shopping --until-end', 'What import has brought into topic shopping; then end.'],
    ['process --brokers kafka:9092 --clickhouse-url http://clickhouse:8123', 'On servers; as many of these as there are partitions.'],
  ],
  flags: z.object({
    untilEnd: z.boolean().default(false).describe('End once all that the topic holds now is processed.'),
  }),
  settings: {
    data: dataSettings,
    topic: topicSettings,
    log: logSettings,
    store: storeSettings,
    endpoint: endpointSettings,
    process: processSettings,
    serve: serveSettings,
    logger: loggerSettings,
  },
  json: true,
  async run({ flags, settings, print, result, signal }) {
    const [
      { openLog, openStore },
      { systemClock },
      { logger },
      { operatorSettingsOf },
      { startProcess },
      { topicPlan },
      { progressBoard },
      { summarize, summaryLines },
      { endsOf, untilProcessed },
      { openMonitoring },
      { migrateWhenThere, whenThere },
      { unlessAborted },
      { beWriter },
    ] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../adapters/system-clock.ts'),
      import('../../log/logger.ts'),
      import('../../config/operator-settings.ts'),
      import('../../roles/process/process.ts'),
      import('../../start/topic-plan.ts'),
      import('../../start/progress.ts'),
      import('../../start/summary.ts'),
      import('../../start/until-processed.ts'),
      import('../../start/monitoring.ts'),
      import('../../start/migrate-when-there.ts'),
      import('../../unless-aborted.ts'),
      import('../../start/be-writer.ts'),
    ])
    const { topic, group, partitions } = settings.topic
    const operators = operatorSettingsOf(settings.process)
    const plan = topicPlan(topic, group)
    const messages = logger('process', settings.logger)
    // Where all is started at once, Kafka and ClickHouse may come later: waited for, until somebody says stop.
    let begun = false
    const soonOrStopped = <T>(work: Promise<T>) => unlessAborted(signal, work)
    const monitoring = await openMonitoring({ serve: settings.serve, logger: messages })
    signal.addEventListener('abort', monitoring.stopping, { once: true })
    const log = await openLog(settings, { logger: messages, patienceMs: Infinity }).catch(async (error: unknown) => {
      await monitoring.close()
      throw error
    })
    try {
      if ((await soonOrStopped(log.describeTopic(topic))) === undefined) {
        // Another's name may be mistyped, and only its writer knows whose time it has.
        if (topic !== defaultTopic && topic !== defaultSignalsTopic)
          throw new UsageError(`topic ${topic} does not exist: reelpulse simulate and reelpulse import make one`)
        await soonOrStopped(log.createTopic({ topic, partitions, timestamps: 'append' }))
      }
      const store = await openStore(settings, { logger: messages })
      try {
        const monitored = monitoring.beginProcess({ log, store, topic })
        if (!(await migrateWhenThere(store, signal, messages, plan))) return exitGood
        if (!(await whenThere(() => beWriter(store, topic, group), signal, messages))) return exitGood
        const startedAt = Date.now()
        const ends = await soonOrStopped(endsOf(log, topic))
        const board = progressBoard(Date.now)
        const starting = startProcess({
          clock: systemClock,
          log: monitored.log,
          store: monitored.store,
          topic,
          names: plan.names,
          work: plan.work,
          settings: operators,
          blockSpanMs: settings.process.blockSpanS * 1000,
          checkpointMs: settings.process.checkpointS * 1000,
          resolve: plan.resolve,
          onProgress(progress) {
            board.report(progress)
            monitored.report(progress)
          },
          tell: (level, message, facts) => messages[level](facts, message),
        })
        const role = await soonOrStopped(starting)
        begun = true
        monitored.started(role)
        messages.info({ topic, group }, 'processing')
        const timer = setInterval(() => {
          const { events, eventsPerSecond, lag, clock } = board.snapshot()
          const clockAt = Number.isFinite(clock) ? new Date(clock).toISOString() : null
          messages.info({ events, events_per_s: Math.round(eventsPerSecond), lag, clock_at: clockAt }, 'processed so far')
        }, tellMs)
        try {
          if (flags.untilEnd) await untilProcessed(() => Promise.resolve(ends), board, role, signal)
          else if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        } finally {
          clearInterval(timer)
          await role.stop()
        }
        const wallS = (Date.now() - startedAt) / 1000
        const summary = await summarize(store, board.snapshot(), {
          topic,
          wallS,
          dataDir: settings.data.dir,
          tables: plan.blockTables,
        })
        for (const line of summaryLines(summary)) print(line)
        result(summary)
      } finally {
        await store.close()
      }
    } catch (error) {
      // Stopped while it waited: nothing had begun.
      if (begun || !signal.aborted) throw error
    } finally {
      await log.close()
      await monitoring.close()
    }
    return exitGood
  },
})
