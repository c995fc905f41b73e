// Views that boards read of tables that are not counted in KPI views: figures of a day, moves between tiers, a user's events, blocks and rejects.

/** Of each kind of row what a board shows; a board reads no table. */
export const boardViews = [
  {
    name: 'daily_kpis',
    select: `
SELECT bucket_at, name, numerator, denominator, if(isNull(denominator), numerator, numerator / nullIf(denominator, 0)) AS figure, known_at
FROM kpi_daily FINAL WHERE name != ''`.trim(),
  },
  {
    name: 'tier_moves',
    select:
      'SELECT user_id, `from`, `to`, as_of, reason, recency_score, frequency_score, monetary_score, partition, first_offset FROM tier_changes',
  },
  {
    name: 'user_events',
    select: `
SELECT user_id, event_at, clock_at, behavior, platform, app_version, channel, region, tier, session_id, content_id, creator_id, category, surface,
  watch_ms, duration_ms, amount_minor, query
FROM events`.trim(),
  },
  {
    // How far each block took its partition, and which records it is.
    name: 'block_clocks',
    select: `
SELECT partition, first_offset, next_offset, block_at, partition_count
FROM kpi_deltas WHERE dimension = 'clock' AND value = '' AND grain = 'minute'`.trim(),
  },
  {
    // What each block brought of each minute.
    name: 'block_minutes',
    select: `
SELECT partition, first_offset, block_at, bucket_at, events, rejected
FROM kpi_deltas WHERE dimension = 'all' AND value = '' AND grain = 'minute'`.trim(),
  },
  {
    name: 'rejects',
    select:
      'SELECT partition, offset, ordinal, clock_at, block_at, toString(reason) AS reason, detail, user_id, value_bytes FROM rejected_events',
  },
  {
    // When an app version was first heard of, by the hour.
    name: 'releases',
    select: `
SELECT value AS app_version, min(bucket_at) AS first_hour_at FROM (
  SELECT value, bucket_at FROM kpi_cells WHERE dimension = 'app_version' AND grain = 'hour'
  UNION ALL
  SELECT value, bucket_at FROM kpi_deltas WHERE dimension = 'app_version' AND grain = 'hour'
) WHERE value NOT IN ('', 'other') GROUP BY value`.trim(),
  },
  {
    name: 'roll_up_reach',
    select: `
SELECT toString(grain) AS grain, max(bucket_at) AS reached_at, max(known_at) AS known_at
FROM kpi_cells WHERE dimension = 'clock' AND value = '' GROUP BY grain`.trim(),
  },
] as const

/** The view of a database of customer signals. */
export const signalViews = [
  {
    name: 'signals',
    select:
      'SELECT event_at, clock_at, kind, user_id, channel, score, seconds, content_id, severity, amount_minor, currency FROM customer_signals',
  },
] as const
