// What attribution/attribute.ts means: every cell as a list of its leaves, by name, summed anew for each question.
import {
  alikeShare,
  chanceMargin,
  costOfFurther,
  deepest,
  fewestEvents,
  furtherScore,
  furtherShare,
  mostCauses,
  sumsRound,
  type Question,
} from '../attribution/attribute.ts'
import { expectedOf } from '../attribution/baseline.ts'
import type { Cell, Leaves } from '../attribution/leaves.ts'
import { peakOf, poissonGain, shiftGain, shiftOf, shiftShares, unlikeness } from '../attribution/likelihood.ts'

export type NaiveAttribution = {
  readonly causes: readonly { readonly cell: Cell; readonly score: number; readonly actual: number; readonly expected: number }[]
  readonly ranked: readonly { readonly cell: Cell; readonly score: number }[]
}

type NamedCell = { readonly cell: Cell; readonly order: readonly number[]; readonly leaves: readonly number[] }

export function naiveAttribution(leaves: Leaves, question: Question = {}): NaiveAttribution {
  const { numerator, denominator } = leaves
  const { expected: base } = expectedOf(leaves)
  const cells = cellsOf(leaves)
  const all = cells.find(({ cell }) => depthOf(cell) === 0)!
  const sum = (column: Float64Array, of: readonly number[]) => of.reduce((total, i) => total + column[i]!, 0)
  const hasVolume = ({ leaves: of }: NamedCell, expected: Float64Array) =>
    Math.max(sum(numerator, of), sum(expected, of)) >= (question.leastEvents ?? fewestEvents) - sumsRound &&
    (denominator === undefined || sum(denominator, of) >= (question.leastDenominator ?? 0))

  const weight = (i: number) => 1 / (1 + leaves.spread * base[i]!)
  const looks = cells
    .filter((cell) => depthOf(cell.cell) > 0 && hasVolume(cell, base))
    .map(({ leaves: of }) => {
      const counted = of.reduce((total, i) => total + numerator[i]! * weight(i), 0)
      const foreseen = of.reduce((total, i) => total + base[i]! * weight(i), 0)
      const bare = shiftOf(sum(numerator, of), sum(base, of))
      const agrees = bare * (counted - foreseen) > 0
      return { rises: counted - foreseen, gain: poissonGain(counted, foreseen), shift: agrees ? bare : shiftOf(counted, foreseen) }
    })
    .filter(({ rises }) => question.direction === undefined || (question.direction === 'rise' ? rises > 0 : rises < 0))
  const shift = looks.toSorted((a, b) => b.gain - a.gain)[0]?.shift ?? 0
  if (shift === 0) return { causes: [], ranked: [] }
  const direction = Math.sign(shift)
  const spread = leaves.spread + (unlikeness * shift) ** 2

  function scored(expected: Float64Array) {
    return cells
      .map((cell) => {
        const gains = shiftShares.map((share) =>
          cell.leaves.reduce((total, i) => total + shiftGain(numerator[i]!, expected[i]!, share * shift, spread), 0),
        )
        const peak = peakOf(
          Float64Array.from(gains),
          0,
          shiftShares.map((share) => share * Math.abs(shift)),
        )
        const actual = sum(numerator, cell.leaves)
        const foreseen = sum(expected, cell.leaves)
        const moved = (actual - foreseen) * direction > 0 && hasVolume(cell, expected)
        return { ...cell, score: moved ? Math.round(peak * 1e6) / 1e6 : 0, actual, expected: foreseen }
      })
      .filter(({ score }) => score > 0)
      .toSorted((a, b) => b.score - a.score || depthOf(a.cell) - depthOf(b.cell) || compareLists(a.order, b.order))
  }

  let expected = base
  const first = scored(expected)
  const ranked = first.filter(({ cell }) => depthOf(cell) > 0).slice(0, question.candidates ?? 20)
  const least = Math.log(cells.length) + chanceMargin
  const causes: (typeof ranked)[number][] = []
  const gap = (one: (typeof ranked)[number]) => (one.actual - one.expected) * direction
  let open = (sum(numerator, all.leaves) - sum(base, all.leaves)) * direction
  let best = ranked[0]
  while (best !== undefined && best.score >= least && causes.length < mostCauses) {
    const strongest = causes[0]
    if (strongest !== undefined && (gap(best) < furtherShare * gap(strongest) || best.score < furtherScore * strongest.score)) break
    causes.push(best)
    open -= gap(best)
    if (open < furtherShare * gap(causes[0]!)) break
    const factor = Math.max(best.actual, 0.5) / Math.max(best.expected, 1e-9)
    const moved = new Set(best.leaves)
    expected = expected.map((value, i) => (moved.has(i) ? value * factor : value))
    best = scored(expected).find(
      ({ cell }) => depthOf(cell) > 0 && !causes.some((cause) => isWithin(cell, cause.cell) || isWithin(cause.cell, cell)),
    )
  }
  const everything = first.find(({ cell }) => depthOf(cell) === 0)
  const together = causes.reduce((total, { score }) => total + score, 0) - costOfFurther * Math.max(0, causes.length - 1)
  const rest = all.leaves.filter((i) => !causes.some((cause) => cause.leaves.includes(i)))
  const isNothing = Math.max(sum(numerator, rest), sum(base, rest)) < (question.leastEvents ?? fewestEvents) - sumsRound
  const restMoved = isNothing || shiftOf(sum(numerator, rest), sum(base, rest)) / shift >= alikeShare
  const shifts = causes.map((cause) => Math.abs(shiftOf(cause.actual, cause.expected)))
  const alike = Math.min(...shifts) >= alikeShare * Math.max(...shifts)
  const isAll =
    everything !== undefined && everything.score >= least && ((everything.score >= together && restMoved) || (isNothing && alike))
  const found = isAll ? [everything] : causes
  const key = ({ cell }: { cell: Cell }) => JSON.stringify(cell)
  const others = ranked.filter((one) => !found.some((cause) => key(cause) === key(one)))
  return {
    causes: found.map(({ cell, score, actual, expected }) => ({ cell, score, actual, expected })),
    ranked: [...found, ...others].map(({ cell, score }) => ({ cell, score })),
  }
}

/** A dimension in which all leaves agree is in no cell. */
function cellsOf(leaves: Leaves): NamedCell[] {
  const varied = leaves.dimensions.map((_, d) => d).filter((d) => new Set(leaves.codes[d]).size > 1)
  const choices: number[][] = [[]]
  for (const d of varied) choices.push(...choices.filter(({ length }) => length < deepest).map((choice) => [...choice, d]))
  const cells = new Map<string, { cell: Cell; order: number[]; leaves: number[] }>()
  for (const choice of choices)
    for (let i = 0; i < leaves.numerator.length; i++) {
      const cell = Object.fromEntries(choice.map((d) => [leaves.dimensions[d]!, leaves.values[d]![leaves.codes[d]![i]!]!]))
      const name = JSON.stringify(cell)
      const known = cells.get(name)
      if (known === undefined) cells.set(name, { cell, order: [...choice, ...choice.map((d) => leaves.codes[d]![i]!)], leaves: [i] })
      else known.leaves.push(i)
    }
  return [...cells.values()]
}

const depthOf = (cell: Cell) => Object.keys(cell).length

const isWithin = (inner: Cell, outer: Cell) => Object.entries(outer).every(([dimension, value]) => inner[dimension] === value)

/** Of equal length. */
function compareLists(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i])
  return at < 0 ? 0 : a[at]! - b[at]!
}
