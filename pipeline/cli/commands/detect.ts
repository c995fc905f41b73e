// `reelpulse detect`: the detect role on its own.
import {
  dataSettings,
  detectSettings,
  endpointSettings,
  loggerSettings,
  logSettings,
  processSettings,
  serveSettings,
  storeSettings,
  topicSettings,
} from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { behaviorOnly } from '../behavior-only.ts'
import { defineCommand, exitGood } from '../command.ts'

export const command = defineCommand({
  name: 'detect',
  summary: 'the detect role alone: closed KPI buckets in, alerts out',
  help: `Watches every KPI of the catalogue that cells count and that has a threshold (docs/guide/kpis.md), and those of customer signals, by the minute, hour or day of the zone as
the catalogue says, of everything together and of each channel, region, app version, platform, category, surface and tier. An alert fires where
the KPI is worse than what was usual at this time of the week by more than its threshold (15 %) in two closed buckets in a row (one day),
and by more than chance; or where there is no data at all. It is resolved after three buckets back above 90 % of what was usual.
docs/guide/detection.md has every rule. What has closed it rolls up into table kpi_cells, which the views read and which is kept for 400 days.
As it fires it is given its likely causes, found in table events (docs/guide/attribution.md).

Every transition is a row of table alerts and a line of the messages, and goes to the Alertmanager, the webhook and topic kpi-alerts (where
KAFKA_BROKERS is set) until each has acknowledged it: what one has not is sent after the next start. It can be stopped and started at any time, and may run twice: an alert stays one. /healthz, /readyz and /metrics answer on --port. Ends with Ctrl-C.`,
  examples: [
    ['detect', 'On the embedded engine under ./data, beside npm start or alone.'],
    ['detect --clickhouse-url http://clickhouse:8123 --webhook-url https://hooks.example/alerts', 'On a server, with a webhook.'],
    ['detect --alertmanager-url http://alertmanager:9093 --brokers kafka:9092', 'Alerts to an Alertmanager, and to topic kpi-alerts.'],
  ],
  settings: {
    data: dataSettings,
    topic: pick(topicSettings, ['topic']),
    log: logSettings,
    store: storeSettings,
    endpoint: endpointSettings,
    process: pick(processSettings, ['zone']),
    detect: detectSettings,
    serve: serveSettings,
    logger: loggerSettings,
  },
  async run({ settings, signal }) {
    const [{ openLog, openStore }, { receiversOf }, { logger }, { detect }, { openMonitoring }, { migrateWhenThere }] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../alerts/receivers.ts'),
      import('../../log/logger.ts'),
      import('../../roles/detect.ts'),
      import('../../start/monitoring.ts'),
      import('../../start/migrate-when-there.ts'),
    ])
    const log = logger('detect', settings.logger)
    const { latenessS } = settings.detect
    const { topic } = settings.topic
    behaviorOnly(topic, 'detect')
    let opened: ReturnType<typeof openLog> | undefined
    const forget = (error: unknown): never => {
      opened = undefined
      throw error
    }
    const monitoring = await openMonitoring({ serve: settings.serve, logger: log })
    try {
      const tellState = monitoring.role('detect')
      const store = await openStore(settings, { logger: log })
      try {
        monitoring.watchStore(store)
        if (!(await migrateWhenThere(store, signal, log))) return exitGood
        log.info({ topic, lateness_s: latenessS }, 'watching for drops')
        signal.addEventListener('abort', monitoring.stopping, { once: true })
        // The embedded log belongs to the process that writes it.
        const open = () => (opened ??= openLog(settings, { logger: log }).catch(forget))
        const notifiers = receiversOf({ settings: settings.detect, topic, openLog: settings.log.brokers.length === 0 ? undefined : open })
        const watch = monitoring.beginDetect()
        await detect({
          store,
          settings: { topic, latenessMs: latenessS * 1000, zone: settings.process.zone },
          notifiers,
          log,
          signal,
          watch,
          onState: tellState,
        })
      } finally {
        await store.close()
        await (await opened?.catch(() => undefined))?.close()
      }
    } finally {
      await monitoring.close()
    }
    return exitGood
  },
})
