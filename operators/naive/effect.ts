// The naive twin of operators/alerts/effect.ts: the same question put to weighted least squares, with errors that are robust to whatever
// the rows of one piece of time have in common. Written as matrices, from the textbook.
import { piecesOfSpan, type EffectBucket, type EffectQuestion } from '../alerts/effect.ts'

type Row = { x: number[]; y: number; weight: number; cluster: string; period: number }

/** Coefficient of (treated × after) and its cluster-robust standard error. */
export function naiveEffect(question: EffectQuestion): { effect: number; standardError: number } {
  const compares = question.control.some(({ denominator }) => denominator > 0)
  const rows: Row[] = []
  for (const [period, span] of [question.before, question.after].entries())
    for (let piece = 0; piece < piecesOfSpan; piece++) {
      const length = (span.toMs - span.fromMs) / piecesOfSpan
      const isIn = ({ at }: EffectBucket) =>
        at >= span.fromMs &&
        at < span.toMs &&
        Math.floor(((at - span.fromMs) / (span.toMs - span.fromMs)) * piecesOfSpan) === piece &&
        length > 0
      const sides = (compares ? [question.control, question.treated] : [question.treated]).map((side) => side.filter(isIn))
      const sums = sides.map((side) => ({ n: side.reduce((s, b) => s + b.numerator, 0), d: side.reduce((s, b) => s + b.denominator, 0) }))
      if (sums.some(({ d }) => d === 0)) continue
      for (const [index, { n, d }] of sums.entries()) {
        const isTreated = compares ? index : 1
        const x = compares ? [1, isTreated, period, isTreated * period] : [1, period]
        rows.push({ x, y: n / d, weight: d, cluster: `${period}/${piece}`, period })
      }
    }
  const width = rows[0]!.x.length
  const bread = inverse(matrix(width, (i, j) => rows.reduce((sum, { x, weight }) => sum + weight * x[i]! * x[j]!, 0)))
  const moments = Array.from({ length: width }, (_, i) => rows.reduce((sum, { x, y, weight }) => sum + weight * x[i]! * y, 0))
  const beta = bread.map((line) => line.reduce((sum, value, j) => sum + value * moments[j]!, 0))
  const clusters = new Map<string, Row[]>()
  for (const row of rows) clusters.set(row.cluster, [...(clusters.get(row.cluster) ?? []), row])
  const perPeriod = [0, 1].map((period) => [...clusters.values()].filter(([row]) => row!.period === period).length)
  const meat = matrix(width, () => 0)
  for (const members of clusters.values()) {
    const residual = ({ x, y }: Row) => y - x.reduce((sum, value, j) => sum + value * beta[j]!, 0)
    const score = Array.from({ length: width }, (_, i) => members.reduce((sum, row) => sum + row.weight * row.x[i]! * residual(row), 0))
    const count = perPeriod[members[0]!.period]!
    for (let i = 0; i < width; i++) for (let j = 0; j < width; j++) meat[i]![j]! += (score[i]! * score[j]! * count) / (count - 1)
  }
  const covariance = times(times(bread, meat), bread)
  return { effect: beta[width - 1]!, standardError: Math.sqrt(covariance[width - 1]![width - 1]!) }
}

type Matrix = number[][]
const matrix = (size: number, at: (i: number, j: number) => number): Matrix =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (__, j) => at(i, j)))
const times = (a: Matrix, b: Matrix): Matrix => matrix(a.length, (i, j) => a[i]!.reduce((sum, value, k) => sum + value * b[k]![j]!, 0))

/** Gauss and Jordan, with pivots. */
function inverse(of: Matrix): Matrix {
  const size = of.length
  const work = of.map((line, i) => [...line, ...Array.from({ length: size }, (_, j) => (i === j ? 1 : 0))])
  for (let column = 0; column < size; column++) {
    let pivot = column
    for (let i = column; i < size; i++) if (Math.abs(work[i]![column]!) > Math.abs(work[pivot]![column]!)) pivot = i
    ;[work[column], work[pivot]] = [work[pivot]!, work[column]!]
    const head = work[column]![column]!
    work[column] = work[column]!.map((value) => value / head)
    for (let i = 0; i < size; i++) {
      if (i === column) continue
      const factor = work[i]![column]!
      work[i] = work[i]!.map((value, j) => value - factor * work[column]![j]!)
    }
  }
  return work.map((line) => line.slice(size))
}
