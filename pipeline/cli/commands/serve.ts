// `reelpulse serve`: the live board on its own.
import { dataSettings, loggerSettings, processSettings, serveSettings, storeSettings, topicSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { behaviorOnly } from '../behavior-only.ts'
import { defineCommand, exitGood } from '../command.ts'

export const command = defineCommand({
  name: 'serve',
  summary: 'the live board alone: boards of a topic in the browser, as the store has them',
  help: `Answers browsers on --host and --port with the live board (docs/guide/board.md): it shows what the store has of the topic within two
seconds, asks the store once for each panel however many browsers watch it, and asks nothing while nobody does. Reviews of alerts are
written from it too. /healthz, /readyz and /metrics answer on the same port. Whoever reaches it sees everything: it listens on this machine only
unless --host says otherwise, and then belongs behind something that asks who they are. Ends with Ctrl-C.`,
  examples: [
    ['serve', 'On the embedded engine under ./data, beside npm start or alone.'],
    ['serve --clickhouse-url http://clickhouse:8123 --port 8090', 'On a server.'],
  ],
  settings: {
    data: dataSettings,
    topic: pick(topicSettings, ['topic']),
    store: storeSettings,
    process: pick(processSettings, ['zone']),
    serve: serveSettings,
    logger: loggerSettings,
  },
  async run({ settings, signal, print }) {
    const [{ openStore }, { logger }, { openMonitoring }, { migrateWhenThere }, { startServing }] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../log/logger.ts'),
      import('../../start/monitoring.ts'),
      import('../../start/migrate-when-there.ts'),
      import('../../start/serving.ts'),
    ])
    const { topic } = settings.topic
    behaviorOnly(topic, 'serve')
    const log = logger('serve', settings.logger)
    const monitoring = await openMonitoring({ serve: settings.serve, logger: log, elsewhere: true })
    try {
      const tellState = monitoring.role('serve')
      const store = await openStore(settings, { logger: log })
      try {
        monitoring.watchStore(store)
        if (!(await migrateWhenThere(store, signal, log))) return exitGood
        const serving = startServing({ monitoring, store, topic, ...settings.process, ...settings.serve, log })
        tellState('running')
        print(`The board: ${monitoring.url()}/`)
        signal.addEventListener('abort', monitoring.stopping, { once: true })
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        serving.close()
      } finally {
        await store.close()
      }
    } finally {
      await monitoring.close()
    }
    return exitGood
  },
})
