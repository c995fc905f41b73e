// What a board is: a list of panels that say what they show, and nothing of how a tool draws it.
import type { KpiName } from '../operators/kpi/catalogue.ts'
import type { CellDimension, KpiMeasure } from '../schemas/tables/kpi-deltas.ts'

export type SplitDimension = Exclude<CellDimension, 'all' | 'clock'>

export type Panel =
  /** The KPI of the closed minutes of the last hour, in the colour of its target. */
  | { readonly shows: 'kpi_now'; readonly kpi: KpiName; readonly title: string }
  /** The KPI over time, of the chosen channel or of all, with its target. */
  | { readonly shows: 'kpi_trend'; readonly kpi: KpiName; readonly title: string }
  /** The KPI over time, one line for each value of a dimension. */
  | { readonly shows: 'kpi_split'; readonly kpi: KpiName; readonly by: SplitDimension; readonly title: string }
  /** Counts over time, of the chosen channel or of all. */
  | { readonly shows: 'counts'; readonly measures: readonly KpiMeasure[]; readonly title: string }
  | { readonly shows: 'users_by_tier'; readonly title: string }
  | { readonly shows: 'open_alerts'; readonly title: string }

export type Board = {
  /** Part of the board's address. */
  readonly uid: string
  readonly title: string
  /** Drawn from left to right, row by row. */
  readonly panels: readonly Panel[]
}
