// Queries of users: who they are, how they move between tiers, whether they stay, what they bring, and one of them.
import { retentionDays } from '../../operators/kpi/daily.ts'
import { featureNames } from '../../schemas/measures.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Dialect } from '../dialect.ts'
import { cellDimension, cellValue, day, number, prose, text, time, view, type PanelQuery } from './query.ts'
import { bySpan } from './span.ts'

export const usersByTier = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT toString(rung) AS tier, users FROM (SELECT tier AS rung, count() AS users FROM ${view('users')} WHERE ${ofCellOfUser(dialect)} GROUP BY rung) ORDER BY rung`,
  format: 'table',
  columns: [text('tier'), number('users')],
})

export const tierFlow = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT toString(\`from\`) AS from_tier, toString(\`to\`) AS to_tier, count() AS moves, uniqExact(user_id) AS users
FROM ${view('tier_moves')} WHERE ${dialect.inRange('as_of')}
GROUP BY \`from\`, \`to\` ORDER BY \`from\`, \`to\``,
  format: 'table',
  columns: [text('from_tier'), text('to_tier'), number('moves'), number('users')],
})

/** By the minute, hour or day, as KPIs are. Days are those of the KPIs, which begin where the configured zone says. */
export function tierMovesOverTime(dialect: Dialect): PanelQuery {
  const moves = `SELECT as_of, \`from\`, \`to\`, toDateTime64(toStartOfMinute(as_of), 3, 'UTC') AS minute_at, toDateTime64(toStartOfHour(as_of), 3, 'UTC') AS hour_at, 1 AS one FROM ${view('tier_moves')} WHERE ${dialect.inRange('as_of')}`
  const counted = 'countIf(`to` > `from`) AS promotions, countIf(`to` < `from`) AS demotions'
  const select = (grain: Grain, condition: string) =>
    grain === 'day'
      ? `SELECT days.bucket_at AS time, ${counted} FROM (${moves} AND ${condition}) AS moves
ASOF INNER JOIN (SELECT bucket_at, 1 AS one FROM ${view('kpi_day')} WHERE ${condition} AND dimension = 'all' AND ${dialect.inRange('bucket_at')}) AS days ON moves.one = days.one AND moves.as_of >= days.bucket_at
GROUP BY time`
      : `SELECT ${grain}_at AS time, ${counted} FROM (${moves} AND ${condition}) WHERE ${dialect.inRange(`${grain}_at`)} GROUP BY time`
  return {
    sql: `SELECT time, promotions, demotions FROM (
${bySpan(dialect, 'minute', select)}
)
ORDER BY time`,
    format: 'timeseries',
    columns: [time(), number('promotions'), number('demotions')],
  }
}

const retention = (day: number) => `retention_d${day}`

export const retentionMap = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT bucket_at AS cohort_at, maxIf(denominator, name = 'retention_d1') AS registrants,
  ${retentionDays.map((day) => `anyIf(figure, name = '${retention(day)}') AS d${day}`).join(', ')}
FROM ${view('daily_kpis')}
WHERE name IN (${retentionDays.map((day) => `'${retention(day)}'`).join(', ')}) AND ${dialect.inRange('bucket_at')}
GROUP BY cohort_at ORDER BY cohort_at DESC LIMIT 100`,
  format: 'table',
  columns: [day('cohort_at'), number('registrants'), ...retentionDays.map((day) => number(`d${day}`, 'ratio'))],
})

const scores = [1, 2, 3, 4, 5] as const

export const rfmGrid = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT recency_score, ${scores.map((score) => `countIf(frequency_score = ${score}) AS f${score}`).join(', ')},
  round(avg(monetary_score), 2) AS mean_monetary_score, sum(amount_minor_90d) AS amount_minor_90d
FROM ${view('users')} WHERE last_purchase_at IS NOT NULL AND ${ofCellOfUser(dialect)}
GROUP BY recency_score ORDER BY recency_score DESC`,
  format: 'table',
  columns: [
    number('recency_score', 'points'),
    ...scores.map((score) => number(`f${score}`)),
    number('mean_monetary_score', 'points'),
    number('amount_minor_90d', 'fen'),
  ],
})

export const ltvCohorts = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT cohort_at, customers, buyers, realised_minor / customers / 100 AS realised_cny, predicted_minor / customers / 100 AS predicted_cny,
  realised_cny + predicted_cny AS ltv_cny, horizon_days, as_of
FROM ${view('ltv')} WHERE birth = 'registration' AND ${dialect.inRange('cohort_at')}
ORDER BY cohort_at DESC, as_of DESC LIMIT 1 BY cohort_at LIMIT 100`,
  format: 'table',
  columns: [
    day('cohort_at'), number('customers'), number('buyers'), number('realised_cny', 'CNY'), number('predicted_cny', 'CNY'), number('ltv_cny', 'CNY'),
    number('horizon_days'), time('as_of'),
  ], // prettier-ignore
})

/** What of a user's row a cell's dimension is; of category the first of their affinities. */
const userValue = (
  dialect: Dialect,
) => `multiIf(${cellDimension(dialect)} = 'platform', toString(platform), ${cellDimension(dialect)} = 'channel', toString(channel),
    ${cellDimension(dialect)} = 'region', toString(region), ${cellDimension(dialect)} = 'app_version', toString(app_version), ${cellDimension(dialect)} = 'tier', toString(tier),
    ${cellDimension(dialect)} = 'category', toString(top_categories[1]), '')`

function ofCellOfUser(dialect: Dialect): string {
  return `${userValue(dialect)} = ${cellValue(dialect)}`
}

export const usersList = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT user_id, last_seen_at, toString(tier) AS tier, platform, channel, region, app_version, plays_7d, purchases_30d, amount_minor, top_categories[1] AS category
FROM ${view('users')}
WHERE last_seen_at <= ${dialect.to} AND last_seen_at >= ${dialect.from} AND ${ofCellOfUser(dialect)}
ORDER BY last_seen_at DESC, user_id LIMIT 100`,
  format: 'table',
  columns: [
    text('user_id'), time('last_seen_at'), text('tier'), text('platform'), text('channel'), text('region'), text('app_version'),
    number('plays_7d'), number('purchases_30d'), number('amount_minor', 'fen'), text('category'),
  ], // prettier-ignore
})

const ofUser = (dialect: Dialect) => `user_id = ${dialect.variable('user_id')}`

export const userNow = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT user_id, toString(tier) AS tier, registered_at, first_seen_at, last_seen_at, last_purchase_at, purchases, amount_minor,
  recency_score, frequency_score, monetary_score, arrayStringConcat(top_categories, ', ') AS top_categories, platform, channel, region, app_version, as_of
FROM ${view('users')} WHERE ${ofUser(dialect)}`,
  format: 'table',
  columns: [
    text('user_id'), text('tier'), time('registered_at'), time('first_seen_at'), time('last_seen_at'), time('last_purchase_at'), number('purchases'),
    number('amount_minor', 'fen'), number('recency_score', 'points'), number('frequency_score', 'points'), number('monetary_score', 'points'),
    text('top_categories'), text('platform'), text('channel'), text('region'), text('app_version'), time('as_of'),
  ], // prettier-ignore
})

/** The fifteen measures, a row each, by window. */
export function userFeatures(dialect: Dialect): PanelQuery {
  const spans = [...new Set(featureNames.map((name) => name.slice(name.lastIndexOf('_') + 1)))]
  const measures = [...new Set(featureNames.map((name) => name.slice(0, name.lastIndexOf('_'))))]
  const rows = measures.map((name, i) => `(${i}, '${name}', [${spans.map((span) => `toUInt64(${name}_${span})`).join(', ')}])`)
  return {
    sql: `SELECT row.2 AS feature, ${spans.map((span, i) => `row.3[${i + 1}] AS last_${span}`).join(', ')}
FROM (SELECT arrayJoin([${rows.join(', ')}]) AS row FROM ${view('users')} WHERE ${ofUser(dialect)})
ORDER BY row.1`,
    format: 'table',
    columns: [text('feature'), ...spans.map((span) => number(`last_${span}`))],
  }
}

export const userEvents = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT event_at, toString(behavior) AS behavior, content_id, category, surface, watch_ms, duration_ms, amount_minor, query, session_id, toString(tier) AS tier, platform, app_version,
  dateDiff('second', event_at, clock_at) AS late_s
FROM ${view('user_events')} WHERE ${ofUser(dialect)} AND ${dialect.inRange('event_at')}
ORDER BY event_at DESC LIMIT 500`,
  format: 'table',
  columns: [
    time('event_at'), text('behavior'), text('content_id'), text('category'), text('surface'), number('watch_ms', 'ms'), number('duration_ms', 'ms'),
    number('amount_minor', 'fen'), text('query'), text('session_id'), text('tier'), text('platform'), text('app_version'), number('late_s', 's'),
  ], // prettier-ignore
})

export const userTiers = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT as_of, toString(\`from\`) AS from_tier, toString(\`to\`) AS to_tier, reason, recency_score, frequency_score, monetary_score
FROM ${view('tier_moves')} WHERE ${ofUser(dialect)} ORDER BY as_of DESC LIMIT 100`,
  format: 'table',
  columns: [
    time('as_of'), text('from_tier'), text('to_tier'), prose('reason'), number('recency_score', 'points'), number('frequency_score', 'points'),
    number('monetary_score', 'points'),
  ], // prettier-ignore
})
