// The query of each panel, over views only, in the words of a dialect.
import type { KpiName } from '../operators/kpi/catalogue.ts'
import { cellVariables, isCellVariable, type CellVariable, type PanelContent, type VariableName } from './board.ts'
import type { Dialect } from './dialect.ts'
import * as alerts from './sql/alerts.ts'
import * as kpi from './sql/kpi.ts'
import * as pipeline from './sql/pipeline.ts'
import { cellDimension, cellValue, text, view, type PanelQuery } from './sql/query.ts'
import * as users from './sql/users.ts'

export function panelQuery(panel: PanelContent, dialect: Dialect): PanelQuery {
  switch (panel.shows) {
    case 'cell_shown':
      return cellShown(dialect)
    case 'kpi_now':
      return kpi.kpiNow(panel.kpi, dialect)
    case 'kpi_trend':
      return kpi.kpiTrend(panel.kpi, dialect)
    case 'kpi_split':
      return kpi.kpiSplit(panel.kpi, panel.by, dialect)
    case 'kpi_cells':
      return kpi.kpiCells(dialect)
    case 'counts':
      return kpi.counts(panel.measures, dialect)
    case 'open_minutes':
      return kpi.openMinutes(panel.measures, dialect)
    case 'users_by_tier':
      return users.usersByTier(dialect)
    case 'tier_flow':
      return users.tierFlow(dialect)
    case 'tier_moves_over_time':
      return users.tierMovesOverTime(dialect)
    case 'retention_map':
      return users.retentionMap(dialect)
    case 'rfm_grid':
      return users.rfmGrid(dialect)
    case 'ltv_cohorts':
      return users.ltvCohorts(dialect)
    case 'users_list':
      return users.usersList(dialect)
    case 'user_now':
      return users.userNow(dialect)
    case 'user_features':
      return users.userFeatures(dialect)
    case 'user_events':
      return users.userEvents(dialect)
    case 'user_tiers':
      return users.userTiers(dialect)
    case 'open_alerts':
      return alerts.openAlerts()
    case 'alert_history':
      return alerts.alertHistory(dialect)
    case 'alert_causes':
      return alerts.alertCauses(dialect)
    case 'reviews_overdue':
      return alerts.reviewsOverdue(dialect)
    case 'partition_clocks':
      return pipeline.partitionClocks(dialect)
    case 'clock_lag':
      return pipeline.clockLag(dialect)
    case 'lateness':
      return pipeline.lateness(dialect)
    case 'block_sizes':
      return pipeline.blockSizes(dialect)
    case 'rejects_by_reason':
      return pipeline.rejectsByReason(dialect)
    case 'rejects_latest':
      return pipeline.rejectsLatest(dialect)
    case 'roll_up_reach':
      return pipeline.rollUpReach(dialect)
  }
}

/** Whether its query fails where the topic has no database of customer signals. */
export const panelReadsSignals = (panel: PanelContent): boolean => 'kpi' in panel && kpi.sourceOf(panel.kpi) === 'signals'

/** Which cell of those chosen is shown, and what else was chosen and is not. */
function cellShown(dialect: Dialect): PanelQuery {
  const chosen = cellVariables.map((name) => `(${dialect.variable(name)} != 'all', '${name}')`).join(', ')
  return {
    sql: `SELECT if(${cellDimension(dialect)} = 'all', 'all', concat(${cellDimension(dialect)}, ' ', ${cellValue(dialect)})) AS cell,
  arrayStringConcat(arraySlice(arrayMap(one -> one.2, arrayFilter(one -> one.1, [${chosen}])), 2), ', ') AS not_applied`,
    format: 'table',
    columns: [text('cell'), text('not_applied')],
  }
}

/** The values that a variable can have; `all` first. undefined: it is typed in, or a list that the catalogue has. */
export function variableSql(name: VariableName): string | undefined {
  if (!isCellVariable(name)) return undefined
  return `SELECT DISTINCT if(dimension = 'all', 'all', value) AS ${name satisfies CellVariable | VariableName}
FROM ${view('kpi_day')} WHERE dimension IN ('all', '${name}')
ORDER BY ${name} != 'all', ${name}`
}

export const variableKpis = kpi.cellKpis
/** Whether a board of cells can be of it. */
export const isVariableKpi = (name: string): name is KpiName => (variableKpis as readonly string[]).includes(name)
