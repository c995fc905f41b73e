// The live board over what the process role made of simulated traffic, on a real engine, with faults between the two at will.
import { tables } from '../../schemas/tables/catalogue.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { openHttp, type HttpServer, type Route } from '../http/server.ts'
import { processAll } from '../integration/process-harness.ts'
import type { Store } from '../ports/store.ts'
import { serve, type ServeOptions, type Serving } from '../roles/serve/serve.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { views } from '../../operators/views.ts'
import { embeddedParts } from './embedded-parts.ts'

export type Faults = {
  /** The store answers no question. */
  isAway: boolean
  /** It answers none of these; the text of the question is looked at. */
  refuses: RegExp | undefined
  /** Waited for before any panel's answer. */
  slow: Promise<void> | undefined
}

export type LiveBoard = {
  store: Store
  faults: Faults
  /** Every question asked, in order. */
  asked: string[]
  open(
    options?: Partial<ServeOptions> & { port?: number; metrics?: Route },
  ): Promise<{ http: HttpServer; serving: Serving; warned: unknown[] }>
  /** So much more log time passes, with so many events a second. */
  goOn(spanMs: number, eventsPerSecond?: number): Promise<void>
}

const topic = 'board'
const startMs = Date.UTC(2026, 10, 20, 2)

/** Two hours of log time are there at once. */
export async function liveBoard(name: string): Promise<LiveBoard> {
  const { engine, log } = await embeddedParts(name, { engine: { fsync: 'nothing' } })
  const store = engine.store('board')
  await store.migrate(tables, views)
  const faults: Faults = { isAway: false, refuses: undefined, slow: undefined }
  const asked: string[] = []
  const faulty: Store = {
    ...store,
    async query(sql, params) {
      asked.push(sql)
      if (faults.isAway || faults.refuses?.test(sql) === true) throw new Error('made to fail by a test')
      if (sql.includes('SETTINGS')) await faults.slow
      return store.query(sql, params)
    },
  }
  const goOn = async (spanMs: number, eventsPerSecond = 4): Promise<void> => {
    await writeTraffic(log, topic, { seed: 7, partitions: 2, rhythm: false, eventsPerSecond, fromMs: startMs, spanMs })
    await processAll({ topic, members: [{ log, store }] })
  }
  await goOn(2 * 3_600_000)
  return {
    store,
    faults,
    asked,
    goOn,
    async open({ port = 0, metrics = () => ({ status: 200, type: 'text/plain', body: 'fine' }), ...options } = {}) {
      const warned: unknown[] = []
      const serving = serve({
        store: faulty,
        tables,
        signalsDatabase: 'board_customer_signals',
        zone: 'Asia/Shanghai',
        host: '127.0.0.1',
        clock: systemClock,
        log: { info: () => {}, warn: (...told: unknown[]) => void warned.push(told) },
        ...options,
      })
      const routes = { ...serving.routes, '/metrics': metrics }
      const http = await openHttp({ host: '127.0.0.1', port, routes, warn: (error) => warned.push(error) })
      return { http, serving, warned }
    },
  }
}
