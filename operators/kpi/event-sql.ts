// The measures of kpi_deltas as aggregates over table `events`, and the KPIs that are made of them: for who looks below the cells.
import { behaviors, type Behavior } from '../../schemas/behavior-batch.ts'
import type { KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import { catalogue, type CatalogueName } from './catalogue.ts'
import type { Term } from './metric.ts'
import { firstWeekDays, freshMs } from './spans.ts'

type EventMeasure = {
  /** Only these events count in it; undefined: all. */
  readonly of: readonly Behavior[] | undefined
  /** An aggregate over rows of `events`. */
  readonly sql: string
  /** Of a sum of amounts: what one event adds, a whole number. */
  readonly amount?: string
  /** Reads `registered_at` and {zone:String}. */
  readonly isOfFirstWeek?: boolean
}

const countOf = (...of: readonly Behavior[]): EventMeasure => ({ of, sql: `countIf(${isOneOf(of)})` })
const isOneOf = (of: readonly Behavior[]) =>
  of.length === 1 ? `behavior = '${of[0]}'` : `behavior IN (${of.map((name) => `'${name}'`).join(', ')})`
const ifSql = (of: Behavior, condition: string): EventMeasure => ({ of: [of], sql: `countIf(behavior = '${of}' AND ${condition})` })
const amountOf = (of: Behavior, column: string): EventMeasure => ({
  of: [of],
  sql: `sumIf(toUInt64(ifNull(${column}, 0)), behavior = '${of}')`,
  amount: `if(behavior = '${of}', toUInt64(ifNull(${column}, 0)), 0)`,
})
const usersOf = (...of: readonly Behavior[]): EventMeasure => ({ of, sql: `uniqExactIf(user_id, ${isOneOf(of)})` })

const isComplete = 'ifNull(toInt64(watch_ms) * 10 >= toInt64(duration_ms) * 9, false)'
const isFresh = `ifNull(toUnixTimestamp64Milli(event_at) - toUnixTimestamp64Milli(published_at) < ${freshMs}, false)`
const isFirstWeek = `toUnixTimestamp64Milli(registered_at) > 0 AND toDate(event_at, {zone:String}) - toDate(registered_at, {zone:String}) BETWEEN 0 AND ${firstWeekDays - 1}`

/** undefined: not to be had from events, or not of a leaf. A distinct one counts who is in the leaf; leaves do not add up to everyone. */
const ofEvents: Readonly<Record<KpiMeasure, EventMeasure | undefined>> = {
  plays: countOf('play'),
  completes: ifSql('play', isComplete),
  watch_ms: amountOf('play', 'watch_ms'),
  impressions: countOf('impression'),
  clicks: countOf('click'),
  likes: countOf('like'),
  comments: countOf('comment'),
  shares: countOf('share'),
  follows: countOf('follow'),
  searches: countOf('search'),
  purchases: countOf('purchase'),
  amount_minor: amountOf('purchase', 'amount_minor'),
  registers: countOf('register'),
  events: { of: undefined, sql: 'count()' },
  fresh_plays: ifSql('play', isFresh),
  first_week_plays: { ...ifSql('play', isFirstWeek), isOfFirstWeek: true },
  first_week_completes: { ...ifSql('play', `${isFirstWeek} AND ${isComplete}`), isOfFirstWeek: true },
  // Rows of another table, which know no cell.
  rejected: undefined,
  // That an event was late says how it was sent, not what was done.
  late_unmarked: undefined,
  active_users: { of: undefined, sql: 'uniqExact(user_id)' },
  engaged_users: usersOf('like', 'comment', 'share', 'follow'),
  buyers: usersOf('purchase'),
  sessions: { of: undefined, sql: 'uniqExactIf((user_id, assumeNotNull(session_id)), session_id IS NOT NULL)' },
}

export type KpiOfEvents = {
  /** Aggregates over `events`. */
  readonly numerator: string
  readonly denominator: string | undefined
  /** Of a numerator that is a sum of amounts, what one event adds to it. */
  readonly amount: string | undefined
  /** The numerator is divided by this. */
  readonly per: number
  /** No other events count in it; undefined: all do. */
  readonly behaviors: readonly Behavior[] | undefined
  readonly isOfFirstWeek: boolean
  /** The way that is bad; undefined: both are. */
  readonly direction: 'fall' | 'rise' | undefined
}

/** undefined: it is no ratio or sum of what events say one by one. */
export function kpiOfEvents(kpi: string): KpiOfEvents | undefined {
  if (!Object.hasOwn(catalogue, kpi)) return undefined
  const { numerator, denominator, better } = catalogue[kpi as CatalogueName]
  const above = measuresIn(numerator)
  const below = denominator === null ? [] : measuresIn(denominator)
  if (above === undefined || below === undefined) return undefined
  const all = [...above, ...below]
  const sum = (measures: readonly EventMeasure[]) => measures.map(({ sql }) => sql).join(' + ')
  const amounts = above.flatMap(({ amount }) => amount ?? [])
  return {
    numerator: sum(above),
    denominator: denominator === null ? undefined : sum(below),
    amount: amounts.length === 0 ? undefined : amounts.join(' + '),
    per: numerator.per ?? 1,
    behaviors: all.some(({ of }) => of === undefined) ? undefined : behaviors.filter((name) => all.some(({ of }) => of!.includes(name))),
    direction: ({ up: 'fall', down: 'rise', neither: undefined } as const)[better],
    isOfFirstWeek: all.some(({ isOfFirstWeek }) => isOfFirstWeek === true),
  }
}

function measuresIn(term: Term): EventMeasure[] | undefined {
  if (!('measures' in term)) return undefined
  const measures = term.measures.map((name) => ofEvents[name])
  return measures.every((measure) => measure !== undefined) ? measures : undefined
}
