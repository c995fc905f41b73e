// `reelpulse detect`: the detect role on its own.
import { dataSettings, detectSettings, loggerSettings, serveSettings, storeSettings, topicSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { behaviorOnly } from '../behavior-only.ts'
import { defineCommand, exitGood } from '../command.ts'

export const command = defineCommand({
  name: 'detect',
  summary: 'the detect role alone: closed KPI buckets in, alerts out',
  help: `Watches completion_rate and click_through_rate, by the minute, of everything together and of each channel, region, app version,
platform, category, surface and tier. An alert fires where the KPI is more than 15 % below the median of the last six hours in two
closed minutes in a row, at a volume at which that is no chance; it is resolved after three minutes above 90 % of what was usual.

Every transition is a row of table alerts and a line of the messages, and is posted to the webhook until that answers 2xx. It can be
stopped and started at any time, and may run twice: an alert stays one. /healthz, /readyz and /metrics answer on --port. Ends with Ctrl-C.`,
  examples: [
    ['detect', 'On the embedded engine under ./data, beside npm start or alone.'],
    ['detect --clickhouse-url http://clickhouse:8123 --webhook-url https://hooks.example/alerts', 'On a server, with a webhook.'],
  ],
  settings: {
    data: dataSettings,
    topic: pick(topicSettings, ['topic']),
    store: storeSettings,
    detect: detectSettings,
    serve: serveSettings,
    logger: loggerSettings,
  },
  async run({ settings, signal }) {
    const [{ openStore }, { webhookNotifier }, { logger }, { detect }, { openMonitoring }, { migrateWhenThere }] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../adapters/webhook-notifier.ts'),
      import('../../log/logger.ts'),
      import('../../roles/detect.ts'),
      import('../../start/monitoring.ts'),
      import('../../start/migrate-when-there.ts'),
    ])
    const log = logger('detect', settings.logger)
    const { webhookUrl, latenessS } = settings.detect
    const { topic } = settings.topic
    behaviorOnly(topic, 'detect')
    const monitoring = await openMonitoring({ serve: settings.serve, logger: log })
    try {
      const tellState = monitoring.role('detect')
      const store = await openStore(settings, { logger: log })
      try {
        monitoring.watchStore(store)
        if (!(await migrateWhenThere(store, signal, log))) return exitGood
        log.info({ topic, lateness_s: latenessS }, 'watching for drops')
        signal.addEventListener('abort', monitoring.stopping, { once: true })
        const notifiers = webhookUrl === undefined ? [] : [webhookNotifier(webhookUrl)]
        await detect({ store, settings: { topic, latenessMs: latenessS * 1000 }, notifiers, log, signal, onState: tellState })
      } finally {
        await store.close()
      }
    } finally {
      await monitoring.close()
    }
    return exitGood
  },
})
