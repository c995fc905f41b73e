// The role serve in this process, on the port that the program answers on.
import { tables } from '../../schemas/tables/catalogue.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { databaseOf, signalsTopicOf } from '../config/names.ts'
import type { Logger } from '../log/logger.ts'
import type { Store } from '../ports/store.ts'
import { serve, type Serving } from '../roles/serve/serve.ts'
import type { Monitoring } from './monitoring.ts'

export function startServing(options: {
  monitoring: Pick<Monitoring, 'answer' | 'beginServe'>
  store: Store
  topic: string
  zone: string
  host: string
  names: readonly string[]
  log: Pick<Logger, 'info' | 'warn'>
}): Serving {
  const { monitoring, store, topic, zone, host, names, log } = options
  const signalsDatabase = databaseOf(signalsTopicOf(topic))
  const serving = serve({ store, tables, signalsDatabase, zone, host, names, clock: systemClock, log, watch: monitoring.beginServe() })
  monitoring.answer(serving.routes)
  return serving
}
