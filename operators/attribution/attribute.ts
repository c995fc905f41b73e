// The likely causes of a KPI's change: the smallest set of cells, of up to three dimensions, that explains it.
// How and why so: docs/guide/attribution.md.
import { expectedOf, total } from './baseline.ts'
import { effectsOf, wholeOf, type Effects, type Whole } from './effects.ts'
import { latticeOf } from './lattice.ts'
import { leavesProblem, type Cell, type Leaves } from './leaves.ts'
import { shiftOf, unlikeness } from './likelihood.ts'
import { firstLook, isEverything, scanner, type Candidate, type Volume } from './scan.ts'

export type Question = {
  /** undefined: whichever moved more. */
  readonly direction?: 'rise' | 'fall' | undefined
  /** A cell with less in the bucket is no cause. */
  readonly leastDenominator?: number
  /** Nor is one with a numerator below this both now and expected. */
  readonly leastEvents?: number
  /** Candidates that are ranked. */
  readonly candidates?: number
}

export type Cause = {
  /** By dimension; empty: everything moved alike. */
  readonly cell: Cell
  readonly depth: number
  /** Of the KPI's change, what this cell adds to it. Above 1 where others moved against it. */
  readonly share: number
  readonly effects: Effects
  /** By how much likelier (natural logarithm) its leaves are if it moved, given the causes before it. */
  readonly score: number
  readonly actual: number
  readonly expected: number
}

export type Attribution = {
  /** `mix`: rates stayed, traffic moved. `unclear`: no cell stands out. */
  readonly verdict: 'cells' | 'everything' | 'mix' | 'unclear'
  /** Strongest first. */
  readonly causes: readonly Cause[]
  /** The causes, then what else would explain it, by score. */
  readonly ranked: readonly { readonly cell: Cell; readonly score: number }[]
  readonly whole: Whole
}

export const deepest = 3
export const mostCauses = 4
/** Numerator, now or expected, below which a cell is noise. */
export const fewestEvents = 5
/** Sums of expected counts, which are fractions, end a little beside what they come to. */
export const sumsRound = 1e-6
/** Beyond the logarithm of the cells tried: by chance about one scan in twenty has a cell that passes. */
export const chanceMargin = 2
/** A further cause explains so much of what the first does, by its numerator and by its score; what is less is the first one's echo. */
export const furtherShare = 0.1
export const furtherScore = 0.2
/** What each further cause must win over "everything moved alike". */
export const costOfFurther = 5
/** Everything moved only if what is outside the causes moved by so much of what was looked for, in logarithms. */
export const alikeShare = 0.5
/** Rates explain less of the change than this, and mix more: it is the mix. */
const mixShare = 0.5

/** Throws where the columns do not fit together. */
export function attribute(leaves: Leaves, question: Question = {}): Attribution {
  const problem = leavesProblem(leaves)
  if (problem !== undefined) throw new Error(`attribution: ${problem}`)
  const wanted = question.direction === undefined ? undefined : question.direction === 'rise' ? 1 : -1
  const leastEvents = (question.leastEvents ?? fewestEvents) - sumsRound
  const volume: Volume = { leastDenominator: question.leastDenominator ?? 0, leastEvents }
  const base = expectedOf(leaves)
  const whole = wholeOf(leaves, base)
  const lattice = latticeOf(leaves, deepest)
  const shift = firstLook(leaves, lattice, base.expected, volume, wanted)
  const { found, ranked } = shift === 0 ? nothing : search()

  function search(): { found: readonly Candidate[]; ranked: readonly Candidate[] } {
    const scan = scanner(leaves, lattice, base.expected, volume, { shift, spread: leaves.spread + (unlikeness * shift) ** 2 })
    const first = scan.look(question.candidates ?? 20, () => true)
    const least = Math.log(lattice.cells) + chanceMargin
    const causes: Candidate[] = []
    const direction = Math.sign(shift)
    const gap = ({ count, expected }: Candidate) => (count - expected) * direction
    let best = first.ranked[0]
    let open = (total(leaves.numerator) - total(base.expected)) * direction
    while (best !== undefined && best.score >= least && causes.length < mostCauses) {
      const [strongest] = causes
      if (strongest !== undefined && (gap(best) < furtherShare * gap(strongest) || best.score < furtherScore * strongest.score)) break
      causes.push(best)
      open -= gap(best)
      if (open < furtherShare * gap(causes[0]!)) break
      scan.explain(best)
      best = scan.look(1, (dimensions, leaf) => !causes.some((cause) => related(leaves, cause, dimensions, leaf))).ranked[0]
    }
    const sum = causes.reduce((total, { score }) => total + score, 0)
    const { everything } = first
    const isLikelier = everything.score >= sum - costOfFurther * Math.max(0, causes.length - 1)
    const all = everything.score >= least && ((isLikelier && restMoved(causes, shift)) || (nothingElse(causes) && alike(causes)))
    return { found: all ? [everything] : causes, ranked: first.ranked }
  }

  /** Whether what lies outside the causes moved like them; where hardly anything does, there is nothing against it. */
  function restMoved(causes: readonly Candidate[], shift: number): boolean {
    const { count, expected } = restOf(causes)
    return isNothing(count, expected) || shiftOf(count, expected) / shift >= alikeShare
  }

  /** The values of a dimension, one by one, are everything. */
  function nothingElse(causes: readonly Candidate[]): boolean {
    const { count, expected } = restOf(causes)
    return isNothing(count, expected)
  }

  function alike(causes: readonly Candidate[]): boolean {
    const shifts = causes.map(({ count, expected }) => Math.abs(shiftOf(count, expected)))
    return Math.min(...shifts) >= alikeShare * Math.max(...shifts)
  }

  function isNothing(count: number, expected: number): boolean {
    return Math.max(count, expected) < volume.leastEvents
  }

  function restOf(causes: readonly Candidate[]): { count: number; expected: number } {
    let count = 0
    let expected = 0
    for (let i = 0; i < base.expected.length; i++) {
      if (causes.some((cause) => isIn(leaves, cause, i))) continue
      count += leaves.numerator[i]!
      expected += base.expected[i]!
    }
    return { count, expected }
  }

  const cellOf = ({ dimensions, leaf }: Candidate): Cell =>
    Object.fromEntries(dimensions.map((d) => [leaves.dimensions[d]!, leaves.values[d]![leaves.codes[d]![leaf]!]!]))
  const causes = found.map((candidate): Cause => {
    const effects = effectsOf(leaves, base, (i) => isIn(leaves, candidate, i))
    const added = effects.numerator + effects.denominator
    return {
      cell: cellOf(candidate),
      depth: candidate.dimensions.length,
      share: whole.change === 0 ? 0 : added / whole.change,
      effects,
      score: candidate.score,
      actual: candidate.count,
      expected: candidate.expected,
    }
  })
  const others = ranked.filter((candidate) => !found.some((cause) => sameCell(leaves, cause, candidate)))
  const isMix = Math.abs(whole.mix) > Math.abs(whole.change) * mixShare && Math.abs(whole.rate) < Math.abs(whole.change) * mixShare
  return {
    verdict: found.length > 0 ? (isEverything(found[0]!) ? 'everything' : 'cells') : isMix ? 'mix' : 'unclear',
    causes,
    ranked: [...found, ...others].map((candidate) => ({ cell: cellOf(candidate), score: candidate.score })),
    whole,
  }
}

const nothing = { found: [], ranked: [] } as const

const isIn = (leaves: Leaves, { dimensions, leaf }: Candidate, i: number) =>
  dimensions.every((d) => leaves.codes[d]![i] === leaves.codes[d]![leaf])

/** One lies within the other. */
function related(leaves: Leaves, cause: Candidate, dimensions: readonly number[], leaf: number): boolean {
  const agrees = (d: number) => leaves.codes[d]![leaf] === leaves.codes[d]![cause.leaf]
  const shared = cause.dimensions.filter((d) => dimensions.includes(d))
  return shared.length === Math.min(dimensions.length, cause.dimensions.length) && shared.every(agrees)
}

const sameCell = (leaves: Leaves, a: Candidate, b: Candidate) =>
  a.dimensions.length === b.dimensions.length && related(leaves, a, b.dimensions, b.leaf)
