// All cells of up to so many dimensions that have a leaf. A cuboid (all cells of the same dimensions) is rolled up from the smallest
// one below it, not from the leaves, where that is less work. A cell is known by its first leaf: no object and no name for each.
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
  /** Deeper than is asked for: only a step between the leaves and what is. */
  readonly isStep: boolean
}

export type Lattice = {
  /** What is made from leaves; every other cuboid hangs on one of these. */
  readonly roots: readonly Cuboid[]
  /** Without those of steps. */
  readonly cells: number
}

/** A step is worth it where it has at most this share of the leaves. */
const worthwhileShare = 1 / 3
/** A table of so many places is taken without hashing. */
const directPlaces = 1 << 23

export function latticeOf(leaves: Leaves, depth: number): Lattice {
  const count = leaves.numerator.length
  const varied = leaves.dimensions.map((_, d) => d).filter((d) => leaves.codes[d]!.some((code) => code !== leaves.codes[d]![0]))
  const top = Math.min(depth, varied.length)
  const grouping = groups(leaves)
  const everyLeaf = Uint32Array.from({ length: count }, (_, i) => i)
  const placesOf = (dimensions: readonly number[]) => dimensions.reduce((product, d) => product * leaves.values[d]!.length, 1)
  const made = new Map<string, Cuboid>()
  const roots: Cuboid[] = []
  let cells = 0

  function make(dimensions: readonly number[]): Cuboid {
    const before = made.get(dimensions.join())
    if (before !== undefined) return before
    const wider = varied.filter((d) => !dimensions.includes(d)).map((d) => [...dimensions, d].toSorted((a, b) => a - b))
    const smallest = wider.toSorted((a, b) => placesOf(a) - placesOf(b))[0]
    const isRolledUp = smallest !== undefined && (dimensions.length < top || placesOf(smallest) <= count * worthwhileShare)
    const source = isRolledUp ? make(smallest) : undefined
    const isStep = dimensions.length > top
    const cuboid = { ...grouping(dimensions, source?.firstLeaf ?? everyLeaf), isStep }
    if (source === undefined) roots.push(cuboid)
    else source.rolledUp.push(cuboid)
    if (!isStep) cells += cuboid.size
    made.set(dimensions.join(), cuboid)
    return cuboid
  }
  for (let size = top; size >= 0; size--) for (const dimensions of subsets(varied, size)) make(dimensions)
  return { roots, cells }
}

/** Of given size, in order. */
export function subsets(of: readonly number[], size: number): number[][] {
  if (size === 0) return [[]]
  return of.flatMap((first, i) => subsets(of.slice(i + 1), size - 1).map((rest) => [first, ...rest]))
}

/** Cells are numbered in the order of their first leaf. */
function groups(leaves: Leaves): (dimensions: readonly number[], members: Uint32Array) => Omit<Cuboid, 'isStep'> {
  let direct = new Uint32Array(0) // cell + 1, or 0
  return (dimensions, members) => {
    const cellOf = new Uint32Array(members.length)
    const firstLeaf = new Uint32Array(members.length)
    const columns = dimensions.map((d) => leaves.codes[d]!)
    const sizes = dimensions.map((d) => leaves.values[d]!.length)
    const places = sizes.reduce((product, size) => product * size, 1)
    const codes = new Float64Array(members.length)
    for (const [d, column] of columns.entries()) {
      const radix = sizes[d]!
      for (let i = 0; i < members.length; i++) codes[i] = codes[i]! * radix + column[members[i]!]!
    }
    let size = 0
    if (places <= directPlaces) {
      if (direct.length < places) direct = new Uint32Array(places)
      else direct.fill(0, 0, places)
      for (let i = 0; i < members.length; i++) {
        const code = codes[i]!
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
      const kept = new Float64Array(slots)
      for (let i = 0; i < members.length; i++) {
        const code = codes[i]!
        let hash = Math.imul((code % 4_294_967_296) ^ Math.floor(code / 4_294_967_296), 0x9e3779b1)
        hash ^= hash >>> 15
        let slot = hash & (slots - 1)
        while (cells[slot] !== 0 && kept[slot] !== code) slot = (slot + 1) & (slots - 1)
        if (cells[slot] === 0) {
          firstLeaf[size++] = members[i]!
          cells[slot] = size
          kept[slot] = code
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
    if (!cuboid.isStep) visit(cuboid, sums)
    for (const above of cuboid.rolledUp) descend(above, sums)
  }
  for (const cuboid of lattice.roots) descend(cuboid, table)
}
