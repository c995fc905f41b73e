// Watches the KPIs of customer signals, where the topic has any: a bucket is looked at when the clocks of behaviour and of signals have both
// closed it, so signals that are behind hold up no other alert.
import { signalMetricsOf } from '../../../operators/detect/watched-signals.ts'
import { grains } from '../../../schemas/tables/kpi-deltas.ts'
import { databaseOf, signalsTopicOf } from '../../config/names.ts'
import type { Logger } from '../../log/logger.ts'
import { StoreRefused } from '../../ports/store.ts'
import { leastClock, readClocks, type Clocks } from './clocks.ts'
import { hasSignals, signalClocks, signalFigures } from './signal-figures.ts'
import { watchGrain, type PollReads, type WatchGrainOptions } from './watch-grain.ts'

export type SignalsWatch = {
  /** As a grain's, up to log time `clockMs` of behaviour. */
  advance(clockMs: number, reads: PollReads): Promise<number>
}

/** Log time between two looks whether there is a database. */
const lookEveryMs = 5 * 60_000

export function watchSignals(options: Omit<WatchGrainOptions, 'figures' | 'grain'> & { topic: string; log: Logger }): SignalsWatch {
  const { store, log } = options
  const topic = signalsTopicOf(options.topic)
  const database = databaseOf(topic)
  const clocks: Clocks = new Map()
  const watches = grains
    .filter((grain) => signalMetricsOf(grain).length > 0)
    .map((grain) => watchGrain({ ...options, grain, figures: signalFigures(store, grain, database) }))
  let state: 'unknown' | 'missing' | 'there' = 'unknown'
  let lookedAt = -Infinity

  async function look(): Promise<boolean> {
    const found = (await hasSignals(store, database)) ? 'there' : 'missing'
    if (found === 'missing' && state !== 'missing')
      log.info({ topic, database }, 'there are no customer signals: KPIs that are made of them are not watched')
    if (found === 'there' && state === 'missing') log.info({ topic, database }, 'there are customer signals now: their KPIs are watched')
    state = found
    return found === 'there'
  }

  return {
    async advance(clockMs, reads) {
      if (state !== 'there') {
        if (clockMs < lookedAt + lookEveryMs) return 0
        lookedAt = clockMs
        if (!(await look())) return 0
      }
      let steps = 0
      try {
        await readClocks(store, clocks, signalClocks(database))
        const signalsMs = leastClock(clocks)
        if (signalsMs === undefined) return 0
        for (const one of watches) steps += await one.advance(Math.min(clockMs, signalsMs), reads)
      } catch (error) {
        // Dropped meanwhile: no reason for the other KPIs to be watched no more.
        if (!(error instanceof StoreRefused) || (await look())) throw error
      }
      return steps
    },
  }
}
