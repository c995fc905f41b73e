// What the server tells the browser: the boards, and what comes down a board's stream of events. Both sides import it.

import type { BoardUid, VariableName, Words } from '../board.ts'
import type { Column } from '../sql/query.ts'

export type Text = Words

/** How a panel is drawn. `cell`: which cell the board shows, beside its choices; `record`: the columns of one row below each other. */
export type Drawing = 'stat' | 'lines' | 'bars' | 'table' | 'cell' | 'record' | 'map'

export type ColumnInfo = Column & { readonly words: Text }

export type PanelInfo = {
  readonly id: string
  readonly shows: string
  readonly title: Text
  readonly draws: Drawing
  readonly columns: readonly ColumnInfo[]
  readonly better: 'up' | 'down' | 'neither'
  readonly target: number | null
  /** What the KPI means, in words. */
  readonly meaning: string
  /** Of twelve columns. */
  readonly width: number
  readonly drill: DrillInfo | null
}

/** Where a click on a row, a line or a figure leads. */
export type DrillInfo = {
  readonly board: BoardUid
  /** The variable that is set, or the column in which its name stands. */
  readonly variable: VariableName | { readonly column: string } | null
  /** The column of its value; of lines, the line's name. */
  readonly value: string | null
  /** What never varies. */
  readonly sets: Readonly<Partial<Record<VariableName, string>>>
}

export type BoardInfo = {
  readonly uid: BoardUid
  readonly title: Text
  readonly variables: readonly { readonly name: VariableName; readonly words: Text }[]
  /** Of these, the ones without which it shows nothing. */
  readonly needs: readonly VariableName[]
  readonly panels: readonly PanelInfo[]
}

/** A value of a variable that can be chosen. */
export type Option = { readonly value: string; readonly words?: Text }

/** Instants in ms; values aligned with them. */
export type Series = { readonly times: readonly number[]; readonly lines: readonly Line[] }
export type Line = { readonly name: string; readonly values: readonly (number | null)[] }
export type Rows = { readonly columns: readonly string[]; readonly rows: readonly (readonly Cell[])[] }
export type Cell = string | number | boolean | null | readonly (string | number)[]

export type PanelData =
  | ({ readonly kind: 'series'; readonly from: number; readonly to: number } & Series)
  | ({ readonly kind: 'rows' } & Rows)

/** Values of a variable; `more`: there are others, which have to be typed. */
export type Options = { readonly options: readonly Option[]; readonly more: boolean }

export type StreamEvent =
  /** First of all, and after every connection anew. */
  | { readonly event: 'hello'; readonly board: BoardInfo; readonly heartbeatMs: number }
  | { readonly event: 'panel'; readonly id: string; readonly data: PanelData }
  /** Its query failed; what it showed before is no longer current. */
  | { readonly event: 'fault'; readonly id: string; readonly code: Fault; readonly message: string }
  /** What stands on the time axis of every chart, the latest first. */
  | { readonly event: 'marks'; readonly of: MarkKind; readonly marks: readonly Mark[] }
  | ({ readonly event: 'options'; readonly variable: string } & Options)
  | ({ readonly event: 'status' } & Status)

export type MarkKind = 'alerts' | 'releases'
/** An alert from when it fired until it was resolved (null: it has not been), or the first hour of an app version. */
export type Mark = {
  readonly at: number
  readonly until: number | null
  /** Of an alert, its KPI and cell (`all` has no value); of a release, the version. */
  readonly kpi: string
  readonly dimension: string
  readonly value: string
}

export const faults = ['store_away', 'too_slow', 'refused'] as const
export type Fault = (typeof faults)[number]

/** How the pipeline stands, as the store shows it. */
export type Status = {
  readonly at: number
  /** Log time up to which anything is processed; 0: nothing yet. */
  readonly clockAt: number
  /** Log time up to which every partition is. */
  readonly leastClockAt: number
  /** How long nothing new has come into the store, as far as this server has seen. */
  readonly quietMs: number
  readonly store: 'answers' | 'away'
}

/** What a request that cannot be answered is told. */
export type Refusal = { readonly code: RefusalCode; readonly error: string }
export type RefusalCode =
  | 'bad_range'
  | 'bad_variable'
  | 'unknown_board'
  | 'too_many_streams'
  | 'not_this_host'
  | 'bad_review'
  | 'unknown_alert'
  | 'hindered'

export const liveRanges = ['1h', '6h', '24h', '7d'] as const
export type LiveRange = (typeof liveRanges)[number]
export const maxRangeMs = 400 * 86_400_000
export const maxVariableBytes = 512

/** Of /api/boards. */
export type BoardsAnswer = {
  /** IANA name: in which days of KPIs begin. */
  readonly zone: string
  readonly boards: readonly BoardInfo[]
  readonly kpis: Readonly<Record<string, { readonly unit: string; readonly words: Text; readonly hasCells: boolean }>>
}

/** What is sent to /api/review. */
export type ReviewBody = {
  readonly alert_id: string
  /** Chosen by the browser, so that sending it twice writes once. */
  readonly review_id: string
  readonly action: 'ack' | 'note' | 'close'
  readonly by: string
  readonly cause?: string
  readonly strategy?: string
  readonly text?: string
}
