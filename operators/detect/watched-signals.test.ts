import { expect, test } from 'vitest'
import { grains } from '../../schemas/tables/kpi-deltas.ts'
import { catalogue, catalogueNames, type CatalogueName } from '../kpi/catalogue.ts'
import { valueOf } from './metric.ts'
import { signalMeasuresOf, signalMetricsOf, signalSamplesOf, signalTermsOf } from './watched-signals.ts'

test('what the catalogue makes of signals is watched at its own grain, and nothing else', () => {
  const watched = grains.flatMap((grain) => signalMetricsOf(grain).map(({ name }) => `${name} ${grain}`))
  const wanted = catalogueNames.filter((name) => catalogue[name].source === 'signals').map((name) => `${name} ${catalogue[name].grain}`)
  expect(watched.toSorted()).toEqual(wanted.toSorted())
  expect(watched).toHaveLength(8)
})

test('thresholds and ways are those of the catalogue; of a severe violation any one', () => {
  const metrics = Object.fromEntries(grains.flatMap((grain) => signalMetricsOf(grain).map((metric) => [metric.name, metric])))
  expect(metrics['service_score']).toMatchObject({ threshold: 0.05, better: 'up', kind: 'mean', minimumDenominator: 50 })
  expect(metrics['service_response_s']).toMatchObject({ threshold: 0.15, better: 'down' })
  expect(metrics['severe_violations']).toMatchObject({ kind: 'incident', threshold: 0, minimumDenominator: 0 })
})

test('only what should never happen counts by when it became known', () => {
  const byClock = grains.flatMap(signalTermsOf).filter(({ by }) => by === 'clock_at')
  expect(byClock.map(({ sql }) => sql)).toEqual(
    [catalogue.severe_violations.numerator].flatMap((term) => ('signals' in term ? [term.signals] : [])),
  )
})

test('a sample is signals over signals, or over the sums of the cell, whichever the KPI has', () => {
  const value = (name: CatalogueName) => {
    const { grain } = catalogue[name]
    const signals = new Map(signalTermsOf(grain).map(({ sql }, i) => [sql, 1_000 * (i + 1)]))
    const sums = Object.fromEntries(signalMeasuresOf(grain).map((measure, i) => [measure, 7_000 * (i + 1)]))
    const place = signalMetricsOf(grain).findIndex((metric) => metric.name === name)
    const { samples } = signalSamplesOf(grain, { dimension: 'all', value: '', signals, sums })
    const of = (text: string) => [...signals].find(([sql]) => sql.includes(text))![1]
    return { actual: valueOf(signalMetricsOf(grain)[place]!, samples[place]), of, sums }
  }
  const score = value('service_score')
  expect(score.actual).toBe(score.of('sumIf(score') / score.of("countIf(kind = 'service_rating"))
  const spend = value('return_on_investment')
  expect(spend.actual).toBe(spend.sums['amount_minor']! / spend.of('cost'))
  const cost = value('acquisition_cost')
  expect(cost.actual).toBe(cost.of('cost') / cost.sums['registers']!)
})
