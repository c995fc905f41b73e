// A board as Grafana's dashboard JSON, for the official ClickHouse data source.
import { catalogue, type CatalogueName } from '../operators/kpi/catalogue.ts'
import {
  anyValue,
  cellVariables,
  defaultKpi,
  type Board,
  type Drill,
  type Language,
  type Panel,
  type PanelKind,
  type VariableName,
} from './board.ts'
import { grafana, signalsDatabaseSql } from './dialect.ts'
import type { Drawing, GrafanaAnnotation, GrafanaDashboard, GrafanaLink, GrafanaPanel, GrafanaVariable, Override } from './grafana-types.ts'
import { panelQuery, panelReadsSignals, variableKpis, variableSql } from './panel-sql.ts'
import { annotationSql } from './sql/alerts.ts'
import { unitOf } from './sql/kpi.ts'
import type { Column, PanelQuery, Unit } from './sql/query.ts'
import { variableWords, wordsOf } from './words.ts'

const datasource = { type: 'grafana-clickhouse-datasource', uid: '${datasource}' }
/** The data source's plug-in, and Grafana's form of a dashboard, that the JSON was written for. */
export const pluginVersion = '4.10.2'
const schemaVersion = 39
const columns = 24

export const otherLanguage: Readonly<Record<Language, Language>> = { en: 'zh', zh: 'en' }
export const uidOf = (uid: Board['uid'], language: Language) => (language === 'en' ? uid : `${uid}-${language}`)

export function renderGrafana(board: Board, all: readonly Board[], language: Language): GrafanaDashboard {
  const places = layOut(board.panels)
  return {
    uid: uidOf(board.uid, language),
    title: `Reelpulse · ${board.title[language]}`,
    tags: ['reelpulse', language],
    schemaVersion,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    refresh: '10s',
    time: { from: 'now-6h', to: 'now' },
    timepicker: {},
    annotations: { list: [annotation('Alerts', 'alerts', 'red'), annotation('Releases', 'releases', 'blue')] },
    links: [
      boardsLink(language),
      ...all.filter(({ uid }) => uid === board.uid).map(({ uid }) => languageLink(uid, otherLanguage[language])),
    ],
    templating: { list: variablesOf(board, language) },
    panels: board.panels.map((panel, index) => renderPanel(panel, board, index + 1, places[index]!, language)),
  }
}

const boardsLink = (language: Language): GrafanaLink => ({
  title: language === 'en' ? 'Boards' : '看板', type: 'dashboards', tags: ['reelpulse', language], asDropdown: true, includeVars: true, keepTime: true,
  icon: 'external link', targetBlank: false, tooltip: '', url: '',
}) // prettier-ignore

const languageLink = (uid: Board['uid'], language: Language): GrafanaLink => ({
  title: language === 'en' ? 'English' : '中文', type: 'link', url: `/d/${uidOf(uid, language)}`, includeVars: true, keepTime: true, asDropdown: false,
  icon: 'external link', tags: [], targetBlank: false, tooltip: '',
}) // prettier-ignore

const annotation = (name: string, of: keyof typeof annotationSql, iconColor: string): GrafanaAnnotation => ({
  name, datasource, enable: true, hide: false, iconColor,
  target: targetOf({ sql: annotationSql[of](grafana), format: 'table', columns: [] }),
}) // prettier-ignore

function variablesOf(board: Board, language: Language): GrafanaVariable[] {
  const common = (name: VariableName, initial: string) => ({
    name, label: variableWords[name][language], hide: 0 as const, skipUrlSync: false, current: { text: initial, value: initial, selected: true },
  }) // prettier-ignore
  const source: GrafanaVariable = {
    name: 'datasource', label: language === 'en' ? 'Data source' : '数据源', type: 'datasource', query: datasource.type, hide: 0, includeAll: false,
    multi: false, skipUrlSync: false, options: [], refresh: 1, regex: '',
  } // prettier-ignore
  // What a link carries from board to board is kept where a board does not ask for it.
  const chosen = board.variables.map((name): GrafanaVariable => {
    const sql = variableSql(name)
    if (sql !== undefined)
      return { ...common(name, anyValue), type: 'query', datasource, query: sql, definition: sql, includeAll: false, multi: false, refresh: 1, regex: '', sort: 0, options: [] } // prettier-ignore
    if (name === 'user_id') return { ...common(name, ''), type: 'textbox', query: '', options: [] }
    const options = variableKpis.map((kpi) => ({ text: wordsOf(kpi)[language], value: kpi, selected: kpi === defaultKpi }))
    const current = { text: wordsOf(defaultKpi)[language], value: defaultKpi, selected: true }
    const query = options.map(({ text, value }) => `${text} : ${value}`).join(', ')
    return { ...common(name, defaultKpi), current, type: 'custom', query, options, includeAll: false, multi: false }
  })
  const signals: GrafanaVariable[] = board.panels.some(panelReadsSignals)
    ? [{
        name: 'signals_database', type: 'query', datasource, query: signalsDatabaseSql, definition: signalsDatabaseSql, hide: 2, includeAll: false,
        multi: false, refresh: 1, regex: '', sort: 0, skipUrlSync: true, options: [],
      }] // prettier-ignore
    : []
  return [source, ...chosen, ...asked(board), ...signals]
}

/** Variables that the queries of the board's panels name and that it does not offer: fixed. */
function asked(board: Board): GrafanaVariable[] {
  const sql = board.panels.map((panel) => panelQuery(panel, grafana).sql).join('\n')
  const names = new Set([...sql.matchAll(/\$\{(\w+):percentencode\}/g)].map((match) => match[1]!))
  return [...names]
    .filter((name) => name !== 'signals_database' && !(board.variables as readonly string[]).includes(name))
    .map((name): GrafanaVariable => ({ name, type: 'constant', hide: 2, query: anyValue, skipUrlSync: true, current: { text: anyValue, value: anyValue, selected: true }, options: [] })) // prettier-ignore
}

type Place = { x: number; y: number; w: number; h: number }

const wide = { w: 24, h: 9 }
const half = { w: 12, h: 8 }
const sizes: Record<PanelKind, { w: number; h: number }> = {
  cell_shown: { w: 6, h: 4 }, kpi_now: { w: 6, h: 4 }, open_minutes: { w: 9, h: 6 }, users_by_tier: { w: 9, h: 8 },
  kpi_trend: half, kpi_split: half, counts: half, kpi_cells: { w: 24, h: 18 },
  tier_flow: { w: 9, h: 8 }, tier_moves_over_time: half, retention_map: { w: 12, h: 10 }, rfm_grid: half, ltv_cohorts: { w: 12, h: 10 },
  users_list: wide, user_now: { w: 24, h: 5 }, user_features: { w: 12, h: 12 }, user_tiers: { w: 12, h: 12 }, user_events: { w: 24, h: 14 },
  open_alerts: wide, alert_history: wide, alert_causes: wide, reviews_overdue: wide,
  partition_clocks: half, roll_up_reach: half, clock_lag: half, lateness: half, block_sizes: half, rejects_by_reason: half, rejects_latest: wide,
} // prettier-ignore

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

const targetOf = ({ sql, format }: PanelQuery) => ({
  refId: 'A', datasource, editorType: 'sql', queryType: format, format: format === 'timeseries' ? 0 : 1, pluginVersion, rawSql: sql,
}) // prettier-ignore

function renderPanel(panel: Panel, board: Board, id: number, gridPos: Place, language: Language): GrafanaPanel {
  const query = panelQuery(panel, grafana)
  // A bucket is a minute: nothing finer is to be seen.
  return {
    id,
    title: panel.title[language],
    gridPos,
    datasource,
    interval: '1m',
    targets: [targetOf(query)],
    ...drawing(panel, board, query, language),
  }
}

const drawnAs: Partial<Record<PanelKind, 'stat' | 'timeseries' | 'bargauge'>> = {
  cell_shown: 'stat', kpi_now: 'stat', users_by_tier: 'bargauge',
} // prettier-ignore

function drawing(panel: Panel, board: Board, query: PanelQuery, language: Language): Drawing {
  const overrides = query.columns.map((column) => overrideOf(panel, column, language))
  const links = panel.drill === undefined ? [] : [linkOf(panel.drill, board, query, language)]
  switch (drawnAs[panel.shows] ?? query.format) {
    case 'stat':
      return {
        type: 'stat',
        options: {
          reduceOptions: { calcs: ['lastNotNull'], fields: '/^(?!.*(until|Until|截至)).*$/', values: false }, colorMode: 'value', graphMode: 'none',
          justifyMode: 'auto', orientation: 'vertical', textMode: 'value_and_name', wideLayout: true,
        },
        fieldConfig: { defaults: { links }, overrides },
      } // prettier-ignore
    case 'bargauge':
      return {
        type: 'bargauge',
        options: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: true }, orientation: 'horizontal', displayMode: 'basic' },
        fieldConfig: { defaults: { unit: 'short', min: 0, color: { mode: 'palette-classic' }, links }, overrides: [] },
      }
    case 'timeseries': {
      const thresholds = panel.shows === 'kpi_trend' || panel.shows === 'kpi_split' ? ratioField(panel.kpi) : { unit: 'short', min: 0 }
      return {
        type: 'timeseries',
        options: { legend: { displayMode: 'list', placement: 'bottom', showLegend: panel.shows !== 'kpi_trend', calcs: [] }, tooltip: { mode: 'multi', sort: 'desc' } },
        fieldConfig: {
          defaults: {
            ...thresholds,
            color: { mode: 'palette-classic' },
            custom: { fillOpacity: panel.shows === 'counts' ? 10 : 0, lineWidth: 1, showPoints: 'auto', spanNulls: false, thresholdsStyle: { mode: 'line' } },
            links,
          },
          // The name of a line of a split is its value.
          overrides: panel.shows === 'kpi_split' || panel.shows === 'rejects_by_reason' ? [] : overrides,
        },
      } // prettier-ignore
    }
    case 'table':
      return { type: 'table', options: { showHeader: true, cellHeight: 'sm' }, fieldConfig: { defaults: { links }, overrides } }
  }
}

const units: Readonly<Record<Unit, string>> = {
  ratio: 'percentunit', s: 's', ms: 'ms', count: 'short', fen: 'short', CNY: 'currencyCNY', points: 'short', 'points of 5': 'short', bytes: 'bytes',
} // prettier-ignore

/** What a column is called, its unit, and in what colour it stands. */
function overrideOf(panel: Panel, { name, is, unit }: Column, language: Language): Override {
  const properties: { id: string; value: unknown }[] = [{ id: 'displayName', value: wordsOf(name)[language] }]
  if (is === 'time' || is === 'day') properties.push({ id: 'unit', value: 'dateTimeAsIso' })
  if (unit !== undefined) properties.push({ id: 'unit', value: units[unit] })
  if (unit === 'ratio') properties.push({ id: 'decimals', value: 1 })
  if (panel.shows === 'kpi_now' && name === panel.kpi) {
    const { thresholds } = ratioField(panel.kpi)
    properties.push({ id: 'thresholds', value: thresholds }, { id: 'color', value: { mode: 'thresholds' } })
  } else if (panel.shows === 'kpi_now' || panel.shows === 'cell_shown') {
    properties.push({ id: 'color', value: { mode: 'fixed', fixedColor: 'text' } })
  }
  if (panel.shows === 'retention_map' && unit === 'ratio')
    properties.push(
      { id: 'custom.cellOptions', value: { type: 'color-background', mode: 'gradient' } },
      { id: 'color', value: { mode: 'continuous-RdYlGr' } },
      { id: 'min', value: 0 },
      { id: 'max', value: 1 },
    )
  if (panel.shows === 'rfm_grid' && /^f\d$/.test(name))
    properties.push(
      { id: 'custom.cellOptions', value: { type: 'color-background', mode: 'gradient' } },
      { id: 'color', value: { mode: 'continuous-BlPu' } },
    )
  if (panel.shows === 'kpi_cells' && name === 'change')
    properties.push({ id: 'custom.cellOptions', value: { type: 'color-text' } }, { id: 'color', value: { mode: 'continuous-RdYlGr' } }, { id: 'min', value: -0.3 }, { id: 'max', value: 0.3 }) // prettier-ignore
  return { matcher: { id: 'byName', options: name }, properties }
}

/** Red short of the target, green from it on; the other way round where less is better. */
function ratioField(kpi: CatalogueName) {
  const { target, better } = catalogue[kpi]
  const [under, from] = better === 'down' ? ['green', 'red'] : ['red', 'green']
  const steps = target === null ? [{ color: 'text', value: null }] : [{ color: under, value: null }, { color: from, value: target }] // prettier-ignore
  return { unit: units[unitOf(kpi)], decimals: 1, thresholds: { mode: 'absolute' as const, steps } }
}

/** The time goes along, and the cell that is chosen, unless a click chooses another; then what the click sets. */
function linkOf({ to, variable, value, sets = {} }: Drill, board: Board, query: PanelQuery, language: Language): GrafanaLink {
  // A line's value is a label of its field; a row's is in the row.
  const field = (column: string) =>
    query.format === 'timeseries' ? `\${__field.labels.${column}}` : `\${__data.fields.${wordsOf(column)[language]}}`
  const fixed = Object.entries(sets).map(([name, text]) => `var-${name}=${encodeURIComponent(text)}`)
  const cell =
    variable === undefined ? cellVariables.filter((name) => board.variables.includes(name)).map((name) => `\${${name}:queryparam}`) : []
  const name = typeof variable === 'object' ? field(variable.column) : variable
  const clicked = name === undefined || value === undefined ? [] : [`var-${name}=${field(value)}`]
  const url = `/d/${uidOf(to, language)}?${['${__url_time_range}', 'var-datasource=${datasource}', ...cell, ...fixed, ...clicked].join('&')}`
  return {
    title: language === 'en' ? 'Look closer' : '下钻', type: 'link', url, icon: '', tooltip: '', tags: [], asDropdown: false, targetBlank: false,
    includeVars: false, keepTime: false,
  } // prettier-ignore
}
