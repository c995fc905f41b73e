// Views over alerts and what people did about them.

const latestTransition = 'SELECT * FROM alerts ORDER BY alert_id, sequence DESC LIMIT 1 BY alert_id'
const lastOf = (column: string) => `argMaxIf(r.${column}, (r.reviewed_at, r.review_id), r.${column} != '')`
const firstOf = (column: string, action: string) => `argMinIf(r.${column}, (r.reviewed_at, r.review_id), r.action = '${action}')`

/** A row for each alert that anybody did anything about; each column is the last that was said of it. */
const reviewState = `
SELECT
  r.alert_id AS alert_id,
  multiIf(countIf(r.action = 'close') > 0, 'closed', countIf(r.cause != '') > 0, 'reviewed', countIf(r.action = 'ack') > 0, 'acknowledged', 'noted') AS review,
  ${firstOf('reviewed_at', 'ack')} AS acknowledged_at,
  ${firstOf('reviewed_by', 'ack')} AS acknowledged_by,
  ${lastOf('cause')} AS cause,
  minIf(r.reviewed_at, r.cause != '' OR r.action = 'close') AS first_reviewed_at,
  ${lastOf('strategy')} AS strategy,
  argMaxIf(r.strategy_at, (r.reviewed_at, r.review_id), r.strategy != '') AS strategy_at,
  ${firstOf('reviewed_at', 'close')} AS closed_at,
  ${firstOf('reviewed_by', 'close')} AS closed_by,
  max(r.reviewed_at) AS last_reviewed_at
FROM (SELECT * FROM alert_reviews ORDER BY alert_id, review_id LIMIT 1 BY alert_id, review_id) AS r
GROUP BY r.alert_id`.trim()

/** A row for each alert whose causes were looked for: what the latest revision found, in words and as it lies in `alert_causes`. */
const latestCauses = `
SELECT
  c.alert_id AS alert_id, toString(any(c.verdict)) AS causes_verdict,
  arrayStringConcat(arrayMap(x -> concat(x.2, ' (', toString(round(x.3 * 100, 1)), ' %)'), arraySort(groupArrayIf((c.rank, c.cell, c.share), c.rank > 0))), '; ') AS likely_causes
FROM (
  SELECT * FROM alert_causes
  WHERE (alert_id, revision) IN (SELECT alert_id, max(revision) FROM alert_causes GROUP BY alert_id)
  ORDER BY alert_id, rank LIMIT 1 BY alert_id, rank
) AS c
GROUP BY c.alert_id`.trim()

const causeColumns = 'causes.causes_verdict AS causes_verdict, causes.likely_causes AS likely_causes'
const reviewColumns = ['acknowledged_at', 'acknowledged_by', 'cause', 'strategy', 'strategy_at', 'closed_at', 'closed_by']

export const alertViews = [
  { name: 'alert_review_state', select: reviewState },
  {
    // Every cell that the latest revision of an alert's causes names; rank 0 is everything together.
    name: 'latest_alert_causes',
    select: `
SELECT * FROM alert_causes
WHERE (alert_id, revision) IN (SELECT alert_id, max(revision) FROM alert_causes GROUP BY alert_id)
ORDER BY alert_id, rank LIMIT 1 BY alert_id, rank`.trim(),
  },
  {
    name: 'open_alerts',
    select: `
SELECT latest.alert_id AS alert_id, latest.* EXCEPT (alert_id), if(reviews.review = '', 'open', reviews.review) AS review, ${reviewColumns.map((column) => `reviews.${column} AS ${column}`).join(', ')}, ${causeColumns}
FROM (${latestTransition}) AS latest LEFT JOIN (${reviewState}) AS reviews ON latest.alert_id = reviews.alert_id
LEFT JOIN (${latestCauses}) AS causes ON latest.alert_id = causes.alert_id
WHERE latest.state != 'resolved'`.trim(),
  },
  {
    // Alerts that fired, whatever became of them: what was only suspected is in `alerts`.
    name: 'alert_history',
    select: `
SELECT
  alerts.alert_id AS alert_id, alerts.* EXCEPT (alert_id), if(reviews.review = '', 'open', reviews.review) AS review, ${reviewColumns.map((column) => `reviews.${column} AS ${column}`).join(', ')}, ${causeColumns}
FROM (
  SELECT
    alert_id, any(t.kind) AS kind, any(t.about_id) AS about_id, any(t.kpi) AS kpi, any(t.grain) AS grain, any(t.dimension) AS dimension, any(t.value) AS value,
    argMax(t.state, t.sequence) AS state, min(t.bucket_at) AS begun_at, max(t.fired_at) AS fired_at, max(t.due_at) AS due_at,
    maxIf(t.decided_at, t.state = 'resolved') AS resolved_at,
    argMinIf(t.actual, t.sequence, t.state = 'firing') AS actual_at_firing, argMinIf(t.baseline, t.sequence, t.state = 'firing') AS baseline,
    argMinIf(t.denominator, t.sequence, t.state = 'firing') AS denominator_at_firing, argMinIf(t.reason, t.sequence, t.state = 'firing') AS reason
  FROM (SELECT * FROM alerts ORDER BY alert_id, sequence LIMIT 1 BY alert_id, sequence) AS t
  GROUP BY alert_id HAVING countIf(t.state = 'firing') > 0
) AS alerts LEFT JOIN (${reviewState}) AS reviews ON alerts.alert_id = reviews.alert_id
LEFT JOIN (${latestCauses}) AS causes ON alerts.alert_id = causes.alert_id`.trim(),
  },
] as const
