// What the program says of itself over HTTP, for any of its roles: /healthz, /readyz and /metrics.
import { systemClock } from '../adapters/system-clock.ts'
import { defaultPort, type ServeSettings } from '../config/groups.ts'
import { probe, type Probe } from '../health/probe.ts'
import { readiness, type Part, type PartState, type Readiness } from '../health/readiness.ts'
import { CannotListen, json, openHttp, type HttpServer, type Routes } from '../http/server.ts'
import type { Logger } from '../log/logger.ts'
import { detectMetrics } from '../metrics/detect-metrics.ts'
import { processMetrics, type ProcessMetrics } from '../metrics/process-metrics.ts'
import { metrics } from '../metrics/registry.ts'
import { serveMetrics } from '../metrics/serve-metrics.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log, TopicDescription } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import type { DetectWatch } from '../roles/detect/watch.ts'
import type { PartitionProgress } from '../roles/process/partition-progress.ts'
import type { ProcessRole } from '../roles/process/process.ts'
import type { ServeWatch } from '../roles/serve/watch.ts'

export type MonitoringOptions = {
  serve: Pick<ServeSettings, 'host' | 'port'>
  logger: Pick<Logger, 'info' | 'warn'>
  /** Go on without HTTP where the address cannot be listened on, even where a port was asked for. */
  mayGoWithout?: boolean
  /** Listen on any free port where none was asked for and the usual one is taken: people are told where. */
  elsewhere?: boolean
  clock?: Clock
}

export type Monitoring = {
  /** Undefined: nothing listens. */
  url(): string | undefined
  /** Answers to these too from now on. */
  answer(routes: Routes): void
  /** The store is asked whether it answers from now on. */
  watchStore(store: Store): void
  /** A process role of the topic is about to start; it must use what comes back. */
  beginProcess(neighbours: { log: Log; store: Store; topic: string }): MonitoredProcess
  /** The same for customer signals beside it, whose state the caller tells itself (`role`); their metrics begin with `reelpulse_signals_`. */
  beginSignals(neighbours: { log: Log; store: Store; topic: string }): MonitoredProcess
  /** A detect role is about to start; it must tell what comes back. */
  beginDetect(): DetectWatch
  /** The same of a serve role. */
  beginServe(): ServeWatch
  /** The state of a role without partitions. */
  role(name: string): (state: PartState, error?: string) => void
  /** From here on it is not ready: what is in flight lands. */
  stopping(): void
  look(): Promise<Readiness>
  close(): Promise<void>
}

export type MonitoredProcess = {
  log: Log
  store: Store
  report(progress: PartitionProgress): void
  started(role: Pick<ProcessRole, 'status'>): void
}

/** Throws CannotListen where a port was asked for and cannot be had. */
export async function openMonitoring(options: MonitoringOptions): Promise<Monitoring> {
  const { logger, clock = systemClock } = options
  const now = () => clock.now()
  const startedAt = now()
  const roles = new Map<string, () => readonly Part[]>()
  const probes: Probe<unknown>[] = []
  /** Looked at as often, but nothing that readiness hangs on. */
  const aside: Probe<unknown>[] = []
  let stoppingAt: number | undefined

  async function look(): Promise<Readiness> {
    const [neighbours] = await Promise.all([Promise.all(probes.map((one) => one.look())), Promise.all(aside.map((one) => one.look()))])
    const parts = [...roles.values()].flatMap((read) => read())
    if (stoppingAt !== undefined) parts.push({ role: 'program', state: 'stopping', since: stoppingAt })
    else if (parts.length === 0) parts.push({ role: 'program', state: 'starting', since: startedAt })
    return readiness(parts, neighbours, now())
  }

  const { registry, answer } = metrics(async () => (await look()).ready)
  const routes: Record<string, Routes[string]> = {
    '/healthz': () => json(200, { alive: true }),
    '/readyz': async () => {
      const { ready, body } = await look()
      return json(ready ? 200 : 503, body)
    },
    '/metrics': answer,
  }
  const http = await listen(options, routes)
  if (http !== undefined) logger.info({ url: http.url }, 'listening: /healthz, /readyz, /metrics')

  function watchStore(store: Store): void {
    const ask = async (): Promise<void> => {
      if (!(await store.ping())) throw new Error('it does not answer a query')
    }
    probes.push(probe({ name: 'store', ask, now }))
  }

  function measure(
    { log, store, topic }: { log: Log; store: Store; topic: string },
    { name, among, ...more }: { name: string; among: Probe<unknown>[]; prefix?: string },
  ): { role(): Pick<ProcessRole, 'status'> | undefined; monitored: MonitoredProcess } {
    let description: TopicDescription | undefined
    const ask = async (): Promise<void> => {
      description = await log.describeTopic(topic)
      if (description === undefined) throw new Error(`topic ${topic} is not there`)
    }
    among.push(probe({ name, ask, now }))
    let role: Pick<ProcessRole, 'status'> | undefined
    const measured: ProcessMetrics = processMetrics({
      registry,
      now,
      status: () => role?.status() ?? [],
      ends: () => description?.partitions.map(({ end }) => end) ?? [],
      isLive: () => description?.timestamps === 'append',
      ...more,
    })
    const started = (of: Pick<ProcessRole, 'status'>) => {
      role = of
    }
    return {
      role: () => role,
      monitored: { log: measured.log(log), store: measured.store(store), report: measured.report, started },
    }
  }

  return {
    url: () => http?.url,
    answer: (more) => void Object.assign(routes, more),
    watchStore,
    beginProcess(neighbours) {
      const { role, monitored } = measure(neighbours, { name: 'log', among: probes })
      watchStore(neighbours.store)
      const since = { at: startedAt }
      roles.set('process', () => {
        if (role() === undefined) return [{ role: 'process', state: 'starting', since: since.at }]
        const parts = role()!
          .status()
          .map((one) => ({ role: 'process', ...one }))
        return parts.length === 0 ? [{ role: 'process', state: 'standby', since: since.at }] : parts
      })
      return {
        ...monitored,
        started(of) {
          monitored.started(of)
          since.at = now()
        },
      }
    },
    beginSignals: (neighbours) => measure(neighbours, { name: 'log of signals', among: aside, prefix: 'reelpulse_signals_' }).monitored,
    beginDetect: () => detectMetrics({ registry, now }),
    beginServe: () => serveMetrics({ registry }),
    role(name) {
      let part: Part = { role: name, state: 'starting', since: now() }
      roles.set(name, () => [part])
      return (state, error) => {
        part = { role: name, state, since: part.state === state ? part.since : now(), ...(error === undefined ? {} : { error }) }
      }
    },
    stopping() {
      stoppingAt ??= now()
    },
    look,
    async close() {
      await http?.close()
    },
  }
}

/** Without a port asked for, a taken one stops nothing: several processes on one machine are usual, and events matter more. */
async function listen(options: MonitoringOptions, routes: Routes): Promise<HttpServer | undefined> {
  const { serve, logger, mayGoWithout = false, elsewhere = false } = options
  const warn = (error: unknown) => logger.warn({ err: error }, 'an HTTP request failed')
  const open = (port: number) => openHttp({ host: serve.host, port, routes, warn })
  try {
    return await open(serve.port ?? defaultPort)
  } catch (error) {
    if (!(error instanceof CannotListen)) throw error
    if (elsewhere && serve.port === undefined) return await open(0)
    if (serve.port !== undefined && !mayGoWithout) throw error
    logger.warn({ reason: error.message }, 'going on without /healthz, /readyz and /metrics')
    return undefined
  }
}
