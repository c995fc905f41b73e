// `reelpulse start`: the whole pipeline in one process, with simulated traffic.
import { z } from 'zod'
import {
  dataSettings,
  detectSettings,
  endpointSettings,
  logSettings,
  loggerSettings,
  processSettings,
  serveSettings,
  storeSettings,
  topicSettings,
} from '../../config/groups.ts'
import { defaultTopic } from '../../config/names.ts'
import { behaviorOnly } from '../behavior-only.ts'
import { defineCommand, exitGood, UsageError } from '../command.ts'

export const command = defineCommand({
  name: 'start',
  summary: 'run the whole pipeline in one process, with simulated traffic',
  help: `Starts the roles process and detect on one topic and brings simulated traffic to it. Without KAFKA_BROKERS and CLICKHOUSE_URL the log
and the ClickHouse engine are embedded, and their state lies under --data. Ctrl-C stops cleanly: what is in flight lands, and the next
start goes on where this one ended.

Without --events and --incident the traffic is live, on topic ${defaultTopic}. --events drains a number of events over 38 days of log time
as fast as it can, on topic simulation, prints a summary and ends. --incident writes six hours of log time, then lets completion drop in
one channel, on topic incident.`,
  examples: [
    ['start', 'Live traffic at 500 events a second, until Ctrl-C.'],
    ['start --events 1000000', 'A million events as fast as possible, and a summary.'],
    ['start --incident', 'See an alert fire, and resolve.'],
    ['start --clickhouse-port 8123', 'Grafana and ClickHouse clients may read the tables of the embedded engine.'],
  ],
  flags: z.object({
    events: z
      .int('a whole number')
      .min(1, 'at least 1')
      .max(1e9, 'at most 1000000000')
      .optional()
      .describe('Drain so many events, then end.'),
    incident: z.boolean().default(false).describe('Let completion drop in one channel after six hours of log time.'),
    channel: z.string().default('organic').describe('The channel of --incident.'),
    rate: z.number().positive('a number above 0').max(1e6, 'at most 1000000').default(500).describe('Live events a second.'),
    flushS: z
      .number()
      .min(0, 'at least 0')
      .max(3_600, 'at most 3600')
      .default(60)
      .describe('Live: an app sends what happened so long after it, or at 20 events; 0: at once.'),
    seed: z.int('a whole number').default(1).describe('Who the people are and what they do.'),
  }),
  settings: {
    data: dataSettings,
    topic: topicSettings,
    log: logSettings,
    store: storeSettings,
    endpoint: endpointSettings,
    process: processSettings,
    detect: detectSettings,
    serve: serveSettings,
    logger: loggerSettings,
  },
  json: true,
  async run(context) {
    const { flags, settings, print, result, signal } = context
    if (flags.events !== undefined && flags.incident) throw new UsageError('--events and --incident do not go together: choose one')
    const [
      { openLog, openStore },
      { logger },
      { operatorSettingsOf },
      { startRoles },
      traffics,
      { terminal },
      { summaryLines, summarize },
      { progressBoard },
      { endsOf, untilProcessed },
      { patientLog },
      { openMonitoring },
      { startSignals },
      { signalsTopicOf },
      { startServing },
      { inputTopic },
    ] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../log/logger.ts'),
      import('../../config/operator-settings.ts'),
      import('../../start/roles.ts'),
      import('../../start/traffic.ts'),
      import('../../start/terminal.ts'),
      import('../../start/summary.ts'),
      import('../../start/progress.ts'),
      import('../../start/until-processed.ts'),
      import('../../start/patient-log.ts'),
      import('../../start/monitoring.ts'),
      import('../../start/signals.ts'),
      import('../../config/names.ts'),
      import('../../start/serving.ts'),
      import('../../traffic/input-topic.ts'),
    ])
    const asked = settings.topic.topic
    behaviorOnly(asked, 'start')
    const special = flags.incident ? 'incident' : flags.events === undefined ? defaultTopic : 'simulation'
    const topic = asked === defaultTopic ? special : asked
    const traffic = flags.incident
      ? traffics.incident(flags.channel, flags.seed, Date.now())
      : flags.events === undefined
        ? traffics.live(flags.rate, flags.seed, flags.flushS * 1000)
        : traffics.drained(flags.events, flags.seed, Date.now(), settings.process.zone)
    // The view says what matters; the log's lines would tear it.
    const messages = logger('start', process.stdout.isTTY && settings.logger.level === 'info' ? { level: 'warn' } : settings.logger)

    const monitoring = await openMonitoring({ serve: settings.serve, logger: messages, mayGoWithout: true, elsewhere: true })
    signal.addEventListener('abort', monitoring.stopping, { once: true })
    const log = await openLog(settings, { logger: messages }).catch(async (error: unknown) => {
      await monitoring.close()
      throw error
    })
    const over = new AbortController()
    const trafficEnds = AbortSignal.any([signal, over.signal])
    let feeding: Promise<void> | undefined
    try {
      const store = await openStore(
        { ...settings, topic: { topic } },
        {
          logger: messages,
          onEndpoint: ({ url, user, password_in: file }) => print(`tables for others: ${url}, user ${user}, its password in ${file}`),
        },
      )
      const signalsTopic = signalsTopicOf(topic)
      const signalsStore = traffic.signals
        ? await openStore({ data: settings.data, store: settings.store, topic: { topic: signalsTopic } }, { logger: messages })
        : undefined
      try {
        await inputTopic(log, { topic, partitions: settings.topic.partitions, timestamps: traffic.timestamps })
        if (signalsStore !== undefined)
          await inputTopic(log, { topic: signalsTopic, partitions: settings.topic.partitions, timestamps: traffic.timestamps })
        const startedAt = Date.now()
        // An app does not wait for us: its flushes lie in the log while tables are still being made.
        const waiting = patientLog(log, trafficEnds, (message) => messages.warn(message))
        feeding = traffic.run(waiting, topic, trafficEnds)
        feeding.catch(() => {}) // it is awaited below, when all that reads it is there
        const board = progressBoard(Date.now)
        print(`Reelpulse: ${traffic.title}; topic ${topic}, state in ${settings.data.dir}`)
        const url = monitoring.url()
        if (url !== undefined) print(`The board: ${url}/`)
        const boardUrl = settings.detect.boardUrl ?? (url === undefined ? undefined : `${url}/`)
        const view = terminal({
          out: process.stdout,
          facts: () => ({ title: traffic.title, url, data: settings.data.dir, wallS: (Date.now() - startedAt) / 1000 }),
          barTo: flags.events,
          snapshot: board.snapshot,
        })
        const roles = await startRoles({
          log,
          store,
          topic,
          group: settings.topic.group,
          operators: operatorSettingsOf(settings.process),
          blockSpanS: settings.process.blockSpanS,
          checkpointS: settings.process.checkpointS,
          detect: boardUrl === undefined ? settings.detect : { ...settings.detect, boardUrl },
          logger: messages,
          monitoring,
          board,
          onAlert: (line) => view.say(`ALERT ${line.state}: ${line.text}`),
          signal,
        })
        if (roles === undefined) {
          view.close()
          return exitGood
        }
        const serving = startServing({
          monitoring,
          store,
          topic,
          zone: settings.process.zone,
          ...settings.serve,
          log: messages.child({ role: 'serve' }),
        })
        const signals =
          signalsStore === undefined
            ? undefined
            : await startSignals({
                log,
                store: signalsStore,
                topic: signalsTopic,
                group: settings.topic.group,
                operators: operatorSettingsOf(settings.process),
                blockSpanS: settings.process.blockSpanS,
                checkpointS: settings.process.checkpointS,
                logger: messages,
                monitoring,
                signal,
              })
        await feeding
        if (!signal.aborted) await untilProcessed(() => endsOf(log, topic), board, roles.process, signal)
        if (!signal.aborted && signals !== undefined)
          await untilProcessed(() => endsOf(log, signalsTopic), signals.board, signals.role, signal)
        if (signal.aborted) view.say('stopping: what is in flight lands first (Ctrl-C again: at once, and the next start does it over)')
        await Promise.all([roles.stop(), signals?.role.stop()])
        serving.close()
        view.close()
        view.show(board.snapshot())
        const summary = await summarize(store, board.snapshot(), {
          topic,
          wallS: (Date.now() - startedAt) / 1000,
          dataDir: settings.data.dir,
        })
        for (const line of summaryLines(summary)) print(line)
        if (signals !== undefined) print(`customer signals: ${signals.board.snapshot().events} in topic ${signalsTopic}`)
        result({ ...summary, ...(signals === undefined ? {} : { signals: signals.board.snapshot().events }) })
      } finally {
        await signalsStore?.close()
        await store.close()
      }
    } finally {
      over.abort()
      await feeding?.catch(() => {})
      await log.close()
      await monitoring.close()
    }
    return exitGood
  },
})
