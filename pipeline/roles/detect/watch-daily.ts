// Watches the KPIs of kpi_daily, of everything together: a day is decided once it was computed as far as the KPI needs, which for retention_d7 is a week
// after it. Decided by what was said first, so what comes later changes no decision.
import type { CellSamples } from '../../../operators/detect/detector.ts'
import type { Sample } from '../../../operators/detect/metric.ts'
import { dailyWatches, type DailyWatch } from '../../../operators/detect/watched-daily.ts'
import type { Store } from '../../ports/store.ts'
import { watchGrain, type Figures, type PollReads, type WatchGrainOptions } from './watch-grain.ts'

export type DailyKpiWatch = {
  /** As a grain's. `reachedMs`: end of the last day that is in kpi_daily. */
  advance(clockMs: number, reachedMs: number, reads: PollReads): Promise<number>
}

const dayMs = 86_400_000

export function watchDaily(options: Omit<WatchGrainOptions, 'figures' | 'grain'>): DailyKpiWatch {
  const { store, latenessMs } = options
  const watches = dailyWatches.map((one) => {
    // A day closes so much later, and whoever is told has the time from then.
    const laterMs = latenessMs + one.daysLater * dayMs
    return watchGrain({ ...options, grain: 'day', latenessMs: laterMs, figures: figuresOf(store, one) })
  })
  return {
    async advance(clockMs, reachedMs, reads) {
      let steps = 0
      if (reachedMs === -Infinity) return 0
      for (const one of watches) steps += await one.advance(Math.min(clockMs, reachedMs + latenessMs), reads)
      return steps
    },
  }
}

type DailyRow = { name: string; at: number; numerator: number; denominator: number | null }

function figuresOf(store: Store, { metrics }: DailyWatch): Figures {
  const names = metrics.map(({ name }) => name)
  return {
    metrics,
    async earliestAt(sinceMs) {
      const [row] = await store.query<{ days: number; at: number }>(
        `SELECT count() AS days, toUnixTimestamp64Milli(min(bucket_at)) AS at FROM kpi_daily
         WHERE name IN {names:Array(String)} AND bucket_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')`,
        { names, since: sinceMs },
      )
      return row === undefined || row.days === 0 ? undefined : row.at
    },
    async read(_, { fromMs, toMs }) {
      const rows = await store.query<DailyRow>(
        `SELECT name, toUnixTimestamp64Milli(bucket_at) AS at, numerator_first AS numerator, denominator_first AS denominator FROM kpi_daily FINAL
         WHERE name IN {names:Array(String)}
           AND bucket_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND bucket_at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')`,
        { names, from: fromMs, to: toMs },
      )
      const days = new Map<number, Map<string, Sample>>()
      for (const { name, at, numerator, denominator } of rows) {
        const day = days.get(at) ?? new Map<string, Sample>()
        days.set(at, day.set(name, { numerator, denominator: denominator ?? 0 }))
      }
      return new Map(
        [...days].map(([at, day]): [number, CellSamples[]] => [
          at,
          [{ dimension: 'all', value: '', samples: names.map((name) => day.get(name)) }],
        ]),
      )
    },
  }
}
