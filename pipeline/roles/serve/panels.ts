// The boards as the live board has them: what the browser is told of each panel, and the statement that fills it.
import type { Board, Panel, PanelKind } from '../../../dashboards/board.ts'
import { boards } from '../../../dashboards/all-boards.ts'
import { parameters, parametersFor } from '../../../dashboards/dialect.ts'
import type { BoardInfo, BoardsAnswer, Drawing, PanelInfo } from '../../../dashboards/live/protocol.ts'
import { panelQuery, panelReadsSignals, isVariableKpi } from '../../../dashboards/panel-sql.ts'
import type { PanelQuery } from '../../../dashboards/sql/query.ts'
import { suitedGrain } from '../../../dashboards/sql/span.ts'
import { kpiWords, variableWords, wordsOf } from '../../../dashboards/words.ts'
import { catalogue, catalogueNames, type KpiName } from '../../../operators/kpi/catalogue.ts'
import { views } from '../../../operators/views.ts'
import { tables } from '../../../schemas/tables/catalogue.ts'
import { tablesOf } from './pulse.ts'
import type { Span } from './range.ts'

export type Statement = PanelQuery & {
  /** As metrics call the panel: what it shows, of which KPI, by what. */
  readonly name: string
  readonly readsSignals: boolean
  /** That it reads, by whatever views. */
  readonly tables: readonly string[]
  /** Between two answers: rows that come meanwhile say little that is new. */
  readonly restMs: number
}
/** A board as browsers are told of it, and the statement of each of its panels for ranges as long as the one that is shown. */
export type ShownBoard = { readonly info: BoardInfo; readonly statements: readonly Statement[] }

const half = { draws: 'lines', width: 6 } as const
const table = (width: number) => ({ draws: 'table', width }) as const
const map = (width: number) => ({ draws: 'map', width }) as const

/** How each kind of panel is drawn, and how much of twelve columns it takes. */
const drawn: Record<PanelKind, { readonly draws: Drawing; readonly width: number }> = {
  cell_shown: { draws: 'cell', width: 12 }, kpi_now: { draws: 'stat', width: 2 }, open_minutes: table(3), users_by_tier: { draws: 'bars', width: 3 },
  kpi_trend: half, kpi_split: half, counts: half, kpi_cells: table(12), tier_flow: table(4), tier_moves_over_time: { draws: 'lines', width: 5 },
  retention_map: map(6), rfm_grid: map(6), ltv_cohorts: table(12), users_list: table(12), user_now: { draws: 'record', width: 12 },
  user_features: table(6), user_tiers: table(6), user_events: table(12), open_alerts: table(6), alert_history: table(12), alert_causes: table(12),
  reviews_overdue: table(12), partition_clocks: table(6), roll_up_reach: table(6), clock_lag: half, lateness: half, block_sizes: half,
  rejects_by_reason: half, rejects_latest: table(12),
} // prettier-ignore

export const allBoards: readonly Board[] = boards

/** Of closed buckets: they come once a minute at most, and what is late to those before them comes with every block. */
const ofClosedBuckets: ReadonlySet<PanelKind> = new Set(['kpi_now', 'kpi_trend', 'kpi_split', 'kpi_cells', 'counts'])
const restMs = 5_000

export function statementOf(panel: Panel, span: Span, kpi: KpiName): Statement {
  const query = panelQuery(panel, parametersFor({ fromMs: span.from, toMs: span.to }, kpi))
  const name = [panel.shows, 'kpi' in panel ? panel.kpi : '', 'by' in panel ? panel.by : ''].filter((word) => word !== '').join(' ')
  return {
    ...query,
    name,
    readsSignals: panelReadsSignals(panel),
    tables: tablesOf(query.sql, views, tables),
    restMs: ofClosedBuckets.has(panel.shows) ? restMs : 0,
  }
}

const infos = new Map<string, BoardInfo>()
const statements = new Map<string, readonly Statement[]>()

/** The same for every browser, so it is made once, when the first asks. Undefined: there is no such board. */
export function boardInfo(uid: string): BoardInfo | undefined {
  const board = boards.find((one) => one.uid === uid)
  return board && madeOnce(infos, uid, () => infoOf(board))
}

/** Made once for all ranges that are drawn in the same buckets, and each KPI that is chosen. */
export function shownBoard(uid: string, span: Span, kpi: KpiName): ShownBoard | undefined {
  const [board, info] = [boards.find((one) => one.uid === uid), boardInfo(uid)]
  if (board === undefined || info === undefined) return undefined
  const key = `${uid} ${suitedGrain((span.to - span.from) / 1000)} ${board.variables.includes('kpi') ? kpi : ''}`
  return { info, statements: madeOnce(statements, key, () => board.panels.map((panel) => statementOf(panel, span, kpi))) }
}

function madeOnce<T>(all: Map<string, T>, key: string, make: () => T): T {
  let made = all.get(key)
  if (made === undefined) all.set(key, (made = make()))
  return made
}

const infoOf = (board: Board): BoardInfo => ({
  uid: board.uid,
  title: board.title,
  variables: board.variables.map((name) => ({ name, words: variableWords[name] })),
  needs: board.variables.includes('user_id') ? ['user_id'] : [],
  panels: board.panels.map((panel, i) => infoOfPanel(panel, i, board)),
})

function infoOfPanel(panel: Panel, i: number, board: Board): PanelInfo {
  const kpi = 'kpi' in panel ? catalogue[panel.kpi] : undefined
  const { drill } = panel
  const { draws, width } = drawn[panel.shows]
  return {
    id: String(i),
    shows: panel.shows,
    title: panel.title,
    draws,
    columns: columnsOf(panel, board).map((column) => ({ ...column, words: wordsOf(column.name) })),
    better: kpi?.better ?? 'neither',
    target: kpi?.target ?? null,
    meaning: kpi?.meaning ?? '',
    // Where alerts are what a board is about they have all of its width.
    width: panel.shows === 'open_alerts' && board.uid === 'reelpulse-alerts' ? 12 : width,
    drill:
      drill === undefined
        ? null
        : { board: drill.to, variable: drill.variable ?? null, value: drill.value ?? null, sets: drill.sets ?? {} },
  }
}

/** Beside other things there is room for what an alert is; the board of alerts has all that is known of it. */
const ofAlert: ReadonlySet<string> = new Set(['state', 'kpi', 'dimension', 'value', 'actual', 'baseline', 'change', 'fired_at'])

function columnsOf(panel: Panel, board: Board) {
  const { columns } = panelQuery(panel, parameters)
  return panel.shows === 'open_alerts' && board.uid !== 'reelpulse-alerts' ? columns.filter(({ name }) => ofAlert.has(name)) : columns
}

export const boardsAnswer = (zone: string): BoardsAnswer => ({
  zone,
  boards: boards.map(({ uid }) => boardInfo(uid)!),
  kpis: Object.fromEntries(
    catalogueNames.map((name) => [name, { unit: catalogue[name].unit, words: kpiWords[name], hasCells: isVariableKpi(name) }]),
  ),
})
