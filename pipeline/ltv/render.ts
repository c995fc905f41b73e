// A refit for people to read, and its figures for programs.
import type { CustomerFigures } from '../../operators/ltv/histories.ts'
import type { Refit } from '../../operators/ltv/refit.ts'
import { uuidText } from '../uuid.ts'
import type { modelRows } from './model-rows.ts'

type Rows = ReturnType<typeof modelRows>

const mostCohorts = 31
const dayText = (day: number) => new Date(day * 86_400_000).toISOString().slice(0, 10)
const whole = (value: number) => Math.round(value).toLocaleString('en-US')
const money = (minor: number) => (minor / 100).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const figure = (value: number) => (value >= 0.001 && value < 100_000 ? value.toFixed(3) : value.toPrecision(4))

export type Told = { figures: CustomerFigures; refit: Refit; lastDay: number; horizonDays: number; margin: number; birth: string }

export function renderRefit({ figures, refit, lastDay, horizonDays, margin, birth }: Told): string {
  const { purchases, amountsFit, amounts, cohorts } = refit
  const lines = [
    `${whole(refit.customers)} customers through ${dayText(lastDay)}, from their ${birth.replace('_', ' ')} on; ${whole(refit.repeatBuyers)} of them ${birth === 'registration' ? 'have bought' : 'have bought again'}`,
  ]
  if (figures.unregistered > 0) lines.push(`  ${whole(figures.unregistered)} more have bought without having registered: left out`)
  if (purchases.kind === 'fit') {
    const { r, alpha, a, b } = purchases.params
    lines.push(
      `purchases: BG/NBD r ${figure(r)}, alpha ${figure(alpha)} weeks, a ${figure(a)}, b ${figure(b)}; log-likelihood ${purchases.logLikelihood.toFixed(1)}${caveat(purchases)}`,
    )
  } else lines.push(`purchases: nothing can be predicted, for ${purchases.because}`)
  if (amountsFit.kind === 'fit') {
    const { p, q, gamma } = amountsFit.params
    lines.push(
      `amounts: Gamma-Gamma p ${figure(p)}, q ${figure(q)}, gamma ${figure(gamma / 100)}; log-likelihood ${amountsFit.logLikelihood.toFixed(1)}${caveat(amountsFit)}`,
    )
  } else if (amounts.kind === 'mean') lines.push(`amounts: the mean, ${money(amounts.mean)}, for everybody, for ${amounts.because}`)
  const predicts = purchases.kind === 'fit'
  const head = ['cohort', 'customers', 'buyers', 'realised', 'alive', `next ${horizonDays} d`, 'value each']
  const shown = cohorts.slice(-mostCohorts)
  const rows = shown.map((cohort) => [
    dayText(cohort.cohort),
    whole(cohort.customers),
    whole(cohort.buyers),
    money(cohort.realised),
    cohort.alive === null ? '–' : whole(cohort.alive),
    cohort.predicted === null ? '–' : money(cohort.predicted),
    money(cohort.value),
  ])
  if (rows.length > 0) lines.push('', ...table([head, ...rows]))
  if (shown.length < cohorts.length) lines.push(`(the last ${shown.length} of ${cohorts.length} cohorts)`)
  const { value, realised, predicted } = overall(refit, margin)
  lines.push(
    '',
    `a customer is worth ${money(value)} on average: ${money(realised)} realised${predicts ? ` and ${money(predicted)} predicted` : ''}${margin === 1 ? '' : `, times a margin of ${margin}`}`,
  )
  return lines.join('\n')
}

function overall({ cohorts, customers }: Refit, margin: number) {
  const each = (sum: number) => (customers === 0 ? 0 : sum / customers)
  const realised = each(cohorts.reduce((sum, cohort) => sum + cohort.realised, 0))
  const predicted = each(cohorts.reduce((sum, cohort) => sum + (cohort.predicted ?? 0), 0))
  return { realised, predicted, value: margin * (realised + predicted) }
}

const caveat = ({ converged, atEdge }: { converged: boolean; atEdge: readonly string[] }) =>
  [
    converged ? '' : '; the search did not end: take it with care',
    atEdge.length === 0 ? '' : `; no best ${atEdge.join(', ')}: larger or smaller would do as well`,
  ].join('')

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '))
}

/** As in the tables, and what is not in them. */
export function refitFigures({ model, cohorts }: Rows, { figures, refit, margin }: Told): Record<string, unknown> {
  const { value, realised, predicted } = overall(refit, margin)
  const instant = (ms: number) => new Date(ms).toISOString()
  return {
    ...model,
    model_id: uuidText(model.model_id),
    as_of: instant(model.as_of),
    converged: model.converged === 1,
    unregistered: figures.unregistered,
    realised_minor_each: realised,
    predicted_minor_each: predicted,
    value_minor_each: value,
    cohorts: cohorts.map(({ model_id: _, as_of: __, cohort_at, ...cohort }) => ({ cohort_at: instant(cohort_at), ...cohort })),
  }
}
