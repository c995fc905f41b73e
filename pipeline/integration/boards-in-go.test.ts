// Runs the query of every panel as Grafana's ClickHouse data source would send it: its macros expanded, through clickhouse-go over HTTP.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { boards } from '../../dashboards/all-boards.ts'
import { grafana } from '../../dashboards/dialect.ts'
import { panelQuery } from '../../dashboards/panel-sql.ts'
import { signalViews } from '../../operators/board-views.ts'
import { signalTables } from '../../schemas/tables/catalogue.ts'
import type { CellDimension, Grain } from '../../schemas/tables/kpi-deltas.ts'
import { clickhouseStore } from '../adapters/clickhouse-store.ts'
import { databaseOf, defaultTopic, readableDatabasesOf, signalsTopicOf } from '../config/names.ts'
import { deltaWriter } from '../roles/detect/hand-made.ts'
import { buildGoClient, missingGo, type GoClient } from '../testing/clickhouse-go.ts'
import { embeddedEngine } from '../testing/embedded-parts.ts'

const database = databaseOf(defaultTopic)
const signalsDatabase = databaseOf(signalsTopicOf(defaultTopic))
const hourMs = 3_600_000
const start = (Math.floor(Date.now() / hourMs) - 3) * hourMs

/** What the data source makes of its macros, and Grafana of variables. */
function expand(sql: string): string {
  const seconds = (ms: number) => `toDateTime(${Math.floor(ms / 1000)})`
  const expanded = sql
    .replaceAll('${signals_database:percentencode}', signalsDatabase)
    .replaceAll('${kpi:percentencode}', 'completion_rate')
    .replaceAll('${user_id:percentencode}', 'nobody%27s')
    .replaceAll(/\$\{\w+:percentencode\}/g, 'all')
    .replaceAll(/\$__timeFilter\((\w+)\)/g, `$1 >= ${seconds(start)} AND $1 <= ${seconds(start + hourMs)}`)
    .replaceAll('$__fromTime', seconds(start))
    .replaceAll('$__toTime', seconds(start + hourMs))
  expect(expanded).not.toMatch(/\$[_{]/)
  return expanded
}

const noGo = await missingGo()
describe.skipIf(noGo)(`clickhouse-go over HTTP, on which the data source rests${noGo === undefined ? '' : ` (${noGo})`}`, async () => {
  const readerDatabases = readableDatabasesOf(defaultTopic)
  const { newStore, engine } = await embeddedEngine('boards-in-go', { fsync: 'nothing', database, port: 0, readerDatabases })
  const reader = clickhouseStore({ url: engine.url(), ...engine.reader(), database })
  let client: GoClient

  beforeAll(async () => {
    const store = await newStore(database)
    await engine.store(signalsDatabase).migrate(signalTables, signalViews)
    const cells: readonly (readonly [CellDimension, string])[] = [['all', ''], ['channel', 'ad'], ['channel', 'organic']] // prettier-ignore
    const sums = { plays: 100, completes: 40, impressions: 1_000, clicks: 30, purchases: 1, events: 1_200 }
    const grains: readonly Grain[] = ['minute', 'hour', 'day']
    const bucketAt = (grain: Grain, minute: number) => (grain === 'minute' ? start + minute * 60_000 : start)
    const blocks = Array.from({ length: 60 }, (_, minute) => ({
      partition: 0,
      blockAt: start + (minute + 1) * 60_000,
      cells: grains.flatMap((grain) =>
        cells.map(([dimension, value]) => ({ dimension, value, grain, bucketAt: bucketAt(grain, minute), sums })),
      ),
    }))
    await deltaWriter(store, 1)(blocks)
    // The first build of a machine takes a minute or two.
    client = await buildGoClient()
  }, 900_000)
  afterAll(async () => {
    client?.remove()
    await reader.close()
  })

  const ask = (queries: readonly string[], more: { password?: string; database?: string } = {}) =>
    client.query({ address: new URL(engine.httpUrl()!).host, ...engine.reader(), database, ...more }, queries)
  /** Instants as the Go program gives them. */
  const plain = (value: unknown) =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?)?$/.test(value)
      ? Date.parse(value.length > 10 ? `${value.replace(' ', 'T')}Z` : value)
      : value

  test('reads what the JavaScript client reads, in every panel of every board', async () => {
    const panels = boards.flatMap((board) => board.panels.map((panel) => ({ uid: board.uid, sql: expand(panelQuery(panel, grafana).sql) })))
    expect(panels.length).toBeGreaterThan(40)
    const answers = await ask(panels.map(({ sql }) => sql))
    let filled = 0
    for (const [i, { uid, sql }] of panels.entries()) {
      const { columns, ...answer } = answers[i]!
      const rows = await reader.query<Record<string, unknown>>(sql)
      expect(answer, `${uid}: ${sql}`).toEqual({ rows: rows.map((row) => columns.map((name) => plain(row[name]))) })
      if (rows.length > 0) filled++
    }
    expect(filled).toBeGreaterThan(10)
  })

  test('is told what it may not, and why', async () => {
    const errors = async (...given: Parameters<typeof ask>) => (await ask(...given)).map(({ error }) => error)
    expect(await errors(["SELECT file('/etc/hostname')", 'DROP TABLE events', 'SELECT * FROM system.processes'])).toEqual([
      expect.stringMatching(/Code: 497.*may not call file\(\)/),
      expect.stringMatching(/Code: 164.*readonly mode/),
      expect.stringMatching(/Code: 497.*may not read system\.processes/),
    ])
    expect(await errors(['SELECT 1'], { password: 'wrong' })).toEqual([expect.stringMatching(/Code: 516.*password is incorrect/)])
    expect(await errors(['SELECT 1'], { database: 'default' })).toEqual([expect.stringContaining(readerDatabases.join(', '))])
  })
})
