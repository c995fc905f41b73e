// Thirty days of twenty thousand users in the tables that boards look at, made by the engine itself: blocks of a minute in kpi_deltas, that the real
// roll-up turns into cells, events, users, moves, alerts, rejects and signals.
import { cadenceOf } from '../../operators/detect/cadence.ts'
import { defaultSettings, other } from '../../operators/settings.ts'
import { zone } from '../../operators/time/zone.ts'
import { platforms } from '../../schemas/behavior-batch.ts'
import { quoteText } from '../../schemas/ddl.ts'
import { featureNames } from '../../schemas/measures.ts'
import { grains, kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import { tiers } from '../../schemas/tiers.ts'
import type { Store } from '../ports/store.ts'
import { dailyFigures } from '../roles/detect/daily-figures.ts'
import { rollUp } from '../roles/detect/roll-up.ts'

const minuteMs = 60_000
const dayMs = 86_400_000
const latenessMs = 120_000
const partitions = 4

export type PanelsData = {
  readonly store: Store
  readonly signals: Store
  /** The last block's clock. */
  readonly endMs: number
  readonly users: number
  readonly days: number
  readonly eventsPerUser: number
  /** Days of what is not counted in cells: events, moves, alerts, rejects, signals. Default `days`. */
  readonly eventDays?: number
  /** Values of each dimension that have traffic. Default all. */
  readonly values?: number
}

/** Every cell of the settings that the program comes with, each with its share of the traffic. */
const cellsOf = (most: number): readonly (readonly [string, string, number])[] => [
  ['all', '', 1],
  ...Object.entries({ platform: platforms, tier: tiers, ...defaultSettings.dimensions }).flatMap(([dimension, values]) => {
    const all = dimension === 'platform' || dimension === 'tier' ? values : [...values, other]
    return all.slice(0, most).map((value) => [dimension, value, 1 / all.length] as const)
  }),
]

const at = (ms: string) => `fromUnixTimestamp64Milli(toInt64(${ms}), 'UTC')`
/** Of a cell in a minute, beside its plays. */
const perPlay: Partial<Record<(typeof kpiMeasures)[number], number>> = {
  plays: 1, completes: 0.45, watch_ms: 12_000, impressions: 6, clicks: 0.11, likes: 0.04, comments: 0.01, shares: 0.015, follows: 0.01, searches: 0.05,
  purchases: 0.01, amount_minor: 60, registers: 0.002, events: 7.3, fresh_plays: 0.4, first_week_plays: 0.1, first_week_completes: 0.04, rejected: 0.01,
  late_unmarked: 0.001, active_users: 0.3, engaged_users: 0.05, buyers: 0.01, sessions: 0.31,
} // prettier-ignore

async function fillDeltas({ store, endMs, days, users, values = Infinity }: PanelsData, note: (line: string) => void): Promise<void> {
  const cells = cellsOf(values)
  const cellsSql = `[${cells.map(([dimension, value, share]) => `(${quoteText(dimension)}, ${quoteText(value)}, ${share.toFixed(4)})`).join(', ')}]`
  const minutes = (days * dayMs) / minuteMs
  const firstMinute = Math.floor(endMs / minuteMs) - minutes
  const zoneName = defaultSettings.zone
  // One play a user and half an hour, most of them in the evening.
  const plays = `${users / 30} * (1 + 0.8 * sin(2 * pi() * (minute % 1440) / 1440)) * cell.3 * (0.9 + 0.2 * (cityHash64(minute, cell.2) % 1000) / 1000)`
  const columns = [
    'partition',
    'first_offset',
    'part',
    'block_at',
    'grain',
    'bucket_at',
    'dimension',
    'value',
    ...kpiMeasures,
    'next_offset',
    'partition_count',
  ]
  const block = `toUInt16(minute % ${partitions}) AS partition, toInt64(intDiv(minute, ${partitions}) * 1000) AS first_offset, toUInt32(0) AS part, ${at(`(minute + 1) * ${minuteMs}`)} AS block_at`
  for (let day = 0; day < days; day++) {
    const from = firstMinute + (day * dayMs) / minuteMs
    const minutesSql = `SELECT number AS minute FROM numbers(${from}, ${dayMs / minuteMs})`
    await store.command(
      `INSERT INTO kpi_deltas (${columns.join(', ')}) SETTINGS max_insert_threads = 1, min_insert_block_size_rows = 10000000, min_insert_block_size_bytes = 4294967296
SELECT partition, first_offset, part, block_at, grain, bucket_at, cell.1 AS dimension, cell.2 AS value, ${kpiMeasures.map((measure) => `toUInt64(each * ${perPlay[measure] ?? 0.01}) AS ${measure}`).join(', ')}, toInt64(0) AS next_offset, toUInt16(0) AS partition_count
FROM (
  SELECT minute, ${block}, arrayJoin([${grains.map((grain) => `'${grain}'`).join(', ')}]) AS grain, arrayJoin(${cellsSql}) AS cell, ${plays} AS each,
    multiIf(grain = 'minute', ${at(`minute * ${minuteMs}`)}, grain = 'hour', ${at('intDiv(minute, 60) * 3600000')}, toTimeZone(toDateTime64(toStartOfDay(${at(`minute * ${minuteMs}`)}, '${zoneName}'), 3, '${zoneName}'), 'UTC')) AS bucket_at
  FROM (${minutesSql})
)
UNION ALL
SELECT partition, first_offset, part, block_at, 'minute' AS grain, block_at AS bucket_at, 'clock' AS dimension, '' AS value, ${kpiMeasures.map((measure) => `toUInt64(0) AS ${measure}`).join(', ')}, first_offset + 1000, toUInt16(${partitions})
FROM (SELECT minute, ${block} FROM (${minutesSql}))
ORDER BY dimension, value, grain, bucket_at`,
    )
  }
  note(`${minutes} blocks of ${cells.length} cells are in kpi_deltas`)
}

async function fillEvents(
  { store, endMs, days: cellDays, eventDays: days = cellDays, users, eventsPerUser }: PanelsData,
  note: (line: string) => void,
): Promise<void> {
  const count = users * eventsPerUser
  const startMs = endMs - days * dayMs
  const pick = (values: readonly string[], seed: number) =>
    `[${values.map(quoteText).join(', ')}][1 + cityHash64(user, ${seed}) % ${values.length}]`
  const { channel, region, app_version: versions, category, surface } = defaultSettings.dimensions
  // A play far oftener than a purchase; each user begins with a registration.
  const often = [
    'play',
    'play',
    'play',
    'impression',
    'impression',
    'impression',
    'click',
    'like',
    'comment',
    'share',
    'follow',
    'search',
    'session_start',
    'session_end',
  ]
  for (let chunk = 0; chunk < 10; chunk++)
    await store.command(
      `INSERT INTO events (partition, first_offset, block_at, event_at, clock_at, occurred_at, event_id, behavior, platform, tier, user_id, app_version, channel, region, session_id, content_id,
  category, surface, watch_ms, duration_ms, amount_minor, currency)
SELECT user % ${partitions}, n, t, t, t, t, generateUUIDv4(n), if(nth = 0, 'register', if(h % 200 = 0, 'purchase', [${often.map(quoteText).join(', ')}][1 + h % ${often.length}])) AS behavior,
  ${pick(platforms, 1)}, 'new', concat('user-', toString(user)), ${pick(versions, 2)}, ${pick(channel, 3)}, ${pick(region, 4)}, toString(h % 1000), toString(h % 5000),
  [${category.map(quoteText).join(', ')}][1 + h % ${category.length}], [${surface.map(quoteText).join(', ')}][1 + h % ${surface.length}],
  if(behavior = 'play', h % 30000, NULL), if(behavior = 'play', 30000, NULL), if(behavior = 'purchase', 100 + h % 50000, NULL), if(behavior = 'purchase', 'CNY', NULL)
FROM (
  SELECT number AS n, number % ${users} AS user, intDiv(number, ${users}) AS nth, cityHash64(number) AS h,
    ${at(`${startMs} + cityHash64(user, 9) % ${Math.round((days * dayMs) / 2)} + intDiv(nth * ${Math.round((days * dayMs) / 2)}, ${eventsPerUser}) + h % 3600000`)} AS t
  FROM numbers(${(count / 10) * chunk}, ${count / 10})
)`,
    )
  note(`${count} events of ${users} users are in events`)
}

async function fillUsers({ store, endMs, days, users }: PanelsData, note: (line: string) => void): Promise<void> {
  const user = `SELECT number AS user, cityHash64(number) AS h FROM numbers(${users})`
  for (let day = 1; day <= days; day++)
    await store.command(
      `INSERT INTO user_features (block_at, as_of, user_id, tier, platform, channel, region, app_version, first_seen_at, registered_at, last_seen_at, last_purchase_at, purchases, amount_minor,
  amount_minor_90d, recency_score, frequency_score, monetary_score, top_categories, top_affinities, ${featureNames.join(', ')})
SELECT t, t, concat('user-', toString(user)), [${tiers.map(quoteText).join(', ')}][1 + h % 5], '${platforms[0]}', 'ad', 'CN-31', '8.4.1', t, t, t, if(h % 3 = 0, t, NULL), h % 9, h % 100000, h % 100000,
  1 + h % 5, 1 + intDiv(h, 5) % 5, 1 + intDiv(h, 25) % 5, ['music', 'food'], [2.5, 1.5], ${featureNames.map((_, i) => `h % ${i + 2}`).join(', ')}
FROM (SELECT user, h, ${at(`${endMs - (days - day) * dayMs} - h % 80000000`)} AS t FROM (${user}))`,
    )
  await store.command(
    `INSERT INTO tier_changes (block_at, user_id, \`from\`, \`to\`, as_of, reason)
SELECT t, concat('user-', toString(number % ${users})), [${tiers.map(quoteText).join(', ')}][1 + intDiv(number, ${users})], [${tiers.map(quoteText).join(', ')}][2 + intDiv(number, ${users})], t AS as_of, 'registered'
FROM (SELECT number, ${at(`${endMs} - cityHash64(number) % ${days * dayMs}`)} AS t FROM numbers(${3 * users}))`,
  )
  note(`${days} rows of each of ${users} users are in user_features`)
}

/** Alerts that lasted an hour, some rejects, signals. */
async function fillRest({ store, signals, endMs, days: cellDays, eventDays: days = cellDays }: PanelsData): Promise<void> {
  const ago = (spanMs: number) => at(`${endMs} - cityHash64(number) % ${spanMs}`)
  await store.command(
    `INSERT INTO alerts (alert_id, sequence, state, kpi, grain, dimension, value, bucket_at, decided_at, fired_at, due_at, actual, baseline, denominator, reason, kind, about_id)
SELECT id, step, ['pending', 'firing', 'recovering', 'resolved'][1 + step], 'completion_rate', 'minute', 'channel', 'ad', t + toIntervalMinute(step * 10) AS b, b, if(step = 0, toDateTime64(0, 3, 'UTC'), t), t + INTERVAL 72 HOUR,
  0.3, 0.45, 900, 'it fell', 'kpi', id
FROM (SELECT toUUID(concat('00000000-0000-0000-0000-', leftPad(toString(intDiv(number, 4)), 12, '0'))) AS id, number % 4 AS step, ${at(`${endMs} - cityHash64(intDiv(number, 4)) % ${days * dayMs}`)} AS t FROM numbers(1200) WHERE intDiv(number, 4) % 10 > 0 OR number % 4 < 2)`,
  )
  await store.command(
    `INSERT INTO alert_causes (alert_id, revision, rank, verdict, cell, share, computed_at)
SELECT DISTINCT alert_id, 0, rank, 'cells', if(rank = 0, '', 'channel ad'), 0.5, decided_at FROM (SELECT alert_id, decided_at FROM alerts WHERE state = 'firing') ARRAY JOIN [0, 1, 2] AS rank`,
  )
  await store.command(
    `INSERT INTO rejected_events (block_at, clock_at, reason, detail) SELECT t, t, ['bad_utf8', 'too_old', 'missing_field'][1 + number % 3], 'a field is missing' FROM (SELECT number, ${ago(days * dayMs)} AS t FROM numbers(100000))`,
  )
  await signals.command(
    `INSERT INTO customer_signals (block_at, event_at, clock_at, signal_id, kind, channel, score, seconds, amount_minor)
SELECT t, t, t, generateUUIDv4(number), ['service_rating', 'service_reply', 'nps_response', 'content_report', 'cost'][1 + number % 5], 'ad', 1 + number % 5, number % 200, 1000
FROM (SELECT number, ${ago(days * dayMs)} AS t FROM numbers(200000))`,
  )
  await store.command(
    `INSERT INTO ltv_models (model_id, as_of, birth, zone, horizon_days, margin, customers) SELECT toUUID('00000000-0000-0000-0000-000000000001'), ${at(String(endMs))}, 'registration', 'Asia/Shanghai', 365, 1, 20000`,
  )
  await store.command(
    `INSERT INTO ltv_cohorts (model_id, as_of, cohort_at, customers, buyers, realised_minor, predicted_minor, value_minor)
SELECT toUUID('00000000-0000-0000-0000-000000000001'), ${at(String(endMs))}, ${at(`${endMs} - number * ${dayMs}`)}, 700, 100, 1000000, 2000000, 4000 FROM numbers(${days})`,
  )
}

export async function fillPanels(data: PanelsData, note: (line: string) => void): Promise<void> {
  await fillDeltas(data, note)
  const days = zone(defaultSettings.zone)
  // Each partition has a block every so many minutes: the slowest is that much behind.
  const clockMs = data.endMs - (partitions - 1) * minuteMs
  for (const grain of grains) {
    const one = rollUp(data.store, { grain, cadence: cadenceOf(grain, days), latenessMs })
    while (await one.advance(clockMs));
  }
  note('closed buckets are rolled up into kpi_cells')
  await fillEvents(data, note)
  await fillUsers(data, note)
  await fillRest(data)
  const cadence = cadenceOf('day', days)
  // Only the last closed day, with what it says of those before it.
  const before = cadence.back(cadence.startOf(clockMs - latenessMs), 1)
  await data.store.command(`INSERT INTO kpi_daily (name, bucket_at, known_at) SELECT '', ${at(String(before))} AS day_at, day_at`)
  const startedAt = performance.now()
  await dailyFigures(data.store, { grain: 'day', cadence, latenessMs }, defaultSettings.zone).advance(clockMs)
  note(`kpi_daily of a closed day took ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
}
