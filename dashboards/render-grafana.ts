// A board as Grafana's dashboard JSON, for the ClickHouse data source.
import { catalogue, type KpiName } from '../operators/kpi/catalogue.ts'
import type { Board, Panel } from './board.ts'
import { channelsSql, panelQuery } from './panel-sql.ts'

const datasource = { type: 'grafana-clickhouse-datasource', uid: '${datasource}' }
/** The data source and plug-in that the JSON was written for. */
export const pluginVersion = '4.10.2'
const schemaVersion = 39
const columns = 24

export function renderGrafana(board: Board): object {
  const places = layOut(board.panels)
  return {
    uid: board.uid,
    title: board.title,
    tags: ['reelpulse'],
    schemaVersion,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    refresh: '10s',
    time: { from: 'now-6h', to: 'now' },
    timepicker: {},
    annotations: { list: [] },
    links: [],
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: datasource.type, hide: 0, includeAll: false, multi: false },
        {
          name: 'channel', label: 'Channel', type: 'query', datasource, query: channelsSql, definition: channelsSql, hide: 0,
          includeAll: false, multi: false, refresh: 1, sort: 0, current: { text: 'all', value: 'all', selected: true },
        }, // prettier-ignore
      ],
    },
    panels: board.panels.map((panel, index) => renderPanel(panel, index + 1, places[index]!)),
  }
}

type Place = { x: number; y: number; w: number; h: number }

const sizes: Record<Panel['shows'], { w: number; h: number }> = {
  kpi_now: { w: 4, h: 6 },
  users_by_tier: { w: 6, h: 6 },
  open_alerts: { w: 10, h: 6 },
  kpi_trend: { w: 12, h: 8 },
  kpi_split: { w: 12, h: 8 },
  counts: { w: 24, h: 8 },
}

function layOut(panels: readonly Panel[]): Place[] {
  let [x, y, rowHeight] = [0, 0, 0]
  return panels.map(({ shows }) => {
    const { w, h } = sizes[shows]
    if (x + w > columns) [x, y, rowHeight] = [0, y + rowHeight, 0]
    const place = { x, y, w, h }
    x += w
    rowHeight = Math.max(rowHeight, h)
    return place
  })
}

function renderPanel(panel: Panel, id: number, gridPos: Place): object {
  const { sql, format } = panelQuery(panel)
  const target = {
    refId: 'A', datasource, editorType: 'sql', queryType: format, format: format === 'timeseries' ? 0 : 1, pluginVersion, rawSql: sql,
  } // prettier-ignore
  // A bucket is a minute: nothing finer is to be seen.
  return { id, title: panel.title, gridPos, datasource, interval: '1m', targets: [target], ...drawing(panel) }
}

function drawing(panel: Panel): object {
  switch (panel.shows) {
    case 'kpi_now':
      return {
        type: 'stat',
        options: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'background', graphMode: 'none' },
        fieldConfig: { defaults: ratioField(panel.kpi), overrides: [] },
      }
    case 'kpi_trend':
    case 'kpi_split':
      return {
        type: 'timeseries',
        options: {
          legend: { displayMode: 'list', placement: 'bottom', showLegend: panel.shows === 'kpi_split' },
          tooltip: { mode: 'multi' },
        },
        fieldConfig: {
          defaults: {
            ...ratioField(panel.kpi),
            color: { mode: 'palette-classic' },
            custom: { fillOpacity: 0, thresholdsStyle: { mode: 'line' } },
          },
          overrides: [],
        },
      }
    case 'counts':
      return {
        type: 'timeseries',
        options: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'multi' } },
        fieldConfig: { defaults: { unit: 'short', min: 0, custom: { fillOpacity: 10 } }, overrides: [] },
      }
    case 'users_by_tier':
      return {
        type: 'bargauge',
        options: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: true }, orientation: 'horizontal', displayMode: 'basic' },
        fieldConfig: { defaults: { unit: 'short', min: 0, color: { mode: 'palette-classic' } }, overrides: [] },
      }
    case 'open_alerts':
      return { type: 'table', options: { showHeader: true, cellHeight: 'sm' }, fieldConfig: { defaults: {}, overrides: [] } }
  }
}

/** Red short of the target, green from it on. */
function ratioField(kpi: KpiName): object {
  const { target, better, unit } = catalogue[kpi]
  const [before, after] = better === 'down' ? ['green', 'red'] : ['red', 'green']
  const steps = target === null ? [{ color: 'green', value: null }] : [{ color: before, value: null }, { color: after, value: target }] // prettier-ignore
  return {
    unit: unit === 'ratio' ? 'percentunit' : unit === 's' ? 's' : 'short',
    decimals: 1,
    thresholds: { mode: 'absolute', steps },
  }
}
