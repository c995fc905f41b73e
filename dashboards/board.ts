// What a board is: a list of panels that say what they show, and nothing of how a tool draws it. Grafana's JSON and the live board are both
// made of it.
import type { CatalogueName, KpiName } from '../operators/kpi/catalogue.ts'
import type { CellDimension, KpiMeasure } from '../schemas/tables/kpi-deltas.ts'

export type Language = 'en' | 'zh'
/** English, and Chinese in simplified characters. */
export type Words = Readonly<Record<Language, string>>

export const boardUids = [
  'reelpulse-overview', 'reelpulse-cells', 'reelpulse-users', 'reelpulse-user', 'reelpulse-content', 'reelpulse-commercial',
  'reelpulse-brand', 'reelpulse-alerts', 'reelpulse-pipeline',
] as const // prettier-ignore
export type BoardUid = (typeof boardUids)[number]

export type SplitDimension = Exclude<CellDimension, 'all' | 'clock'>

/** A cell has one dimension: of those that are chosen the first in this order is shown, and a panel `cell_shown` says which. */
export const cellVariables = ['platform', 'channel', 'region', 'category', 'tier', 'app_version'] as const
export type CellVariable = (typeof cellVariables)[number]
export const isCellVariable = (name: string): name is CellVariable => (cellVariables as readonly string[]).includes(name)
/** What a viewer chooses beside the time. `user_id` is empty and `kpi` is `completion_rate` until then, the others are `all`. */
export type VariableName = CellVariable | 'kpi' | 'user_id'
export const anyValue = 'all'
export const defaultKpi: KpiName = 'completion_rate'

/** Where a click on a row or a line leads: another board, the same stretch of time, and one variable that is set from a column. */
export type Drill = {
  readonly to: BoardUid
  /** A variable; `column`: the one whose name stands in that column. */
  readonly variable?: VariableName | { readonly column: string }
  /** The column with its value. */
  readonly value?: string
  /** What never varies, such as the KPI of the panel. */
  readonly sets?: Readonly<Partial<Record<VariableName, string>>>
}

export type PanelContent =
  /** Which cell the board shows, and which choices it leaves out. */
  | { readonly shows: 'cell_shown' }
  /** The latest closed buckets of a KPI, what is usual at that time, and the target. */
  | { readonly shows: 'kpi_now'; readonly kpi: CatalogueName }
  /** The KPI over time in the chosen cell, with its target. A point is a bucket, never several. */
  | { readonly shows: 'kpi_trend'; readonly kpi: CatalogueName }
  /** The same, one line for each value of a dimension. */
  | { readonly shows: 'kpi_split'; readonly kpi: KpiName; readonly by: SplitDimension }
  /** Of the KPI that is chosen: every cell's last day against the same day a week before. */
  | { readonly shows: 'kpi_cells' }
  /** Counts over time in the chosen cell, of closed buckets. */
  | { readonly shows: 'counts'; readonly measures: readonly KpiMeasure[] }
  /** The same of the minutes that are still open. */
  | { readonly shows: 'open_minutes'; readonly measures: readonly KpiMeasure[] }
  | { readonly shows: 'users_by_tier' }
  | { readonly shows: 'tier_flow' }
  | { readonly shows: 'tier_moves_over_time' }
  | { readonly shows: 'retention_map' }
  | { readonly shows: 'rfm_grid' }
  | { readonly shows: 'ltv_cohorts' }
  /** Users of the chosen cell, the latest seen first. */
  | { readonly shows: 'users_list' }
  | { readonly shows: 'user_now' }
  | { readonly shows: 'user_features' }
  | { readonly shows: 'user_events' }
  | { readonly shows: 'user_tiers' }
  | { readonly shows: 'open_alerts' }
  | { readonly shows: 'alert_history' }
  | { readonly shows: 'alert_causes' }
  | { readonly shows: 'reviews_overdue' }
  | { readonly shows: 'partition_clocks' }
  | { readonly shows: 'clock_lag' }
  | { readonly shows: 'lateness' }
  | { readonly shows: 'block_sizes' }
  | { readonly shows: 'rejects_by_reason' }
  | { readonly shows: 'rejects_latest' }
  | { readonly shows: 'roll_up_reach' }

export type PanelKind = PanelContent['shows']
export type Panel = PanelContent & { readonly title: Words; readonly drill?: Drill }

export type Board = {
  /** Part of the board's address. */
  readonly uid: BoardUid
  readonly title: Words
  /** What can be chosen on it, beside the time. */
  readonly variables: readonly VariableName[]
  /** Drawn from left to right, row by row. */
  readonly panels: readonly Panel[]
}
