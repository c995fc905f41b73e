// What it means that a cell's drop is explained by others: a list of events, each in some cells, counted with the others' taken out.
import { against } from '../detect/judge.ts'
import { hasDenominator, type Cell, type Metric } from '../detect/metric.ts'
import type { Parts, Suspect } from '../detect/explained.ts'

/** One thing that happened: which cells it is in (their places), and what it adds. */
export type NaiveEvent = {
  readonly in: readonly number[]
  readonly isNow: boolean
  readonly numerator: number
  readonly denominator: number
}

/** The parts that such events come to. */
export function partsOf(kpi: string, cells: readonly Cell[], events: readonly NaiveEvent[]): Parts {
  const of = (isNow: boolean) =>
    events
      .filter((event) => event.isNow === isNow)
      .map(({ in: places, numerator, denominator }) => ({ in: places, numerator, denominator }))
  return { kpi, cells, now: of(true), before: of(false) }
}

/** The smallest sets first, each in the order of the holders: one of them, then all. */
export function naiveExplainedBy(
  cells: readonly Cell[],
  events: readonly NaiveEvent[],
  suspect: Suspect,
  holders: readonly number[],
): readonly number[] | undefined {
  const others = holders.filter((place) => cells[place]!.dimension !== cells[suspect.place]!.dimension)
  const sets = [...others.map((one) => [one]), ...(others.length > 1 ? [others] : [])]
  return sets.find((taken) => isWell(events, suspect, taken))
}

function isWell(events: readonly NaiveEvent[], { place, metric, judgement, memory }: Suspect, taken: readonly number[]): boolean {
  const { expected, off, value, sample } = judgement
  if (expected === undefined || off === undefined) return false
  const own = events.filter((event) => event.in.includes(place))
  const rest = own.filter((event) => !taken.some((other) => event.in.includes(other)))
  const at = (list: readonly NaiveEvent[], isNow: boolean) => list.filter((event) => event.isNow === isNow)
  const lost = at(own, true).filter((event) => !rest.includes(event))
  if (!lost.some(({ numerator, denominator }) => numerator !== 0 || denominator !== 0)) return false
  const before = part(figure(metric, at(rest, false)), figure(metric, at(own, false)))
  const now = part(figure(metric, at(rest, true)), figure(metric, at(own, true)))
  const left = value * now
  const volume = (list: readonly NaiveEvent[]) => total(list, hasDenominator(metric.kind) ? 'denominator' : 'numerator')
  const denominator = sample!.denominator * part(volume(at(rest, true)), volume(at(own, true)))
  if (hasDenominator(metric.kind) && denominator === 0) return true
  const usual = { ...expected, baseline: expected.baseline * before, seasonal: expected.seasonal * before }
  return against(metric, { numerator: left * denominator, denominator }, left, usual, memory, before).off !== off
}

const total = (events: readonly NaiveEvent[], what: 'numerator' | 'denominator') => events.reduce((sum, event) => sum + event[what], 0)

function figure({ kind }: Metric, events: readonly NaiveEvent[]): number | undefined {
  if (!hasDenominator(kind)) return total(events, 'numerator')
  const denominator = total(events, 'denominator')
  return denominator === 0 ? undefined : total(events, 'numerator') / denominator
}

const part = (of: number | undefined, whole: number | undefined) =>
  of === undefined || whole === undefined || whole === 0 ? 1 : of / whole
