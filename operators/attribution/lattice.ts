// All cells of up to three dimensions that have a leaf. Only the deepest cuboids are made from leaves; each shallower one is rolled
// up from the smallest below it. A cell is known by its first leaf: no object and no name for each.
import type { Leaves } from './leaves.ts'

export type Cuboid = {
  /** Positions in `leaves.dimensions`, rising. */
  readonly dimensions: readonly number[]
  readonly size: number
  /** Of each cell, a leaf in it. */
  readonly firstLeaf: Uint32Array
  /** Of each leaf, or of each cell of the cuboid that it is rolled up from, the cell here. */
  readonly cellOf: Uint32Array
  readonly rolledUp: Cuboid[]
}

export type Lattice = {
  /** What is made from leaves; every other cuboid hangs on one of these. */
  readonly deepest: readonly Cuboid[]
  readonly cells: number
}

/** A table of so many places is taken without hashing. */
const directPlaces = 1 << 23

export function latticeOf(leaves: Leaves, depth: number): Lattice {
  const count = leaves.numerator.length
  const varied = leaves.dimensions.map((_, d) => d).filter((d) => leaves.codes[d]!.some((code) => code !== leaves.codes[d]![0]))
  const top = Math.min(depth, varied.length)
  const grouping = groups(leaves)
  const everyLeaf = Uint32Array.from({ length: count }, (_, i) => i)
  const deepest = subsets(varied, top).map((dimensions) => grouping(dimensions, everyLeaf))
  let cells = deepest.reduce((sum, cuboid) => sum + cuboid.size, 0)
  let below = deepest
  for (let size = top - 1; size >= 0; size--) {
    below = subsets(varied, size).map((dimensions) => {
      const sources = below.filter((cuboid) => dimensions.every((d) => cuboid.dimensions.includes(d)))
      const source = sources.reduce((least, cuboid) => (cuboid.size < least.size ? cuboid : least))
      const cuboid = grouping(dimensions, source.firstLeaf)
      source.rolledUp.push(cuboid)
      cells += cuboid.size
      return cuboid
    })
  }
  return { deepest, cells }
}

/** Of given size, in order. */
export function subsets(of: readonly number[], size: number): number[][] {
  if (size === 0) return [[]]
  return of.flatMap((first, i) => subsets(of.slice(i + 1), size - 1).map((rest) => [first, ...rest]))
}

/** Cells are numbered in the order of their first leaf. */
function groups(leaves: Leaves): (dimensions: readonly number[], members: Uint32Array) => Cuboid {
  let direct = new Uint32Array(0) // cell + 1, or 0
  return (dimensions, members) => {
    const cellOf = new Uint32Array(members.length)
    const firstLeaf = new Uint32Array(members.length)
    const columns = dimensions.map((d) => leaves.codes[d]!)
    const sizes = dimensions.map((d) => leaves.values[d]!.length)
    const places = sizes.reduce((product, size) => product * size, 1)
    let size = 0
    const [a, b, c] = columns
    const [, sizeB = 1, sizeC = 1] = sizes
    /** Mixed radix; the lattice is at most three deep. */
    const codeOf = (leaf: number) => ((a?.[leaf] ?? 0) * sizeB + (b?.[leaf] ?? 0)) * sizeC + (c?.[leaf] ?? 0)
    if (places <= directPlaces) {
      if (direct.length < places) direct = new Uint32Array(places)
      else direct.fill(0, 0, places)
      for (let i = 0; i < members.length; i++) {
        const code = codeOf(members[i]!)
        if (direct[code] === 0) {
          firstLeaf[size++] = members[i]!
          direct[code] = size
        }
        cellOf[i] = direct[code]! - 1
      }
    } else {
      let slots = 16
      while (slots < members.length * 2) slots *= 2
      const cells = new Uint32Array(slots) // cell + 1, or 0
      const codes = new Float64Array(slots)
      for (let i = 0; i < members.length; i++) {
        const code = codeOf(members[i]!)
        let hash = Math.imul((code % 4_294_967_296) ^ Math.floor(code / 4_294_967_296), 0x9e3779b1)
        hash ^= hash >>> 15
        let slot = hash & (slots - 1)
        while (cells[slot] !== 0 && codes[slot] !== code) slot = (slot + 1) & (slots - 1)
        if (cells[slot] === 0) {
          firstLeaf[size++] = members[i]!
          cells[slot] = size
          codes[slot] = code
        }
        cellOf[i] = cells[slot]! - 1
      }
    }
    return { dimensions, size, firstLeaf: firstLeaf.slice(0, size), cellOf, rolledUp: [] }
  }
}

/** Sums of `width` columns by cell, of every cuboid; `table` has them by leaf. `visit` borrows the sums. */
export function sumUp(lattice: Lattice, table: Float64Array, width: number, visit: (cuboid: Cuboid, sums: Float64Array) => void): void {
  const descend = (cuboid: Cuboid, from: Float64Array) => {
    const sums = new Float64Array(cuboid.size * width)
    const { cellOf } = cuboid
    for (let i = 0, at = 0; i < cellOf.length; i++) {
      const to = cellOf[i]! * width
      for (let k = 0; k < width; k++) sums[to + k]! += from[at++]!
    }
    visit(cuboid, sums)
    for (const above of cuboid.rolledUp) descend(above, sums)
  }
  for (const cuboid of lattice.deepest) descend(cuboid, table)
}
