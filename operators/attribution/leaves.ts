// What an attribution reads: the finest cells that are known, as columns.

export type Leaves = {
  /** Names. Any number; a dimension with one value says nothing and costs nothing. */
  readonly dimensions: readonly string[]
  /** Of each dimension, its values by code. */
  readonly values: readonly (readonly string[])[]
  /** Of each dimension, the code of each leaf. No two leaves need differ. */
  readonly codes: readonly Uint32Array[]
  /** Of each leaf in the bucket that is explained. */
  readonly numerator: Float64Array
  /** undefined: the KPI is additive (a count or a sum), not a ratio. */
  readonly denominator: Float64Array | undefined
  /** Sums over all buckets of the baseline. */
  readonly baselineNumerator: Float64Array
  readonly baselineDenominator: Float64Array | undefined
  /** Buckets in those sums, above 0. */
  readonly baselineBuckets: number
  /**
   * How much a leaf varies from bucket to bucket beyond what counting explains: the square of its relative deviation
   * (baseline.ts estimates it).
   */
  readonly spread: number
}

export type Cell = Readonly<Record<string, string>>

/** What is wrong with the columns: a bug of the caller. */
export function leavesProblem(leaves: Leaves): string | undefined {
  const { dimensions, values, codes, numerator, denominator, baselineNumerator, baselineDenominator } = leaves
  const count = numerator.length
  if (values.length !== dimensions.length || codes.length !== dimensions.length)
    return `${dimensions.length} dimensions, but dictionaries of ${values.length} and codes of ${codes.length}`
  if ((denominator === undefined) !== (baselineDenominator === undefined))
    return 'a denominator is given of the bucket or of the baseline, but not of both'
  const columns = { baselineNumerator, denominator, baselineDenominator }
  for (const [name, column] of Object.entries(columns))
    if (column !== undefined && column.length !== count) return `${count} leaves, but ${name} has ${column.length}`
  for (const [d, column] of codes.entries()) {
    if (column.length !== count) return `${count} leaves, but the codes of ${dimensions[d]} are ${column.length}`
    const size = values[d]!.length
    for (let i = 0; i < count; i++)
      if (column[i]! >= size) return `leaf ${i}: code ${column[i]} of ${dimensions[d]}, which has ${size} values`
  }
  for (const column of [numerator, denominator, baselineNumerator, baselineDenominator])
    if (column?.some((value) => !(value >= 0 && value < Infinity))) return 'a figure that is negative or no number'
  const [a = 1, b = 1, c = 1] = values.map(({ length }) => length).toSorted((x, y) => y - x)
  if (a * b * c > Number.MAX_SAFE_INTEGER) return `dimensions of ${a}, ${b} and ${c} values: more cells than can be numbered`
  if (!(leaves.baselineBuckets > 0)) return `a baseline of ${leaves.baselineBuckets} buckets`
  if (!(leaves.spread >= 0 && leaves.spread < Infinity)) return `a spread of ${leaves.spread}`
  return undefined
}

export const cellName = (cell: Cell): string =>
  Object.keys(cell).length === 0
    ? 'everything'
    : Object.entries(cell)
        .map(([dimension, value]) => `${dimension}=${value}`)
        .join(' and ')
