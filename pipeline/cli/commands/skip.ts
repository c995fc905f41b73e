// `reelpulse skip`: goes on past a hole in the log.
import { z } from 'zod'
import { pipelineSettings } from '../../config/groups.ts'
import { changelogOf } from '../../config/names.ts'
import { defineCommand, exitFailed, exitFinding, exitGood, UsageError } from '../command.ts'

const offset = z.int('a whole number').min(0, 'at least 0')

export const command = defineCommand({
  name: 'skip',
  summary: 'go on past records that the log no longer has',
  help: `A partition whose next record is no longer in the log stops: going on would lose something without a word. This says, for every such
partition, how many offsets are lost and which rows go, and with --yes lets it begin where the log begins now. Without --yes it changes
nothing, and exits 1 where there is something to skip.

Rows that were inserted beyond the last checkpoint are deleted, because the state that made them is gone; what the log still has of them
is processed again. State up to the checkpoint stays, and so do the rows. What was given up is kept in the changelog. Stop the processes
first: they would be fenced, and start again.

--partition and --to let a partition begin at any later offset, such as behind a record at which a fault of the program stops it. Give it
the settings that the pipeline runs with. Killed, it can be run again.`,
  examples: [
    ['skip', 'What would be lost, of topic behavior-events; changes nothing.'],
    ['skip --yes', 'Go on without it.'],
    ['skip --partition 2 --to 81300 --yes', 'Partition 2 goes on at offset 81300.'],
  ],
  flags: z.object({
    partition: offset.optional().describe('Only this partition.'),
    to: offset.optional().describe('With --partition: go on at this offset, not where the log begins.'),
    yes: z.boolean().default(false).describe('Do it.'),
  }),
  settings: pipelineSettings,
  json: true,
  async run({ flags, settings, print, result, signal }) {
    const { topic, group } = settings.topic
    if (flags.to !== undefined && flags.partition === undefined) throw new UsageError('--to is an offset of one partition: add --partition')
    const [{ openLog, openStore }, { operatorSettingsOf }, { findGap, skip, SkipRefused }, { asWriter }] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../config/operator-settings.ts'),
      import('../../skip/skip.ts'),
      import('../../start/be-writer.ts'),
    ])
    const operators = operatorSettingsOf(settings.process)
    const log = await openLog(settings, { create: false })
    try {
      const count = (await log.describeTopic(topic))?.partitions.length
      if (count === undefined) throw new UsageError(`topic ${topic} does not exist`)
      const store = await openStore(settings, { create: false })
      try {
        // A group that has no checkpoint would take all that another has inserted for what its own last owner left.
        await asWriter(store, topic, group)
        const place = { log, store, topic, group, changelog: changelogOf(topic, group) }
        const gaps = []
        for (const partition of flags.partition === undefined ? Array.from({ length: count }, (_, i) => i) : [flags.partition]) {
          const gap = await findGap(place, partition, flags.to)
          if (gap !== undefined) gaps.push(gap)
        }
        for (const { partition, from, to, orphans, checkpoint } of gaps) {
          const rows = Object.entries(orphans).filter(([, n]) => n > 0)
          const total = rows.reduce((sum, [, n]) => sum + n, 0)
          print(
            `${topic}/${partition}: offsets ${from} to ${to}, ${number(to - from)} of them, ${flags.yes ? 'are' : 'would be'} passed over`,
          )
          if (checkpoint === undefined)
            print(
              '  there is no checkpoint: its owner died before the first one, or the changelog was deleted, and then all that was processed goes',
            )
          if (total > 0)
            print(
              `  ${number(total)} rows ${checkpoint === undefined ? 'of the partition' : 'inserted beyond the last checkpoint'} ${flags.yes ? 'are' : 'would be'} deleted: ${rows.map(([table, n]) => `${table} ${number(n)}`).join(', ')}`,
            )
        }
        if (flags.yes)
          for (const gap of gaps) {
            signal.throwIfAborted()
            await skip(place, gap, { settings: operators, newId: () => crypto.randomUUID(), now: Date.now })
          }
        if (gaps.length === 0) print(`${topic}: every partition can go on from its last checkpoint; there is nothing to skip`)
        else if (flags.yes) print(`${gaps.length} of ${count} partitions go on behind it once \`reelpulse process\` is started again`)
        else print('Nothing was changed. With --yes it is done; it cannot be undone.')
        result({
          topic,
          skipped: flags.yes,
          partitions: gaps.map(({ partition, from, to, orphans }) => ({
            partition,
            from,
            to,
            lost_offsets: to - from,
            rows_deleted: orphans,
          })),
        })
        return gaps.length === 0 || flags.yes ? exitGood : exitFinding
      } catch (error) {
        if (signal.aborted && error === signal.reason) {
          print(`${topic}: stopped before the end; the same command goes on from here`)
          return exitFailed
        }
        throw error instanceof SkipRefused ? new UsageError(error.message) : error
      } finally {
        await store.close()
      }
    } finally {
      await log.close()
    }
  },
})

const number = (value: number) => value.toLocaleString('en-US')
