// The sums of kpi_deltas, recomputed from the events by day of the zone: every cell of every bucket, distinct counts among them; and beside
// them those of kpi_cells.
import { allowedLatenessMs } from '../../operators/kpi/catalogue.ts'
import { marksKeptMs } from '../../operators/kpi/marks.ts'
import { firstWeekDays, freshMs } from '../../operators/kpi/spans.ts'
import { zone as zoneNamed } from '../../operators/time/zone.ts'
import { kpiMeasures, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import type { QueryParams, Store } from '../ports/store.ts'
import { cellDifferences, examples } from './cell-differences.ts'
import type { Comparison } from './compare.ts'
import { compareCells } from './kpi-cells.ts'
import { correctedMs, floorDiv, listed, ms, seqOf, zoneDay } from './facts.ts'
import { inCut, type Cut, type VerifySettings } from './scope.ts'

/** From this operator version on every measure is counted. */
const countedSince = 2
/** Events of a sample of days. */
const sampleEvents = 3_000_000
/** Days that are compared at once: so many, with so many events. */
const daysAtOnce = 200
const eventsAtOnce = 500_000

const minuteOf = (at: string) => `${floorDiv(at, 60_000)} * 60000`
const localHour = (at: string) => {
  const offset = `toInt64(timeZoneOffset(fromUnixTimestamp64Milli(${at}, {zone:String}))) * 1000`
  return `(${floorDiv(`${at} + ${offset}`, 3_600_000)} * 3600000 - ${offset})`
}

/**
 * Days all of whose blocks still have their deltas (they are kept for 40 days), and were made by operators that count everything; newest
 * first, with how many events each has.
 */
async function wholeDays(store: Store, cut: Cut, params: QueryParams): Promise<{ day: number; events: number }[]> {
  const facts = (table: string, at: string, version: string, weight: number) => `
    SELECT ${zoneDay(at)} AS day, ${weight} AS weight,
      (partition, first_offset) IN (SELECT partition, first_offset FROM kpi_deltas WHERE dimension = 'clock') AND ${version} AS is_whole
    FROM ${table} WHERE ${inCut(cut)}`
  return store.query<{ day: number; events: number }>(
    `SELECT day, sum(weight) AS events
    FROM (
      ${facts('events', correctedMs, `operator_version >= ${countedSince}`, 1)}
      UNION ALL ${facts('rejected_events', ms('clock_at'), 'true', 0)}
      UNION ALL SELECT DISTINCT ${zoneDay(ms('bucket_at'))} AS day, 0 AS weight, true AS is_whole
      FROM kpi_deltas WHERE dimension != 'clock' AND ${inCut(cut)})
    GROUP BY day HAVING min(is_whole)
    ORDER BY day DESC`,
    params,
  )
}

const isOne = (behavior: string) => `countIf(behavior = '${behavior}')`
/** Of (event, grain, cell) rows. */
const figures: Record<KpiMeasure, string> = {
  plays: 'countIf(is_play)',
  completes: 'countIf(is_complete)',
  watch_ms: 'sumIf(toInt64(ifNull(watch_ms, 0)), is_play)',
  impressions: isOne('impression'),
  clicks: isOne('click'),
  likes: isOne('like'),
  comments: isOne('comment'),
  shares: isOne('share'),
  follows: isOne('follow'),
  searches: isOne('search'),
  purchases: isOne('purchase'),
  amount_minor: `sumIf(ifNull(amount_minor, 0), behavior = 'purchase')`,
  registers: isOne('register'),
  events: `countIf(behavior != '')`,
  fresh_plays: 'countIf(is_fresh)',
  first_week_plays: 'countIf(is_first_week)',
  first_week_completes: 'countIf(is_first_week AND is_complete)',
  rejected: `countIf(behavior = '')`,
  late_unmarked: `countIf(NOT marked)`,
  active_users: `uniqExactIf(user_id, marked AND behavior != '')`,
  engaged_users: `uniqExactIf(user_id, marked AND behavior IN ('like', 'comment', 'share', 'follow'))`,
  buyers: `uniqExactIf(user_id, marked AND behavior = 'purchase')`,
  sessions: `uniqExactIf((user_id, assumeNotNull(session_id)), marked AND session_id IS NOT NULL)`,
}

/** When the day of an instant begins (ms). */
const dayStart = (at: string) => `{starts:Array(Int64)}[indexOf({days:Array(Int32)}, ${zoneDay(at)})]`
const isChosen = (at: string) => `has({days:Array(Int32)}, ${zoneDay(at)})`

/** The accepted events of {days}, with what each is to its cells. `tier` is held against the tiers recomputed for each user (tiers.ts). */
function dayEvents(cut: Cut): string {
  const registrations = `
    SELECT user_id, groupArray((${seqOf(ms('clock_at'))}, ordinal, ${correctedMs})) AS registrations
    FROM events WHERE behavior = 'register' AND ${inCut(cut)} GROUP BY user_id`
  return `
    SELECT e.*,
      [('minute', ${minuteOf('t_ms')}, t_ms >= ${minuteOf(`clock_ms - ${marksKeptMs.minute}`)}),
       ('hour', ${localHour('t_ms')}, ${localHour('t_ms')} >= ${localHour(`(clock_ms - ${marksKeptMs.hour})`)}),
       ('day', ${dayStart('t_ms')}, ${zoneDay('t_ms')} >= ${zoneDay(`clock_ms - ${marksKeptMs.day}`)})] AS buckets,
      is_play AND length(known) > 0
        AND ${zoneDay('t_ms')} - ${zoneDay('arrayMin(arrayMap(x -> x.3, known))')} BETWEEN 0 AND ${firstWeekDays - 1} AS is_first_week
    FROM (
      SELECT user_id, toString(behavior) AS behavior, session_id, watch_ms, amount_minor,
        ${ms('clock_at')} AS clock_ms, ${seqOf('clock_ms')} AS seq, ordinal, ${correctedMs} AS t_ms,
        behavior = 'play' AS is_play,
        is_play AND ifNull(toInt64(watch_ms) * 10 >= toInt64(duration_ms) * 9, 0) AS is_complete,
        is_play AND ifNull(t_ms - ${ms('published_at')} < ${freshMs}, 0) AS is_fresh,
        arrayConcat(
          [('all', ''), ('platform', toString(platform)), ('channel', ${listed('channel', 'channels')}), ('region', ${listed('region', 'regions')}),
           ('app_version', ${listed('app_version', 'versions')}), ('tier', toString(tier))],
          if(category IS NULL, [], [('category', ${listed("ifNull(category, '')", 'categories')})]),
          if(surface IS NULL, [], [('surface', ${listed("ifNull(surface, '')", 'surfaces')})])) AS cells
      FROM events WHERE ${inCut(cut)} AND ${isChosen(correctedMs)}) AS e
    LEFT JOIN (${registrations}) AS r ON e.user_id = r.user_id
    ARRAY JOIN [arrayFilter(x -> (x.1, x.2) < (seq, ordinal), registrations)] AS known`
}

/** What was rejected on {days}, in the form of an event without a behaviour. */
function dayRejected(cut: Cut): string {
  const at = ms('clock_at')
  return `
    SELECT '' AS user_id, '' AS behavior, CAST(NULL, 'Nullable(String)') AS session_id, CAST(NULL, 'Nullable(Int32)') AS watch_ms,
      CAST(NULL, 'Nullable(Int64)') AS amount_minor, false AS is_play, false AS is_complete, false AS is_fresh, false AS is_first_week,
      [('all', '')] AS cells,
      [('minute', ${minuteOf(at)}, true), ('hour', ${localHour(at)}, true), ('day', ${dayStart(at)}, true)] AS buckets
    FROM rejected_events WHERE ${inCut(cut)} AND ${isChosen(at)}`
}

const columns = 'user_id, behavior, session_id, watch_ms, amount_minor, is_play, is_complete, is_fresh, is_first_week, cells, buckets'

function compareDays(cut: Cut): string {
  const names = (of: (measure: KpiMeasure) => string) => kpiMeasures.map(of).join(',\n        ')
  return cellDifferences(
    kpiMeasures,
    `toString(grain) AS grain, ${ms('bucket_at')} AS bucket_ms, toString(dimension) AS dimension, toString(value) AS value,
        ${names((measure) => `toInt64(sum(d.${measure})) AS ${measure}`)}
        FROM kpi_deltas AS d
        WHERE dimension != 'clock' AND ${inCut(cut)} AND ${isChosen(ms('bucket_at'))}
        GROUP BY grain, bucket_ms, dimension, value`,
    `bucket.1 AS grain, toInt64(bucket.2) AS bucket_ms, cell.1 AS dimension, cell.2 AS value,
        ${names((measure) => `toInt64(${measure}_) AS ${measure}`)}
        FROM (
          SELECT (bucket_.1, bucket_.2) AS bucket, cell,
          ${names((measure) => `${figures[measure]} AS ${measure}_`)}
          FROM (
            SELECT * EXCEPT (cells, buckets), arrayJoin(cells) AS cell, arrayJoin(buckets) AS bucket_, bucket_.3 AS marked
            FROM (SELECT ${columns} FROM (${dayEvents(cut)}) UNION ALL SELECT ${columns} FROM (${dayRejected(cut)})))
          GROUP BY bucket, cell)`,
  )
}

export type KpiComparison = Comparison & {
  days: number
  daysLeftOut: number
  /** Cells of kpi_cells on the same days, against kpi_deltas. */
  rolledUp: Comparison
}

export const nothingCompared = (): Comparison => ({ compared: 0, differing: 0, examples: [] })

/** Compares some days at a time: all days, or the newest up to a number of events. */
export async function compareKpis(
  store: Store,
  cut: Cut,
  settings: VerifySettings,
  params: QueryParams,
  everything: boolean,
): Promise<KpiComparison> {
  const zone = zoneNamed(settings.zone)
  const total: KpiComparison = { ...nothingCompared(), days: 0, daysLeftOut: 0, rolledUp: nothingCompared() }
  let left = everything ? Infinity : sampleEvents
  let room = 0
  const pieces: number[][] = []
  for (const { day, events } of await wholeDays(store, cut, params)) {
    left -= events
    room -= events
    if (left < 0) total.daysLeftOut++
    else if (room >= 0 && pieces.at(-1)!.length < daysAtOnce) pieces.at(-1)!.push(day)
    else {
      pieces.push([day])
      room = eventsAtOnce - events
    }
  }
  // A database that no newer program has migrated has none.
  const hasCells =
    (await store.query(`SELECT 1 AS there FROM system.tables WHERE database = currentDatabase() AND name = 'kpi_cells'`)).length > 0
  const compareRolledUp = async (bound: QueryParams): Promise<Comparison> => {
    if (!hasCells) return nothingCompared()
    const once = async () => (await store.query<Comparison>(compareCells(settings.latenessMs ?? allowedLatenessMs), bound))[0]!
    const found = await once()
    // The detect role may have added to them meanwhile.
    return found.differing === 0 ? found : once()
  }
  const compare = async (days: readonly number[]) => {
    const bound = { ...params, days, starts: days.map((day) => zone.startOfDay(day)), ends: days.map((day) => zone.startOfDay(day + 1)) }
    const [found] = await store.query<Comparison>(compareDays(cut), bound)
    return { ...found!, rolledUp: await compareRolledUp(bound) }
  }
  for (let days of pieces) {
    let found = await compare(days)
    if (found.differing + found.rolledUp.differing > 0) {
      // Deltas may have gone, for their age, while they were compared.
      const whole = new Set((await wholeDays(store, cut, params)).map(({ day }) => day))
      const there = days.filter((day) => whole.has(day))
      if (there.length < days.length) [days, found] = [there, await compare(there)]
    }
    total.days += days.length
    add(total, found)
    add(total.rolledUp, found.rolledUp)
  }
  return total
}

function add(total: Comparison, found: Comparison): void {
  total.compared += found.compared
  total.differing += found.differing
  total.examples.push(...found.examples.slice(0, examples - total.examples.length))
}
