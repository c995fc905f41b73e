// Where all metrics of the program come together, and how they are read: names reelpulse_…, in Prometheus's text form.
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { HttpAnswer } from '../http/server.ts'

export type Metrics = { registry: Registry; answer(): Promise<HttpAnswer> }

/** `look`: before each answer; whether the program is ready. */
export function metrics(look: () => Promise<boolean>): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'reelpulse_' })
  const ready = new Gauge({ name: 'reelpulse_ready', help: '1 where /readyz says so.', registers: [registry] })
  let reading: Promise<string> | undefined

  async function read(): Promise<string> {
    ready.set((await look()) ? 1 : 0)
    return registry.metrics()
  }

  return {
    registry,
    async answer() {
      // Many who ask at once get one answer.
      reading ??= read().finally(() => (reading = undefined))
      return { status: 200, type: registry.contentType, body: await reading }
    },
  }
}
