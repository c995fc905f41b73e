// An alert in words, for those who were not looking: what, how far, since when, why.
import type { CauseVerdict } from '../../schemas/tables/alert-causes.ts'
import type { AlertKind, AlertState } from '../../schemas/tables/alerts.ts'
import type { Cell } from '../attribution/leaves.ts'
import { isDaily } from '../detect/watched-daily.ts'
import { catalogue, type CatalogueName } from '../kpi/catalogue.ts'

export type ToldCause = { readonly cell: string; readonly share: number }

/** What an attribution comes to. `share` of a cause: of the KPI's fall or rise. */
export type ToldCauses = { readonly verdict: CauseVerdict; readonly change: 'fall' | 'rise'; readonly causes: readonly ToldCause[] }

export type ToldAlert = {
  readonly kind: AlertKind
  readonly state: AlertState
  readonly kpi: string
  readonly dimension: string
  readonly value: string
  readonly bucketAt: number
  readonly firedAt: number | undefined
  readonly dueAt: number | undefined
  readonly actual: number
  readonly baseline: number
  readonly reason: string
  readonly causes?: readonly ToldCause[] | undefined
  readonly holdsBack?: readonly string[] | undefined
  readonly attribution?: Pick<ToldCauses, 'verdict' | 'change'> | undefined
}

/** The KPI under which cells without any event are told (operators/detect/watched.ts). No data is no drop. */
export const noDataKpi = 'no_data'

/** Causes are looked for in the events of the bucket. undefined: they are. */
function causesNotLookedFor(kpi: string): string | undefined {
  if (!Object.hasOwn(catalogue, kpi)) return undefined
  const name = kpi as CatalogueName
  if (catalogue[name].source === 'signals') return 'the KPI is made of customer signals'
  return isDaily(name) ? "the KPI looks at a user's other days" : undefined
}

/** `channel ad`, or `all`. */
export const cellText = ({ dimension, value }: Pick<ToldAlert, 'dimension' | 'value'>): string =>
  dimension === 'all' ? 'all' : `${dimension} ${value}`

/** Three digits that count, never an exponent that people must decode. */
export const figureText = (value: number): string => String(Number(value.toPrecision(3)))

const percentText = (share: number): string => `${Number((share * 100).toFixed(1))} %`

/** Relative to the baseline, always: a share of 0.30 against 0.50 is 40 % below, not 20 points. undefined: no baseline to measure by. */
export function changeText({ actual, baseline }: Pick<ToldAlert, 'actual' | 'baseline'>): string | undefined {
  if (!(baseline > 0)) return undefined
  const change = actual / baseline - 1
  return `${percentText(Math.abs(change))} ${change < 0 ? 'below' : 'above'} its baseline`
}

/** One line. */
export function summaryOf(alert: ToldAlert): string {
  const isNoData = alert.kpi === noDataKpi
  const what = `${isNoData ? 'the data' : alert.kpi} of ${cellText(alert)}`
  if (alert.kind === 'review_overdue')
    return alert.state === 'resolved' ? `The review of the alert on ${what} is there` : `The review of the alert on ${what} is overdue`
  if (isNoData) return `${alert.state === 'firing' ? 'No data of' : 'Data again of'} ${cellText(alert)}`
  if (alert.state === 'resolved') return `${what} is back to what is usual`
  const change = changeText(alert) ?? 'not what it should be'
  return alert.state === 'recovering' ? `${what} is recovering: ${change}` : `${what} is ${change}`
}

/** What an on-call person needs before opening anything. */
export function descriptionOf(alert: ToldAlert): string {
  if (alert.kind === 'review_overdue') return alert.reason
  const change = changeText(alert)
  const likely = likelyCauseText(alert)
  const notLookedFor = causesNotLookedFor(alert.kpi)
  const lines = [
    ...(alert.kpi === noDataKpi ? [] : [figuresText(alert, change)]),
    ...(alert.firedAt === undefined ? [] : [`Firing since ${instantText(alert.firedAt)}.`]),
    `${alert.reason.charAt(0).toUpperCase()}${alert.reason.slice(1)}.`,
    ...(likely === undefined ? [] : [`Likely cause: ${likely}.`]),
    ...(notLookedFor === undefined ? [] : [`Likely cause: not looked for, for ${notLookedFor}.`]),
    ...(alert.holdsBack === undefined ? [] : [`It explains the same in ${alert.holdsBack.join(', ')}: no alerts of their own.`]),
    ...(alert.dueAt === undefined ? [] : [`The root-cause review is due ${instantText(alert.dueAt)}.`]),
  ]
  return lines.join('\n')
}

const figuresText = ({ actual, baseline, bucketAt }: ToldAlert, change: string | undefined): string =>
  `Actual ${figureText(actual)}, baseline ${figureText(baseline)}${change === undefined ? '' : `: ${change} (relative)`}, in the bucket from ${instantText(bucketAt)}.`

/** `channel ad, region CN-11`. Of events without a value: `category (none)`. */
export const causeCellText = (cell: Cell): string =>
  Object.keys(cell).length === 0
    ? 'everything'
    : Object.entries(cell)
        .map(([dimension, value]) => `${dimension} ${value === '' ? '(none)' : value}`)
        .join(', ')

/** Without a full stop; undefined: not looked for, or not found yet. */
export function likelyCauseText({ causes, attribution }: Pick<ToldAlert, 'causes' | 'attribution'>): string | undefined {
  const change = attribution?.change ?? 'change'
  switch (attribution?.verdict) {
    case 'everything':
      return `everything ${change === 'fall' ? 'fell' : 'rose'} alike, no part of it more than the rest`
    case 'mix':
      return `the mix: rates stayed as they were, and traffic moved to where they are ${change === 'fall' ? 'lower' : 'higher'}`
    case 'unclear':
      return 'unclear, no part stands out'
    case 'cells':
    case undefined:
      if (causes === undefined || causes.length === 0) return undefined
      return causes.map(({ cell, share }) => `${cell} (${percentText(share)} of the ${change})`).join('; ')
  }
}

export const instantText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** What the alert is called where alerts are routed. */
export const alertNameOf = ({ kind, kpi }: Pick<ToldAlert, 'kind' | 'kpi'>): 'KpiAlert' | 'NoData' | 'ReviewOverdue' =>
  kind === 'review_overdue' ? 'ReviewOverdue' : kpi === noDataKpi ? 'NoData' : 'KpiAlert'

/** Frozen for an alert's life, because receivers route by it: what concerns everyone is critical. */
export const severityOf = ({ kind, dimension }: Pick<ToldAlert, 'kind' | 'dimension'>): 'critical' | 'warning' =>
  kind === 'kpi' && dimension === 'all' ? 'critical' : 'warning'
