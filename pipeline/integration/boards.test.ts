// Runs the query of every panel on the real engine: as Grafana's ClickHouse data source would send it, and with bound parameters, as the live board does.
import { beforeAll, describe, expect, test } from 'vitest'
import { boards } from '../../dashboards/all-boards.ts'
import { cellVariables, type Panel, type PanelKind } from '../../dashboards/board.ts'
import {
  grafana,
  parameters,
  parametersFor,
  parameterValues,
  shownCell,
  signalsDatabaseSql,
  type Choice,
} from '../../dashboards/dialect.ts'
import { panelQuery, variableSql } from '../../dashboards/panel-sql.ts'
import { annotationSql } from '../../dashboards/sql/alerts.ts'
import { sourceOf } from '../../dashboards/sql/kpi.ts'
import { longestS } from '../../dashboards/sql/span.ts'
import { signalViews } from '../../operators/board-views.ts'
import { signalTables } from '../../schemas/tables/catalogue.ts'
import { clickhouseStore } from '../adapters/clickhouse-store.ts'
import { fillPanels } from '../bench/panels-data.ts'
import type { Store } from '../ports/store.ts'
import { embeddedEngine } from '../testing/embedded-parts.ts'
import { expandGrafana } from '../testing/grafana-macros.ts'

const database = 'reelpulse'
const signalsDatabase = `${database}_customer_signals`
const { newStore, engine } = await embeddedEngine('boards', { fsync: 'nothing', database })
/** Grafana may only read. */
const reader = clickhouseStore({ url: engine.url(), ...engine.reader(), database })
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const days = 3
const endMs = Math.floor(Date.now() / minuteMs) * minuteMs
let store: Store

beforeAll(async () => {
  store = await newStore(database)
  const signals = engine.store(signalsDatabase)
  await signals.migrate(signalTables, signalViews)
  await fillPanels({ store, signals, endMs, users: 300, days, eventsPerUser: 40, values: 2, eventDays: 40 }, () => {})
}, 300_000)

/** As the boards are in their first days: cells of three, events of forty. */
const range = { fromMs: endMs - 40 * dayMs, toMs: endMs }
const valuesOf = (choice: Choice = {}, of = range) => parameterValues(of, { user_id: 'user-7', ...choice }, signalsDatabase)
type Values = ReturnType<typeof valuesOf>
const asked = {
  grafana: (panel: Panel, values: Values) => reader.query<Record<string, unknown>>(expandGrafana(panelQuery(panel, grafana).sql, values)),
  parameters: (panel: Panel, values: Values) =>
    reader.query<Record<string, unknown>>(panelQuery(panel, parametersFor({ fromMs: values.from_ms, toMs: values.to_ms })).sql, values),
} as const
const dialects = ['grafana', 'parameters'] as const

/** Panels of different boards may ask the same. */
const panels = [
  ...new Map(boards.flatMap(({ panels: own }) => own.map((panel) => [panelQuery(panel, parameters).sql, [`${panel.shows}: ${panel.title.en}`, panel] as const]))).values(),
] // prettier-ignore
const isOneOf = (...kinds: PanelKind[]) => panels.filter(([, { shows }]) => kinds.includes(shows))

describe.each(panels)('%s', (_, panel) => {
  test('gives rows, the same in both dialects, with the columns that it says', async () => {
    const rows = await asked.parameters(panel, valuesOf())
    expect(rows.length).toBeGreaterThan(0)
    expect(Object.keys(rows[0]!)).toEqual(panelQuery(panel, parameters).columns.map(({ name }) => name))
    // As of the range's end, which does not go on here.
    expect(await asked.grafana(panel, valuesOf())).toEqual(rows)
  })

  test('what somebody writes into a variable is no SQL', async () => {
    // Some have none.
    const { sql } = panelQuery(panel, grafana)
    if (!sql.includes('percentencode')) return expect(sql).not.toMatch(/\$\{(?!datasource)/)
    const nasty = ["' OR 1=1 --", String.raw`\' OR 1=1 --`, "'; DROP VIEW users; --", '`) UNION ALL SELECT 1 --', '%27 OR 1=1', '$__fromTime', '{to_ms:Int64}', '选\u0000'] // prettier-ignore
    const values = ['nobody', ...nasty].map((text) => valuesOf({ channel: text, user_id: text, kpi: text }))
    const [plain, ...others] = await Promise.all(values.map((one) => asked.grafana(panel, one)))
    if (panel.shows !== 'cell_shown') expect(await asked.parameters(panel, values[2]!)).toEqual(plain)
    // The cell that is shown says what was chosen; all else has nothing of it.
    if (panel.shows === 'cell_shown') expect(others.map((rows) => rows[0]!['cell'])).toEqual(nasty.map((text) => `channel ${text}`))
    else for (const rows of others) expect(rows).toEqual(plain)
  })

  test('ten years are answered, and a range that ends before it begins has nothing in it', async () => {
    const tenYears = await asked.parameters(panel, valuesOf({}, { fromMs: endMs - 3_652 * dayMs, toMs: endMs }))
    expect(tenYears.length).toBeLessThan(5_000)
    const reversed = await asked.parameters(panel, valuesOf({}, { fromMs: endMs, toMs: endMs - hourMs }))
    if (panelQuery(panel, parameters).format === 'timeseries') expect(reversed).toEqual([])
  })
})

test.each(isOneOf('kpi_trend', 'kpi_split', 'counts'))(
  '%s: a point is a bucket, of minutes, hours or days by the length of the range',
  async (_, panel) => {
    const gaps = async (spanMs: number) => {
      const rows = await asked.parameters(panel, valuesOf({}, { fromMs: endMs - spanMs, toMs: endMs }))
      const times = [...new Set(rows.map((row) => Date.parse(`${String(row['time']).replace(' ', 'T')}Z`)))]
      return [...new Set(times.slice(1).map((at, i) => at - times[i]!))]
    }
    const [short, middle, long] = [
      await gaps(2 * hourMs),
      await gaps(longestS.minute * 1000 + minuteMs),
      await gaps(longestS.hour * 1000 + minuteMs),
    ]
    const finest = short[0] ?? middle[0] ?? long[0]
    expect([minuteMs, hourMs, dayMs, undefined]).toContain(finest)
    if (short.length > 0) expect([[minuteMs], [hourMs]]).toContainEqual(short)
    if (middle.length > 0) expect([[hourMs], [dayMs]]).toContainEqual(middle)
    if (long.length > 0) expect(long).toEqual([dayMs])
  },
)

test('a trend is what the view says of the cell, whatever else is chosen', async () => {
  const panel: Panel = { shows: 'kpi_trend', kpi: 'completion_rate', title: { en: '', zh: '' } }
  const short = { fromMs: endMs - hourMs, toMs: endMs }
  const choice = { region: 'CN-31', channel: 'ad', tier: 'new' }
  expect(shownCell(choice)).toEqual({ dimension: 'channel', value: 'ad', ignored: ['region', 'tier'] })
  const rows = await asked.parameters(panel, valuesOf(choice, short))
  expect(rows).toEqual(
    await store.query(
      `SELECT bucket_at AS time, sum(completes) / sum(plays) AS completion_rate FROM kpi_deltas
       WHERE dimension = 'channel' AND value = 'ad' AND grain = 'minute' AND bucket_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
         AND bucket_at IN (SELECT bucket_at FROM kpi_minute WHERE NOT open) GROUP BY time ORDER BY time`,
      { from: short.fromMs },
    ),
  )
  // The last of the hour's sixty are open.
  expect(rows.length).toBeGreaterThan(50)
  expect(rows.length).toBeLessThan(60)
  const cell: Panel = { shows: 'cell_shown', title: { en: '', zh: '' } }
  for (const dialect of dialects) {
    expect(await asked[dialect](cell, valuesOf(choice))).toEqual([{ cell: 'channel ad', not_applied: 'region, tier' }])
    expect(await asked[dialect](cell, valuesOf())).toEqual([{ cell: 'all', not_applied: '' }])
  }
})

test('moves between tiers are counted by the buckets of KPIs, none twice', async () => {
  const panel: Panel = { shows: 'tier_moves_over_time', title: { en: '', zh: '' } }
  const ms = (text: unknown) => Date.parse(`${String(text).replace(' ', 'T')}Z`)
  const starts = new Set(
    (await store.query<{ at: string }>("SELECT bucket_at AS at FROM kpi_day WHERE dimension = 'all'")).map(({ at }) => ms(at)),
  )
  for (const [spanMs, isStart] of [
    [longestS.minute * 1000, (at: number) => at % minuteMs === 0],
    [longestS.hour * 1000, (at: number) => at % hourMs === 0],
    [longestS.hour * 1000 + hourMs, (at: number) => starts.has(at)],
  ] as const) {
    const fromMs = endMs - spanMs
    const rows = await asked.parameters(panel, valuesOf({}, { fromMs, toMs: endMs }))
    expect(rows.length, `${spanMs}`).toBeGreaterThan(0)
    const times = rows.map(({ time }) => ms(time))
    expect(
      times.every((at) => isStart(at) && at >= fromMs && at <= endMs),
      `${spanMs}`,
    ).toBe(true)
    expect(new Set(times).size, `${spanMs}`).toBe(times.length)
    const [counted] = await store.query<{ ups: number; downs: number }>(
      `SELECT countIf(\`to\` > \`from\`) AS ups, countIf(\`to\` < \`from\`) AS downs FROM tier_moves
       WHERE as_of >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND as_of <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')`,
      { from: times[0]!, to: endMs },
    )
    const sum = (of: string) => rows.reduce((total, row) => total + Number(row[of]), 0)
    expect([sum('promotions'), sum('demotions')], `${spanMs}`).toEqual([counted!.ups, counted!.downs])
  }
})

test('users by tier, and buyers, are those of the cell', async () => {
  const tiers: Panel = { shows: 'users_by_tier', title: { en: '', zh: '' } }
  const users = (rows: Record<string, unknown>[]) => rows.reduce((sum, row) => sum + Number(row['users']), 0)
  const [known] = await store.query<{ all: number; ad: number; buyers: number }>(
    "SELECT count() AS all, countIf(channel = 'ad') AS ad, countIf(channel = 'ad' AND last_purchase_at IS NOT NULL) AS buyers FROM users",
  )
  expect(users(await asked.parameters(tiers, valuesOf()))).toBe(known!.all)
  expect(users(await asked.parameters(tiers, valuesOf({ channel: 'ad' })))).toBe(known!.ad)
  expect(known!.ad).toBeGreaterThan(0)
  const grid = await asked.parameters({ shows: 'rfm_grid', title: { en: '', zh: '' } }, valuesOf({ channel: 'ad' }))
  expect(grid.reduce((sum, row) => sum + [1, 2, 3, 4, 5].reduce((of, f) => of + Number(row[`f${f}`]), 0), 0)).toBe(known!.buyers)
})

test('cells are compared over the same hours, up to the last that is closed', async () => {
  const rows = await asked.parameters({ shows: 'kpi_cells', title: { en: '', zh: '' } }, valuesOf({ kpi: 'completion_rate' }))
  const hours = await store.query<{ at: number; completes: number; plays: number }>(
    "SELECT toUnixTimestamp64Milli(bucket_at) AS at, completes, plays FROM kpi_hour WHERE dimension = 'all' AND NOT open ORDER BY bucket_at",
  )
  const lastAt = hours.at(-1)!.at
  const rate = (untilMs: number) => {
    const taken = hours.filter(({ at }) => at <= untilMs && at > untilMs - dayMs)
    const sum = (of: 'completes' | 'plays') => taken.reduce((total, hour) => total + hour[of], 0)
    return taken.length === 24 ? sum('completes') / sum('plays') : null
  }
  expect(rate(lastAt)).not.toBe(null)
  const all = rows.find(({ dimension }) => dimension === 'all')!
  expect([all['figure'], all['week_before']]).toEqual([rate(lastAt), rate(lastAt - 7 * dayMs)])
})

test('a split has the values that most is known of', async () => {
  const at = endMs - 2 * hourMs
  await store.command(
    `INSERT INTO kpi_cells (grain, bucket_at, dimension, value, known_at, plays)
    SELECT 'minute', fromUnixTimestamp64Milli(${at}, 'UTC') AS at, 'app_version', concat('0.', toString(number)), at, number + 1 FROM numbers(10000)`,
  )
  const split = panels.map(([, panel]) => panel).find((panel) => panel.shows === 'kpi_split' && panel.by === 'app_version')!
  const rows = await asked.parameters(split, valuesOf({}, { fromMs: at - 10 * minuteMs, toMs: at + 10 * minuteMs }))
  const versions = new Set(rows.map((row) => row['app_version']))
  expect(versions.size).toBe(50)
  expect(versions).toContain('0.9999')
  expect(versions).not.toContain('0.1')
})

test('now is the last closed quarter of an hour, and usual the median of the same time on the days before, where no week is there yet', async () => {
  const panel: Panel = { shows: 'kpi_now', kpi: 'completion_rate', title: { en: '', zh: '' } }
  const [row] = await asked.parameters(panel, valuesOf())
  const minutes = (await store.query<{ at: number; completes: number; plays: number }>(
    "SELECT toUnixTimestamp64Milli(bucket_at) AS at, completes, plays FROM kpi_minute WHERE dimension = 'all' AND NOT open ORDER BY bucket_at",
  ))!
  const lastAt = minutes.at(-1)!.at
  const sum = (of: 'completes' | 'plays') => minutes.slice(-15).reduce((total, minute) => total + minute[of], 0)
  const around = minutes.filter(
    ({ at }) => at < lastAt - 15 * minuteMs && [1, 2, 3].some((day) => Math.abs(lastAt - at - day * dayMs) <= 15 * minuteMs),
  )
  const usual = around.map(({ completes, plays }) => completes / plays).toSorted((a, b) => a - b)
  expect(row).toMatchObject({
    completion_rate: sum('completes') / sum('plays'),
    baseline: usual[Math.floor(usual.length / 2)],
    target: 0.45,
  })
  // Nothing has come for hours: nothing is said.
  const [stale] = await asked.parameters(panel, valuesOf({}, { fromMs: endMs, toMs: endMs + 5 * hourMs }))
  expect(stale).toMatchObject({ completion_rate: null })
})

test('cells of a KPI that is known beforehand are the same, without the sums of the others', async () => {
  const panel: Panel = { shows: 'kpi_cells', title: { en: '', zh: '' } }
  for (const kpi of ['completion_rate', 'conversion_rate'] as const) {
    const { sql } = panelQuery(panel, parametersFor(range, kpi))
    expect(sql.includes('likes')).toBe(false)
    const rows = await asked.parameters(panel, valuesOf({ kpi }))
    expect(rows.length).toBeGreaterThan(2)
    expect(await reader.query(sql, valuesOf({ kpi }))).toEqual(rows)
  }
})

test('KPIs of a day, and of signals, are of no other cell than they are counted for', async () => {
  const daily: Panel = { shows: 'kpi_trend', kpi: 'retention_d1', title: { en: '', zh: '' } }
  const signals: Panel = { shows: 'kpi_trend', kpi: 'service_score', title: { en: '', zh: '' } }
  expect(await asked.parameters(daily, valuesOf({ platform: 'ios' }))).toEqual([])
  expect(await asked.parameters(signals, valuesOf({ platform: 'ios' }))).toEqual([])
  const everything = await asked.parameters(signals, valuesOf())
  expect((await asked.parameters(signals, valuesOf({ channel: 'ad' }))).length).toBe(everything.length)
  expect(everything.length).toBeGreaterThan(60)
})

test('a KPI of signals is their mean in the bucket', async () => {
  const panel: Panel = { shows: 'kpi_trend', kpi: 'service_score', title: { en: '', zh: '' } }
  const rows = await asked.parameters(panel, valuesOf())
  const mean = await store.query(
    `SELECT toDateTime64(toStartOfHour(event_at), 3, 'UTC') AS time, avg(score) AS service_score FROM ${signalsDatabase}.customer_signals
     WHERE kind = 'service_rating' AND event_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') GROUP BY time ORDER BY time`,
    { from: Math.floor((endMs - days * dayMs) / hourMs) * hourMs },
  )
  expect(rows.length).toBeGreaterThan(60)
  // Hours that are open are not shown.
  expect(rows).toEqual(mean.slice(0, rows.length))
})

test('the key is used: of a cell, and of a user', async () => {
  const granules = async (panel: Panel) => {
    const rows = await reader.query<{ explain: string }>(`EXPLAIN indexes = 1 ${panelQuery(panel, parametersFor({ fromMs: endMs - hourMs, toMs: endMs })).sql}`, valuesOf({ channel: 'ad' }, { fromMs: endMs - hourMs, toMs: endMs })) // prettier-ignore
    const text = rows.map(({ explain }) => explain).join('\n')
    // What each read of a table keeps after its primary key.
    return [...text.matchAll(/PrimaryKey[\s\S]*?Granules: (\d+)\/(\d+)/g)].map(([, read, of]) => ({ read: Number(read), of: Number(of) }))
  }
  for (const [name, panel] of isOneOf(
    'kpi_trend',
    'kpi_split',
    'counts',
    'open_minutes',
    'kpi_now',
    'user_events',
    'user_now',
    'user_tiers',
  )) {
    const found = await granules(panel)
    // KPIs of a day are so few rows that they need none.
    if (!('kpi' in panel) || sourceOf(panel.kpi) === 'cells') expect(found.length, name).toBeGreaterThan(0)
    for (const { read, of } of found) if (of > 20) expect(read / of, name).toBeLessThan(0.5)
  }
})

test('the values of a variable begin with all', async () => {
  for (const name of cellVariables) {
    const rows = await reader.query<Record<string, string>>(variableSql(name)!)
    expect(rows.length).toBeGreaterThan(2)
    expect(rows[0]![name]).toBe('all')
  }
  expect(await reader.query(signalsDatabaseSql)).toEqual([{ signals_database: signalsDatabase }])
})

test('alerts are marked where they fired, and an app version that is new', async () => {
  for (const of of ['alerts', 'releases'] as const) {
    const rows = await reader.query(annotationSql[of](parameters), valuesOf())
    expect(await reader.query(expandGrafana(annotationSql[of](grafana), valuesOf()))).toEqual(rows)
    if (of === 'alerts') expect(rows.length).toBeGreaterThan(10)
  }
  await store.command(
    `INSERT INTO kpi_deltas (grain, bucket_at, dimension, value, block_at, plays) SELECT 'hour', fromUnixTimestamp64Milli({at:Int64}, 'UTC') AS at, 'app_version', '9.0.0', at, 1`,
    { at: endMs - 2 * hourMs },
  )
  expect(await reader.query(annotationSql.releases(parameters), valuesOf())).toMatchObject([{ title: '9.0.0' }])
})
