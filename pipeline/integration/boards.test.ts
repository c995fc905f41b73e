// Runs the query of every panel on the real engine, as Grafana's ClickHouse data source would send it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Panel } from '../../dashboards/board.ts'
import { boards } from '../../dashboards/generate.ts'
import { channelsSql, panelQuery } from '../../dashboards/panel-sql.ts'
import type { KpiName } from '../../operators/kpi/catalogue.ts'
import { views } from '../../operators/views.ts'
import { encodeRows } from '../../schemas/row-binary.ts'
import { alertsTable, type AlertRow } from '../../schemas/tables/alerts.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import type { CellDimension, Grain } from '../../schemas/tables/kpi-deltas.ts'
import { userFeaturesTable, type UserFeaturesRow } from '../../schemas/tables/user-features.ts'
import type { Field } from '../../schemas/field.ts'
import { clickhouseStore } from '../adapters/clickhouse-store.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import type { Store } from '../ports/store.ts'
import { deltaWriter } from '../roles/detect/hand-made.ts'
import { buildGoClient, missingGo, type GoClient } from '../testing/clickhouse-go.ts'

const database = 'reelpulse'
const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-boards-'))
const hourMs = 3_600_000
const start = (Math.floor(Date.now() / hourMs) - 3) * hourMs
const range = { fromMs: start, toMs: start + hourMs }
let engine: EmbeddedEngine
let reader: Store

/** What the data source makes of its macros. */
function expand(sql: string, channel: string): string {
  const seconds = (ms: number) => `toDateTime(${Math.floor(ms / 1000)})`
  const expanded = sql
    .replaceAll('${channel:sqlstring}', `'${channel}'`)
    .replaceAll(/\$__timeFilter\((\w+)\)/g, `$1 >= ${seconds(range.fromMs)} AND $1 <= ${seconds(range.toMs)}`)
    .replaceAll(/\$__timeInterval\((\w+)\)/g, 'toStartOfInterval(toDateTime($1), INTERVAL 60 second)')
    .replaceAll('$__fromTime', seconds(range.fromMs))
    .replaceAll('$__toTime', seconds(range.toMs))
  expect(expanded).not.toContain('$')
  return expanded
}

/** A row that has something in every column. */
const zero = (field: Field): unknown => {
  switch (field.kind.of) {
    case 'uuid':
      return new Uint8Array(16)
    case 'enumeration':
      return field.kind.symbols[0]
    case 'string':
      return ''
    case 'nullable':
      return null
    case 'list':
      return []
    default:
      return 0
  }
}
const zeros = (fields: Readonly<Record<string, Field>>) =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, zero(field)]))

beforeAll(async () => {
  engine = await openEmbeddedEngine({ dataDir, fsync: 'nothing', database, port: 0, readerDatabases: [database] })
  const store = engine.store(database)
  await store.migrate(tables, views)
  const cells: readonly (readonly [CellDimension, string])[] = [['all', ''], ['channel', 'ad'], ['channel', 'organic']] // prettier-ignore
  const sums = { plays: 100, completes: 40, impressions: 1_000, clicks: 30, purchases: 1, events: 1_200 }
  const grains: readonly Grain[] = ['minute', 'hour', 'day']
  const bucketAt = (grain: Grain, minute: number) => (grain === 'minute' ? start + minute * 60_000 : start)
  await deltaWriter(
    store,
    1,
  )(
    Array.from({ length: 60 }, (_, minute) => ({
      partition: 0,
      blockAt: start + (minute + 1) * 60_000,
      cells: grains.flatMap((grain) =>
        cells.map(([dimension, value]) => ({ dimension, value, grain, bucketAt: bucketAt(grain, minute), sums })),
      ),
    })),
  )
  const alert = { ...zeros(alertsTable.record.fields), state: 'firing', kpi: 'completion_rate', dimension: 'channel', value: 'ad', fired_at: start } as AlertRow // prettier-ignore
  const users = ['a', 'b', 'c'].map(
    (name, rank) =>
      ({
        ...zeros(userFeaturesTable.record.fields),
        user_id: name,
        tier: rank === 0 ? 'new' : 'prospect',
        block_at: start,
        as_of: start,
      }) as UserFeaturesRow,
  )
  const insert = (table: string, fields: object, rows: Uint8Array) =>
    store.insert({ table, columns: Object.keys(fields), rows, token: table })
  await insert('alerts', alertsTable.record.fields, encodeRows(alertsTable.record, [alert]))
  await insert('user_features', userFeaturesTable.record.fields, encodeRows(userFeaturesTable.record, users))
  // Grafana may only read.
  reader = clickhouseStore({ url: engine.url(), ...engine.reader(), database })
})
afterAll(async () => {
  await reader.close()
  await engine.close()
  rmSync(dataDir, { recursive: true })
})

const panels: (readonly [string, Panel])[] = boards.flatMap((board) => board.panels.map((panel) => [panel.title, panel] as const))

function expectedFirst(panel: Panel): object {
  switch (panel.shows) {
    case 'kpi_now':
    case 'kpi_trend':
    case 'kpi_split':
      return { [panel.kpi]: ({ completion_rate: 0.4, click_through_rate: 0.03 } as Partial<Record<KpiName, number>>)[panel.kpi] }
    case 'counts':
      return { plays: 100, impressions: 1_000, purchases: 1 }
    case 'users_by_tier':
      return { tier: 'new', users: 1 }
    case 'open_alerts':
      return { state: 'firing', value: 'ad', due_at: null }
  }
}

test.each(panels)('%s: its query gives rows, for all and for one channel', async (_, panel) => {
  for (const channel of ['all', 'ad'])
    expect((await reader.query(expand(panelQuery(panel).sql, channel)))[0]).toMatchObject(expectedFirst(panel))
})

const noGo = await missingGo()
describe.skipIf(noGo)(`clickhouse-go over HTTP, on which the data source rests${noGo === undefined ? '' : ` (${noGo})`}`, () => {
  let client: GoClient
  beforeAll(async () => {
    // The first build of a machine takes a minute or two.
    client = await buildGoClient()
  }, 900_000)
  afterAll(() => client?.remove())
  const ask = (queries: readonly string[], more: { password?: string; database?: string } = {}) =>
    client.query({ address: new URL(engine.httpUrl()!).host, ...engine.reader(), database, ...more }, queries)
  const instant = (value: unknown) =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\d \d\d:/.test(value) ? Date.parse(`${value.replace(' ', 'T')}Z`) : value

  test('reads what the JavaScript client reads, in every panel', async () => {
    const queries = [...panels.map(([, panel]) => expand(panelQuery(panel).sql, 'all')), channelsSql]
    const answers = await ask(queries)
    expect(answers).toHaveLength(queries.length)
    for (const [i, sql] of queries.entries()) {
      const rows = await reader.query<Record<string, unknown>>(sql)
      const { columns, ...answer } = answers[i]!
      expect(answer, sql).toEqual({ rows: rows.map((row) => columns.map((name) => instant(row[name]))) })
      expect(answer.rows.length, sql).toBeGreaterThan(0)
    }
  })

  test('is told what it may not, and why', async () => {
    const errors = async (...given: Parameters<typeof ask>) => (await ask(...given)).map(({ error }) => error)
    expect(await errors(["SELECT file('/etc/hostname')", 'DROP TABLE events', 'SELECT * FROM system.processes'])).toEqual([
      expect.stringMatching(/Code: 497.*may not call file\(\)/),
      expect.stringMatching(/Code: 164.*readonly mode/),
      expect.stringMatching(/Code: 497.*may not read system\.processes/),
    ])
    expect(await errors(['SELECT 1'], { password: 'wrong' })).toEqual([expect.stringMatching(/Code: 516.*password is incorrect/)])
    expect(await errors(['SELECT 1'], { database: 'default' })).toEqual([expect.stringContaining('Databases that it may read: reelpulse.')])
  })
})

test('the list of channels begins with all', async () => {
  expect((await reader.query<{ channel: string }>(channelsSql)).map((row) => row.channel)).toEqual(['all', 'ad', 'organic'])
})

test('a KPI view says which buckets are still open', async () => {
  // The clock is at the end of minute 59; with two minutes of lateness the last two are open.
  const rows = await reader.query<{ open: number }>("SELECT open FROM kpi_minute WHERE dimension = 'all' ORDER BY bucket_at")
  expect(rows.map((row) => row.open)).toEqual([...Array.from({ length: 58 }, () => 0), 1, 1])
  for (const name of ['kpi_hour', 'kpi_day'])
    expect(await reader.query(`SELECT plays, completion_rate, open FROM ${name} WHERE dimension = 'all'`)).toEqual([
      { plays: 6_000, completion_rate: 0.4, open: 1 },
    ])
})
