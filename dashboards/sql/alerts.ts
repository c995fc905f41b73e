// Queries of alerts: those that are open, those that were, their causes, and the reviews that are due.
import type { Dialect } from '../dialect.ts'
import { changeOf, number, prose, text, time, view, type PanelQuery } from './query.ts'

/** An instant that is the epoch is none. */
const maybe = (column: string) => `if(${column} = 0, NULL, ${column}) AS ${column}`

export const openAlerts = (): PanelQuery => ({
  sql: `SELECT toString(state) AS state, kpi, toString(dimension) AS dimension, value, actual, baseline, ${changeOf('actual', 'baseline')} AS change, denominator,
  ${maybe('fired_at')}, ${maybe('due_at')}, review, likely_causes, reason, toString(alert_id) AS alert_id
FROM ${view('open_alerts')}
ORDER BY state = 'pending', decided_at DESC LIMIT 200`,
  format: 'table',
  columns: [
    text('state'), text('kpi'), text('dimension'), text('value'), number('actual'), number('baseline'), number('change', 'ratio'), number('denominator'),
    time('fired_at'), time('due_at'), text('review'), prose('likely_causes'), prose('reason'), text('alert_id'),
  ], // prettier-ignore
})

export const alertHistory = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT fired_at, toString(state) AS state, kpi, toString(dimension) AS dimension, value, actual_at_firing AS actual, baseline, ${changeOf('actual', 'baseline')} AS change,
  ${maybe('resolved_at')}, ${maybe('due_at')}, review, cause, strategy, likely_causes, reason, toString(alert_id) AS alert_id
FROM ${view('alert_history')}
WHERE ${dialect.inRange('fired_at')}
ORDER BY fired_at DESC LIMIT 200`,
  format: 'table',
  columns: [
    time('fired_at'), text('state'), text('kpi'), text('dimension'), text('value'), number('actual'), number('baseline'), number('change', 'ratio'),
    time('resolved_at'), time('due_at'), text('review'), prose('cause'), prose('strategy'), prose('likely_causes'), prose('reason'), text('alert_id'),
  ], // prettier-ignore
})

export const alertCauses = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT alerts.fired_at AS fired_at, alerts.kpi AS kpi, toString(alerts.dimension) AS dimension, alerts.value AS value, causes.rank AS rank, causes.cell AS cause_cell,
  causes.share AS share, causes.rate_effect AS rate_effect, causes.mix_effect AS mix_effect, toString(causes.verdict) AS verdict, causes.remark AS remark,
  toString(alerts.alert_id) AS alert_id
FROM ${view('latest_alert_causes')} AS causes INNER JOIN (
  SELECT alert_id, fired_at, kpi, dimension, value FROM ${view('alert_history')} WHERE ${dialect.inRange('fired_at')}
) AS alerts ON causes.alert_id = alerts.alert_id
WHERE causes.rank > 0 OR causes.verdict != 'cells'
ORDER BY fired_at DESC, alert_id, rank LIMIT 200`,
  format: 'table',
  columns: [
    time('fired_at'), text('kpi'), text('dimension'), text('value'), number('rank'), text('cause_cell'), number('share', 'ratio'), number('rate_effect'),
    number('mix_effect'), text('verdict'), prose('remark'), text('alert_id'),
  ], // prettier-ignore
})

/** As of the range's end. */
export const reviewsOverdue = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT due_at, dateDiff('second', due_at, ${dialect.to}) AS overdue_s, kpi, toString(dimension) AS dimension, value, toString(state) AS state, review, fired_at, toString(alert_id) AS alert_id
FROM ${view('alert_history')}
WHERE kind = 'kpi' AND review NOT IN ('reviewed', 'closed') AND due_at > 0 AND due_at < ${dialect.to}
ORDER BY due_at LIMIT 200`,
  format: 'table',
  columns: [
    time('due_at'), number('overdue_s', 's'), text('kpi'), text('dimension'), text('value'), text('state'), text('review'), time('fired_at'), text('alert_id'),
  ], // prettier-ignore
})

/** What is marked on every board's time axis: rows of `time` and `text`, of which Grafana takes what it knows by name. The latest 200. */
export const annotationSql = {
  alerts: (
    dialect: Dialect,
  ) => `SELECT fired_at AS time, if(resolved_at = 0, NULL, resolved_at) AS timeEnd, concat(kpi, if(dimension = 'all', '', concat(' · ', toString(dimension), ' ', value))) AS title, reason AS text, kpi, toString(dimension) AS dimension, value
FROM ${view('alert_history')} WHERE kind = 'kpi' AND ${dialect.inRange('fired_at')} ORDER BY time DESC, title LIMIT 200`,
  /** An app version's first hour; the very first ones are no release, but the beginning. */
  releases: (dialect: Dialect) => `SELECT first_hour_at AS time, app_version AS title, app_version AS text
FROM ${view('releases')} WHERE ${dialect.inRange('first_hour_at')} AND first_hour_at > (SELECT min(first_hour_at) FROM ${view('releases')}) ORDER BY time DESC, title LIMIT 200`,
} as const
