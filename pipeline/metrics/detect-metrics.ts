// The detect role in Prometheus's words.
import { Counter, Gauge, type Registry } from 'prom-client'
import { alertStates } from '../../schemas/tables/alerts.ts'
import type { DetectWatch } from '../roles/detect/watch.ts'

export type DetectMetricsOptions = { registry: Registry; now(): number }

export function detectMetrics({ registry, now }: DetectMetricsOptions): DetectWatch {
  const registers = [registry]
  const begunAt = now()
  let evaluatedTo: number | undefined
  const owed = new Map<string, { count: number; oldestAt: number | undefined }>()

  const evaluations = new Counter({
    name: 'reelpulse_detector_evaluations_total',
    help: 'Closed buckets that were looked at, in every cell.',
    registers,
  })
  const evaluatedAt = new Gauge({
    name: 'reelpulse_detector_evaluated_timestamp_seconds',
    help: 'End of the latest closed bucket that was looked at (log time); 0: none since the start.',
    registers,
  })
  registry.registerMetric(
    new Gauge({
      name: 'reelpulse_detector_delay_seconds',
      help: 'Wall clock less the end of the latest bucket that was looked at; before the first, time since the start. Says nothing of a topic whose time is not the wall clock.',
      registers: [],
      collect() {
        this.set(Math.max(0, now() - (evaluatedTo ?? begunAt)) / 1_000)
      },
    }),
  )
  const transitions = new Counter({
    name: 'reelpulse_alert_transitions_total',
    help: 'Transitions of alerts that this process stored, by the state they lead to.',
    labelNames: ['state'],
    registers,
  })
  for (const state of alertStates) transitions.inc({ state }, 0)
  const deliveries = new Counter({
    name: 'reelpulse_alert_deliveries_total',
    help: 'Tries to deliver a transition, by outcome: taken; failed (tried again); parked (refused for good, in table alert_deliveries).',
    labelNames: ['receiver', 'outcome'],
    registers,
  })
  registry.registerMetric(
    new Gauge({
      name: 'reelpulse_alerts_owed',
      help: 'Transitions that the receiver has not acknowledged.',
      labelNames: ['receiver'],
      registers: [],
      collect() {
        for (const [receiver, { count }] of owed) this.set({ receiver }, count)
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: 'reelpulse_alerts_owed_seconds',
      help: 'For how long the one that waits longest has waited in this process; 0: none waits.',
      labelNames: ['receiver'],
      registers: [],
      collect() {
        for (const [receiver, { oldestAt }] of owed)
          this.set({ receiver }, oldestAt === undefined ? 0 : Math.max(0, now() - oldestAt) / 1_000)
      },
    }),
  )

  return {
    evaluated(closedMs) {
      evaluations.inc()
      evaluatedTo = Math.max(evaluatedTo ?? -Infinity, closedMs)
      evaluatedAt.set(evaluatedTo / 1_000)
    },
    transition: (state) => transitions.inc({ state }),
    delivered: (receiver, outcome) => deliveries.inc({ receiver, outcome }),
    owed(receiver, count, oldestAt) {
      if (!owed.has(receiver)) for (const outcome of ['taken', 'failed', 'parked']) deliveries.inc({ receiver, outcome }, 0)
      owed.set(receiver, { count, oldestAt })
    },
  }
}
