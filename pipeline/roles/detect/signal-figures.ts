// What customer signals came to in closed hours and days, as it was known at their close: out of the database of their topic, beside the sums of
// behaviour's cells that some KPIs are measured against. Closed is what both have passed.
import type { CellSamples } from '../../../operators/detect/detector.ts'
import {
  signalMeasuresOf,
  signalMetricsOf,
  signalSamplesOf,
  signalTermsOf,
  type SignalTerm,
} from '../../../operators/detect/watched-signals.ts'
import { quoteName } from '../../../schemas/ddl.ts'
import { customerSignalsTable } from '../../../schemas/tables/customer-signals.ts'
import type { Grain } from '../../../schemas/tables/kpi-deltas.ts'
import { signalClocksTable } from '../../../schemas/tables/signal-clocks.ts'
import type { Store } from '../../ports/store.ts'
import { blocksSince, type ClockRows } from './clocks.ts'
import { readSums, type BucketsWanted, type Closing } from './closed-buckets.ts'
import type { Figures } from './watch-grain.ts'

export const signalClocks = (database: string): ClockRows => ({
  table: `${quoteName(database)}.${signalClocksTable.name}`,
  at: 'block_at',
  where: 'true',
})

/** Whether the topic has a database, that this user may read, with clocks in it. */
export async function hasSignals(store: Store, database: string): Promise<boolean> {
  const [row] = await store.query<{ tables: number }>(
    'SELECT count() AS tables FROM system.tables WHERE database = {database:String} AND name IN {names:Array(String)}',
    { database, names: [customerSignalsTable.name, signalClocksTable.name] },
  )
  return row?.tables === 2
}

type SignalRow = { bucket_ms: number; channel: string; figures: (number | string)[] }

export function signalFigures(store: Store, grain: Grain, database: string): Figures {
  const signals = `${quoteName(database)}.${customerSignalsTable.name}`
  const clocks = signalClocks(database)
  const measures = signalMeasuresOf(grain)

  async function read(closing: Closing, wanted: BucketsWanted): Promise<Map<number, CellSamples[]>> {
    const { fromMs, toMs } = wanted
    const starts: number[] = []
    for (let at = fromMs; at < toMs; at = closing.cadence.endOf(at)) starts.push(at)
    const closes = starts.map((at) => closing.cadence.endOf(at) + closing.latenessMs)
    const figures = new Map<string, Map<string, number>>()
    for (const by of ['event_at', 'clock_at'] as const) {
      const terms = signalTermsOf(grain).filter((term) => term.by === by)
      if (terms.length === 0) continue
      const params = { from: fromMs, to: toMs, starts, closes }
      for (const row of await store.query<SignalRow>(signalsAtClose(terms, by, signals, clocks), params)) {
        const key = `${row.bucket_ms}/${row.channel}`
        const come = figures.get(key) ?? new Map<string, number>()
        figures.set(key, come)
        for (const [i, { sql }] of terms.entries()) come.set(sql, Number(row.figures[i]))
      }
    }
    const sums = await readSums(store, closing, wanted, measures)
    const none = new Map<string, number>()
    return new Map(
      starts.map((at) => {
        const cells = [{ dimension: 'all' as const, value: '', sums: {} }, ...(sums.get(at) ?? [])]
        const known = new Map(
          cells.filter(({ dimension }) => dimension === 'all' || dimension === 'channel').map((cell) => [cell.value, cell]),
        )
        return [at, [...known.values()].map((cell) => signalSamplesOf(grain, { ...cell, signals: figures.get(`${at}/${cell.value}`) ?? none }))] as const // prettier-ignore
      }),
    )
  }

  return {
    metrics: signalMetricsOf(grain),
    async earliestAt(sinceMs) {
      const [row] = await store.query<{ signals: number; at: number }>(
        `SELECT count() AS signals, toUnixTimestamp64Milli(min(event_at)) AS at FROM ${signals} WHERE event_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')`,
        { since: sinceMs },
      )
      return row === undefined || row.signals === 0 ? undefined : row.at
    },
    read,
  }
}

/**
 * By bucket, of everything (channel '') and of each channel. As of behaviour's blocks, one counts where its partition's clock before it had
 * not yet closed the bucket.
 */
const signalsAtClose = (terms: readonly SignalTerm[], by: SignalTerm['by'], signals: string, clocks: ClockRows) => `
  WITH blocks AS (${blocksSince('{from:Int64}', clocks)})
  SELECT bucket_ms, cell AS channel, [${terms.map(({ sql }) => `toFloat64(${sql})`).join(', ')}] AS figures
  FROM (
    SELECT toUnixTimestamp64Milli(s.${by}) AS at_ms,
      arrayElement({starts:Array(Int64)}, toUInt32(arrayCount(start -> start <= at_ms, {starts:Array(Int64)}))) AS bucket_ms,
      transform(bucket_ms, {starts:Array(Int64)}, {closes:Array(Int64)}, toInt64(0)) AS closes_ms,
      arrayJoin(if(ifNull(s.channel, '') = '', [''], ['', assumeNotNull(s.channel)])) AS cell,
      s.kind AS kind, s.score AS score, s.seconds AS seconds, s.severity AS severity, s.amount_minor AS amount_minor, blocks.before_ms AS before_ms
    FROM ${signals} AS s INNER JOIN blocks ON s.partition = blocks.partition AND s.first_offset = blocks.first_offset
    WHERE s.block_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
      AND s.${by} >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND s.${by} < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  )
  WHERE before_ms < closes_ms
  GROUP BY bucket_ms, cell` // prettier-ignore
