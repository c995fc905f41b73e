// One look at every cell of the lattice: which of them, had it moved as a whole, explains the leaves best.
import { sumUp, type Cuboid, type Lattice } from './lattice.ts'
import type { Leaves } from './leaves.ts'
import { peakOf, poissonGain, shiftGain, shiftOf, shiftShares } from './likelihood.ts'

export type Volume = { readonly leastDenominator: number; readonly leastEvents: number }

export type Candidate = {
  /** Positions of its dimensions, rising. */
  readonly dimensions: readonly number[]
  readonly leaf: number
  readonly score: number
  readonly count: number
  readonly expected: number
}

/** A cell that fixes nothing. */
export const isEverything = (candidate: Candidate) => candidate.dimensions.length === 0

/**
 * The largest shift that a cell shows, with its sign: scored by Poisson with each leaf weighed down by `spread`, so that it
 * takes no search for the shift. Of everything where no cell has the volume.
 */
export function firstLook(leaves: Leaves, lattice: Lattice, expected: Float64Array, volume: Volume, direction: 1 | -1 | undefined): number {
  const width = 5
  const count = expected.length
  const table = new Float64Array(count * width)
  for (let i = 0, at = 0; i < count; i++) {
    const weight = 1 / (1 + leaves.spread * expected[i]!)
    table[at++] = leaves.numerator[i]!
    table[at++] = expected[i]!
    table[at++] = leaves.denominator?.[i] ?? 0
    table[at++] = leaves.numerator[i]! * weight
    table[at++] = expected[i]! * weight
  }
  let best = -1
  let shift = 0
  sumUp(lattice, table, width, (cuboid, sums) => {
    if (cuboid.dimensions.length === 0) return
    for (let at = 0; at < sums.length; at += width) {
      const gap = sums[at + 3]! - sums[at + 4]!
      if (direction !== undefined && gap * direction <= 0) continue
      if (!hasVolume(sums, at, leaves, volume)) continue
      const gain = poissonGain(sums[at + 3]!, sums[at + 4]!)
      if (gain <= best) continue
      best = gain
      // Which way is told by the weighed sums, which found the cell; how far, by the bare ones where they agree.
      const bare = shiftOf(sums[at]!, sums[at + 1]!)
      shift = bare * gap > 0 ? bare : shiftOf(sums[at + 3]!, sums[at + 4]!)
    }
  })
  return shift
}

const hasVolume = (sums: Float64Array, at: number, leaves: Leaves, { leastDenominator, leastEvents }: Volume) =>
  Math.max(sums[at]!, sums[at + 1]!) >= leastEvents && (leaves.denominator === undefined || sums[at + 2]! >= leastDenominator)

const head = 3
const width = head + shiftShares.length

export type Look = {
  /** Best first: by score, then the shallower, then by dimensions and codes. */
  readonly ranked: readonly Candidate[]
  readonly everything: Candidate
}

export type Scanner = {
  /** `wanted` false: a cell is not ranked. */
  look(keep: number, wanted: (dimensions: readonly number[], leaf: number) => boolean): Look
  /** From now on the leaves of a cell are expected to be what they would be if it had moved. */
  explain(candidate: Candidate): void
}

/** `shift`: about what is looked for, not 0; `spread`: of leaves around it. */
export function scanner(
  leaves: Leaves,
  lattice: Lattice,
  base: Float64Array,
  volume: Volume,
  { shift, spread }: { readonly shift: number; readonly spread: number },
): Scanner {
  const shifts = shiftShares.map((share) => share * shift)
  const magnitudes = shifts.map(Math.abs)
  const direction = Math.sign(shift)
  const expected = base.slice()
  const table = new Float64Array(expected.length * width)
  const write = (i: number) => {
    const from = i * width
    table[from] = leaves.numerator[i]!
    table[from + 1] = expected[i]!
    table[from + 2] = leaves.denominator?.[i] ?? 0
    for (let k = 0; k < shifts.length; k++) table[from + head + k] = shiftGain(leaves.numerator[i]!, expected[i]!, shifts[k]!, spread)
  }
  for (let i = 0; i < expected.length; i++) write(i)

  return {
    look(keep, wanted) {
      const best = shortList(leaves, keep)
      let everything: Candidate = { dimensions: [], leaf: 0, score: 0, count: 0, expected: 0 }
      sumUp(lattice, table, width, ({ dimensions, firstLeaf }: Cuboid, sums) => {
        for (let cell = 0, at = 0; cell < firstLeaf.length; cell++, at += width) {
          const gap = (sums[at]! - sums[at + 1]!) * direction
          const moved = gap > 0 && hasVolume(sums, at, leaves, volume)
          if (!moved && dimensions.length > 0) continue
          const peak = peakOf(sums, at + head, magnitudes)
          if (dimensions.length > 0 && peak < best.least()) continue
          // Sums of the same leaves in another order differ in the last digits: rounded, they tie.
          const score = Math.round(peak * 1e6) / 1e6
          const candidate = { dimensions, leaf: firstLeaf[cell]!, score, count: sums[at]!, expected: sums[at + 1]! }
          if (dimensions.length === 0) everything = moved ? candidate : { ...candidate, score: Math.min(0, score) }
          else if (wanted(dimensions, candidate.leaf)) best.offer(candidate)
        }
      })
      return { ranked: best.list, everything }
    },
    explain({ dimensions, leaf, count, expected: sum }) {
      const factor = Math.max(count, 0.5) / Math.max(sum, 1e-9)
      for (let i = 0; i < expected.length; i++) {
        if (!dimensions.every((d) => leaves.codes[d]![i] === leaves.codes[d]![leaf])) continue
        expected[i]! *= factor
        write(i)
      }
    },
  }
}

/** The best so many, in order. */
function shortList(leaves: Leaves, keep: number) {
  const list: Candidate[] = []
  return {
    list: list as readonly Candidate[],
    /** A peak below this is not among them. */
    least: () => (list.length < keep ? 0 : list.at(-1)!.score - 1e-6),
    offer(candidate: Candidate): void {
      if (candidate.score <= 0) return
      let to = list.length
      while (to > 0 && compare(candidate, list[to - 1]!, leaves) < 0) to--
      if (to >= keep) return
      list.splice(to, 0, candidate)
      if (list.length > keep) list.pop()
    },
  }
}

/** Below 0: a goes first. */
function compare(a: Candidate, b: Candidate, leaves: Leaves): number {
  if (a.score !== b.score) return b.score - a.score
  if (a.dimensions.length !== b.dimensions.length) return a.dimensions.length - b.dimensions.length
  for (const [i, d] of a.dimensions.entries()) if (d !== b.dimensions[i]) return d - b.dimensions[i]!
  for (const d of a.dimensions) {
    const order = leaves.codes[d]![a.leaf]! - leaves.codes[d]![b.leaf]!
    if (order !== 0) return order
  }
  return 0
}
