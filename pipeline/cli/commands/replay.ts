// `reelpulse replay`: sends rejected records, or a range of offsets, again, with the events that count now and are not there yet.
import { z } from 'zod'
import { rejectReasons } from '../../../schemas/rejects.ts'
import { pick } from '../../config/group.ts'
import { pipelineSettings, processSettings } from '../../config/groups.ts'
import { changelogOf, rejectedTopicOf } from '../../config/names.ts'
import { WrongSetting } from '../../config/value.ts'
import { defineCommand, exitFailed, exitGood, UsageError } from '../command.ts'

const notReplayableShown = 20
const offset = z.int('a whole number').min(0, 'at least 0')

export const command = defineCommand({
  name: 'replay',
  summary: 'send rejected records again after a fix, or a range of offsets, without doubling anything',
  help: `Reads topic <topic>.rejected, judges every record by the schemas and rules of this program, and appends to the input topic what
counts now: under the right key and partition, with the time at which it was received. Events that table events has are left out, so it
may be run again, also after it was killed. What would be rejected again is not appended, but counted by reason.

With --partition and --from it reads records of the input topic itself: those of which the rejected topic has only a digest, or all
after a fault of the rules.

What lies unprocessed in the topic could hold the same events, so the process role must first have come to its end; --wait-s says how
long that may take. The embedded log has one user at a time: stop the others, replay, then let process go on (--dry-run only looks, whoever has it). Give it the settings that
the pipeline runs with (currency, emit interval). docs/guide/replay.md has more.`,
  examples: [
    ['replay --dry-run', 'What would come of the rejected records of topic behavior-events.'],
    ['replay --reason unknown_schema --since 2026-11-20', 'Flushes of a schema that this version knows, since that day.'],
    ['replay --partition 2 --from 81200 --to 81300', 'Records of the input topic itself, by offset.'],
  ],
  flags: z.object({
    dryRun: z.boolean().default(false).describe('Only tell what would change; append nothing.'),
    reason: z
      .array(z.enum(rejectReasons, `reasons among ${rejectReasons.join(', ')}`))
      .optional()
      .describe('Only what was rejected for this reason; may be given several times.'),
    since: z
      .string()
      .optional()
      .describe("Only records of this time or later, such as 2026-11-20T08:00:00Z; without an offset in the zone's time."),
    until: z.string().optional().describe('Only records before this time.'),
    partition: offset.optional().describe('Records of this partition of the input topic, instead of rejected ones.'),
    from: offset.optional().describe('With --partition: the first offset.'),
    to: offset.optional().describe('With --partition: the offset after the last; without it, up to the end.'),
    waitS: z
      .number()
      .min(0, 'at least 0 seconds')
      .default(60)
      .describe('How long the process role may take to come to the end of the topic (s).'),
  }),
  settings: { ...pipelineSettings, process: pick(processSettings, ['emitS', 'zone', 'currency']) },
  json: true,
  async run({ flags, settings, print, note, result, signal }) {
    const { partition, from, to } = flags
    const { topic, group } = settings.topic
    const isRange = partition !== undefined
    if (!isRange && (from !== undefined || to !== undefined))
      throw new UsageError('--from and --to are offsets of one partition: add --partition')
    if (isRange && from === undefined) throw new UsageError('--partition needs --from, the first offset')
    if (isRange && (flags.reason ?? flags.since ?? flags.until) !== undefined)
      throw new UsageError('--reason, --since and --until choose among rejected records, and do not go with --partition')
    if (to !== undefined && to < from!) throw new UsageError(`--to ${to} is before --from ${from}`)
    const [{ openLog, openStore }, { systemClock }, { defaultSettings }, { instantReader }, { topicPlan }, { replay }, { asWriter }] =
      await Promise.all([
        import('../../adapters/open.ts'),
        import('../../adapters/system-clock.ts'),
        import('../../../operators/settings.ts'),
        import('../../import/instant.ts'),
        import('../../start/topic-plan.ts'),
        import('../../replay/replay.ts'),
        import('../../start/be-writer.ts'),
      ])
    const { emitS, zone, currency } = settings.process
    // Lists of dimensions reject nothing.
    const operators = { ...defaultSettings, emitMs: emitS * 1000, zone, currency }
    const instant = (where: string, text: string | undefined, otherwise: number) => {
      if (text === undefined) return otherwise
      const read = instantReader('iso', zone)(text)
      if (!read.ok) throw new WrongSetting([{ where, got: text, wants: read.wants }])
      return read.ms
    }
    const filter = {
      reasons: flags.reason === undefined ? undefined : new Set(flags.reason),
      sinceMs: instant('--since', flags.since, -Infinity),
      untilMs: instant('--until', flags.until, Infinity),
    }
    // Only looking, it may look into what another process has.
    const log = await openLog(settings, { create: false, look: flags.dryRun })
    try {
      if ((await log.describeTopic(topic)) === undefined) throw new UsageError(`topic ${topic} does not exist`)
      const store = await openStore(settings, { create: false })
      try {
        await asWriter(store, topic, group)
        let toldAt = performance.now()
        let notReplayable = 0
        const { state, figures } = await replay({
          log,
          store,
          topic,
          names: { changelog: changelogOf(topic, group), rejected: rejectedTopicOf(topic) },
          settings: operators,
          resolve: topicPlan(topic, group).resolve,
          clock: systemClock,
          source: isRange ? { kind: 'range', partition, from: from!, to } : { kind: 'rejected', filter },
          dryRun: flags.dryRun,
          waitMs: settings.log.brokers.length === 0 && !flags.dryRun ? undefined : flags.waitS * 1000,
          signal,
          onWaiting: (lag) => note(`waiting until the topic is processed: ${lag}`),
          onNotReplayable(why, partition, offset) {
            if (++notReplayable <= notReplayableShown) note(howToGet[why](partition, offset))
          },
          onProgress({ records, eventsAppended }) {
            if (performance.now() - toldAt < 2_000) return
            toldAt = performance.now()
            note(`read ${count(records)} records, ${count(eventsAppended)} events to append`)
          },
        })
        if (notReplayable > notReplayableShown) note(`… and ${count(notReplayable - notReplayableShown)} more that cannot be replayed`)
        const would = flags.dryRun ? 'would be ' : ''
        const shortened = figures.flushesShortened === 0 ? '' : ` (${count(figures.flushesShortened)} of them shortened)`
        print(
          `${topic}: ${count(figures.records)} records read; ${count(figures.eventsAppended)} events in ${count(figures.flushesAppended)} flushes${shortened} ${would}appended`,
        )
        print(`  there already    ${count(figures.eventsAlreadyThere)} events`)
        print(`  twice among them ${count(figures.eventsRepeated)} events`)
        print(`  still rejected   ${byReason(figures.stillRejected)}`)
        print(`  not replayable   ${byReason(figures.notReplayable)}`)
        if (state === 'stopped') print('stopped before the end; the same command goes on from here')
        result({
          topic,
          state,
          dry_run: flags.dryRun,
          records: figures.records,
          flushes_appended: figures.flushesAppended,
          events_appended: figures.eventsAppended,
          flushes_shortened: figures.flushesShortened,
          events_already_there: figures.eventsAlreadyThere,
          events_repeated: figures.eventsRepeated,
          still_rejected: figures.stillRejected,
          not_replayable: figures.notReplayable,
        })
        return state === 'stopped' ? exitFailed : exitGood
      } finally {
        await store.close()
      }
    } finally {
      await log.close()
    }
  },
})

const count = (value: number) => value.toLocaleString('en-US')

function byReason(counts: Readonly<Record<string, number>>): string {
  const each = Object.entries(counts)
  if (each.length === 0) return '0'
  const total = each.reduce((sum, [, n]) => sum + n, 0)
  return `${count(total)}: ${each.map(([reason, n]) => `${reason} ${count(n)}`).join(', ')}`
}

const howToGet = {
  digest_only: (partition: number, offset: number) =>
    `partition ${partition}, offset ${offset}: the rejected topic has only a digest of it; while the input topic holds it: reelpulse replay --partition ${partition} --from ${offset} --to ${offset + 1}`,
  no_origin: (partition: number, offset: number) =>
    `offset ${offset} of partition ${partition} of the rejected topic: the process role did not write it for this topic`,
  no_time: (partition: number, offset: number) => `partition ${partition}, offset ${offset}: its timestamp is none that moves a clock`,
} as const
