// Grafana's own types of a dashboard, out of its foundation SDK, as the plain JSON that they are: its enumerations by their values. Types only: nothing
// of the SDK runs.
import type { Options as BarGaugeOptions } from '@grafana/grafana-foundation-sdk/bargauge'
import type {
  AnnotationQuery,
  Dashboard,
  DashboardLink,
  FieldConfigSource,
  Panel,
  VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { Options as StatOptions } from '@grafana/grafana-foundation-sdk/stat'
import type { Options as TableOptions } from '@grafana/grafana-foundation-sdk/table'
import type { FieldConfig as TimeSeriesFieldConfig, Options as TimeSeriesOptions } from '@grafana/grafana-foundation-sdk/timeseries'

/** The SDK knows no query of the ClickHouse data source. */
type Query = { readonly refId: string; readonly rawSql: string; readonly [name: string]: unknown }

type Plain<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends number
      ? `${T}` extends `${infer Value extends number}`
        ? Value
        : number
    : T extends boolean | null | undefined
      ? T
      : T extends readonly (infer Item)[]
        ? readonly Plain<Item>[]
        : T extends object
          ? { readonly [Name in keyof T as T[Name] extends () => unknown ? never : Name]: Name extends 'targets' ? readonly Query[] : Name extends 'target' ? Query : Plain<T[Name]> }
          : T // prettier-ignore

export type GrafanaDashboard = Plain<Dashboard>
export type GrafanaPanel = Plain<Panel>
export type GrafanaVariable = Plain<VariableModel>
export type GrafanaAnnotation = Plain<AnnotationQuery>
export type GrafanaLink = Plain<DashboardLink>
export type GrafanaFields = Plain<FieldConfigSource>
export type Override = GrafanaFields['overrides'][number]

/** How a kind of panel draws: options and settings of fields that belong to it. */
export type Drawing =
  | { readonly type: 'stat'; readonly options: Partial<Plain<StatOptions>>; readonly fieldConfig: GrafanaFields }
  | { readonly type: 'bargauge'; readonly options: Partial<Plain<BarGaugeOptions>>; readonly fieldConfig: GrafanaFields }
  | { readonly type: 'table'; readonly options: Partial<Plain<TableOptions>>; readonly fieldConfig: GrafanaFields }
  | {
      readonly type: 'timeseries'
      readonly options: Partial<Plain<TimeSeriesOptions>>
      readonly fieldConfig: GrafanaFields & { readonly defaults: { readonly custom: Plain<TimeSeriesFieldConfig> } }
    }
