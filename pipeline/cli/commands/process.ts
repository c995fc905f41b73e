// `reelpulse process`: the process role on its own.
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { dataSettings, logSettings, loggerSettings, processSettings, storeSettings, topicSettings } from '../../config/groups.ts'
import { defineCommand, exitFailed, exitGood } from '../command.ts'

/** How often the messages say how far it is. */
const reportMs = 30_000
const lookMs = 100

export const command = defineCommand({
  name: 'process',
  summary: "the process role alone: a topic's flushes in, features, tiers and KPI deltas out",
  help: `Joins the consumer group and processes the partitions that it is given: decodes and judges flushes, keeps the state of users, and
writes events, rejected_events, user_features, tier_changes and kpi_deltas, each row once. Start as many as you like on one topic;
they share its partitions, and take over from one that dies. A live topic that is not there yet is created.

Ctrl-C stops it cleanly: the open block lands, a checkpoint is made, the partitions are handed over. A partition that cannot go on
(a table of another form, records that the log no longer holds) stops with an error in the messages; the others go on.

With --drain it ends once everything that the topic held at the start is processed, for one process that has the group to itself.`,
  examples: [
    ['process', 'The embedded log and engine under ./data.'],
    ['process --brokers kafka:9092 --clickhouse-url http://clickhouse:8123', 'On servers; as many of these as there is work for.'],
    ['process --topic shopping --drain --json', 'All that topic shopping holds, then the figures as JSON.'],
  ],
  flags: z.object({
    drain: z.boolean().default(false).describe('End once all that the topic held at the start is processed.'),
  }),
  settings: {
    data: dataSettings,
    topic: topicSettings,
    log: logSettings,
    store: storeSettings,
    process: processSettings,
    logger: loggerSettings,
  },
  json: true,
  async run({ flags, settings, print, result, signal }) {
    const [
      { openLog, openStore },
      { logger },
      { operatorSettingsOf },
      { tables },
      { views },
      { startProcess },
      { knownFlushes, namesOf },
      { progressBoard },
      { summarize, summaryLines },
    ] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../log/logger.ts'),
      import('../../config/operator-settings.ts'),
      import('../../../schemas/tables/catalogue.ts'),
      import('../../../operators/views.ts'),
      import('../../roles/process/process.ts'),
      import('../../start/roles.ts'),
      import('../../start/progress.ts'),
      import('../../start/summary.ts'),
    ])
    const operators = operatorSettingsOf(settings.process)
    const messages = logger('process', settings.logger)
    const { topic, group, partitions } = settings.topic
    const log = await openLog(settings, { logger: messages })
    try {
      const store = await openStore(settings, { logger: messages })
      try {
        await store.migrate(tables, views)
        // One that is there may have the time of its writer: a backfill or a simulation.
        if ((await log.describeTopic(topic)) === undefined) await log.createTopic({ topic, partitions, timestamps: 'append' })
        const ends = (await log.describeTopic(topic))!.partitions.map(({ end }) => end)

        const startedAt = Date.now()
        const board = progressBoard(Date.now)
        const role = await startProcess({
          log,
          store,
          topic,
          names: namesOf(topic, group),
          settings: operators,
          blockSpanMs: settings.process.blockSpanS * 1000,
          checkpointMs: settings.process.checkpointS * 1000,
          resolve: knownFlushes(),
          onProgress: board.report,
          tell: (level, message, facts) => messages[level](facts, message),
        })
        messages.info({ topic, group, partitions: ends.length }, 'processing')
        let reportedAt = startedAt
        const stopped = () => role.status().filter(({ state }) => state === 'stopped')
        while (!signal.aborted) {
          if (flags.drain && (board.reached(ends) || stopped().length > 0)) break
          if (Date.now() - reportedAt >= reportMs) {
            reportedAt = Date.now()
            const { events, eventsPerSecond, lag, users } = board.snapshot()
            messages.info({ events, events_per_second: Math.round(eventsPerSecond), lag, users }, 'so far')
          }
          await sleep(lookMs, undefined, { signal }).catch(() => {})
        }
        const failed = stopped()
        messages.info('stopping: what is in flight lands first')
        await role.stop()

        const wallS = (Date.now() - startedAt) / 1000
        const summary = await summarize(store, board.snapshot(), { topic, wallS, dataDir: settings.data.dir })
        for (const line of summaryLines(summary)) print(line)
        result({ ...summary, stoppedPartitions: failed })
        return failed.length === 0 ? exitGood : exitFailed
      } finally {
        await store.close()
      }
    } finally {
      await log.close()
    }
  },
})
