// The history of a KPI in one cell, out of the store: every bucket as it was known at its close, and what reviewed alerts say of it.
import { kpiRun, scoresOf, unlabelled, type LabelledSpan } from '../../operators/detect/backtest.ts'
import { cadenceOf } from '../../operators/detect/cadence.ts'
import type { Cell, Metric, Sample } from '../../operators/detect/metric.ts'
import { metricsOf } from '../../operators/detect/watched.ts'
import { zone } from '../../operators/time/zone.ts'
import { cellDimensions, grains } from '../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../ports/store.ts'
import { leastClock, readClocks, type Clocks } from '../roles/detect/clocks.ts'
import { closedUntil, earliestBucketAt, readBuckets } from '../roles/detect/closed-buckets.ts'
import { readRolledUp } from '../roles/detect/roll-up.ts'
import type { BacktestOutcome } from './backtest.ts'

const dayMs = 86_400_000
/** Read at once. */
const chunkMs = 10 * dayMs

export type KpiHistoryOptions = { readonly kpi: string; readonly cell: Cell; readonly zone: string; readonly latenessMs: number }

/** `dimension=value`, or `all`; undefined: it is neither. */
export function cellOf(text: string): Cell | undefined {
  const equals = text.indexOf('=')
  const dimension = cellDimensions.find((name) => name === (equals < 0 ? text : text.slice(0, equals)))
  if (dimension === undefined || dimension === 'clock' || (dimension === 'all') !== equals < 0) return undefined
  return { dimension, value: equals < 0 ? '' : text.slice(equals + 1) }
}

export const watchedMetric = (kpi: string): Metric | undefined => grains.flatMap(metricsOf).find(({ name }) => name === kpi)
export const watchedNames = (): string[] =>
  [...new Set(grains.flatMap(metricsOf).map(({ name }) => name))].filter((name) => name !== 'no_data')

/** In words why nothing can be told; else the outcome. The KPI must be watched. */
export async function runKpiBacktest(store: Store, options: KpiHistoryOptions): Promise<BacktestOutcome | string> {
  const { kpi, cell, latenessMs } = options
  const metric = watchedMetric(kpi)
  if (metric === undefined) throw new Error(`${kpi} is not watched`)
  const { grain } = metric
  const place = metricsOf(grain).indexOf(metric)
  const cadence = cadenceOf(grain, zone(options.zone))
  const closing = { grain, cadence, latenessMs }
  const clocks: Clocks = new Map()
  await readClocks(store, clocks)
  const clockMs = leastClock(clocks)
  const fromMs = await earliestBucketAt(store, grain, 0)
  const rolledMs = (await readRolledUp(store, grain))?.untilMs ?? -Infinity
  // Blocks forget their clocks sooner than cells are forgotten.
  const toMs = Math.max(rolledMs, clockMs === undefined ? -Infinity : closedUntil(closing, clockMs))
  if (fromMs === undefined || fromMs >= toMs) return `no ${grain} has closed yet: there is no history to look at`

  const samples = new Map<number, Sample>()
  for (let at = fromMs; at < toMs;) {
    const next = Math.min(toMs, cadence.startOf(at + chunkMs))
    for (const [bucketAt, cells] of await readBuckets(store, closing, { fromMs: at, toMs: next, rolledMs, cell })) {
      const sample = cells[0]?.samples[place]
      if (sample !== undefined) samples.set(bucketAt, sample)
    }
    at = next
  }
  if (samples.size === 0) return `there is no cell ${cell.dimension}=${cell.value}: no event of the last ${grain}s counts in it`
  const labelled = await reviewedSpans(store, metric, cell)
  const name = cell.dimension === 'all' ? kpi : `${kpi}{${cell.dimension}=${cell.value}}`
  const run = kpiRun(name, metric, cadence, { fromMs, toMs, samples, labelled })
  const scores = scoresOf([run])
  return { runs: [run], scores: scores.labelledRuns === 0 ? unlabelled(scores) : scores }
}

/** From beginning to end of each alert on the KPI and cell that fired, and of which somebody has written the cause. */
async function reviewedSpans(store: Store, { name, grain }: Metric, { dimension, value }: Cell): Promise<LabelledSpan[]> {
  return store.query<LabelledSpan>(
    `SELECT toUnixTimestamp64Milli(h.begun_at) AS fromMs, if(h.state = 'resolved', toUnixTimestamp64Milli(last.bucket_at), toInt64(${Number.MAX_SAFE_INTEGER})) AS toMs
     FROM alert_history AS h
     LEFT JOIN (SELECT alert_id, max(bucket_at) AS bucket_at FROM alerts WHERE state = 'resolved' GROUP BY alert_id) AS last ON h.alert_id = last.alert_id
     WHERE h.kind = 'kpi' AND h.kpi = {kpi:String} AND h.grain = {grain:String} AND h.dimension = {dimension:String} AND h.value = {value:String}
       AND h.cause != ''`,
    { kpi: name, grain, dimension, value },
  )
}
