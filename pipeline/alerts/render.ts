// Alerts as people read them in a terminal.
import { cellText, figureText, instantText, likelyCauseText } from '../../operators/alerts/tell.ts'
import type { EffectAnswer } from './effect.ts'
import type { AlertDetail, AlertSummary } from './reviews.ts'

const at = (ms: number) => (ms === 0 ? '–' : instantText(ms))
const what = (alert: Pick<AlertSummary, 'kind' | 'kpi' | 'dimension' | 'value'>) =>
  `${alert.kind === 'review_overdue' ? 'review overdue: ' : ''}${alert.kpi} of ${cellText(alert)}`

export function renderList(alerts: readonly AlertSummary[], nowMs: number): string {
  return alerts
    .map((alert) => {
      const { alert_id: id, state, review, fired_at: firedAt, due_at: dueAt } = alert
      const due =
        review === 'closed' || review === 'reviewed' || alert.kind !== 'kpi' ? '' : `  due ${at(dueAt)}${nowMs > dueAt ? ', OVERDUE' : ''}`
      return `${id.slice(0, 8)}  ${state.padEnd(10)} ${review.padEnd(12)} ${at(firedAt)}  ${what(alert)}${due}`
    })
    .join('\n')
}

export function renderAlert(alert: AlertDetail): string {
  const lines = [
    what(alert),
    `  id          ${alert.alert_id}`,
    `  state       ${alert.state}; fired ${at(alert.fired_at)}${alert.resolved_at === 0 ? '' : `, resolved ${at(alert.resolved_at)}`}`,
    `  at firing   ${figureText(alert.actual_at_firing)}, baseline ${figureText(alert.baseline)}`,
    ...(alert.holds_back.length === 0 ? [] : [`  holds back  ${alert.holds_back.join(', ')}`]),
    `  review      ${alert.review}; due ${at(alert.due_at)}`,
    ...(alert.cause === '' ? [] : [`  cause       ${alert.cause}`]),
    ...(alert.strategy === '' ? [] : [`  strategy    ${alert.strategy} (from ${at(alert.strategy_at)} on)`]),
    '',
    'Transitions',
    ...alert.transitions.map(({ state, decided_at: decidedAt, reason }) => `  ${at(decidedAt)}  ${state.padEnd(10)} ${reason}`),
  ]
  lines.push(...causeLines(alert))
  if (alert.reviews.length > 0) {
    lines.push('', 'Review')
    for (const { reviewed_at: when, reviewed_by: by, action, text, cause, strategy } of alert.reviews)
      lines.push(`  ${at(when)}  ${action.padEnd(5)} ${by}${[text, cause && `cause: ${cause}`, strategy && `strategy: ${strategy}`].filter((said) => said !== '').map((said) => `; ${said}`).join('')}`) // prettier-ignore
  }
  if (alert.deliveries.length > 0) {
    lines.push('', 'Deliveries')
    for (const { receiver, sequence, outcome, delivered_at: when, tries, error } of alert.deliveries)
      lines.push(
        `  ${at(when)}  ${receiver}: transition ${sequence} ${outcome}${tries > 1 ? ` at try ${tries}` : ''}${error === '' ? '' : `: ${error}`}`,
      )
  }
  return lines.join('\n')
}

/** Of the latest revision. */
function causeLines({ causes }: AlertDetail): string[] {
  const latest = causes.filter(({ revision }) => revision === causes.at(-1)!.revision)
  const [whole, ...cells] = latest
  if (whole === undefined) return []
  const { verdict, window_from: from, window_to: to, actual, expected, remark } = whole
  const change = actual < expected ? 'fall' : 'rise'
  const said = verdict === 'cells' ? 'these cells' : likelyCauseText({ causes: [], attribution: { verdict, change } })!
  return [
    '',
    `Likely cause: ${said}${remark === '' ? '' : ` (${remark})`}`,
    ...cells.map(
      ({ cell, share, actual, expected, score }) =>
        `  ${cell}: ${figureText(share * 100)} % of the ${change}; ${figureText(actual)} where ${figureText(expected)} were to be expected; score ${figureText(score)}`,
    ),
    `  in the window from ${at(from)} to ${at(to)}, in which the KPI was ${figureText(actual)} after ${figureText(expected)} before it`,
  ]
}

const verdicts: Record<EffectAnswer['verdict'], string> = {
  rose: 'The KPI rose by more than chance explains.',
  fell: 'The KPI fell by more than chance explains.',
  no_difference: 'No difference that chance does not explain.',
  unknown: 'Too little in one of the spans to say anything.',
}

export function renderEffect(alert: AlertSummary, effect: EffectAnswer): string {
  const { treated, control, before, after, controlCells } = effect
  const row = (name: string, { before, after }: EffectAnswer['treated']) =>
    `  ${name.padEnd(24)} ${figureText(before).padStart(10)} ${figureText(after).padStart(10)}`
  const lines = [
    `${what(alert)}: ${alert.strategy}`,
    `  before: ${at(before.fromMs)} to ${at(before.toMs)}; after: to ${at(after.toMs)}`,
    '',
    `  ${''.padEnd(24)} ${'before'.padStart(10)} ${'after'.padStart(10)}`,
    row(cellText(alert), treated),
    ...(control === undefined
      ? ['  There are no cells to compare with: what else changed at that time is in the figures too.']
      : [row(`${controlCells.length} comparable cells`, control)]),
  ]
  if (effect.verdict !== 'unknown')
    lines.push(
      '',
      `  Effect ${figureText(effect.effect)} (95 % of such intervals hold the truth: ${figureText(effect.low)} to ${figureText(effect.high)}), ${figureText((effect.effect / effect.expectedAfter) * 100)} % of the ${figureText(effect.expectedAfter)} that was to be expected.`,
    )
  lines.push('', verdicts[effect.verdict])
  return lines.join('\n')
}
