// The boards as the live board has them: what the browser is told of each panel, and the statement that fills it.
import { catalogue } from '../../../operators/kpi/catalogue.ts'
import type { Board, Panel } from '../../../dashboards/board.ts'
import { boards } from '../../../dashboards/generate.ts'
import type { BoardInfo, PanelInfo, Drawing } from '../../../dashboards/live/protocol.ts'
import { panelQuery } from '../../../dashboards/panel-sql.ts'

export type Statement = { sql: string; format: 'timeseries' | 'table' }

const draws: Record<Panel['shows'], Drawing> = {
  kpi_now: 'stat', kpi_trend: 'lines', kpi_split: 'lines', counts: 'lines', users_by_tier: 'bars', open_alerts: 'table',
} // prettier-ignore
const widths: Record<Panel['shows'], number> = { kpi_now: 2, kpi_trend: 6, kpi_split: 6, counts: 12, users_by_tier: 3, open_alerts: 5 }

export const infoOf = (board: Board): BoardInfo => ({
  uid: board.uid,
  title: { en: board.title, zh: board.title },
  isTab: true,
  variables: ['channel'],
  needs: [],
  panels: board.panels.map((panel, i): PanelInfo => {
    const entry = 'kpi' in panel ? catalogue[panel.kpi] : undefined
    return {
      id: String(i), title: { en: panel.title, zh: panel.title }, draws: draws[panel.shows], width: widths[panel.shows],
      unit: entry?.unit ?? '', better: entry?.better ?? 'neither', target: entry?.target ?? null, drill: null,
    } // prettier-ignore
  }),
})

export const boardOf = (uid: string): Board | undefined => boards.find((board) => board.uid === uid)
export const allBoards = (): readonly Board[] => boards

export function statementOf(panel: Panel): Statement {
  const { sql, format } = panelQuery(panel)
  return {
    format,
    sql: sql
      .replaceAll('$__timeInterval(bucket_at)', 'toStartOfInterval(bucket_at, toIntervalSecond({step_s:UInt32}))')
      .replaceAll('$__timeFilter(bucket_at)', 'bucket_at >= {from:DateTime64(3)} AND bucket_at < {to:DateTime64(3)}')
      .replaceAll('$__toTime', '{to:DateTime64(3)}')
      .replaceAll('${channel:sqlstring}', '{channel:String}'),
  }
}
