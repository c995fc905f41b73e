// The query of each panel, over views only, in the macros of Grafana's ClickHouse data source.
import { kpis, ratioSql } from '../operators/kpi/catalogue.ts'
import type { views } from '../operators/views.ts'
import type { Panel } from './board.ts'

export type PanelQuery = { readonly sql: string; readonly format: 'timeseries' | 'table' }

type ViewName = (typeof views)[number]['name']
const view = (name: ViewName) => name

/** The board's variable: `all`, or a channel. */
const chosen = '${channel:sqlstring}'
const ofChosenChannel = `dimension = if(${chosen} = 'all', 'all', 'channel') AND value = if(${chosen} = 'all', '', ${chosen})`

export const channelsSql = `SELECT DISTINCT if(dimension = 'all', 'all', value) AS channel
FROM ${view('kpi_day')} WHERE dimension IN ('all', 'channel')
ORDER BY channel != 'all', channel`

export function panelQuery(panel: Panel): PanelQuery {
  switch (panel.shows) {
    case 'kpi_now':
      return {
        sql: `SELECT ${sumRatio(panel.kpi)}
FROM ${view('kpi_minute')}
WHERE ${ofChosenChannel} AND NOT open AND bucket_at > $__toTime - INTERVAL 1 HOUR AND bucket_at <= $__toTime`,
        format: 'table',
      }
    case 'kpi_trend':
      return {
        sql: `SELECT $__timeInterval(bucket_at) AS time, ${sumRatio(panel.kpi)}
FROM ${view('kpi_minute')}
WHERE $__timeFilter(bucket_at) AND ${ofChosenChannel}
GROUP BY time ORDER BY time`,
        format: 'timeseries',
      }
    case 'kpi_split':
      return {
        sql: `SELECT $__timeInterval(bucket_at) AS time, value AS ${panel.by}, ${sumRatio(panel.kpi)}
FROM ${view('kpi_minute')}
WHERE $__timeFilter(bucket_at) AND dimension = '${panel.by}'
GROUP BY time, value ORDER BY time, value`,
        format: 'timeseries',
      }
    case 'counts':
      return {
        sql: `SELECT $__timeInterval(bucket_at) AS time, ${panel.measures.map((measure) => `sum(${measure}) AS ${measure}`).join(', ')}
FROM ${view('kpi_minute')}
WHERE $__timeFilter(bucket_at) AND ${ofChosenChannel}
GROUP BY time ORDER BY time`,
        format: 'timeseries',
      }
    case 'users_by_tier':
      return { sql: `SELECT toString(tier) AS tier, count() AS users FROM ${view('users')} GROUP BY tier ORDER BY tier`, format: 'table' }
    case 'open_alerts':
      return {
        sql: `SELECT toString(state) AS state, kpi, toString(dimension) AS dimension, value, actual, baseline, denominator,
  if(fired_at = 0, NULL, fired_at) AS fired_at, if(due_at = 0, NULL, due_at) AS due_at, reason
FROM ${view('open_alerts')}
ORDER BY decided_at DESC`,
        format: 'table',
      }
  }
}

/** A KPI of more than one bucket is a ratio of sums, never a mean of ratios. */
const sumRatio = (kpi: keyof typeof kpis) => `${ratioSql(kpis[kpi], (measure) => `sum(${measure})`)} AS ${kpi}`
