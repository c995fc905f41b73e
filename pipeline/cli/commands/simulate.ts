// `reelpulse simulate`: what a short-video app's SDKs would send, written into a topic.
import { z } from 'zod'
import { dataSettings, logSettings, processSettings, topicSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { defaultTopic, signalsTopicOf } from '../../config/names.ts'
import { WrongSetting } from '../../config/value.ts'
import { behaviorOnly } from '../behavior-only.ts'
import { defineCommand, exitGood, UsageError } from '../command.ts'

const most = 1e9

export const command = defineCommand({
  name: 'simulate',
  summary: 'write simulated SDK traffic into a topic',
  help: `People register, watch, react, buy and lapse; flushes come late, come twice and come from devices with wrong clocks. The same seed
and the same start give the same bytes.

Without --span, --events and --from the traffic is live: --rate events a second, stamped by the log, until Ctrl-C or --for.

With any of them it is a span of log time, written as fast as it goes into a topic of its own with timestamps of its own (CreateTime),
at whose end ticks move the topic's clock. Unless --from says otherwise, the span ends at the last midnight; on a topic that has
simulated traffic already it goes on at the topic's clock, with the same users and other events.`,
  examples: [
    ['simulate --rate 2000', 'Live traffic into behavior-events until Ctrl-C.'],
    ['simulate --signals', 'The same, and customer signals into customer-signals.'],
    ['simulate --topic simulation --events 1000000', 'A million events over 38 days of log time, as fast as it goes.'],
    ['simulate --topic trial --span 6h --rate 50 --from 2026-11-01T00:00+08:00', 'Six hours of log time at 50 events a second.'],
    [
      'simulate --topic trial --span 7h --rate 100 --incident channel=organic,kpi=completion,drop=0.5,at=+6h,for=20m',
      'Videos of one channel are watched to the end half as often, for 20 minutes after six hours.',
    ],
  ],
  flags: z.object({
    rate: z
      .number()
      .positive('a number above 0')
      .max(1e6, 'at most 1000000')
      .optional()
      .describe('Events a second: of wall time when live (default 500), else of log time (default: events by span, or 10).'),
    span: z.string().optional().describe('Log time to fill, such as 6h or 38d (default 38d).'),
    events: z
      .int('a whole number')
      .min(1, 'at least 1')
      .max(most, `at most ${most}`)
      .optional()
      .describe('Stop after exactly so many events.'),
    from: z.string().optional().describe('Where log time starts, such as 2026-11-01T00:00+08:00.'),
    for: z.string().optional().describe('How long live traffic lasts, such as 90s.'),
    seed: z.int('a whole number').default(1).describe('Who the people are and what they do.'),
    flushS: z
      .number()
      .min(0, 'at least 0')
      .max(3_600, 'at most 3600')
      .default(60)
      .describe('An app sends what happened so long after it, or at 20 events; 0: at once.'),
    users: z
      .int('a whole number')
      .min(1, 'at least 1')
      .max(most, `at most ${most}`)
      .default(60_000)
      .describe('How many people to begin with.'),
    signals: z
      .boolean()
      .default(false)
      .describe('Customer signals too (ratings, replies, NPS, reports, cost), in the topic of signals beside it.'),
    faults: z
      .number()
      .min(0, 'a share from 0 to 1')
      .max(1, 'a share from 0 to 1')
      .default(0.001)
      .describe('Broken messages besides the good ones, as a share of these.'),
    incident: z.string().optional().describe('channel=…,kpi=…,drop=…,at=+6h,for=20m: something that goes wrong.'),
  }),
  settings: {
    data: dataSettings,
    topic: pick(topicSettings, ['topic', 'partitions']),
    log: logSettings,
    process: pick(processSettings, ['zone']),
  },
  json: true,
  async run({ flags, settings, print, note, result, signal }) {
    const [
      { openLog },
      { planSimulation },
      { liveTraffic, TopicIsLater, writeTraffic },
      { liveSignals, writeSignals },
      { inputTopic },
      { TopicMismatch },
    ] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../traffic/plan.ts'),
      import('../../traffic/write-traffic.ts'),
      import('../../traffic/write-signals.ts'),
      import('../../traffic/input-topic.ts'),
      import('../../ports/log.ts'),
    ])
    const { topic, partitions } = settings.topic
    behaviorOnly(topic, 'simulate')
    const plan = planSimulation(flags, Date.now(), settings.process.zone)
    if (plan.kind === 'wrong') throw new WrongSetting(plan.problems)
    if (plan.kind === 'span' && topic === defaultTopic)
      throw new UsageError(
        `${defaultTopic} is for live traffic, whose time is the log's; a span of log time needs a topic of its own: add --topic simulation`,
      )

    const log = await openLog(settings)
    const startedAt = performance.now()
    let toldAt = startedAt
    const signalsTopic = signalsTopicOf(topic)
    const common = {
      seed: flags.seed,
      users: flags.users,
      flushMs: flags.flushS * 1000,
      faults: flags.faults,
      zone: settings.process.zone,
      partitions,
      incidents: plan.incidents,
      onProgress({ events, reachedMs }: { events: number; reachedMs: number }) {
        if (performance.now() - toldAt < 1_000) return
        toldAt = performance.now()
        note(`${count(events)} events, ${instant(reachedMs)}`)
      },
    }
    try {
      if (flags.signals) await inputTopic(log, { topic: signalsTopic, partitions, timestamps: plan.kind === 'live' ? 'append' : 'create' })
      const ended = new AbortController()
      const lasts = AbortSignal.any([plan.kind === 'live' ? lasting(signal, plan.forMs) : signal, ended.signal])
      const writing = plan.kind === 'live' ? liveTraffic(log, topic, { ...common, rate: plan.rate, signal: lasts }) : writeTraffic(log, topic, { ...common, ...plan, signal }) // prettier-ignore
      const beside = flags.signals && plan.kind === 'live' ? liveSignals(log, signalsTopic, { seed: flags.seed, eventsPerSecond: plan.rate, signal: lasts }) : undefined // prettier-ignore
      // Where one of them fails the other ends too.
      const [written] = await Promise.all([writing, beside]).finally(() => ended.abort())
      if (flags.signals && plan.kind === 'span') {
        const span = { fromMs: written.fromMs, untilMs: written.reachedMs }
        await writeSignals(log, signalsTopic, { seed: flags.seed, eventsPerSecond: plan.eventsPerSecond, signal, ...span })
      }
      const seconds = (performance.now() - startedAt) / 1000
      print(
        `${topic}: ${count(written.events)} events in ${count(written.flushes)} flushes, ${instant(written.fromMs)} to ${instant(written.reachedMs)}; ` +
          `${count(written.retries)} sent twice, ${count(written.late)} late, ${count(written.faults)} broken besides; ` +
          `${count(written.registered)} users have registered; ${count(written.events / seconds)} events/s`,
      )
      result({
        topic,
        events: written.events,
        flushes: written.flushes,
        retries: written.retries,
        late: written.late,
        faults: written.faults,
        registered: written.registered,
        value_bytes: written.bytes,
        from: instant(written.fromMs),
        to: instant(written.reachedMs),
        elapsed_s: seconds,
        events_per_s: written.events / seconds,
      })
      return exitGood
    } catch (error) {
      if (error instanceof TopicIsLater || error instanceof TopicMismatch) throw new UsageError(error.message)
      throw error
    } finally {
      await log.close()
    }
  },
})

const count = (value: number) => Math.round(value).toLocaleString('en-US')
const instant = (ms: number) => new Date(ms).toISOString()

function lasting(signal: AbortSignal, forMs: number): AbortSignal {
  return Number.isFinite(forMs) ? AbortSignal.any([signal, AbortSignal.timeout(Math.min(forMs, 2 ** 31 - 1))]) : signal
}
