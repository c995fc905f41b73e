// How long each panel's query takes on the embedded engine, with thirty days of twenty thousand users in it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { boards } from '../../dashboards/all-boards.ts'
import { defaultKpi } from '../../dashboards/board.ts'
import { parametersFor, parameterValues, type Choice } from '../../dashboards/dialect.ts'
import { panelQuery } from '../../dashboards/panel-sql.ts'
import { signalViews } from '../../operators/board-views.ts'
import { views } from '../../operators/views.ts'
import { signalTables, tables } from '../../schemas/tables/catalogue.ts'
import { clickhouseStore } from '../adapters/clickhouse-store.ts'
import { openEmbeddedEngine } from '../adapters/embedded-store.ts'
import { databaseOf, defaultSignalsTopic, defaultTopic } from '../config/names.ts'
import { fillPanels } from './panels-data.ts'

const users = 20_000
const days = 30
const eventsPerUser = 250
const hourMs = 3_600_000
/** What boards open with, and the longest that is usual. */
const ranges = { '6 h': 6 * hourMs, '30 d': days * 24 * hourMs } as const

export type PanelFigures = {
  readonly board: string
  readonly panel: string
  readonly range: string
  readonly p50Ms: number
  readonly p95Ms: number
  readonly rows: number
}

/** Worst last. `dir`: a data directory that stays; what is in it is measured as it is. `only`: what a panel's line has in it. */
export async function measurePanels(rounds: number, note: (line: string) => void, dir?: string, only = ''): Promise<PanelFigures[]> {
  const dataDir = dir ?? mkdtempSync(join(tmpdir(), 'reelpulse-panels-'))
  const database = databaseOf(defaultTopic)
  const engine = await openEmbeddedEngine({ dataDir, database, fsync: 'nothing' })
  const reader = clickhouseStore({ url: engine.url(), ...engine.reader(), database })
  try {
    const store = engine.store(database)
    await store.migrate(tables, views)
    const signals = engine.store(databaseOf(defaultSignalsTopic))
    await signals.migrate(signalTables, signalViews)
    const [filled] = await store.query<{ rows: number; end: number }>(
      "SELECT count() AS rows, toUnixTimestamp64Milli(max(block_at)) AS end FROM kpi_deltas WHERE dimension = 'clock'",
    )
    const endMs = filled!.rows > 0 ? filled!.end : Math.floor(Date.now() / 60_000) * 60_000
    if (filled!.rows === 0) await fillPanels({ store, signals, endMs, users, days, eventsPerUser }, note)
    const figures: PanelFigures[] = []
    for (const [range, spanMs] of Object.entries(ranges))
      for (const board of boards) {
        const choice: Choice = { user_id: 'user-7', ...(board.uid === 'reelpulse-content' ? { channel: 'ad' } : {}) }
        const values = parameterValues({ fromMs: endMs - spanMs, toMs: endMs }, choice, databaseOf(defaultSignalsTopic))
        for (const panel of board.panels) {
          const name = `${panel.shows} ${panel.title.en}`
          if (!`${range}  ${board.uid}: ${name}`.includes(only)) continue
          const { sql } = panelQuery(panel, parametersFor({ fromMs: endMs - spanMs, toMs: endMs }, defaultKpi))
          const times: number[] = []
          let rows = 0
          for (let round = 0; round <= rounds; round++) {
            const startedAt = performance.now()
            rows = (await reader.query(sql, values)).length
            // The first one reads what the others find in memory.
            if (round > 0) times.push(performance.now() - startedAt)
          }
          times.sort((a, b) => a - b)
          const at = (share: number) => times[Math.ceil(share * times.length) - 1]!
          figures.push({ board: board.uid, panel: name, range, p50Ms: at(0.5), p95Ms: at(0.95), rows })
        }
      }
    return figures.toSorted((a, b) => a.p95Ms - b.p95Ms)
  } finally {
    await reader.close()
    await engine.close()
    if (dir === undefined) rmSync(dataDir, { recursive: true })
  }
}
