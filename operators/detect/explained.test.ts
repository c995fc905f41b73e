import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { naiveExplainedBy, partsOf, type NaiveEvent } from '../naive/explained.ts'
import { detector, type CellSamples } from './detector.ts'
import type { Transition } from './track.ts'
import { explainedBy, type Parts, type PartsQuestion } from './explained.ts'
import { completion, minuteMs, minutes, run, samplesOf } from './hand-made.ts'
import { judge } from './judge.ts'
import { memory } from './memory.ts'
import type { Cell, Metric, MetricKind } from './metric.ts'

const cells: readonly Cell[] = [
  { dimension: 'channel', value: 'ad' },
  { dimension: 'region', value: 'CN-11' },
  { dimension: 'channel', value: 'kol' },
  { dimension: 'surface', value: 'feed' },
]

/** A memory of hundreds of calm buckets, and what is judged against it. */
function suspectOf(kind: MetricKind, place: number, rate: number) {
  const metric: Metric = { ...completion, kind, minimumDenominator: 0, unit: kind === 'count' ? 'count' : 'ratio' }
  const past = memory(minutes)
  const of = (share: number) => ({ numerator: Math.round(share * 2_000), denominator: 2_000 })
  for (let i = 0; i < 300; i++) {
    const sample = of(0.5 + ((i * 7) % 11) / 500 - 0.01)
    const { value, residual, expected } = judge(metric, sample, past, i, minutes.lags(i * minuteMs))
    past.keep(i, value, NaN, residual, expected?.season)
  }
  const judgement = judge(metric, of(rate), past, 300, minutes.lags(300 * minuteMs))
  return { place, metric, judgement, memory: past }
}

const event = fc.record({
  in: fc.subarray([0, 1, 2, 3]),
  isNow: fc.boolean(),
  numerator: fc.nat(300),
  denominator: fc.integer({ min: 0, max: 900 }),
})

test.each(['share', 'mean', 'count'] as const)('of a %s the parts say what the events say with the others’ taken out', (kind) => {
  const answers = new Set<string>()
  const suspects = [0.1, 0.3, 0.38].flatMap((rate) => [0, 1].map((place) => suspectOf(kind, place, rate)))
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), fc.constantFrom(...suspects), fc.subarray([0, 1, 2, 3]), (events, suspect, holders) => {
      const others = holders.filter((place) => place !== suspect.place)
      const found = explainedBy(partsOf('completion_rate', cells, events as NaiveEvent[]), suspect, others)
      expect(found).toEqual(naiveExplainedBy(cells, events as NaiveEvent[], suspect, others))
      answers.add(found === undefined ? 'none' : found.length === 1 ? 'one' : 'several')
    }),
    { numRuns: 600 },
  )
  expect(answers).toContain('none')
  expect(answers).toContain('one')
})

/** Leaves of two channels and two regions; what is left of a leaf's completions, and its share of 20,000 plays. */
type Leaf = { channel: string; region: string }
const leaves: readonly Leaf[] = ['ad', 'kol'].flatMap((channel) => ['CN-11', 'CN-12'].map((region) => ({ channel, region })))
type World = { left: (leaf: Leaf, minute: number) => number; plays?: (leaf: Leaf) => number }

const start = Date.UTC(2026, 0, 5, 6)
const playsOf = ({ plays = () => 5_000 }: World, leaf: Leaf) => plays(leaf)
const completesOf = (world: World, leaf: Leaf, minute: number) => Math.round(playsOf(world, leaf) * 0.5 * world.left(leaf, minute))

function cellsAt(world: World, minute: number): CellSamples[] {
  const of = (isIn: (leaf: Leaf) => boolean) => {
    const inside = leaves.filter(isIn)
    const sum = (figure: (leaf: Leaf) => number) => inside.reduce((total, leaf) => total + figure(leaf), 0)
    return { numerator: sum((leaf) => completesOf(world, leaf, minute)), denominator: sum((leaf) => playsOf(world, leaf)) }
  }
  const one = (dimension: 'channel' | 'region', value: string) =>
    samplesOf(
      dimension,
      value,
      of((leaf) => leaf[dimension] === value),
    )
  return [one('channel', 'ad'), one('channel', 'kol'), one('region', 'CN-11'), one('region', 'CN-12')]
}

function answer(world: World, { kpi, cells: asked, begunAt }: PartsQuestion, minute: number): Parts {
  const of = (at: number) =>
    leaves.map((leaf) => ({
      in: asked.flatMap(({ dimension, value }, place) => (leaf[dimension as 'channel'] === value ? [place] : [])),
      numerator: completesOf(world, leaf, at),
      denominator: playsOf(world, leaf),
    }))
  return { kpi, cells: asked, now: of(minute), before: of((begunAt - start) / minuteMs - 1) }
}

function transitionsIn(world: World, to: number, { stored = [] as readonly Transition[], from = 0, answers = true } = {}): Transition[] {
  const one = detector({ metrics: [completion], cadence: minutes, latenessMs: 120_000 }, stored)
  run(one, { startMs: start, bucketMs: minuteMs, from: 0, to: from, how: 'compare' }, (m) => cellsAt(world, m))
  const made: Transition[] = []
  for (let minute = from; minute < to; minute++) {
    const parts = answers ? one.asks().map((question) => answer(world, question, minute)) : []
    made.push(...one.step(start + minute * minuteMs, cellsAt(world, minute), 'decide', parts))
  }
  return made
}

const brief = (transitions: readonly Transition[]) =>
  transitions.map(({ dimension, value, state, bucketAt, held }) => {
    const by = held?.by === undefined ? '' : ` by ${held.by.dimension} ${held.by.value}`
    return `${(bucketAt - start) / minuteMs} ${dimension} ${value} ${state}${by}`
  })
const within = (minute: number, from = 60, to = 90) => minute >= from && minute < to

test('a cell that is down because of another fires no alert of its own, and says which one holds it back', () => {
  const world: World = { left: ({ channel }, m) => (within(m) && channel === 'ad' ? 0.4 : 1) }
  expect(brief(transitionsIn(world, 120, { answers: false })).filter((line) => line.endsWith('firing'))).toHaveLength(3)
  expect(brief(transitionsIn(world, 120))).toEqual([
    '60 channel ad pending',
    '60 region CN-11 pending',
    '60 region CN-12 pending',
    '61 region CN-11 resolved by channel ad',
    '61 region CN-12 resolved by channel ad',
    '61 channel ad firing',
    '90 channel ad recovering',
    '92 channel ad resolved',
  ])
})

test('a cell that is down by itself too fires', () => {
  const world: World = {
    left: ({ channel, region }, m) => (within(m) && channel === 'ad' ? 0.4 : 1) * (within(m, 70, 90) && region === 'CN-12' ? 0.7 : 1),
  }
  const lines = brief(transitionsIn(world, 85))
  expect(lines.filter((line) => line.endsWith('firing'))).toEqual(['61 channel ad firing', '71 region CN-12 firing'])
  expect(lines).toContain('70 region CN-12 pending')
})

test('a cell of which the other one has nothing is not explained by it, however alike they fall', () => {
  const world: World = {
    plays: ({ channel, region }) => ((channel === 'ad') === (region === 'CN-11') ? 5_000 : 0),
    left: (_, m) => (within(m) ? 0.6 : 1),
  }
  const fired = brief(transitionsIn(world, 80)).filter((line) => line.endsWith('firing'))
  // Channel ad is region CN-11, and channel kol is CN-12: two alerts, not four, and not one.
  expect(fired).toHaveLength(2)
  expect(new Set(fired.map((line) => line.split(' ')[2])).isSubsetOf(new Set(['ad', 'kol', 'CN-11', 'CN-12']))).toBe(true)
})

test('when what held it back is over, and it still drops, it fires', () => {
  const world: World = {
    left: ({ channel, region }, m) => (within(m, 60, 80) && channel === 'ad' ? 0.3 : 1) * (within(m, 66) && region === 'CN-12' ? 0.86 : 1) * (within(m, 100, 130) && region === 'CN-12' ? 0.8 : 1),
  } // prettier-ignore
  const lines = brief(transitionsIn(world, 120))
  expect(lines.filter((line) => line.endsWith('firing'))).toEqual(['61 channel ad firing', '101 region CN-12 firing'])
})

test('taken up anywhere it holds back what it would have held back', () => {
  const world: World = {
    left: ({ channel, region }, m) =>
      (within(m) && channel === 'ad' ? 0.4 : 1) * (within(m, 72, 90) && region === 'CN-12' ? 0.75 : 1) * (within(m, 100, 110) ? 0.6 : 1),
  }
  const whole = transitionsIn(world, 125)
  expect(whole.length).toBeGreaterThan(10)
  for (const [n, { bucketAt }] of whole.entries()) {
    // As they are read again: that it was held back is known, by whom is not.
    const stored = whole.slice(0, n + 1).map((one) => (one.held === undefined ? one : { ...one, held: { by: undefined } }))
    const rest = transitionsIn(world, 125, { stored, from: (bucketAt - start) / minuteMs })
    expect(rest, `after ${n + 1} transitions`).toEqual(whole.slice(n + 1))
  }
})
