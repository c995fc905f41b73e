// What the strategy taken on an alert did: its KPI before and after, and beside it the cells that had no part in either.
import { measureEffect, type Effect, type EffectBucket, type Span } from '../../operators/alerts/effect.ts'
import { kpis, type KpiName, type KpiSpec } from '../../operators/kpi/catalogue.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../ports/store.ts'
import type { AlertSummary } from './reviews.ts'

export type EffectAnswer = Effect & {
  readonly before: Span
  readonly after: Span
  /** Values of the same dimension that had no alert of the KPI in either span. */
  readonly controlCells: readonly string[]
}

const hourMs = 3_600_000
const bucketMsOf: Record<Grain, number> = { minute: 60_000, hour: hourMs, day: 24 * hourMs }
const spanMsOf: Record<Grain, number> = { minute: 6 * hourMs, hour: 72 * hourMs, day: 14 * 24 * hourMs }

/** In words why nothing can be told; else the answer. `spanMs`: looked at on each side; undefined: by the KPI's cadence. */
export async function effectOf(store: Store, alert: AlertSummary, spanMs?: number): Promise<EffectAnswer | string> {
  if (alert.strategy === '') return 'no strategy is written yet: reelpulse alert note <id> --strategy … [--strategy-at …]'
  if (!Object.hasOwn(kpis, alert.kpi)) return `${alert.kpi} is no ratio of counted events, or the catalogue no longer has it`
  const spec = kpis[alert.kpi as KpiName] as KpiSpec
  const bucketMs = bucketMsOf[alert.grain]
  const length = spanMs ?? spanMsOf[alert.grain]
  const takenAt = Math.ceil(alert.strategy_at / bucketMs) * bucketMs
  const closedMs = await closedUntil(store, alert.grain)
  const toMs = Math.min(takenAt + length, closedMs)
  if (toMs <= takenAt) return 'no bucket has closed since the strategy was taken: ask again later'
  // Before the alert began the KPI was as usual: that is nothing that a strategy could be measured by.
  const fromMs = takenAt > alert.begun_at ? Math.max(alert.begun_at, takenAt - length) : takenAt - length
  const [before, after] = [
    { fromMs, toMs: takenAt },
    { fromMs: takenAt, toMs },
  ]
  const cells = await readCells(store, alert, spec, fromMs, toMs)
  const troubled = await troubledCells(store, alert, fromMs, toMs)
  const controlCells = [...cells.keys()].filter((value) => value !== alert.value && !troubled.has(value)).toSorted()
  const control = pooled(controlCells.map((value) => cells.get(value)!))
  return { ...measureEffect({ treated: cells.get(alert.value) ?? [], control, before, after }), before, after, controlCells }
}

async function closedUntil(store: Store, grain: Grain): Promise<number> {
  const [row] = await store.query<{ at: number }>(
    `SELECT toUnixTimestamp64Milli(max(k.bucket_at)) AS at FROM kpi_${grain} AS k WHERE k.dimension = 'all' AND NOT k.open`,
  )
  return (row?.at ?? 0) + bucketMsOf[grain]
}

async function readCells(
  store: Store,
  alert: AlertSummary,
  spec: KpiSpec,
  fromMs: number,
  toMs: number,
): Promise<Map<string, EffectBucket[]>> {
  const per = (spec as { per?: number }).per ?? 1
  const rows = await store.query<EffectBucket & { value: string }>(
    `SELECT k.value AS value, toUnixTimestamp64Milli(k.bucket_at) AS at, (${spec.numerator.map((measure) => `k.${measure}`).join(' + ')}) / ${per} AS numerator,
       k.${spec.denominator} AS denominator
     FROM kpi_${alert.grain} AS k
     WHERE k.dimension = {dimension:String} AND NOT k.open
       AND k.bucket_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND k.bucket_at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
     ORDER BY k.bucket_at`,
    { dimension: alert.dimension, from: fromMs, to: toMs },
  )
  const cells = new Map<string, EffectBucket[]>()
  for (const { value, ...bucket } of rows) {
    const cell = cells.get(value)
    if (cell === undefined) cells.set(value, [bucket])
    else cell.push(bucket)
  }
  return cells
}

/** Cells with an alert of their own on the KPI are nothing to compare with. */
async function troubledCells(store: Store, alert: AlertSummary, fromMs: number, toMs: number): Promise<Set<string>> {
  const rows = await store.query<{ value: string }>(
    `SELECT DISTINCT h.value AS value FROM alert_history AS h
     WHERE h.kpi = {kpi:String} AND h.dimension = {dimension:String} AND h.kind = 'kpi' AND h.begun_at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
       AND (h.resolved_at = 0 OR h.resolved_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC'))`,
    { kpi: alert.kpi, dimension: alert.dimension, from: fromMs, to: toMs },
  )
  return new Set(rows.map(({ value }) => value))
}

function pooled(cells: readonly (readonly EffectBucket[])[]): EffectBucket[] {
  const sums = new Map<number, { at: number; numerator: number; denominator: number }>()
  for (const { at, numerator, denominator } of cells.flat()) {
    const sum = sums.get(at) ?? { at, numerator: 0, denominator: 0 }
    sums.set(at, { at, numerator: sum.numerator + numerator, denominator: sum.denominator + denominator })
  }
  return [...sums.values()]
}
