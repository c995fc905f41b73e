// `reelpulse repartition`: moves users' states to where they belong once a topic has more partitions.
import { z } from 'zod'
import { loggerSettings, pipelineSettings } from '../../config/groups.ts'
import { behaviorOnly } from '../behavior-only.ts'
import { defineCommand, exitFailed, exitGood, UsageError } from '../command.ts'

export const command = defineCommand({
  name: 'repartition',
  summary: "move users' states to where they belong, once a topic has more partitions",
  help: `A topic that gets more partitions stops its owners: a user's flushes then come to another partition than the one that has the user's
state. Stop every process of the group, run this, and start them again; rows are as if the topic had had its partitions from the first.

It processes what the topic holds under the old count, brings all partitions to one clock, moves users and their seen ids, and then
lets the changelog say the new count. Flushes that were written under the new count before that, and lie in an old partition, are
rejected as wrong_partition; it says how many, and \`reelpulse replay\` sends them again.

--partitions raises the topic first, for a log in which nobody else can. A topic cannot lose partitions. Give it the settings that the
pipeline runs with. Killed, it can be run again, and until it is through \`process\` refuses to start.`,
  examples: [
    ['repartition', 'Topic behavior-events has been given more partitions.'],
    ['repartition --partitions 8', 'Raise it to 8 partitions, and move the users.'],
  ],
  flags: z.object({
    partitions: z
      .int('a whole number')
      .min(1, 'at least 1')
      .max(1_000, 'at most 1000')
      .optional()
      .describe('Raise the topic to so many first.'),
  }),
  settings: { ...pipelineSettings, logger: loggerSettings },
  json: true,
  async run({ flags, settings, print, result, signal }) {
    const { topic, group } = settings.topic
    behaviorOnly(topic, 'repartition')
    const [
      { openLog, openStore },
      { systemClock },
      { logger },
      { operatorSettingsOf },
      { tables },
      { views },
      { TopicMismatch },
      { RepartitionRefused },
      { repartition },
      { knownFlushes, namesOf },
      { asWriter },
    ] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../adapters/system-clock.ts'),
      import('../../log/logger.ts'),
      import('../../config/operator-settings.ts'),
      import('../../../schemas/tables/catalogue.ts'),
      import('../../../operators/views.ts'),
      import('../../ports/log.ts'),
      import('../../repartition/one-clock.ts'),
      import('../../repartition/repartition.ts'),
      import('../../start/topic-plan.ts'),
      import('../../start/be-writer.ts'),
    ])
    const operators = operatorSettingsOf(settings.process)
    const messages = logger('repartition', settings.logger)
    const log = await openLog(settings, { create: false, logger: messages })
    try {
      if ((await log.describeTopic(topic)) === undefined) throw new UsageError(`topic ${topic} does not exist`)
      const store = await openStore(settings, { create: false, logger: messages })
      try {
        await store.migrate(tables, views)
        await asWriter(store, topic, group)
        if (flags.partitions !== undefined) await log.addPartitions(topic, flags.partitions)
        const { from, to, users, wrongPartition } = await repartition({
          log,
          store,
          topic,
          names: namesOf(topic, group),
          settings: operators,
          resolve: knownFlushes(),
          clock: systemClock,
          signal,
          tell: (level, message, facts) => messages[level](facts, message),
        })
        if (from === to) print(`${topic}: has ${to} partitions, as at the last checkpoints; every user is where they belong`)
        else
          print(
            `${topic}: from ${from} to ${to} partitions, ${users.toLocaleString('en-US')} users moved. Start \`reelpulse process\` again`,
          )
        if (wrongPartition > 0)
          print(
            `  ${wrongPartition.toLocaleString('en-US')} records lie in rejected_events as wrong_partition; \`reelpulse replay --topic ${topic} --reason wrong_partition\` sends them to where they belong`,
          )
        result({ topic, from, to, users_moved: users, wrong_partition_records: wrongPartition })
        return exitGood
      } catch (error) {
        if (signal.aborted && error === signal.reason) {
          print(
            `${topic}: stopped before the end. The same command goes on from here; until it is through, \`reelpulse process\` refuses to start`,
          )
          return exitFailed
        }
        throw error instanceof RepartitionRefused || error instanceof TopicMismatch ? new UsageError(error.message) : error
      } finally {
        await store.close()
      }
    } finally {
      await log.close()
    }
  },
})
