// What the server tells the browser: the boards, and what comes down a board's stream of events. Both sides import it.

export type Language = 'en' | 'zh'
export type Text = Readonly<Record<Language, string>>

/** How a panel is drawn. */
export type Drawing = 'stat' | 'lines' | 'bars' | 'table' | 'text'

export type PanelInfo = {
  readonly id: string
  readonly title: Text
  readonly draws: Drawing
  /** Of its values. */
  readonly unit: string
  readonly better: 'up' | 'down' | 'neither'
  readonly target: number | null
  /** Of twelve columns. */
  readonly width: number
  /** Where a click on a row or a line leads. */
  readonly drill: Drill | null
}

export type Drill = {
  readonly board: string
  /** The variable that is set, or the column in which its name stands. */
  readonly variable: { readonly name: string } | { readonly column: string } | null
  /** The column of its value; of lines, the line's name. */
  readonly value: string | null
  /** What never varies. */
  readonly sets: Readonly<Record<string, string>>
}

export type BoardInfo = {
  readonly uid: string
  readonly title: Text
  /** A tab; else it is reached by a click or a link. */
  readonly isTab: boolean
  /** Names of variables that its panels use. */
  readonly variables: readonly string[]
  /** Of these, the ones without which it shows nothing. */
  readonly needs: readonly string[]
  readonly panels: readonly PanelInfo[]
}

/** Instants in ms; values aligned with them. */
export type Series = { readonly times: readonly number[]; readonly lines: readonly Line[] }
export type Line = { readonly name: string; readonly values: readonly (number | null)[] }
export type Rows = { readonly columns: readonly string[]; readonly rows: readonly (readonly Cell[])[] }
export type Cell = string | number | boolean | null | readonly (string | number)[]

export type PanelData =
  | ({ readonly kind: 'series'; readonly from: number; readonly to: number; readonly stepMs: number } & Series)
  | ({ readonly kind: 'rows' } & Rows)

export type StreamEvent =
  /** First of all, and after every connection anew. */
  | { readonly event: 'hello'; readonly board: BoardInfo; readonly values: Readonly<Record<string, readonly string[]>>; readonly heartbeatMs: number }
  | { readonly event: 'panel'; readonly id: string; readonly data: PanelData }
  /** Its query failed; what it showed before is no longer current. */
  | { readonly event: 'fault'; readonly id: string; readonly code: Fault; readonly message: string }
  | ({ readonly event: 'status' } & Status)

export type Fault = 'store_away' | 'too_slow' | 'refused'

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
export type RefusalCode = 'bad_range' | 'bad_variable' | 'unknown_board' | 'too_many_streams' | 'not_this_host'

export const liveRanges = ['1h', '6h', '24h', '7d'] as const
export type LiveRange = (typeof liveRanges)[number]
export const maxRangeMs = 400 * 86_400_000
export const maxVariableBytes = 512
