// A store whose answers never change: for each statement of the boards rows that its columns could hold. What a board draws of it is the same
// picture every time, so that pictures can be compared.
import { boards } from '../../dashboards/all-boards.ts'
import { cellVariables, defaultKpi } from '../../dashboards/board.ts'
import { optionsSql } from '../roles/serve/options.ts'
import { longestS } from '../../dashboards/sql/span.ts'
import { parameters } from '../../dashboards/dialect.ts'
import type { PanelInfo } from '../../dashboards/live/protocol.ts'
import { annotationSql } from '../../dashboards/sql/alerts.ts'
import { unitOf } from '../../dashboards/sql/kpi.ts'
import type { Column } from '../../dashboards/sql/query.ts'
import { catalogue, type CatalogueName } from '../../operators/kpi/catalogue.ts'
import { rejectReasons } from '../../schemas/rejects.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import type { QueryParams, Store } from '../ports/store.ts'
import { withLimits } from '../roles/serve/panel-query.ts'
import { shownBoard } from '../roles/serve/panels.ts'
import { pulseSql } from '../roles/serve/pulse.ts'

/** Up to where log time has come. */
export const frozenAt = Date.UTC(2026, 10, 20, 3, 30)
const minuteMs = 60_000
const dayMs = 86_400_000
const versions = ['8.4.0', '8.5.0', '8.6.0']
const tiers = ['prospect', 'new', 'active', 'paying', 'loyal']
const channels = ['ad', 'invite', 'kol', 'organic', 'push', 'store']
const kpis: readonly CatalogueName[] = [
  'completion_rate',
  'mean_watch_s',
  'interaction_rate',
  'click_through_rate',
  'revenue_per_active_user',
]

/** Columns that hold a figure of the KPI that the row names. */
const ofRowsKpi: ReadonlySet<string> = new Set(['actual', 'baseline', 'figure', 'week_before', 'rate_effect', 'mix_effect'])

/** By column: what stands in its rows, one after another. */
const texts: Readonly<Record<string, readonly string[]>> = {
  kpi: kpis, tier: tiers, from_tier: tiers, to_tier: tiers.slice(1), channel: channels, app_version: versions,
  dimension: ['all', 'channel', 'app_version', 'tier', 'surface'], value: ['', 'organic', '8.6.0', 'paying', 'feed'],
  category: ['anime', 'comedy', 'dance', 'education', 'film', 'food', 'games', 'music'], platform: ['android', 'ios', 'mini_program', 'web'],
  region: ['CN-11', 'CN-31', 'CN-44'], surface: ['feed', 'search', 'profile'],
  state: ['firing', 'firing', 'recovering', 'pending', 'resolved'], review: ['open', 'acknowledged', 'noted', 'reviewed', 'closed'],
  cell: ['all'], not_applied: [''], grain: ['minute', 'hour', 'day'], verdict: ['cells', 'mix', 'unknown'], feature: ['play', 'completes', 'watch_ms', 'like'],
  behavior: ['session_start', 'impression', 'play', 'like', 'purchase'], query: ['', '', 'how to fold a paper crane'], partition: ['0', '1', '2', '3'],
  likely_causes: ['channel organic (119 %)', '', 'app_version 8.6.0, platform android (88 %)'], cause_cell: ['channel organic', 'app_version 8.6.0, platform android'],
  reason: [
    'second closed minute in a row: completion_rate 0.243 (602 plays) is 46.4 % below the baseline 0.452, the median of 118 minutes just before; z 8.8, above 2.6',
  ],
  cause: ['8.6.0 stalls while it starts', ''], strategy: ['rolled back', ''], remark: ['', 'too few plays for a third dimension'],
  alert_id: ['0b7d3c52-6a52-4c8e-9f3d-0d1f4be0a001'], top_categories: ['anime, dance, film'],
} // prettier-ignore

/** How many rows a panel has where it is no line; a stat has one. */
const counts: Readonly<Record<string, number>> = {
  kpi_now: 1, cell_shown: 1, user_now: 1, open_minutes: 3, open_alerts: 4, alert_history: 5, reviews_overdue: 0, tier_flow: 6, retention_map: 8, rfm_grid: 5, users_by_tier: 5,
} // prettier-ignore

/** In [0, 1), the same for the same words. */
function chance(...words: readonly (string | number)[]): number {
  let hash = 2_166_136_261
  for (const letter of words.join(' ')) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619)
  hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_519)
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32
}

const instant = (ms: number) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ')

function usualOf(name: string, unit: Column['unit'], panel: PanelInfo): number {
  if (panel.target !== null && unit === panel.columns.find(({ is }) => is === 'number')?.unit) return panel.target * 1.02
  const sizes = { ratio: 0.3, s: 70, ms: 24_000, fen: 12_900, CNY: 84, points: 3, 'points of 5': 4.2, bytes: 512, count: 1_200 } as const
  return sizes[unit ?? 'count'] * (0.5 + chance('size', name))
}

function cellOf({ name, is, unit }: Column, row: number, panel: PanelInfo): string | number | null {
  if (name === 'reason' && panel.shows.startsWith('rejects')) return rejectReasons[row % rejectReasons.length]!
  if (is === 'text') return texts[name]?.[row % texts[name].length] ?? `${name.replace(/_id$/, '')}-${1_000 + row * 37}`
  // Days that are not over, an alert that is not resolved.
  if (is === 'time') {
    if (name === 'resolved_at' && row < 2) return null
    return instant(frozenAt - (3 + row * 7) * minuteMs)
  }
  // Midnight in Shanghai.
  if (is === 'day') return instant(Math.floor(frozenAt / dayMs - row) * dayMs - 32 * 3_600_000)
  if (/^d\d+$/.test(name)) return row * 1.4 + Number(name.slice(1)) > 12 ? 0.6 / (1 + Number(name.slice(1)) / 6) : null
  if (name === 'rank' || name === 'recency_score') return row + 1
  if (ofRowsKpi.has(name) && panel.columns.some((column) => column.name === 'kpi')) {
    const kpi = kpis[row % kpis.length]!
    return (
      (catalogue[kpi].target ?? usualOf(name, unitOf(kpi), panel)) *
      (name === 'actual' || name === 'figure' ? 0.9 - 0.1 * chance(name, row) : 1)
    )
  }
  if (name === 'change') return -0.464 + row * 0.12
  if (/retention_d30|^ltv$/.test(name) && panel.shows === 'kpi_now') return null
  return usualOf(name, unit, panel) * (0.9 + 0.2 * chance(name, row)) * (unit === 'count' ? 1 / (1 + row / 3) : 1)
}

function seriesRows(panel: PanelInfo, params: QueryParams): Record<string, unknown>[] {
  const [from, to] = [Number(params['from_ms']), Number(params['to_ms'])]
  const step = to - from <= 12 * 3_600_000 ? minuteMs : 60 * minuteMs
  const naming = panel.columns.find(({ is }) => is === 'text')
  const names = naming === undefined ? [''] : (naming.name === 'reason' ? rejectReasons.slice(0, 2) : texts[naming.name]!).slice(0, 6)
  const numbers = panel.columns.filter(({ is }) => is === 'number')
  const rows: Record<string, unknown>[] = []
  for (let at = Math.ceil(from / step) * step; at < to - 2 * step; at += step)
    for (const [n, line] of names.entries()) {
      // An incident towards the end, of one line or the only one; and a slow wave.
      const factor = (to - at < 9 * step && (n === 3 || names.length === 1) ? 0.72 : 1) * (1 + 0.04 * Math.sin(at / (9 * step) + n * 2))
      const row: Record<string, unknown> = { time: instant(at) }
      if (naming !== undefined) row[naming.name] = line
      for (const { name, unit } of numbers)
        row[name] = usualOf(name + line, unit, panel) * (1 + n * 0.05) * factor * (0.97 + 0.06 * chance(name, line, at / step))
      rows.push(row)
    }
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, rounded(panel, name, cell)])))
}

const rounded = ({ columns }: PanelInfo, name: string, cell: unknown) =>
  typeof cell === 'number' && (columns.find((one) => one.name === name)?.unit ?? 'count') === 'count' && cell > 10 ? Math.round(cell) : cell

/** Answers by the text of a statement. */
function answers(): ReadonlyMap<string, (params: QueryParams) => unknown[]> {
  const known = new Map<string, (params: QueryParams) => unknown[]>()
  // One range of each grain.
  const spans = [0, longestS.minute, longestS.hour].map((s) => ({ from: 0, to: (s + 3_600) * 1_000 }))
  for (const [uid, span] of boards.flatMap(({ uid }) => spans.map((span) => [uid, span] as const))) {
    const { info, statements } = shownBoard(uid, span, defaultKpi)!
    statements.forEach(({ sql, format, columns }, i) => {
      const panel = info.panels[i]!
      const rows = Array.from({ length: counts[panel.shows] ?? 8 }, (_, row) =>
        Object.fromEntries(columns.map((column) => [column.name, rounded(panel, column.name, cellOf(column, row, panel))])),
      )
      known.set(withLimits(sql), format === 'timeseries' ? (params) => seriesRows(panel, params) : () => rows)
    })
  }
  const alert = (minutesAgo: number, openMinutes: number | undefined, kpi: string, dimension: string, value: string) => {
    const firedAt = frozenAt - minutesAgo * minuteMs
    return { time: instant(firedAt), timeEnd: openMinutes === undefined ? null : instant(firedAt + openMinutes * minuteMs), title: kpi, kpi, dimension, value } // prettier-ignore
  }
  const alerts = [
    alert(6, undefined, 'completion_rate', 'channel', 'organic'),
    alert(6, undefined, 'mean_watch_s', 'channel', 'organic'),
    alert(41, 12, 'interaction_rate', 'all', ''),
  ]
  known.set(withLimits(annotationSql.alerts(parameters)), () => alerts)
  known.set(withLimits(annotationSql.releases(parameters)), () => [{ time: instant(frozenAt - 30 * minuteMs), title: '8.6.0' }])
  const pulse = { ...Object.fromEntries(tables.map(({ name }) => [name, 1])), clock_at: frozenAt, least_clock_at: frozenAt }
  known.set(pulseSql(tables), () => [pulse])
  return known
}

export function frozenStore(): Store {
  const known = answers()
  const options = cellVariables.flatMap((dimension) => texts[dimension]!.map((value) => ({ dimension, value })))
  const never = () => Promise.reject(new Error('a frozen store is only asked'))
  return {
    query: <T>(sql: string, params: QueryParams = {}) => {
      const rows = known.get(sql) ?? (() => (sql === optionsSql ? options : undefined))
      const found = rows(params)
      return found === undefined ? Promise.reject(new Error(`no answer is frozen for ${sql}`)) : Promise.resolve(found as T[])
    },
    insert: never,
    command: never,
    migrate: never,
    ping: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  }
}
