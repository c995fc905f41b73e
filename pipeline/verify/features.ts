// The figures of a user at an instant, as DESIGN defines them: for each row of `user_features` a sum over all events that
// the user's clock had brought by then. No running state: slow, and plain.
import { affinityHalfLifeMs, affinityWeights } from '../../operators/affinity/weights.ts'
import { frequencyBounds, monetaryBounds, recencyBounds } from '../../operators/tiers/rfm.ts'
import { behaviors } from '../../schemas/behavior-batch.ts'
import { measures, windows, type WindowSpec } from '../../schemas/measures.ts'
import { events, floorDiv, listed, ms, zoneDay } from './facts.ts'
import { inCut, integer, usersAre, type Scope } from './scope.ts'

/** A column of a row and the expression over (row, event) pairs that gives it. */
type Figure = { name: string; expression: string }

/** The (user, as_of) points to recompute: every row present, or `rowsPerUser` of a user with more. */
export function points(scope: Scope, columns: readonly string[] = []): string {
  const all = `
    SELECT user_id, ${ms('as_of')} AS as_of_ms ${columns.map((column) => `, ${column}`).join('')}
    FROM user_features
    WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)}`
  if (scope.rowsPerUser === Infinity) return all
  return `
    SELECT * EXCEPT newest_ms FROM (SELECT *, max(as_of_ms) OVER (PARTITION BY user_id) AS newest_ms FROM (${all}))
    ORDER BY user_id, as_of_ms = newest_ms DESC, cityHash64(as_of_ms), as_of_ms
    LIMIT ${integer(scope.rowsPerUser)} BY user_id`
}

const tileOf = (w: WindowSpec) => `tile_${w.name}`
const inWindow = (w: WindowSpec) => `in_${w.name}`

/** (row, event) pairs: every event that had reached its user's row, and which windows of the row it is in. */
function pairs(scope: Scope): string {
  const eventColumns = [
    ...windows.map((w) => `${floorDiv('t_ms', w.hopMs)} AS ${tileOf(w)}`),
    // An event adds to a tile only while the window, at the event's own clock, still holds that tile.
    ...windows.map((w) => `${tileOf(w)} >= ${floorDiv(`clock_ms - ${w.spanMs}`, w.hopMs)} AS held_${w.name}`),
    `behavior = 'play' AS is_play`,
    `toUInt64(if(is_play, ifNull(watch_ms, 0), 0)) AS watched`,
    `is_play AND ifNull(toInt64(watch_ms) * 10 >= toInt64(duration_ms) * 9, 0) AS is_complete`,
    'platform',
    `${listed('channel', 'channels')} AS channel_counted`,
    `${listed('region', 'regions')} AS region_counted`,
    `${listed('app_version', 'versions')} AS app_version_counted`,
  ]
  const pointColumns = [
    ...windows.flatMap((w) => [
      `${floorDiv(`as_of_ms - ${w.spanMs}`, w.hopMs)} AS first_${w.name}`,
      `${floorDiv('as_of_ms - 1', w.hopMs)} AS last_${w.name}`,
    ]),
    `${zoneDay('as_of_ms - 1')} AS today`,
  ]
  return `
    SELECT p.*, e.* EXCEPT (user_id, clock_ms),
      ${windows.map((w) => `held_${w.name} AND ${tileOf(w)} BETWEEN first_${w.name} AND last_${w.name} AS ${inWindow(w)}`).join(',\n      ')}
    FROM (SELECT user_id, as_of_ms, ${pointColumns.join(', ')} FROM (SELECT DISTINCT user_id, as_of_ms FROM (${points(scope)}))) AS p
    INNER JOIN (${events(scope, eventColumns)}) AS e ON p.user_id = e.user_id
    WHERE e.clock_ms < p.as_of_ms`
}

/** The sixty sums. */
const windowFigures: readonly Figure[] = windows.flatMap((w) =>
  measures.map((measure, i) => ({ name: `${measure}_${w.name}`, expression: windowFigure(measure, behaviors[i], inWindow(w)) })),
)

function windowFigure(measure: (typeof measures)[number], behavior: string | undefined, held: string): string {
  if (measure === 'watch_ms') return `sumIf(watched, ${held})`
  if (measure === 'amount_minor') return `sumIf(spent, ${held})`
  if (measure === 'completes') return `countIf(is_complete AND ${held})`
  return `countIf(behavior = '${behavior}' AND ${held})`
}

const lifetimeFigures: readonly Figure[] = [
  { name: 'platform', expression: 'argMax(platform, seq)' },
  { name: 'channel', expression: 'argMax(channel_counted, seq)' },
  { name: 'region', expression: 'argMax(region_counted, seq)' },
  { name: 'app_version', expression: 'argMax(app_version_counted, seq)' },
  { name: 'first_seen_at', expression: 'min(t_ms)' },
  { name: 'registered_at', expression: `minOrNullIf(t_ms, behavior = 'register')` },
  { name: 'last_seen_at', expression: 'max(t_ms)' },
  { name: 'last_purchase_at', expression: `maxOrNullIf(t_ms, behavior = 'purchase')` },
  { name: 'purchases', expression: `countIf(behavior = 'purchase')` },
  { name: 'amount_minor', expression: 'sum(spent)' },
  { name: 'active_days_7d', expression: 'uniqExactIf(day, day > today - 7)' },
  { name: 'active_days_30d', expression: 'uniqExactIf(day, day > today - 30)' },
  { name: 'purchase_days_90d', expression: `uniqExactIf(day, behavior = 'purchase' AND day > today - 90)` },
  { name: 'purchases_90d', expression: `countIf(behavior = 'purchase' AND day > today - 90)` },
  { name: 'amount_minor_90d', expression: 'sumIf(spent, day > today - 90)' },
]

/** Score 5 for a value within the first bound, 4 for the second …, 1 beyond the last. */
const score = (value: string, compare: '<=' | '>=', bounds: readonly number[]) =>
  `multiIf(${bounds.map((bound, i) => `${value} ${compare} ${bound}, ${5 - i}`).join(', ')}, 1)`

/** RFM, over the names of `days` since the last purchase (null: none), purchases and spend of 90 days. */
export const rfmScores = (days: string, purchases: string, spend: string) => ({
  recency_score: `if(isNull(${days}), 1, ${score(`assumeNotNull(${days})`, '<=', recencyBounds)})`,
  frequency_score: score(purchases, '>=', frequencyBounds),
  monetary_score: score(spend, '>=', monetaryBounds),
})

/** Every figure of `user_features` but tier and affinities, by (user_id, as_of_ms). */
export const figureNames = [
  ...[...windowFigures, ...lifetimeFigures].map((figure) => figure.name),
  'recency_score',
  'frequency_score',
  'monetary_score',
] as const

export function features(scope: Scope): string {
  const rfm = rfmScores('days_since_purchase', 'purchases_90d', 'amount_minor_90d')
  return `
    SELECT *, any_today - ${zoneDay('last_purchase_at')} AS days_since_purchase,
      ${Object.entries(rfm)
        .map(([name, expression]) => `${expression} AS ${name}`)
        .join(', ')}
    FROM (
      SELECT user_id, as_of_ms, any(today) AS any_today,
        ${[...windowFigures, ...lifetimeFigures].map((figure) => `${figure.expression} AS ${figure.name}`).join(',\n        ')}
      FROM (${pairs(scope)})
      GROUP BY user_id, as_of_ms)`
}

/** `categories` and `affinities` (every category above 0, greatest first, then by name), by (user_id, as_of_ms). */
export function affinities(scope: Scope): string {
  const weight = Object.entries(affinityWeights).map(([behavior, w]) => {
    const value = w === 'share_watched' ? 'least(1, watch_ms / duration_ms)' : `toFloat64(${w})`
    return `behavior = '${behavior}', ${value}`
  })
  const eventColumns = [`multiIf(${weight.join(', ')}, 0) AS weight`, `${listed('category', 'categories')} AS category_counted`]
  return `
    SELECT user_id, as_of_ms,
      arraySort(x -> (-x.1, x.2), groupArray((affinity, category))) AS ranked,
      ranked.2 AS categories, ranked.1 AS affinities
    FROM (
      SELECT p.user_id AS user_id, as_of_ms, assumeNotNull(category_counted) AS category,
        sum(assumeNotNull(weight) * exp2(-(as_of_ms - t_ms) / ${affinityHalfLifeMs})) AS affinity
      FROM (SELECT DISTINCT user_id, as_of_ms FROM (${points(scope)})) AS p
      INNER JOIN (SELECT * FROM (${events(scope, ['category', ...eventColumns])}) WHERE weight > 0 AND category IS NOT NULL) AS e
        ON p.user_id = e.user_id
      WHERE e.clock_ms < p.as_of_ms
      GROUP BY user_id, as_of_ms, category)
    GROUP BY user_id, as_of_ms`
}
