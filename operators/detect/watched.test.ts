import { expect, test } from 'vitest'
import { grains, kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import { catalogue, catalogueNames, type CatalogueName } from '../kpi/catalogue.ts'
import { valueOf } from './metric.ts'
import { measuresOf, metricsOf, samplesOf } from './watched.ts'

const watchedAt = grains.flatMap((grain) => metricsOf(grain).map(({ name }) => [name, grain] as const))

test.each(catalogueNames)('%s is watched at its own grain where it has a threshold and cells count it, and nowhere else', (name) => {
  const { grain, threshold, numerator, denominator } = catalogue[name]
  const isCounted = 'measures' in numerator && (denominator === null || 'measures' in denominator)
  const found = watchedAt.filter(([watched]) => watched === name).map(([, at]) => at)
  expect(found).toEqual(threshold !== null && isCounted ? [grain] : [])
})

test('what cells do not count, and what nobody is told of, is all that is left out', () => {
  const watched = new Set<string>(watchedAt.map(([name]) => name))
  const left = catalogueNames.filter((name) => !watched.has(name))
  expect(left.filter((name) => 'measures' in catalogue[name].numerator)).toEqual([
    'late_event_share', 'rejected_share', 'return_on_investment',
  ]) // prettier-ignore
  expect(watched.size - 1 + left.length).toBe(catalogueNames.length)
})

test('each is as the catalogue has it, in words that a reason can say', () => {
  for (const grain of grains)
    for (const metric of metricsOf(grain).slice(0, -1)) {
      const { kind, better, threshold, minimumDenominator, unit } = catalogue[metric.name as CatalogueName]
      expect(metric).toMatchObject({ grain, kind, better, threshold, minimumDenominator: minimumDenominator ?? 0, unit })
      expect(metric.counts).toMatch(/^[a-z0-9 +]+$/)
    }
  const counts = Object.fromEntries(grains.flatMap(metricsOf).map(({ name, counts: what }) => [name, what]))
  expect(counts).toMatchObject({ completion_rate: 'plays', search_rate: 'active users', daily_active_users: 'active users' })
})

test('a sample is the sums above and below the line, in the unit of the KPI', () => {
  const sums = Object.fromEntries(kpiMeasures.map((measure, i) => [measure, 1_000 * (i + 1)]))
  const value = (name: CatalogueName) => {
    const { grain } = catalogue[name]
    const metrics = metricsOf(grain)
    const { samples } = samplesOf(grain, { dimension: 'all', value: '', sums })
    const place = metrics.findIndex((metric) => metric.name === name)
    return valueOf(metrics[place]!, samples[place])
  }
  const sum = (measure: (typeof kpiMeasures)[number]) => sums[measure]!
  expect(value('dwell_s')).toBe(sum('watch_ms') / 1_000 / sum('sessions'))
  expect(value('interaction_rate')).toBe((sum('likes') + sum('comments') + sum('shares')) / sum('plays'))
  expect(value('revenue')).toBe(sum('amount_minor'))
  expect(value('daily_active_users')).toBe(sum('active_users'))
  expect(value('first_week_completion')).toBe(sum('first_week_completes') / sum('first_week_plays'))
})

test.each(grains)('a sample of a %s needs no other measures than are asked for', (grain) => {
  const every = Object.fromEntries(kpiMeasures.map((measure, i) => [measure, 1_000 * (i + 1)]))
  const asked = Object.fromEntries(measuresOf(grain).map((measure) => [measure, every[measure]!]))
  expect(samplesOf(grain, { dimension: 'all', value: '', sums: asked })).toEqual(
    samplesOf(grain, { dimension: 'all', value: '', sums: every }),
  )
})
