// Whether what a cell lost is explained by other cells that fire for the same KPI: what is left of it outside of them is as it should be.
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import { against, type Judgement } from './judge.ts'
import type { Memory } from './memory.ts'
import { hasDenominator, type Cell, type Metric, type Sample } from './metric.ts'

/** How long it is looked at before the alerts began: what is compared is how the cell without others is to all of it, and that keeps. */
export const beforeMs: Readonly<Record<Grain, number>> = { minute: 3_600_000, hour: 24 * 3_600_000, day: 7 * 24 * 3_600_000 }

/** What the KPI came to where exactly these of the cells meet, by their places. */
export type Part = { readonly in: readonly number[] } & Sample

/** The cells of one KPI cut into parts that share nothing: in the bucket that is decided on, and before any of their alerts began. */
export type Parts = {
  readonly kpi: string
  /** No two of one dimension share anything. */
  readonly cells: readonly Cell[]
  readonly now: readonly Part[]
  readonly before: readonly Part[]
}

/** Which parts are wanted, for the next bucket. */
export type PartsQuestion = {
  readonly kpi: string
  readonly cells: readonly Cell[]
  /** Start of the earliest of their alerts: before it all was well. */
  readonly begunAt: number
}

export type Suspect = {
  readonly place: number
  readonly metric: Metric
  /** In which it is off. */
  readonly judgement: Judgement
  readonly memory: Memory
}

/** The places of those that explain it, fewest first: one alone where one is enough. undefined: it is off by itself. */
export function explainedBy(parts: Parts, suspect: Suspect, holders: readonly number[]): readonly number[] | undefined {
  const others = holders.filter((place) => parts.cells[place]!.dimension !== parts.cells[suspect.place]!.dimension)
  for (const one of others) if (isWellOutside(parts, suspect, [one])) return [one]
  return others.length > 1 && isWellOutside(parts, suspect, others) ? others : undefined
}

/** Whether the cell without these is no farther off than its threshold, or no more than chance. */
export function isWellOutside(parts: Parts, suspect: Suspect, holders: readonly number[]): boolean {
  const { place, metric, judgement, memory } = suspect
  const { expected, value, off } = judgement
  if (expected === undefined || off === undefined) return false
  const own = { now: sumOf(parts.now, place, []), before: sumOf(parts.before, place, []) }
  const rest = { now: sumOf(parts.now, place, holders), before: sumOf(parts.before, place, holders) }
  const weight = ({ numerator, denominator }: Sample) => (hasDenominator(metric.kind) ? denominator : numerator)
  // They have nothing of it, so they explain nothing.
  if (own.now.denominator === rest.now.denominator && own.now.numerator === rest.now.numerator) return false
  // The parts may be counted otherwise than the cell (users of two categories): only how they compare is taken from them.
  const scaleNow = ratio(figureOf(metric, rest.now), figureOf(metric, own.now))
  const scaleBefore = ratio(figureOf(metric, rest.before), figureOf(metric, own.before))
  const left = value * scaleNow
  const share = ratio(weight(rest.now), weight(own.now))
  const denominator = judgement.sample!.denominator * share
  if (hasDenominator(metric.kind) && !(denominator > 0)) return true
  const sample = { numerator: left * denominator, denominator }
  const scaled = { ...expected, baseline: expected.baseline * scaleBefore, seasonal: expected.seasonal * scaleBefore }
  return against(metric, sample, left, scaled, memory, scaleBefore).off !== off
}

const figureOf = ({ kind }: Metric, { numerator, denominator }: Sample) =>
  hasDenominator(kind) ? (denominator > 0 ? numerator / denominator : NaN) : numerator

/** 1 where there is nothing to compare. */
const ratio = (part: number, whole: number) => (Number.isFinite(part) && Number.isFinite(whole) && whole !== 0 ? part / whole : 1)

/** Of a cell, less what it shares with others. */
function sumOf(parts: readonly Part[], place: number, without: readonly number[]): Sample {
  let numerator = 0
  let denominator = 0
  for (const part of parts) {
    if (!part.in.includes(place) || part.in.some((other) => without.includes(other))) continue
    numerator += part.numerator
    denominator += part.denominator
  }
  return { numerator, denominator }
}
