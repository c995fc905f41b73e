// Panels that several boards have: a KPI's leads to its cells.
import type { CatalogueName, KpiName } from '../../operators/kpi/catalogue.ts'
import type { Drill, Panel, SplitDimension } from '../board.ts'
import { cellKpis, sourceOf } from '../sql/kpi.ts'
import { kpiWords, variableWords } from '../words.ts'

const toCells = (kpi: CatalogueName): { readonly drill?: Drill } =>
  sourceOf(kpi) === 'cells' && cellKpis.includes(kpi) ? { drill: { to: 'reelpulse-cells', sets: { kpi } } } : {}

export const kpiNow = (kpi: CatalogueName): Panel => ({ shows: 'kpi_now', kpi, title: kpiWords[kpi], ...toCells(kpi) })
export const kpiTrend = (kpi: CatalogueName): Panel => ({ shows: 'kpi_trend', kpi, title: kpiWords[kpi], ...toCells(kpi) })

export const kpiSplit = (kpi: KpiName, by: Exclude<SplitDimension, 'surface'>): Panel => ({
  shows: 'kpi_split',
  kpi,
  by,
  title: { en: `${kpiWords[kpi].en} by ${variableWords[by].en.toLowerCase()}`, zh: `${kpiWords[kpi].zh}（按${variableWords[by].zh}）` },
  drill: { to: 'reelpulse-users', variable: by, value: by },
})

/** Every board that knows cells says which one it shows. */
export const cellShown: Panel = { shows: 'cell_shown', title: { en: 'What is shown', zh: '当前所示' } }

/** Of a row that names a cell. */
export const toCellOfRow = (to: Drill['to']): Drill => ({ to, variable: { column: 'dimension' }, value: 'value' })

export const openAlerts: Panel = {
  shows: 'open_alerts',
  title: { en: 'Open alerts', zh: '未恢复告警' },
  drill: { to: 'reelpulse-cells', variable: 'kpi', value: 'kpi' },
}
