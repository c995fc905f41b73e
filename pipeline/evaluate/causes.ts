// How well attribution names the causes of labelled cases: a folder of them in, counts of hits out.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { attribute, type Question } from '../../operators/attribution/attribute.ts'
import { cellName, type Cell } from '../../operators/attribution/leaves.ts'
import { readCase } from './case-file.ts'
import { cellKey, readLabels, type Label, type Read } from './labels.ts'

const labelsFile = 'anomaly.yaml'

export type CauseFigures = {
  readonly cases: number
  readonly top1: number
  readonly top3: number
  readonly top5: number
  readonly microF1: number
}

export type JudgedCase = {
  readonly name: string
  readonly truth: readonly Cell[]
  readonly found: readonly Cell[]
  /** Of each true cause, its place among the ranked candidates, from 1; undefined: it is not among them. */
  readonly places: readonly (number | undefined)[]
  readonly remark?: string
}

/** All problems of all files, where there are any: figures of half a folder would mislead. */
export function evaluateCauses(directory: string, direction: Question['direction']): Read<{ figures: CauseFigures; cases: JudgedCase[] }> {
  const path = join(directory, labelsFile)
  if (!existsSync(path))
    return { ok: false, problems: [`no ${labelsFile} in ${directory}: it says which cases there are, and their causes`] }
  const labels = readLabels(readFileSync(path, 'utf8'), labelsFile)
  if (!labels.ok) return labels
  const problems: string[] = []
  const cases: JudgedCase[] = []
  for (const label of labels.value) {
    const judged = judgeCase(directory, label, direction)
    if (judged.ok) cases.push(judged.value)
    else problems.push(...judged.problems)
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: { figures: figuresOf(cases), cases } }
}

function judgeCase(directory: string, { name, at, causes }: Label, direction: Question['direction']): Read<JudgedCase> {
  const file = `${name}.csv`
  if (!existsSync(join(directory, file))) return { ok: false, problems: [`${file} is missing: ${labelsFile} names it`] }
  const leaves = readCase(readFileSync(join(directory, file), 'utf8'), file, at)
  if (!leaves.ok) return leaves
  const { dimensions } = leaves.value
  const { causes: found, ranked } = attribute(leaves.value, { direction })
  const order = ranked.map(({ cell }) => cellKey(cell))
  const places = causes.map((cell) => order.indexOf(cellKey(cell)) + 1 || undefined)
  const strange = causes.flatMap(Object.keys).filter((dimension) => !dimensions.includes(dimension))
  return {
    ok: true,
    value: {
      name, truth: causes, found: found.map(({ cell }) => cell), places,
      ...(strange.length > 0 ? { remark: `${file} has no dimension ${strange.join(', ')}, which its label names: it counts as missed` } : {}),
    }, // prettier-ignore
  }
}

/**
 * Top k: the share of cases in which every true cause is among the first k candidates, so that a case of two causes is never a
 * hit at 1. Micro-F1: over all cases, the causes found against the true ones, a hit only where the cells are equal.
 */
export function figuresOf(cases: readonly Pick<JudgedCase, 'truth' | 'found' | 'places'>[]): CauseFigures {
  const share = (k: number) =>
    cases.filter(({ places }) => places.every((place) => place !== undefined && place <= k)).length / Math.max(1, cases.length)
  let hits = 0
  let cells = 0
  for (const { truth, found } of cases) {
    const truths = new Set(truth.map(cellKey))
    hits += found.filter((cell) => truths.has(cellKey(cell))).length
    cells += truths.size + found.length
  }
  const rounded = (value: number) => Math.round(value * 1000) / 1000
  return {
    cases: cases.length,
    top1: rounded(share(1)),
    top3: rounded(share(3)),
    top5: rounded(share(5)),
    microF1: rounded(cells === 0 ? 0 : (2 * hits) / cells),
  }
}

export function renderCase({ name, truth, found, places }: JudgedCase): string {
  const list = (cells: readonly Cell[]) => (cells.length === 0 ? 'nothing' : cells.map(cellName).join('; '))
  const right = new Set(truth.map(cellKey))
  const exact = found.length === right.size && found.every((cell) => right.has(cellKey(cell)))
  return `${exact ? 'right' : 'wrong'}  ${name}  found ${list(found)}${exact ? '' : `  true ${list(truth)}, ranked ${places.map((place) => place ?? 'nowhere').join(', ')}`}`
}
