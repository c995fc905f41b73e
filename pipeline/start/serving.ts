// The role serve in this process, on the port that the program answers on.
import { tables } from '../../schemas/tables/catalogue.ts'
import { systemClock } from '../adapters/system-clock.ts'
import type { Logger } from '../log/logger.ts'
import type { Store } from '../ports/store.ts'
import { serve, type Serving } from '../roles/serve/serve.ts'
import type { Monitoring } from './monitoring.ts'

export function startServing(options: {
  monitoring: Pick<Monitoring, 'answer'>
  store: Store
  host: string
  log: Pick<Logger, 'info' | 'warn'>
}): Serving {
  const { monitoring, store, host, log } = options
  const serving = serve({ store, tables, host, clock: systemClock, log })
  monitoring.answer(serving.routes)
  return serving
}
