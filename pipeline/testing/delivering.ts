// A process that delivers what the tables owe, for tests that kill it: node pipeline/testing/delivering.ts <store url> <database> <webhook> <alertmanager>
// The store's login comes in CLICKHOUSE_USER and CLICKHOUSE_PASSWORD.
import { alertmanagerNotifier } from '../adapters/alertmanager-notifier.ts'
import { clickhouseStore } from '../adapters/clickhouse-store.ts'
import { webhookNotifier } from '../adapters/webhook-notifier.ts'
import { logger } from '../log/logger.ts'
import { delivery } from '../roles/detect/delivery.ts'

const [url = '', database = '', webhook = '', alertmanager = ''] = process.argv.slice(2)
const { CLICKHOUSE_USER: user = '', CLICKHOUSE_PASSWORD: password = '' } = process.env
// It must not outlive the test.
process.once('disconnect', () => process.exit())

const store = clickhouseStore({ url, user, password, database })
const deliveries = delivery([webhookNotifier(webhook), alertmanagerNotifier(alertmanager, { refreshMs: 500 })], {
  store,
  topic: 'behavior-events',
  log: logger('delivering', { level: 'silent' }),
  signal: new AbortController().signal,
  firstPauseMs: 20,
})
process.on('message', () => void deliveries.settled().then(() => process.send!('settled')))
process.send!('started')
