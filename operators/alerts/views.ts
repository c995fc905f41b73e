// Views over alerts and what people did about them.

const latestTransition = 'SELECT * FROM alerts ORDER BY alert_id, sequence DESC LIMIT 1 BY alert_id'
const latestSaid = (column: string, said: string) => `argMaxIf(${column}, (reviewed_at, review_id), ${said})`

/** A row for each alert that anybody did anything about; each column is the last that was said of it. */
const reviewState = `
SELECT
  alert_id,
  multiIf(countIf(action = 'close') > 0, 'closed', countIf(cause != '') > 0, 'reviewed', countIf(action = 'ack') > 0, 'acknowledged', 'noted') AS review,
  minIf(reviewed_at, action = 'ack') AS acknowledged_at,
  argMinIf(reviewed_by, (reviewed_at, review_id), action = 'ack') AS acknowledged_by,
  ${latestSaid('cause', "cause != ''")} AS cause,
  minIf(reviewed_at, cause != '' OR action = 'close') AS first_reviewed_at,
  ${latestSaid('strategy', "strategy != ''")} AS strategy,
  ${latestSaid('strategy_at', "strategy != ''")} AS strategy_at,
  minIf(reviewed_at, action = 'close') AS closed_at,
  argMinIf(reviewed_by, (reviewed_at, review_id), action = 'close') AS closed_by,
  max(reviewed_at) AS last_reviewed_at
FROM (SELECT * FROM alert_reviews ORDER BY alert_id, review_id LIMIT 1 BY alert_id, review_id)
GROUP BY alert_id`.trim()

const reviewColumns = ['acknowledged_at', 'acknowledged_by', 'cause', 'strategy', 'strategy_at', 'closed_at', 'closed_by']

export const alertViews = [
  { name: 'alert_review_state', select: reviewState },
  {
    name: 'open_alerts',
    select: `
SELECT latest.*, if(reviews.review = '', 'open', reviews.review) AS review, ${reviewColumns.map((column) => `reviews.${column} AS ${column}`).join(', ')}
FROM (${latestTransition}) AS latest LEFT JOIN (${reviewState}) AS reviews ON latest.alert_id = reviews.alert_id
WHERE latest.state != 'resolved'`.trim(),
  },
  {
    // Alerts that fired, whatever became of them: what was only suspected is in `alerts`.
    name: 'alert_history',
    select: `
SELECT
  alerts.*, if(reviews.review = '', 'open', reviews.review) AS review, ${reviewColumns.map((column) => `reviews.${column} AS ${column}`).join(', ')}
FROM (
  SELECT
    alert_id, any(t.kind) AS kind, any(t.about_id) AS about_id, any(t.kpi) AS kpi, any(t.grain) AS grain, any(t.dimension) AS dimension, any(t.value) AS value,
    argMax(t.state, t.sequence) AS state, min(t.bucket_at) AS begun_at, max(t.fired_at) AS fired_at, max(t.due_at) AS due_at,
    maxIf(t.decided_at, t.state = 'resolved') AS resolved_at,
    argMinIf(t.actual, t.sequence, t.state = 'firing') AS actual_at_firing, argMinIf(t.baseline, t.sequence, t.state = 'firing') AS baseline,
    argMinIf(t.denominator, t.sequence, t.state = 'firing') AS denominator_at_firing, argMinIf(t.reason, t.sequence, t.state = 'firing') AS reason
  FROM (SELECT * FROM alerts ORDER BY alert_id, sequence LIMIT 1 BY alert_id, sequence) AS t
  GROUP BY alert_id HAVING countIf(t.state = 'firing') > 0
) AS alerts LEFT JOIN (${reviewState}) AS reviews ON alerts.alert_id = reviews.alert_id`.trim(),
  },
] as const
