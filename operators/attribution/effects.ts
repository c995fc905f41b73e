// Where a KPI's change came from, exactly: what each leaf adds to it, taken apart in two ways that have the same sum.
import { total, type Expected } from './baseline.ts'
import type { Leaves } from './leaves.ts'

/**
 * In units of the KPI. numerator + denominator = rate + mix = what the cell adds to the change; over cells that share no leaf
 * each of them adds up, and over everything their sum is the change.
 */
export type Effects = {
  /** Had only the numerator moved. */
  readonly numerator: number
  /** Had only the denominator moved. */
  readonly denominator: number
  /** The leaves' own rates against their baseline, at today's traffic. */
  readonly rate: number
  /** Traffic that moved to leaves with another rate than everyone's; of an additive KPI 0. */
  readonly mix: number
}

export type Whole = Effects & { readonly baseline: number; readonly actual: number; readonly change: number }

/** Of the leaves that `within` names; of all where it is undefined. */
export function effectsOf(leaves: Leaves, { expected, level }: Expected, within?: (leaf: number) => boolean): Effects {
  const { numerator, denominator, baselineNumerator, baselineDenominator, baselineBuckets } = leaves
  let counted = 0
  let countedBefore = 0
  let measured = 0
  let measuredBefore = 0
  let expectedNow = 0
  for (let i = 0; i < numerator.length; i++) {
    if (within?.(i) === false) continue
    counted += numerator[i]!
    countedBefore += baselineNumerator[i]!
    expectedNow += expected[i]!
    if (denominator === undefined) continue
    measured += denominator[i]!
    measuredBefore += baselineDenominator![i]!
  }
  const whole = denominator === undefined ? 1 : total(denominator)
  if (whole <= 0) return { numerator: 0, denominator: 0, rate: 0, mix: 0 }
  const before = countedBefore / baselineBuckets
  const moved = measured - measuredBefore / baselineBuckets
  return {
    numerator: (counted - before) / whole,
    denominator: denominator === undefined ? 0 : -(level * moved) / whole,
    rate: (counted - expectedNow) / whole,
    mix: denominator === undefined ? 0 : (expectedNow - before - level * moved) / whole,
  }
}

export function wholeOf(leaves: Leaves, expected: Expected): Whole {
  const bottom = leaves.denominator === undefined ? 1 : total(leaves.denominator)
  const actual = bottom > 0 ? total(leaves.numerator) / bottom : 0
  return { baseline: expected.level, actual, change: bottom > 0 ? actual - expected.level : 0, ...effectsOf(leaves, expected) }
}
